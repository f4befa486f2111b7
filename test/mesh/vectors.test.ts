// The known-answer transcript of mesh/2: both ends reproduce it byte for byte, and a reader written after docs/mesh.md,
// over noble and nothing of src/, recomputes all of it.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { readFileSync } from 'node:fs';
import { gcm } from '@noble/ciphers/aes.js';
import { blake2s } from '@noble/hashes/blake2.js';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import { ml_kem512 } from '@noble/post-quantum/ml-kem.js';
import { micro } from '../../src/crypto/micro.ts';
import { noble } from '../../src/crypto/noble.ts';
import { MESH_FILE, meshJson } from './vectors.ts';

interface Frame {
  kind: number;
  topic: string;
  tunnelId: string;
  routeHash: string;
  keyEpoch: number;
  decision: number;
  sequence: number;
  ciphertext: string;
}

interface Sealed extends Frame {
  from: 'initiator' | 'responder';
  aad: string;
  plaintext: string | null;
}

interface Route {
  topic: string;
  hops: string[];
  qos: number;
  epoch: number;
  hash: string;
}

interface Established {
  messages: [Frame, Frame, Frame];
  transcript: string;
  secret: string;
  frames: Sealed[];
}

interface End {
  verifyKey: string;
  ephemeralKey: string;
}

interface File {
  time: number;
  routes: Route[];
  handshake: Established & {
    suite: number;
    initiator: End;
    responder: End;
    tuple: { pointer: string; version: number; nonce: string; ciphertext: string };
  };
  hydration: Established & { shared: string };
}

const file = JSON.parse(readFileSync(MESH_FILE, 'utf8')) as File;

test('what both ends say is what the file has, over the kernels too', (t) => {
  t.is(meshJson(noble.suite(1)), readFileSync(MESH_FILE, 'utf8'));
  t.is(meshJson(micro.suite(1)), readFileSync(MESH_FILE, 'utf8'));
});

// ---- The reader -------------------------------------------------------------------------------------------------------

const un = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));
const hexOf = (b: Uint8Array) => Buffer.from(b).toString('hex');
const utf8 = (text: string) => new Uint8Array(Buffer.from(text, 'utf8'));
const join = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

function le(bytes: number, value: number): Uint8Array {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt(value));
  return new Uint8Array(out.subarray(0, bytes));
}

function h(label: string, parts: Uint8Array[], key?: Uint8Array): Uint8Array {
  const all = [utf8(label), ...parts].flatMap((part) => [le(4, part.length), part]);
  return blake2s(join(...all), key === undefined ? {} : { key });
}

function kdf(key: Uint8Array, label: string, context: Uint8Array, length: number): Uint8Array {
  const blocks = [1, 2].map((i) =>
    blake2s(join(le(1, label.length), utf8(label), le(2, context.length), context, le(1, i)), { key }),
  );
  return join(...blocks).slice(0, length);
}

/** Reads a message from the front: fixed widths, and parts with their length. */
function fields(message: Uint8Array) {
  let at = 0;
  const fixed = (length: number) => message.slice(at, (at += length));
  const u16 = () => {
    const [low, high] = fixed(2) as unknown as [number, number];
    return low | (high << 8);
  };
  return { fixed, part: () => fixed(u16()), u16, at: () => at };
}

function routeBytes(route: Route): Uint8Array {
  const topic = utf8(route.topic);
  const hops = route.hops.map(un);
  return join(le(2, topic.length), topic, le(1, route.qos), le(8, route.epoch), le(2, hops.length), ...hops);
}

