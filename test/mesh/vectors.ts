// The known-answer transcript of mesh/2: a handshake, a hydration, frames, a rekey, a reroute and metadata, with
// every message. tools/gen-mesh-vectors.mjs writes it; vectors.test.ts checks that it is up to date, and recomputes it
// independently.
import { toHex } from '../../src/bytes.ts';
import { createQaceMetrics } from '../../src/qace/simple.ts';
import * as mesh from '../../src/mesh/index.ts';
import type { QstpFrame } from '../../src/mesh/index.ts';
import { u64 } from '../../src/mesh/u64.ts';
import { fixedEngine } from '../../src/selftest/tunnel.ts';
import { keygen } from '../../src/crypto/provider.ts';
import type { SuiteCrypto } from '../../src/crypto/provider.ts';
import { bytes, good, node, plan, seeded, START_MS, testClock } from './basics.ts';
import { memoryStore } from './legacy.ts';

export const MESH_FILE = 'test/vectors/mesh/mesh2.json';

interface End {
  readonly mesh: mesh.Mesh;
  readonly tunnel: mesh.QstpTunnel;
}

const ROUTE = plan('mesh/alpha', [1, 2], { epoch: u64(42) });
const OTHER = plan('mesh/β', [3], { qos: mesh.MeshQos.control, epoch: u64(START_MS) });

function frameOf(frame: QstpFrame): object {
  const { ciphertext, ciphertextAt, ciphertextBytes, keyEpoch, decision, kind, topic, sequence } = frame;
  return {
    kind,
    topic,
    tunnelId: toHex(frame.tunnelId),
    routeHash: toHex(frame.routeHash),
    keyEpoch,
    decision,
    sequence: sequence.low,
    ciphertext: toHex(ciphertext.subarray(ciphertextAt, ciphertextAt + ciphertextBytes)),
  };
}

function identityOf(
  crypto: SuiteCrypto,
  name: string,
): { identity: mesh.MeshIdentity; publicKey: Uint8Array } {
  const seed = new Uint8Array(32);
  seeded(`${name} key`)(seed);
  const pair = keygen(crypto.signer, seed);
  return { identity: mesh.pinnedIdentity(crypto, pair), publicKey: pair.publicKey };
}

/** Messages, frames and controls of a tunnel, in their order. */
function talk(a: End, b: End): object[] {
  const said: object[] = [];
  const pass = (from: End, to: End, frame: QstpFrame, aad: Uint8Array, plaintext: string | null): void => {
    const shown = frameOf(frame);
    const opened = to.tunnel.open(frame, aad);
    if (opened !== null && mesh.isReject(opened)) throw new Error(opened.reason);
    said.push({ from: from === a ? 'initiator' : 'responder', ...shown, aad: toHex(aad), plaintext });
  };
  const send = (from: End, to: End, message: string, aad = ''): void =>
    pass(from, to, from.tunnel.seal(bytes(message), bytes(aad)), bytes(aad), message);
  const settle = (): void => {
    for (let round = 0; round < 8; round++) {
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        const frame = from.tunnel.poll();
        if (frame !== null) pass(from, to, frame, new Uint8Array(0), null);
      }
    }
  };
  settle();
  send(a, b, 'hello-qstp', 'app');
  send(b, a, '');
  a.tunnel.rekey();
  settle();
  send(a, b, 'after the rekey');
  send(b, a, 'after the rekey');
  settle();
  for (const end of [a, b]) end.tunnel.registerAlternateRoutes([OTHER]);
  a.tunnel.applyQace(createQaceMetrics(), fixedEngine('reroute', [1, 0]));
  settle();
  send(b, a, 'after the reroute');
  send(a, b, 'after the reroute', 'app');
  return said;
}

function tuple(end: End): object {
  const store = memoryStore();
  end.tunnel.putTupleMetadata(store, seeded('tuple'), (why) => {
    if (why !== null) throw new Error(why.reason);
  });
  const [[pointer, record]] = [...store.records.entries()] as [[string, mesh.TupleRecord]];
  return {
    pointer,
    version: record.version,
    nonce: toHex(record.nonce),
    ciphertext: toHex(record.ciphertext),
  };
}

