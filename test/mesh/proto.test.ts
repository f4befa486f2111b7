// The codec of qstp.proto against protobufjs reading proto/qstp.proto: both ways, with messages drawn at random; and
// with input that is no message.
import test from 'ava';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import * as proto from '../../src/mesh/proto/index.ts';
import type { ProtoType } from '../../src/mesh/proto/index.ts';
import { getUtf8, putUtf8, utf8Bytes } from '../../src/mesh/proto/utf8.ts';
import { createFrame } from '../../src/mesh/types.ts';
import type { QstpFrame } from '../../src/mesh/types.ts';
import { CASES } from '../random.ts';
import { hex } from '../vectors.ts';

const { root } = protobuf.parse(readFileSync('proto/qstp.proto', 'utf8'), { keepCase: true });
interface LongType {
  fromNumber(value: number): object;
  fromBits(low: number, high: number, unsigned: boolean): object;
}
const Long = protobuf.util.Long as unknown as LongType;
const RUNS = { numRuns: 4 * CASES };

// ---- Messages at random ----------------------------------------------------------------------------------

const u32 = fc.oneof(fc.nat({ max: 300 }), fc.integer({ min: 0, max: 0xffffffff }));
const enumeration = fc.oneof(fc.nat({ max: 4 }), fc.nat({ max: 0x7fffffff }));
const u64 = fc.oneof(
  fc.record({ low: u32, high: u32 }),
  fc.constantFrom({ low: 0xffffffff, high: 0xffffffff }, { low: 0, high: 1 }, { low: 0, high: 0x80000000 }),
);
const bytes = (most: number) => fc.uint8Array({ maxLength: most });
const exactly = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const none = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });

const route = fc.record({
  topic: text,
  hops: fc.array(bytes(40), { maxLength: 32 }),
  qos: enumeration,
  epoch: u64,
});
const init = fc.record({
  routeHash: bytes(40),
  ciphertext: bytes(1600),
  initiatorNonce: bytes(40),
  clientSignature: bytes(200),
  clientSigningKey: bytes(200),
  clientSigningKeyId: bytes(40),
  serverSigningKeyId: bytes(40),
  applicationData: bytes(40),
});
const response = fc.record({
  routeHash: bytes(40),
  sessionId: bytes(40),
  responderNonce: bytes(40),
  responderSignature: bytes(200),
  serverSigningKey: bytes(200),
  serverSigningKeyId: bytes(40),
  serverKemKey: bytes(1600),
  serverKemKeyId: bytes(40),
});
const metadata = fc.record({
  tunnelId: bytes(20),
  kemKeyId: bytes(40),
  signingKeyId: bytes(40),
  thresholdT: u32,
  thresholdN: u32,
  routeHash: bytes(40),
  qos: enumeration,
  routeEpoch: u64,
  establishedAt: u64,
  tuplePointer: bytes(20),
  tupleVersion: u32,
});
const envelope = fc.record({ init: none(init), response: none(response), metadata: none(metadata) });
const session = fc.record({
  sendKey: bytes(40),
  sendNonce: bytes(12),
  recvKey: bytes(40),
  recvNonce: bytes(12),
  tupleKey: bytes(40),
  sessionId: bytes(40),
});
const frame: fc.Arbitrary<QstpFrame> = fc
  .record({
    version: fc.constantFrom(1, 2, 3, 0xffffffff),
    kind: u32,
    tunnelId: exactly(16),
    topic: text,
    sequence: u64,
    nonce: fc.oneof(exactly(0), exactly(12)),
    routeHash: exactly(32),
    routeEpoch: u64,
    keyEpoch: u32,
    decision: u32,
    ciphertext: bytes(300),
    ciphertextAt: fc.nat({ max: 10 }),
  })
  .map((drawn) => {
    const ciphertextAt = Math.min(drawn.ciphertextAt, drawn.ciphertext.length);
    return { ...drawn, ciphertextAt, ciphertextBytes: drawn.ciphertext.length - ciphertextAt };
  });
