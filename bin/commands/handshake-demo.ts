import { Command } from 'commander';
import { QstpError } from '../../src/error.ts';
import { toHex } from '../../src/bytes.ts';
import { micro } from '../../src/crypto/micro.ts';
import { keygen } from '../../src/crypto/provider.ts';
import type { SuiteCrypto } from '../../src/crypto/provider.ts';
import * as mesh from '../../src/mesh/index.ts';
import { putUtf8, utf8Bytes } from '../../src/mesh/proto/utf8.ts';
import { createQaceMetrics, createSimpleQace } from '../../src/qace/simple.ts';
import { nodeRandom } from '../../targets/node/platform.ts';
import { wholeNumber } from '../options.ts';
import { show, table } from '../ui.ts';

const SAMPLE = 'post-quantum tunnels are live';

/** What one end did, and what it cost. */
interface Step {
  readonly step: string;
  readonly end: 'initiator' | 'responder';
  readonly bytes: number;
  readonly milliseconds: number;
}

interface End {
  readonly node: mesh.Mesh;
  readonly tunnel: mesh.QstpTunnel;
}

function utf8(text: string): Uint8Array {
  const out = new Uint8Array(utf8Bytes(text));
  putUtf8(out, 0, text);
  return out;
}

/** Not a refusal: between two ends of one program there is none. */
function taken<T extends object>(result: T | mesh.MeshReject): T {
  if (mesh.isReject(result)) throw new QstpError(result.reason, `the demo failed: ${result.detail}`);
  return result;
}

function route(topic: string, hop: string): mesh.MeshRoutePlan {
  const hops = [mesh.meshPeerId(0, utf8(hop))];
  return { topic, hops, qos: mesh.MeshQos.lowLatency, epoch: mesh.u64(1) };
}

const ROUTE = 'waku/mesh/demo';
const OTHER = 'waku/mesh/failsafe';

function newNode(): mesh.Mesh {
  const clock = { monotonic: () => Math.floor(performance.now()), wall: () => Date.now() };
  return mesh.createMesh({ tunnels: 1, clock });
}

function newIdentity(crypto: SuiteCrypto): { identity: mesh.MeshIdentity; publicKey: Uint8Array } {
  const seed = new Uint8Array(32);
  nodeRandom(seed);
  const pair = keygen(crypto.signer, seed);
  return { identity: mesh.pinnedIdentity(crypto, pair), publicKey: pair.publicKey };
}

/** Three messages; then both ends' tunnels. */
function connect(crypto: SuiteCrypto, steps: Step[]): { a: End; b: End } {
  const timed = (step: string, end: Step['end'], run: () => mesh.QstpFrame): mesh.QstpFrame => {
    const start = performance.now();
    const frame = run();
    steps.push({ step, end, bytes: frame.ciphertextBytes, milliseconds: performance.now() - start });
    return frame;
  };
  const [alice, bob] = [newIdentity(crypto), newIdentity(crypto)];
  const [left, right] = [newNode(), newNode()];
  const common = { crypto, random: nodeRandom };
  const responder = mesh.createResponder({
    ...common,
    mesh: right,
    identity: bob.identity,
    trust: mesh.pinnedTrust(crypto, [alice.publicKey]),
  });
  let state: mesh.InitiatorState | null = null;
  const init = timed('init', 'initiator', () => {
    state = mesh.initHandshake({
      ...common,
      identity: alice.identity,
      trust: mesh.pinnedTrust(crypto, [bob.publicKey]),
      peerId: bob.identity.peerId,
      route: route(ROUTE, 'hop-main'),
      stamp: mesh.u64(Date.now()),
    });
    return state.frame;
  });
  const response = timed('response', 'responder', () => taken(mesh.respondHandshake(responder, init)));
  let a: End | null = null;
  const confirm = timed('confirm', 'initiator', () => {
    const { keys, frame } = taken(mesh.deriveSessionKeys(state!, response));
    a = { node: left, tunnel: taken(mesh.establishTunnel(left, keys)) };
    return frame;
  });
  let b: End | null = null;
  const first = timed('first frame', 'responder', () => {
    const keys = taken(mesh.confirmHandshake(responder, confirm));
    b = { node: right, tunnel: taken(mesh.establishTunnel(right, keys)) };
    return b.tunnel.poll()!;
  });
  a!.tunnel.open(first);
  return { a: a!, b: b! };
}

/** Carries what both have to say until that is nothing. */
function settle({ tunnel: a }: End, { tunnel: b }: End): void {
  for (let quiet = 0; quiet < 2;) {
    const frames = [a.poll(), b.poll()];
    if (frames[0] !== null) b.open(frames[0]!);
    if (frames[1] !== null) a.open(frames[1]!);
    quiet = frames[0] === null && frames[1] === null ? quiet + 1 : 0;
  }
}

function exchange(from: End, to: End): string {
  const opened = to.tunnel.open(from.tunnel.seal(utf8(SAMPLE)));
  if (opened === null) throw new QstpError('internal', 'the demo failed: the message was taken for control');
  return Buffer.from(taken(opened)).toString('utf8');
}

function handshakeDemo(options: { suite: number; json?: boolean }): void {
  const steps: Step[] = [];
  const crypto = micro.suite(options.suite);
  const { a, b } = connect(crypto, steps);
  const sample = exchange(a, b);
  a.tunnel.rekey();
  settle(a, b);
  exchange(a, b);
  exchange(b, a);
  settle(a, b);
  const { txEpoch, rxEpoch } = a.tunnel.status();
  for (const end of [a, b]) end.tunnel.registerAlternateRoutes([route(OTHER, 'hop-failsafe')]);
  const { rationale } = a.tunnel.applyQace({ ...createQaceMetrics(), threatScore: 91 }, createSimpleQace());
  settle(a, b);
  const told = {
    suite: options.suite,
    steps,
    tunnelId: toHex(a.tunnel.tunnelId()),
    responderTunnelId: toHex(b.tunnel.tunnelId()),
    sample,
    keyEpochs: [txEpoch, rxEpoch],
    decision: rationale,
    routes: [a.tunnel.route().topic, b.tunnel.route().topic],
    afterwards: exchange(b, a),
    stateBytes: mesh.MESH_SLOT_BYTES,
  };
  show(options.json === true, told, () =>
    [
      table(
        ['message', 'from', 'bytes', 'ms'],
        steps.map((step) => [step.step, step.end, `${step.bytes}`, step.milliseconds.toFixed(2)]),
      ),
      '',
      `tunnel      ${told.tunnelId} at the initiator`,
      `            ${told.responderTunnelId} at the responder`,
      `message     ${told.sample}`,
      `rekey       key epochs ${told.keyEpochs.join(' and ')}`,
      `reroute     ${told.decision}: both ends on ${told.routes[0]}`,
      `message     ${told.afterwards}`,
      `state       ${told.stateBytes} bytes a tunnel`,
    ].join('\n'),
  );
  const same = told.tunnelId === told.responderTunnelId && told.routes.every((topic) => topic === OTHER);
  const good = same && told.sample === SAMPLE && told.afterwards === SAMPLE && txEpoch === 1 && rxEpoch === 1;
  if (!good) process.exitCode = 1;
}

export function handshakeDemoCommand(): Command {
  return new Command('handshake-demo')
    .description('a mesh tunnel between two ends: handshake, message, rekey, reroute')
    .option('--suite <n>', 'parameter set: 1, 2 or 3', wholeNumber('--suite', 1, 3), 2)
    .option('--json', 'as JSON')
    .action(handshakeDemo);
}
