// Records: what is refused, what is delivered, what a refusal leaves behind (docs/protocol.md, "Records").
import test from 'ava';
import fc from 'fast-check';
import { ErrorCode } from '../../src/error.ts';
import { Flag, PLAINTEXT_MAX } from '../../src/params.ts';
import { ascii, putTime, putU32 } from '../../src/bytes.ts';
import { rcsInit } from '../../src/crypto/micro/rcs.ts';
import { acquireSlot, createPool } from '../../src/pool/pool.ts';
import { hasFlag, SlotFlag, Word } from '../../src/pool/slot.ts';
import type { Slot } from '../../src/pool/slot.ts';
import { admitRecord, openRecord, openStrict, ratchetState, sealRecord } from '../../src/session/channel.ts';
import { ratchetKeys } from '../../src/session/transcript.ts';
import type { Session, SessionOptions } from '../../src/session/session.ts';
import { clientOf, connect, deliver, newChain, serverOf } from './pair.ts';

const chain = newChain();
const { crypto, now } = chain;

function pair(options: SessionOptions = {}): { client: Session; server: Session } {
  const client = clientOf(chain, { verified: 'chain', ...options });
  const server = serverOf(chain, options);
  connect(chain, client, server);
  return { client, server };
}

const bytes = (n: number, salt = 0): Uint8Array =>
  Uint8Array.from({ length: n }, (_, i) => (i * 31 + salt) & 255);

test('messages of every length from 1 to 300, and of the greatest', (t) => {
  const { client, server } = pair();
  for (const n of [...Array.from({ length: 300 }, (_, i) => i + 1), 4096, PLAINTEXT_MAX]) {
    t.deepEqual(deliver(server, client.seal(bytes(n), now), crypto, now), [bytes(n)]);
    t.deepEqual(deliver(client, server.seal(bytes(n, 5), now), crypto, now), [bytes(n, 5)]);
  }
  t.throws(() => client.seal(new Uint8Array(0), now), { code: 'message_length' });
  t.throws(() => client.seal(new Uint8Array(PLAINTEXT_MAX + 1), now), { code: 'message_length' });
});

test('a packet lies in the room it is given, whatever was there, and takes nothing beside it', (t) => {
  const { client, server } = pair();
  const around = new Uint8Array(1000).fill(0xa5);
  const asked: number[] = [];
  const room = (length: number): Uint8Array => {
    asked.push(length);
    return around.subarray(100, 100 + length);
  };
  const packet = client.seal(bytes(64), now, room);
  t.deepEqual(asked, [packet.length]);
  t.is(packet.buffer, around.buffer);
  const outside = [...around.subarray(0, 100), ...around.subarray(100 + packet.length)];
  t.true(outside.every((byte) => byte === 0xa5));
  t.deepEqual(deliver(server, packet, crypto, now), [bytes(64)]);
  t.throws(() => client.seal(new Uint8Array(0), now, room), { code: 'message_length' });
  t.is(asked.length, 1, 'nothing is asked for what cannot be sent');
});

test('the first record has sequence 3; any cut of the stream gives the same messages', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 40 }),
      (lengths, cuts) => {
        const { client, server } = shared();
        const sent = lengths.map((n, i) => bytes(n, i));
        const stream = Buffer.concat(sent.map((message) => client.seal(message, now)));
        const got: Uint8Array[] = [];
        let at = 0;
        for (let i = 0; at < stream.length; i++) {
          const size = cuts[i % cuts.length]!;
          got.push(...deliver(server, stream.subarray(at, at + size), crypto, now));
          at += size;
        }
        t.deepEqual(got, sent);
      },
    ),
    { numRuns: 60, seed: 7 },
  );
  const { client } = pair();
  t.is(client.seal(bytes(1), now)[5], 3);
});

/** One connection for all runs of a property: it only ever gets good packets. */
const shared = (() => {
  let made: { client: Session; server: Session } | null = null;
  return () => (made ??= pair());
})();

function channels(): [Slot, Slot] {
  const make = (server: boolean): Slot => {
    const slot = acquireSlot(createPool({ slots: 1 }));
    openStrict(slot, server, bytes(136), new Uint8Array(32));
    return slot;
  };
  return [make(false), make(true)];
}

/** Why a channel refuses a packet; null if it opens. */
function refuse(channel: Slot, packet: Uint8Array, at = now, limit = 65536): string | null {
  const bad = admitRecord(channel, packet, at, limit) ?? openRecord(channel, packet);
  return bad === null ? null : bad.reason;
}

function sealed(channel: Slot, length: number, flag: number = Flag.encryptedMessage, at = now): Uint8Array {
  const packet = new Uint8Array(21 + length + 32);
  packet.set(bytes(length), 21);
  sealRecord(channel, packet, flag, length, at);
  return packet;
}