function handshake(crypto: SuiteCrypto): object {
  const clock = testClock();
  const [alice, bob] = [identityOf(crypto, 'alice'), identityOf(crypto, 'bob')];
  const [left, right] = [node(clock), node(clock)];
  const state = mesh.initHandshake({
    crypto,
    identity: alice.identity,
    trust: mesh.pinnedTrust(crypto, [bob.publicKey]),
    random: seeded('alice'),
    peerId: bob.identity.peerId,
    route: ROUTE,
    stamp: u64(START_MS),
    data: bytes('of the initiator'),
    profileHash: new Uint8Array(32).fill(0xaa),
  });
  const initiatorKey = toHex(state.secretKey);
  const responder = mesh.createResponder({
    mesh: right,
    crypto,
    identity: bob.identity,
    trust: mesh.pinnedTrust(crypto, [alice.publicKey]),
    random: seeded('bob'),
  });
  const response = good(mesh.respondHandshake(responder, state.frame));
  const responderKey = toHex(responder.waiting.entries[0]!.secretKey);
  const derived = good(mesh.deriveSessionKeys(state, response));
  const keys = good(mesh.confirmHandshake(responder, derived.frame));
  const secret = toHex(keys.secret);
  const a = { mesh: left, tunnel: good(mesh.establishTunnel(left, derived.keys)) };
  const b = { mesh: right, tunnel: good(mesh.establishTunnel(right, keys)) };
  const messages = [state.frame, response, derived.frame].map(frameOf);
  return {
    suite: crypto.suite.id,
    initiator: { verifyKey: toHex(alice.publicKey), ephemeralKey: initiatorKey },
    responder: { verifyKey: toHex(bob.publicKey), ephemeralKey: responderKey },
    messages,
    transcript: toHex(keys.transcript),
    secret,
    frames: talk(a, b),
    tuple: tuple(b),
  };
}

function hydration(): object {
  const clock = testClock();
  const [left, right] = [node(clock), node(clock)];
  const shared = new Uint8Array(32).fill(0x5a);
  const [self, peerId] = [1, 2].map((byte) => new Uint8Array(32).fill(byte)) as [Uint8Array, Uint8Array];
  const begun = mesh.hydrateRemoteTunnel({
    secret: shared,
    self,
    peerId,
    route: ROUTE,
    random: seeded('a'),
    decider: 'responder',
  });
  const answering = mesh.createHydrator({
    mesh: right,
    self: peerId,
    secretOf: () => shared,
    random: seeded('b'),
  });
  const response = good(mesh.respondHydration(answering, begun.frame));
  const derived = good(mesh.deriveHydratedKeys(begun, response));
  const keys = good(mesh.confirmHydration(answering, derived.frame));
  const secret = toHex(keys.secret);
  const a = { mesh: left, tunnel: good(mesh.establishTunnel(left, derived.keys)) };
  const b = { mesh: right, tunnel: good(mesh.establishTunnel(right, keys)) };
  const messages = [begun.frame, response, derived.frame].map(frameOf);
  const frames: object[] = [];
  const ack = b.tunnel.poll()!;
  frames.push({ from: 'responder', ...frameOf(ack), aad: '', plaintext: null });
  if (a.tunnel.open(ack) !== null) throw new Error('the first frame is not for the tunnel');
  const frame = a.tunnel.seal(bytes('hydrated'));
  frames.push({ from: 'initiator', ...frameOf(frame), aad: '', plaintext: 'hydrated' });
  return { shared: toHex(shared), messages, transcript: toHex(keys.transcript), secret, frames };
}

function routeOf({ topic, hops, qos, epoch }: mesh.MeshRoutePlan): object {
  const hash = toHex(mesh.routeHash({ topic, hops, qos, epoch }));
  return { topic, hops: hops.map(toHex), qos, epoch: epoch.high * 4294967296 + epoch.low, hash };
}

/** The file's text, over ML-KEM-512 and ML-DSA-44 of any provider. */
export function meshJson(crypto: SuiteCrypto): string {
  const file = {
    about:
      'mesh/2, ML-KEM-512 and ML-DSA-44: random bytes are SHAKE256("name count"); written by tools/gen-mesh-vectors.mjs',
    time: START_MS,
    routes: [ROUTE, OTHER].map(routeOf),
    handshake: handshake(crypto),
    hydration: hydration(),
  };
  return `${JSON.stringify(file, null, 1)}\n`;
}
