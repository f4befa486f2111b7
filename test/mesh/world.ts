// Two ends of mesh/2 in one process: a clock that is set by hand, a random source that repeats, and what lies between.
import { noble } from '../../src/crypto/noble.ts';
import { keygen } from '../../src/crypto/provider.ts';
import type { Random } from '../../src/crypto/provider.ts';
import * as mesh from '../../src/mesh/index.ts';
import { bytes, good, node, plan, seeded, testClock } from './basics.ts';
import type { TestClock } from './basics.ts';
import type { Mesh, MeshIdentity, MeshOptions, MeshRoutePlan, QstpFrame } from '../../src/mesh/index.ts';
import { u64 } from '../../src/mesh/u64.ts';

export * from './basics.ts';

/** The smallest suite: its handshake takes milliseconds. */
export const crypto = noble.suite(1);

export function text(b: Uint8Array | object | null): string {
  if (!(b instanceof Uint8Array)) throw new Error(`nothing was opened: ${JSON.stringify(b)}`);
  return new TextDecoder().decode(b);
}

export const ALPHA = plan('mesh/alpha', [1, 2]);
export const BETA = plan('mesh/beta', [3]);
export const GAMMA = plan('mesh/gamma', [4, 5, 6]);

export interface Party {
  readonly identity: MeshIdentity;
  readonly publicKey: Uint8Array;
  readonly random: Random;
}

const made = new Map<string, Party>();

export function party(name: string): Party {
  let known = made.get(name);
  if (known === undefined) {
    const seed = new Uint8Array(32);
    seeded(`${name} key`)(seed);
    const pair = keygen(crypto.signer, seed);
    known = {
      identity: mesh.pinnedIdentity(crypto, pair),
      publicKey: pair.publicKey,
      random: seeded(name),
    };
    made.set(name, known);
  }
  return known;
}

/** The reason of a refusal; of anything else, what it is. */
export function reason(result: object | null): string {
  if (result === null) return 'control';
  return mesh.isReject(result) ? result.reason : 'fine';
}

export interface End {
  readonly mesh: Mesh;
  readonly tunnel: mesh.QstpTunnel;
}

export interface Pair {
  readonly clock: TestClock;
  readonly a: End;
  readonly b: End;
}

export interface PairOptions {
  readonly route?: MeshRoutePlan;
  readonly alternates?: readonly MeshRoutePlan[];
  readonly node?: Partial<MeshOptions>;
  readonly decider?: 'initiator' | 'responder';
  readonly clock?: TestClock;
}

let pairs = 0;

/** A tunnel from a to b over the handshake, confirmed. */
export function pair(options: PairOptions = {}): Pair {
  const { clock = testClock(), route = ALPHA, alternates = [BETA, GAMMA] } = options;
  const [left, right] = [node(clock, options.node), node(clock, options.node)];
  // Of a PSK: it takes no public keys, and the tunnel is the same.
  const secret = new Uint8Array(32).fill(7);
  const [self, peerId] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const number = pairs++;
  const begun = mesh.hydrateRemoteTunnel({
    secret,
    self,
    peerId,
    route,
    random: seeded(`a ${number}`),
    ...(options.decider === undefined ? {} : { decider: options.decider }),
  });
  const answering = mesh.createHydrator({
    mesh: right,
    self: peerId,
    secretOf: () => secret,
    random: seeded(`b ${number}`),
  });
  const answer = good(mesh.respondHydration(answering, begun.frame));
  const derived = good(mesh.deriveHydratedKeys(begun, answer));
  const keys = good(mesh.confirmHydration(answering, derived.frame));
  const a = { mesh: left, tunnel: good(mesh.establishTunnel(left, derived.keys)) };
  const b = { mesh: right, tunnel: good(mesh.establishTunnel(right, keys)) };
  for (const end of [a, b]) end.tunnel.registerAlternateRoutes(alternates);
  settle(a, b);
  return { clock, a, b };
}

/** Carries what both ends have to say, until that is nothing; `passes` says which frames get through. */
export function settle(
  a: End,
  b: End,
  passes: (frame: QstpFrame, from: End) => boolean = () => true,
): number {
  let said = 0;
  for (let round = 0; round < 20; round++) {
    let quiet = true;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const frame = from.tunnel.poll();
      if (frame === null) continue;
      quiet = false;
      said++;
      if (passes(frame, from)) to.tunnel.open(frame);
    }
    if (quiet) return said;
  }
  throw new Error('they talk without an end');
}

/** A message from one end to the other. */
export function send(from: End, to: End, message: string, aad = ''): string {
  return text(to.tunnel.open(from.tunnel.seal(bytes(message), bytes(aad)), bytes(aad)));
}

/** A copy of a frame, as it was on the wire. */
export function copied(frame: QstpFrame): QstpFrame {
  return structuredClone(frame);
}

/** Both handshakes between parties, step by step. */
export interface Handshake {
  readonly state: mesh.InitiatorState;
  readonly responder: mesh.MeshResponder;
  readonly left: Mesh;
  readonly right: Mesh;
  readonly clock: TestClock;
}

export function handshake(
  more: Partial<mesh.InitiatorOptions> = {},
  responding: Partial<mesh.ResponderOptions> = {},
  clock: TestClock = testClock(),
): Handshake {
  const [alice, bob] = [party('alice'), party('bob')];
  const [left, right] = [node(clock), node(clock)];
  const state = mesh.initHandshake({
    crypto,
    identity: alice.identity,
    trust: mesh.pinnedTrust(crypto, [bob.publicKey]),
    random: alice.random,
    peerId: bob.identity.peerId,
    route: ALPHA,
    stamp: u64(clock.wall()),
    ...more,
  });
  const responder = mesh.createResponder({
    mesh: right,
    crypto,
    identity: bob.identity,
    trust: mesh.pinnedTrust(crypto, [alice.publicKey]),
    random: bob.random,
    ...responding,
  });
  return { state, responder, left, right, clock };
}

/** Runs it to its end. */
export function complete(h: Handshake): Pair {
  const answer = good(mesh.respondHandshake(h.responder, h.state.frame));
  const derived = good(mesh.deriveSessionKeys(h.state, answer));
  const keys = good(mesh.confirmHandshake(h.responder, derived.frame));
  const a = { mesh: h.left, tunnel: good(mesh.establishTunnel(h.left, derived.keys)) };
  const b = { mesh: h.right, tunnel: good(mesh.establishTunnel(h.right, keys)) };
  return { clock: h.clock, a, b };
}

/** The same frame with one thing changed. */
export function changed(frame: QstpFrame, change: (copy: QstpFrame) => void): QstpFrame {
  const copy = copied(frame);
  change(copy);
  return copy;
}