test('every bit of a record is refused, and the receive counter stays', (t) => {
  const length = 20;
  const field = (byte: number): string => {
    if (byte === 0) return 'flag';
    if (byte < 5) return 'length';
    return byte < 13 ? 'sequence' : 'time';
  };
  for (let bit = 0; bit < (21 + length + 32) * 8; bit++) {
    const [tx, rx] = channels();
    const packet = sealed(tx, length);
    packet[bit >> 3]! ^= 1 << (bit & 7);
    const reason = refuse(rx, packet);
    // A flag, length or time near the true one passes the header checks, and fails the MAC.
    const near = bit < 8 || (bit >= 8 && bit < 40) || bit === 13 * 8 || (bit > 13 * 8 && bit < 14 * 8);
    const expected =
      bit >= 21 * 8 ? ['authentication'] : near ? [field(bit >> 3), 'authentication'] : [field(bit >> 3)];
    t.true(reason !== null && expected.includes(reason), `bit ${bit}: ${reason}`);
    t.is(rx.words[Word.rxLow], 2);
    t.false(hasFlag(rx, SlotFlag.confirmed));
  }
});

test('strict sequence: next, repeated, skipped, and the boundaries of 32, 48 and 64 bits', (t) => {
  const at = (low: number, high: number, packetLow: number, packetHigh: number): string | null => {
    const [, rx] = channels();
    rx.words[Word.rxLow] = low;
    rx.words[Word.rxHigh] = high;
    const header = sealed(channels()[0], 1);
    putU32(header, 5, packetLow);
    putU32(header, 9, packetHigh);
    const bad = admitRecord(rx, header, now, 65536);
    return bad === null ? null : bad.reason;
  };
  const table: [number, number, number, number, string | null][] = [
    [2, 0, 3, 0, null],
    [2, 0, 2, 0, 'sequence'],
    [2, 0, 4, 0, 'sequence'],
    [2, 0, 0, 0, 'sequence'],
    [2, 0, 3, 1, 'sequence'],
    [2, 0, 0xffffffff, 0, 'sequence'],
    [2, 0, 0xff, 0, 'sequence'],
    [2, 0, 0, 0xff000000, 'sequence'],
    [2, 0, 0xffffffff, 0xffffffff, 'sequence'],
    // 0xFFFFFFFF is a number like any other here: it is reached after 4.3 thousand million packets.
    [0xfffffffe, 0, 0xffffffff, 0, null],
    [0xffffffff, 0, 0, 1, null],
    [0xffffffff, 0, 0, 0, 'sequence'],
    [0x7fffffff, 0, 0x80000000, 0, null],
    [0xffffffff, 0x1fffff, 0, 0x200000, 'sequence'],
    [0xfffffffe, 0xffff, 0xffffffff, 0xffff, null],
    [0xffffffff, 0xffff, 0, 0x10000, 'sequence'],
  ];
  for (const [low, high, packetLow, packetHigh, expected] of table) {
    t.is(at(low, high, packetLow, packetHigh), expected, `${high}:${low} then ${packetHigh}:${packetLow}`);
  }
});

test('sequence numbers run over 2^32, and end before 2^48', (t) => {
  const { client, server } = pair();
  for (const [session, field] of [
    [client, 'tx'],
    [server, 'rx'],
  ] as const) {
    session.slot.words[Word[`${field}Low`]] = -2;
    session.slot.words[Word[`${field}High`]] = 0;
  }
  for (let i = 0; i < 4; i++)
    t.deepEqual(deliver(server, client.seal(bytes(9, i), now), crypto, now), [bytes(9, i)]);
  t.is(client.slot.words[Word.txHigh], 1);
  t.is(client.slot.words[Word.txLow], 2);
  client.slot.words[Word.txHigh] = 0xffff;
  client.slot.words[Word.txLow] = -2;
  client.seal(bytes(1), now);
  t.throws(() => client.seal(bytes(1), now), { code: 'sequence_exhausted' });
});

test('flags in a connection: 04 and 13, 12 at a server, 03 ends it; all others are refused', (t) => {
  for (const role of ['client', 'server'] as const) {
    for (let flag = 0; flag < 256; flag++) {
      const [a, b] = channels();
      const [tx, rx] = role === 'server' ? [a, b] : [b, a];
      const length = flag === Flag.symmetricRatchetRequest ? 32 : 1;
      const reason = refuse(rx, sealed(tx, length, flag));
      const ratchet = flag === Flag.symmetricRatchetRequest && role === 'server';
      const good = flag === Flag.encryptedMessage || flag === Flag.errorCondition || ratchet;
      const expected = flag === Flag.connectionTerminate ? 'peer_terminated' : good ? null : 'flag';
      t.is(reason, expected, `${role} ${flag}`);
    }
  }
});

test('lengths: the tag and at least a byte; the ratchet and the notice exactly; the limit of this end', (t) => {
  const at = (flag: number, length: number, limit = 65536): string | null => {
    const [tx, rx] = channels();
    const header = sealed(tx, 1, flag);
    putU32(header, 1, length);
    return admitRecord(rx, header, now, limit)?.reason ?? null;
  };
  for (const length of [0, 1, 31, 32, 65537, 2 ** 31, 2 ** 32 - 1]) t.is(at(4, length), 'length');
  for (const length of [33, 65535, 65536]) t.is(at(4, length), null);
  for (const length of [63, 65, 33, 0]) t.is(at(Flag.symmetricRatchetRequest, length), 'length');
  for (const length of [32, 34, 0, 2]) t.is(at(Flag.errorCondition, length), 'length');
  t.is(at(4, 800, 800), null);
  t.is(at(4, 801, 800), 'record_too_large');
});