/** Opens every frame of a tunnel by its secret. */
function openAll(t: ExecutionContext, { secret, transcript, frames, messages }: Established): void {
  const chainOf = (direction: number) =>
    kdf(un(secret), 'mesh/2 chain', join(le(1, direction), un(transcript)), 32);
  const materialOf = (direction: number, epoch: number) => {
    let chain = chainOf(direction);
    const context = (e: number) => join(le(1, direction), le(4, e));
    for (let e = 1; e <= epoch; e++) chain = kdf(chain, 'mesh/2 next', context(e), 32);
    return kdf(chain, 'mesh/2 key', context(epoch), 44);
  };
  const reached = [0, 0];
  for (const frame of frames) {
    const direction = frame.from === 'initiator' ? 0 : 1;
    const material = materialOf(direction, frame.keyEpoch);
    const nonce = material.slice(32, 44);
    le(8, frame.sequence).forEach((byte, i) => (nonce[4 + i]! ^= byte));
    const topic = utf8(frame.topic);
    const application = un(frame.aad);
    const aad = join(
      le(1, 2),
      le(1, direction),
      un(frame.tunnelId),
      le(4, frame.keyEpoch),
      le(4, frame.decision),
      un(frame.routeHash),
      le(8, frame.sequence),
      le(2, topic.length),
      topic,
      le(2, application.length),
      application,
    );
    const plain = gcm(material.slice(0, 32), nonce, aad).decrypt(un(frame.ciphertext));
    t.is(frame.tunnelId, messages[2].tunnelId);
    t.is(plain[1], reached[direction], 'the epoch it has reached');
    t.deepEqual(plain.slice(2, 8), le(6, file.time));
    t.is(plain[0] === 0, frame.plaintext !== null);
    if (frame.plaintext !== null) t.deepEqual(plain.slice(8), utf8(frame.plaintext));
    t.true(file.routes.some(({ hash, topic: of }) => hash === frame.routeHash && of === frame.topic));
    reached[1 - direction] = Math.max(reached[1 - direction]!, frame.keyEpoch);
  }
}

test('a reader over noble: routes', (t) => {
  for (const route of file.routes) {
    t.is(hexOf(blake2s(join(utf8('mesh/2 route'), routeBytes(route)))), route.hash);
  }
});