const signal = fc.record({
  latencyMs: u32,
  lossBps: u32,
  threatScore: u32,
  routeChanges: u32,
  jitterMs: u32,
  bandwidthMbps: u32,
  chaosLevel: u32,
});
const decision = fc.record({
  action: enumeration,
  newRoute: none(route),
  score: u32,
  rationale: text,
  signedScore: fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -200_000, max: 200_000 })),
  alternates: fc.array(route, { maxLength: 4 }),
  generations: u32,
  staleGenerations: u32,
  confidenceBps: u32,
});

interface Kind {
  readonly name: string;
  readonly type: ProtoType<object>;
  readonly draw: fc.Arbitrary<object>;
}

function kind<T extends object>(name: string, type: ProtoType<T>, draw: fc.Arbitrary<T>): Kind {
  return { name, type: type as unknown as ProtoType<object>, draw };
}

const KINDS: readonly Kind[] = [
  kind('MeshRoutePlan', proto.RouteProto, route),
  kind('HandshakeInit', proto.HandshakeInitProto, init),
  kind('HandshakeResponse', proto.HandshakeResponseProto, response),
  kind('SessionKeyMaterial', proto.SessionKeyMaterialProto, session),
  kind('TupleMetadata', proto.TupleMetadataProto, metadata),
  kind('HandshakeEnvelope', proto.HandshakeEnvelopeProto, envelope),
  kind('QstpFrame', proto.FrameProto, frame),
  kind('QaceSignal', proto.QaceSignalProto, signal),
  kind('QaceDecision', proto.QaceDecisionProto, decision),
  kind(
    'OpenTunnelRequest',
    proto.OpenTunnelRequestProto,
    fc.record({ clientRequest: bytes(80), preferredRoute: none(route), peerId: bytes(40) }),
  ),
  kind(
    'OpenTunnelResponse',
    proto.OpenTunnelResponseProto,
    fc.record({ envelope: none(envelope), session: none(session) }),
  ),
  kind('PublishFrameRequest', proto.PublishFrameRequestProto, fc.record({ frame: none(frame) })),
  kind('FrameAck', proto.FrameAckProto, fc.record({ tunnelId: bytes(20), sequence: u64 })),
  kind('QaceReport', proto.QaceReportProto, fc.record({ tunnelId: bytes(20), signal: none(signal) })),
];

test('every message of the file is there, and in the test', (t) => {
  const space = root.lookup('pqcnet.qstp') as protobuf.Namespace;
  const messages = space.nestedArray.filter((item) => item instanceof protobuf.Type).map((item) => item.name);
  t.deepEqual(messages.sort(), KINDS.map(({ name }) => name).sort());
  const service = space.lookupService('QstpMesh').methods;
  t.deepEqual(
    Object.values(service).map((m) => `${m.name} ${m.requestType} ${m.responseType}`),
    [
      'OpenTunnel OpenTunnelRequest OpenTunnelResponse',
      'PublishFrame PublishFrameRequest FrameAck',
      'ReportQace QaceReport QaceDecision',
    ],
  );
});

// ---- The same message, as protobufjs has it --------------------------------------------------------------

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const isFrame = (value: object): value is QstpFrame => 'ciphertextAt' in value;

/** What is set of a message: proto3 leaves out what is zero or empty. */
function plain(value: unknown, name: string): unknown {
  if (typeof value === 'number') return name === 'signedScore' ? Long.fromNumber(value) : value;
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (Array.isArray(value)) return value.map((item) => plain(item, ''));
  if (typeof value !== 'object' || value === null) return value;
  if ('high' in value) {
    const { low, high } = value as { low: number; high: number };
    return Long.fromBits(low | 0, high | 0, true);
  }
  let fields: Record<string, unknown> = { ...value };
  if (isFrame(value)) {
    const { ciphertextAt, ciphertextBytes, ...rest } = value;
    const ciphertext = value.ciphertext.subarray(ciphertextAt, ciphertextAt + ciphertextBytes);
    fields = { ...rest, ciphertext, version: value.version === 1 ? 0 : value.version };
  }
  const set = Object.entries(fields).filter(([, item]) => {
    if (item === null || item === 0 || item === '') return false;
    if (item instanceof Uint8Array || Array.isArray(item)) return item.length > 0;
    const long = item as { low?: number; high?: number };
    return long.low !== 0 || long.high !== 0;
  });
  return Object.fromEntries(set.map(([field, item]) => [snake(field), plain(item, field)]));
}