test('time: 60 s off passes, 61 s does not; a ratchet packet has none', (t) => {
  for (const [skew, expected] of [
    [-61, 'time'],
    [-60, null],
    [60, null],
    [61, 'time'],
    [-1_000_000, 'time'],
  ] as const) {
    const [tx, rx] = channels();
    t.is(refuse(rx, sealed(tx, 5), now + skew), expected);
  }
  const [tx, rx] = channels();
  t.is(refuse(rx, sealed(tx, 32, Flag.symmetricRatchetRequest, 0)), null);
  for (const time of [2147483648, 4294967296, 253402300799]) {
    const [late, other] = channels();
    t.is(refuse(other, sealed(late, 5, 4, time), time), null);
  }
});

test('a session that refuses a record closes and says why in a sealed notice', (t) => {
  const cases: [(packet: Uint8Array) => void, string, number][] = [
    [(p) => (p[30]! ^= 1), 'authentication', ErrorCode.authenticationFailure],
    [(p) => (p[0] = 5), 'flag', ErrorCode.invalidRequest],
    [(p) => (p[5] = 9), 'sequence', ErrorCode.packetUnsequenced],
    [(p) => putTime(p, 13, now + 61), 'time', ErrorCode.messageTimeInvalid],
    [(p) => putU32(p, 1, 65537), 'length', ErrorCode.invalidRequest],
  ];
  for (const [change, reason, code] of cases) {
    const { client, server } = pair();
    const packet = client.seal(bytes(50), now);
    change(packet);
    t.deepEqual(deliver(server, packet, crypto, now), []);
    t.is(server.closed?.reason, reason);
    const notice = server.takeOutput()!;
    t.is(notice.length, 54);
    deliver(client, notice, crypto, now);
    t.is(client.closed?.code, code);
    t.true(client.closed?.authenticated);
    t.is(client.takeOutput(), null, 'a notice is not answered');
    t.is(server.receive(packet, 0, now), 0);
  }
});

test('replayed, reflected and reordered records are refused', (t) => {
  const { client, server } = pair();
  const [one, two] = [client.seal(bytes(10), now), client.seal(bytes(11), now)];
  t.is(deliver(server, one.slice(), crypto, now).length, 1);
  deliver(server, one, crypto, now);
  t.is(server.closed?.reason, 'sequence');
  const other = pair();
  deliver(other.server, two, crypto, now);
  t.is(other.server.closed?.reason, 'sequence');
  const third = pair();
  deliver(third.client, third.client.seal(bytes(4), now), crypto, now);
  t.is(third.client.closed?.reason, 'authentication');
});

test('terminate and a plain error close the connection, unauthenticated, without an answer', (t) => {
  for (const [flag, length] of [
    [Flag.connectionTerminate, 33],
    [Flag.connectionTerminate, 65536],
    [Flag.errorCondition, 1],
  ] as const) {
    const { client } = pair();
    const packet = new Uint8Array(22);
    packet[0] = flag;
    putU32(packet, 1, length);
    deliver(client, packet, crypto, now);
    t.is(client.state, 'closed');
    t.false(client.closed!.authenticated);
    t.regex(client.closed!.detail, /unauthenticated/);
    t.is(client.takeOutput(), null);
  }
});

test('a record over the receiver’s limit is refused by name', (t) => {
  const client = clientOf(chain, { verified: 'chain' });
  const server = serverOf(chain, { recordLimit: 768 });
  connect(chain, client, server);
  t.is(deliver(server, client.seal(bytes(736), now), crypto, now).length, 1);
  deliver(server, client.seal(bytes(737), now), crypto, now);
  t.is(server.closed?.reason, 'record_too_large');
  t.regex(server.closed!.detail, /limit of 768/);
});

test('after a ratchet both directions go on under the new keys', (t) => {
  const { client, server } = pair();
  const token = bytes(32, 3);
  const packet = new Uint8Array(21 + 32 + 32);
  packet.set(token, 21);
  const state = { ratchet: ratchetState(client.slot).slice(), name: ascii(crypto.suite.name, 42) };
  sealRecord(client.slot, packet, Flag.symmetricRatchetRequest, 32, 0);
  t.deepEqual(deliver(server, packet, crypto, now), []);
  const { material } = ratchetKeys(token, state.name, state.ratchet);
  const none = new Uint8Array(0);
  rcsInit(client.slot.tx, material.subarray(0, 32), material.subarray(32, 64), none);
  rcsInit(client.slot.rx, material.subarray(64, 96), material.subarray(96, 128), none);
  t.deepEqual(deliver(server, client.seal(bytes(7), now), crypto, now), [bytes(7)]);
  t.deepEqual(deliver(client, server.seal(bytes(8), now), crypto, now), [bytes(8)]);
});