test('a reader over noble: the handshake', (t) => {
  const { suite, initiator, responder, messages, secret, transcript } = file.handshake;
  const [init, response, confirm] = messages.map(({ ciphertext }) => un(ciphertext)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const peerId = (end: End) => h('mesh/2 peer', [le(1, suite), un(end.verifyKey)]);

  const i = fields(init);
  t.deepEqual(i.fixed(4), new Uint8Array([2, 1, suite, 0]));
  i.fixed(32);
  t.deepEqual(i.fixed(8), le(8, file.time));
  t.deepEqual(i.fixed(32), new Uint8Array(32).fill(0xaa));
  t.deepEqual(i.fixed(32), peerId(responder));
  t.deepEqual(i.part(), join(le(1, 0), peerId(initiator)));
  const initiatorKey = i.part();
  const route = routeBytes(file.routes[0]!);
  t.deepEqual(i.fixed(route.length), route);
  t.deepEqual(i.part(), utf8('of the initiator'));
  const t1 = h('mesh/2 init', [init.slice(0, i.at())]);
  const initSignature = i.part();
  t.is(i.at(), init.length);
  t.true(ml_dsa44.verify(initSignature, t1, un(initiator.verifyKey), { context: utf8('QSTP-MESH-2/init') }));
  t.is(messages[0].tunnelId, hexOf(h('mesh/2 handshake id', [t1])).slice(0, 32));

  const r = fields(response);
  t.deepEqual(r.fixed(4), new Uint8Array([2, 2, suite, 0]));
  r.fixed(32);
  t.deepEqual(r.fixed(32), new Uint8Array(32));
  t.deepEqual(r.part(), join(le(1, 0), peerId(responder)));
  const toInitiator = r.part();
  const responderKey = r.part();
  t.is(r.part().length, 0);
  const t2 = h('mesh/2 response', [t1, initSignature, response.slice(0, r.at())]);
  const responseSignature = r.part();
  t.is(r.at(), response.length);
  const context = { context: utf8('QSTP-MESH-2/response') };
  t.true(ml_dsa44.verify(responseSignature, t2, un(responder.verifyKey), context));

  const c = fields(confirm);
  t.deepEqual(c.fixed(4), new Uint8Array([2, 3, suite, 0]));
  const toResponder = c.part();
  const t3 = h('mesh/2 confirm', [t2, responseSignature, confirm.slice(0, c.at())]);
  // A secret key of ML-KEM holds its public key: 384 k bytes in.
  t.deepEqual(un(initiator.ephemeralKey).slice(768, 768 + 800), initiatorKey);
  t.deepEqual(un(responder.ephemeralKey).slice(768, 768 + 800), responderKey);
  const shared = [
    ml_kem512.decapsulate(toInitiator, un(initiator.ephemeralKey)),
    ml_kem512.decapsulate(toResponder, un(responder.ephemeralKey)),
  ];
  const own = h('mesh/2 secret', [...shared, t3]);
  t.is(hexOf(own), secret);
  t.is(hexOf(t3), transcript);
  t.deepEqual(c.fixed(32), h('mesh/2 confirmation', [t3], own));
  t.is(c.at(), confirm.length);
  t.is(messages[2].tunnelId, hexOf(h('mesh/2 tunnel id', [t2, responseSignature])).slice(0, 32));
});

test('a reader over noble: the hydration', (t) => {
  const { shared, messages, secret, transcript } = file.hydration;
  const [init, response, confirm] = messages.map(({ ciphertext }) => un(ciphertext)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const key = un(shared);
  t.deepEqual(init.slice(0, 4), new Uint8Array([2, 4, 0, 1]));
  const ids = 4 + 32 + 8 + 32;
  t.deepEqual(init.slice(ids, ids + 64), join(new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)));
  const t1 = h('mesh/2 hydrate init', [init.slice(0, -32)]);
  t.deepEqual(init.slice(-32), h('mesh/2 hydrate init mac', [t1], key));
  const body = response.slice(0, -32);
  const mac = h('mesh/2 hydrate response mac', [t1, body], key);
  t.deepEqual(response.slice(-32), mac);
  const t2 = h('mesh/2 hydrate response', [t1, body, mac]);
  const own = h('mesh/2 hydrate secret', [t2], key);
  t.is(hexOf(t2), transcript);
  t.is(hexOf(own), secret);
  t.deepEqual(confirm, join(new Uint8Array([2, 6, 0, 0]), h('mesh/2 confirmation', [t2], own)));
  t.is(messages[2].tunnelId, hexOf(h('mesh/2 hydrate tunnel id', [t2])).slice(0, 32));
});

test('a reader over noble: frames, over a rekey and a reroute', (t) => {
  const { frames } = file.handshake;
  t.true(frames.some(({ keyEpoch }) => keyEpoch === 1));
  t.true(frames.some(({ decision }) => decision === 1));
  openAll(t, file.handshake);
  openAll(t, file.hydration);
});

test('a reader over noble: the metadata', (t) => {
  const { secret, transcript, tuple, messages, initiator, responder, suite } = file.handshake;
  const key = kdf(un(secret), 'mesh/2 tuple key', un(transcript), 32);
  t.is(hexOf(kdf(un(secret), 'mesh/2 tuple pointer', un(transcript), 16)), tuple.pointer);
  const aad = join(utf8('mesh/2 tuple'), un(tuple.pointer), le(4, tuple.version));
  const plain = gcm(key, un(tuple.nonce), aad).decrypt(un(tuple.ciphertext));
  const [, route] = file.routes as [Route, Route];
  t.deepEqual(
    plain,
    join(
      le(1, 2),
      un(messages[2].tunnelId),
      h('mesh/2 peer', [le(1, suite), un(initiator.verifyKey)]),
      h('mesh/2 peer', [le(1, suite), un(responder.verifyKey)]),
      un(route.hash),
      le(1, route.qos),
      le(8, route.epoch),
      le(4, 1),
      le(8, file.time),
    ),
  );
});