/** Without views and the places of ciphertexts, to compare. */
function normal(message: object): unknown {
  return JSON.parse(
    JSON.stringify(plain(message, ''), (_, value: unknown) =>
      value instanceof Uint8Array || (value as { type?: string } | null)?.type === 'Buffer'
        ? Buffer.from(value as Uint8Array).toString('hex')
        : value,
    ),
  );
}

for (const { name, type, draw } of KINDS) {
  const other = root.lookupType(`pqcnet.qstp.${name}`);

  test(`${name}: what protobufjs writes is what we write, and each reads the other's`, (t) => {
    fc.assert(
      fc.property(draw, (message) => {
        const ours = proto.encodeProto(type, message);
        const theirs = other.encode(plain(message, '') as object).finish();
        t.deepEqual(Buffer.from(ours), Buffer.from(theirs));
        t.is(proto.protoBytes(type, message), ours.length);
        const read = proto.decodeProto(type, theirs);
        if (typeof read === 'string') throw new Error(read);
        t.deepEqual(normal(read), normal(message));
        t.deepEqual(Buffer.from(other.encode(other.decode(ours)).finish()), Buffer.from(theirs));
      }),
      RUNS,
    );
  });

  test(`${name}: unknown fields are skipped, the order of fields is free, the last of two counts`, (t) => {
    const unknown = [
      Buffer.from('a80196ffffffffffffffff01', 'hex'), // 21: a varint
      Buffer.from('b201036f6e65', 'hex'), // 22: bytes
      Buffer.from('bd0101020304', 'hex'), // 23: fixed32
      Buffer.from('c1010102030405060708', 'hex'), // 24: fixed64
    ];
    fc.assert(
      fc.property(draw, fc.nat({ max: 3 }), (message, which) => {
        const encoded = proto.encodeProto(type, message);
        for (const more of [
          [unknown[which]!, encoded],
          [encoded, unknown[which]!],
        ]) {
          const read = proto.decodeProto(type, Buffer.concat(more));
          if (typeof read === 'string') throw new Error(read);
          t.deepEqual(normal(read), normal(message));
        }
        // Lists grow, and messages within merge: what protobufjs makes of it is what counts.
        const twice = Buffer.concat([encoded, encoded]);
        const read = proto.decodeProto(type, twice);
        if (read === 'limit') return;
        if (typeof read === 'string') throw new Error(read);
        const theirs = other.encode(other.decode(twice)).finish();
        t.deepEqual(Buffer.from(proto.encodeProto(type, read)), Buffer.from(theirs));
      }),
      RUNS,
    );
  });

  test(`${name}: what is cut, altered or random is read or refused, never thrown over`, (t) => {
    const problems = new Set<string>();
    const tryTo = (input: Uint8Array): void => {
      const read = proto.decodeProto(type, input);
      if (typeof read === 'string') {
        problems.add(read);
        return;
      }
      // Whatever is read means the same to protobufjs.
      const encoded = Buffer.from(proto.encodeProto(type, read));
      const again = proto.decodeProto(type, encoded);
      t.not(typeof again, 'string');
      const theirs = other.encode(other.decode(input)).finish();
      if (name !== 'QstpFrame' && name !== 'PublishFrameRequest') {
        t.deepEqual(normal(proto.decodeProto(type, theirs) as object), normal(read));
      }
    };
    fc.assert(
      fc.property(draw, fc.nat(), fc.nat(), bytes(60), (message, at, by, noise) => {
        const encoded = proto.encodeProto(type, message);
        if (encoded.length > 0) {
          tryTo(encoded.subarray(0, at % encoded.length));
          const altered = Uint8Array.from(encoded);
          altered[at % encoded.length]! ^= (by % 255) + 1;
          tryTo(altered);
        }
        tryTo(noise);
      }),
      RUNS,
    );
    t.true(problems.has('truncated') && problems.size >= 3, [...problems].join());
  });
}

// ---- Each refusal ----------------------------------------------------------------------------------------

const refusals: [what: string, input: string, problem: string][] = [
  ['a field that ends within its tag', '92', 'truncated'],
  ['a string that is longer than the message', '0a05616263', 'truncated'],
  ['a length of 2^32 and more', '0a808080801061', 'truncated'],
  ['a length beyond 2^31', '0affffffff0f61', 'truncated'],
  ['a varint of 11 bytes', '20ffffffffffffffffffff01', 'number'],
  ['a varint of 65 bits', '20ffffffffffffffffff02', 'number'],
  ['an enumeration of 2^32', '188080808010', 'number'],
  ['an enumeration of 2^31', '188080808008', 'number'],
  ['one below zero', '18ffffffffffffffffff01', 'number'],
  ['field 0', '0001', 'field'],
  ['a field number beyond 2^29 - 1', '808080801001', 'field'],
  ['a group', '4b4c', 'wire_type'],
  ['wire type 7', '4f', 'wire_type'],
  ['a known field of another type', '080a', 'wire_type'],
  ['a number as bytes', '2200', 'wire_type'],
  ['a string that is cut within a character', '0a02e282', 'utf8'],
  ['an overlong character', '0a02c0af', 'utf8'],
  ['half of a surrogate pair', '0a03eda080', 'utf8'],
  ['more hops than are read', '1200'.repeat(33), 'limit'],
];
for (const [what, input, problem] of refusals) {
  test(`a route is refused: ${what}`, (t) => {
    t.is(proto.decodeProto(proto.RouteProto, hex(input)) as string, problem);
  });
}

test('a frame is refused whose ids have another length', (t) => {
  for (const input of [
    '0a0f' + '11'.repeat(15),
    '0a00',
    '1a0b' + '22'.repeat(11),
    '2a21' + '33'.repeat(33),
  ]) {
    t.is(proto.decodeProto(proto.FrameProto, hex(input)) as unknown, 'length', input);
  }
});

test('an sint64 of 2^53 and more is refused', (t) => {
  // 2 * 2^53, and one less: the last that is negative.
  t.is(proto.decodeProto(proto.QaceDecisionProto, hex('2880808080808080' + '20')) as unknown, 'number');
  const most = proto.encodeProto(proto.QaceDecisionProto, {
    ...proto.QaceDecisionProto.make(),
    signedScore: -9007199254740991,
  });
  t.is(
    (proto.decodeProto(proto.QaceDecisionProto, most) as { signedScore: number }).signedScore,
    -9007199254740991,
  );
});

// ---- Frames into frames, and text ------------------------------------------------------------------------

test('a frame is read into one that is there, and nothing of the one before stays', (t) => {
  const into = createFrame(0);
  const { tunnelId, routeHash } = into;
  fc.assert(
    fc.property(frame, fc.nat({ max: 9 }), (message, margin) => {
      const encoded = proto.encodeProto(proto.FrameProto, message);
      const packet = new Uint8Array(encoded.length + 2 * margin).fill(0xff);
      packet.set(encoded, margin);
      t.is(proto.decodeFrameInto(into, packet, margin, encoded.length), null);
      t.deepEqual(normal(into), normal(message));
      t.is(into.tunnelId, tunnelId);
      t.is(into.routeHash, routeHash);
      t.is(proto.decodeFrameInto(into, packet, margin, 0), null);
      t.deepEqual(normal(into), normal(proto.FrameProto.make()));
    }),
    RUNS,
  );
});

test('UTF-8 is that of the engine, of strings that are none too', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: fc.nat({ max: 0xffff }).map((c) => String.fromCharCode(c)) }), (drawn) => {
      const wanted = Buffer.from(drawn, 'utf8');
      const got = new Uint8Array(utf8Bytes(drawn));
      t.is(putUtf8(got, 0, drawn), got.length);
      t.deepEqual(Buffer.from(got), wanted);
      t.is(getUtf8(got, 0, got.length), wanted.toString('utf8'));
    }),
    RUNS,
  );
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const reference = (input: Uint8Array): string | null => {
    try {
      return strict.decode(input);
    } catch {
      return null;
    }
  };
  const biased = fc.constantFrom(
    0x41,
    0x80,
    0xbf,
    0xc2,
    0xe0,
    0xa0,
    0xed,
    0x9f,
    0xf0,
    0x90,
    0xf4,
    0x8f,
    0xff,
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(biased, fc.nat({ max: 255 })), { maxLength: 8 }), (drawn) => {
      const input = Uint8Array.from(drawn);
      t.is(getUtf8(input, 0, input.length), reference(input));
    }),
    { numRuns: 20 * CASES },
  );
});
