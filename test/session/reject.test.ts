// What a peer can do wrong in a handshake, and how it ends: the table in docs/protocol.md, "Refusals".
import test from 'ava';
import { ErrorCode } from '../../src/error.ts';
import { ratchetState } from '../../src/session/channel.ts';
import { decodeError } from '../../src/wire/messages.ts';
import { headerFlag, headerLength, headerSequenceHigh, headerSequenceLow } from '../../src/wire/header.ts';
import { getU32, putTime, putU32 } from '../../src/bytes.ts';
import { verifyChain } from '../../src/cert/verify.ts';
import { Flag, SEQUENCE_ERROR_HIGH, SUITE_NAMES } from '../../src/params.ts';
import type { Session } from '../../src/session/session.ts';
import { clientOf, connect, deliver, newChain, serverOf, settle } from './pair.ts';
import type { Chain } from './pair.ts';

const chain = newChain();
const { crypto, now } = chain;

type Step = 'S1' | 'S2' | 'S3' | 'S4';

/** Brings both ends to where `step` is in flight; returns who gets it, and the packet. */
function inFlight(
  step: Step,
  of: Chain = chain,
): { client: Session; server: Session; to: Session; packet: Uint8Array } {
  const client = clientOf(of, { verified: 'chain' });
  const server = serverOf(of);
  client.start(of.now);
  server.start(of.now);
  let packet = client.takeOutput()!;
  for (const at of ['S1', 'S2', 'S3', 'S4'] as const) {
    const to = at === 'S1' || at === 'S3' ? server : client;
    if (at === step) return { client, server, to, packet };
    deliver(to, packet, of.crypto, of.now);
    packet = to.takeOutput()!;
  }
  throw new Error('unreachable');
}

/** Delivers an altered packet; returns the reason, and checks that the peer is told the same code. */
function refusal(
  t: import('ava').ExecutionContext,
  step: Step,
  change: (packet: Uint8Array) => void,
  at = now,
): string {
  const { to, packet } = inFlight(step);
  change(packet);
  deliver(to, packet, crypto, at);
  t.is(to.state, 'closed', step);
  const answer = to.takeOutput();
  t.truthy(answer);
  t.is(headerFlag(answer!), Flag.errorCondition);
  t.is(headerLength(answer!), 1);
  t.is(headerSequenceLow(answer!), 0);
  t.is(headerSequenceHigh(answer!), SEQUENCE_ERROR_HIGH);
  t.is(decodeError(answer!), to.closed!.code);
  t.false(to.closed!.authenticated);
  return to.closed!.reason;
}

const flip =
  (byte: number, bit = 0) =>
  (packet: Uint8Array) =>
    void (packet[byte]! ^= 1 << bit);

test('header fields: every bit of flag, length and sequence, in each of S1 to S4', (t) => {
  for (const step of ['S1', 'S2', 'S3', 'S4'] as const) {
    for (let bit = 0; bit < 8; bit++) {
      t.is(refusal(t, step, flip(0, bit)), 'flag');
      for (let byte = 1; byte < 5; byte++) t.is(refusal(t, step, flip(byte, bit)), 'length');
      for (let byte = 5; byte < 13; byte++) t.is(refusal(t, step, flip(byte, bit)), 'sequence');
      for (let byte = 14; byte < 21; byte++) t.is(refusal(t, step, flip(byte, bit)), 'time');
    }
  }
});

test('time: 60 s off passes, 61 s does not, in each of S1 to S4', (t) => {
  for (const step of ['S1', 'S2', 'S3', 'S4'] as const) {
    for (const skew of [-61, 61])
      t.is(
        refusal(t, step, () => undefined, now + skew),
        'time',
      );
    for (const skew of [-60, 60]) {
      const { to, packet } = inFlight(step);
      deliver(to, packet, crypto, now + skew);
      t.not(to.state, 'closed', `${step} ${skew}`);
    }
    for (const time of [0, 2 ** 31, 2 ** 32, 253402300799, 2 ** 52]) {
      t.is(
        refusal(t, step, (packet) => putTime(packet, 13, time)),
        'time',
      );
    }
  }
});

test('S1: every bit of serial and configuration; its last byte is not compared', (t) => {
  for (let bit = 0; bit < 8; bit++) {
    for (let byte = 21; byte < 37; byte++) t.is(refusal(t, 'S1', flip(byte, bit)), 'serial');
    for (let byte = 37; byte < 78; byte++) t.is(refusal(t, 'S1', flip(byte, bit)), 'suite');
    const { to, packet } = inFlight('S1');
    packet[78] = 1 << bit;
    deliver(to, packet, crypto, now);
    t.is(to.state, 'handshake');
  }
});

test('S1: the other thirteen suites are refused as unknown_protocol', (t) => {
  for (const name of SUITE_NAMES.slice(1)) {
    const reason = refusal(t, 'S1', (packet) => {
      packet.fill(0, 37);
      packet.set(new TextEncoder().encode(name), 37);
    });
    t.is(reason, 'suite');
  }
});

test('S1: an expired or not yet valid server key', (t) => {
  const chain = newChain(1, 'short', 1);
  for (const later of [86400, -101]) {
    const { packet } = inFlight('S1', chain);
    const server = serverOf(chain);
    server.start(now);
    putTime(packet, 13, chain.now + later);
    deliver(server, packet, crypto, chain.now + later);
    t.is(server.closed?.reason, 'key_expired');
    t.is(decodeError(server.takeOutput()!), ErrorCode.keyExpired);
  }
});

test('S2: a bit of the hash, the KEM key, the signature, the header', (t) => {
  const { signatureBytes, kemPublicKeyBytes } = crypto.suite;
  const hashAt = 21 + signatureBytes;
  for (let byte = hashAt; byte < hashAt + 32; byte++)
    t.is(refusal(t, 'S2', flip(byte, byte & 7)), 'response_hash');
  for (let byte = hashAt + 32; byte < hashAt + 32 + kemPublicKeyBytes; byte += 13) {
    t.is(refusal(t, 'S2', flip(byte, byte & 7)), 'response_hash');
  }
  for (let byte = 21; byte < hashAt; byte += 67)
    t.is(refusal(t, 'S2', flip(byte, byte & 7)), 'response_signature');
  // A time within the window, but not the one that was signed.
  t.is(refusal(t, 'S2', flip(13)), 'response_hash');
});

test('S2: signed by another key of the same root, or with a response of another connection', (t) => {
  const { packet } = inFlight('S2', newChain(1, 'another'));
  const { to } = inFlight('S2');
  deliver(to, packet, crypto, now);
  t.is(to.closed?.reason, 'response_hash');
});

test('S3: an altered ciphertext is noticed by the client, whose cookie differs', (t) => {
  for (let byte = 21; byte < 21 + crypto.suite.ciphertextBytes; byte += 131) {
    const { client, server, packet } = inFlight('S3');
    packet[byte]! ^= 1;
    deliver(server, packet, crypto, now);
    t.is(server.state, 'established');
    deliver(client, server.takeOutput()!, crypto, now);
    t.is(client.closed?.reason, 'cookie');
    t.is(decodeError(client.takeOutput()!), ErrorCode.establishFailure);
    t.is(client.state, 'closed');
  }
});

test('S4: every bit of the cookie', (t) => {
  for (let bit = 0; bit < 256; bit++) t.is(refusal(t, 'S4', flip(21 + (bit >> 3), bit & 7)), 'cookie');
});

test('an error packet in clear ends the handshake, is not answered, and counts as unauthenticated', (t) => {
  for (const step of ['S1', 'S2', 'S3', 'S4'] as const) {
    const { to } = inFlight(step);
    const packet = new Uint8Array(22);
    packet[0] = Flag.errorCondition;
    putU32(packet, 1, 1);
    packet[21] = ErrorCode.keyExpired;
    deliver(to, packet, crypto, now);
    t.is(to.closed?.reason, 'peer_error');
    t.is(to.closed?.code, ErrorCode.keyExpired);
    t.false(to.closed?.authenticated);
    t.is(to.takeOutput(), null);
  }
});

test('truncated at every byte: nothing happens until the rest is there', (t) => {
  for (const step of ['S1', 'S2', 'S3', 'S4'] as const) {
    const { to, packet } = inFlight(step);
    const whole = packet.length;
    for (let at = 0; at < whole - 1; at++) {
      deliver(to, packet.subarray(at, at + 1), crypto, now);
      t.is(to.state, 'handshake');
      t.is(to.pending, null);
      t.is(to.takeOutput(), null);
    }
    deliver(to, packet.subarray(whole - 1), crypto, now);
    t.true(to.takeOutput() !== null || to.state === 'established');
  }
});

test('oversized and empty packets are refused at their header, before a byte of body is taken', (t) => {
  for (const length of [0, 1, 57, 59, 65536, 65537, 2 ** 31, 2 ** 32 - 1]) {
    const { to, packet } = inFlight('S1');
    putU32(packet, 1, length);
    const taken = to.receive(packet, 0, now);
    t.is(taken, 21);
    t.is(to.closed?.reason, 'length');
    t.is(getU32(to.takeOutput()!, 1), 1);
  }
});

test('a client without a clock fails with clock not set, before it sends anything', (t) => {
  const client = clientOf(chain);
  client.start(0);
  t.is(client.closed?.reason, 'clock_not_set');
  t.is(client.takeOutput(), null);
});

test('a client sends nothing for certificates that do not verify', (t) => {
  const other = newChain(1, 'foreign');
  const cases: [Partial<Chain>, number, string][] = [
    [{}, chain.root.to + 1, 'certificate_expired'],
    [{}, chain.root.from - 1, 'certificate_not_yet_valid'],
    [{ root: other.root }, now, 'certificate_foreign_root'],
    [{ server: { ...chain.server, hash: other.server.hash } }, now, 'certificate_hash'],
    [{ server: { ...chain.server, signature: other.server.signature } }, now, 'certificate_signature'],
    [{ root: { ...chain.root, signature: other.root.signature } }, now, 'certificate_signature'],
    [{ server: { ...chain.server, issuer: 'client.qcc' } }, now, 'certificate_kind'],
    [{ server: { ...chain.server, suite: newChain(2).server.suite } }, now, 'certificate_suite'],
  ];
  for (const [change, at, reason] of cases) {
    const altered = { ...chain, ...change };
    const client = clientOf(altered);
    client.start(at);
    settle(client, crypto, at);
    t.is(client.closed?.reason, reason);
    t.is(client.takeOutput(), null);
    t.is(verifyChain(crypto, altered.root, altered.server, at)?.reason, reason);
  }
});

test('S1 to S4 fragmented at every byte, and S4 coalesced with the first record', (t) => {
  const client = clientOf(chain, { verified: 'chain' });
  const server = serverOf(chain);
  client.start(now);
  server.start(now);
  const byByte = (to: Session, packet: Uint8Array): void => {
    for (let i = 0; i < packet.length; i++) deliver(to, packet.subarray(i, i + 1), crypto, now);
  };
  byByte(server, client.takeOutput()!);
  byByte(client, server.takeOutput()!);
  byByte(server, client.takeOutput()!);
  const s4 = server.takeOutput()!;
  const record = server.seal(new Uint8Array([1, 2, 3]), now);
  const both = new Uint8Array(s4.length + record.length);
  both.set(s4);
  both.set(record, s4.length);
  t.deepEqual(deliver(client, both, crypto, now), [new Uint8Array([1, 2, 3])]);
  t.true(client.confirmed);
});

test('secrets are wiped: the operation given up, the KEM key after S3, everything at the end', (t) => {
  const zero = (b: Uint8Array | Int32Array) => b.every((x) => x === 0);
  const server = serverOf(chain);
  const client = clientOf(chain, { verified: 'chain' });
  client.start(now);
  server.start(now);
  server.receive(client.takeOutput()!, 0, now);
  const keygen = server.pending;
  t.is(keygen?.op, 'keygen');
  if (keygen?.op === 'keygen') {
    t.false(zero(keygen.seed));
    settle(server, crypto, now);
    t.true(zero(keygen.seed));
    t.false(zero(keygen.secretKey));
    client.receive(server.takeOutput()!, 0, now);
    settle(client, crypto, now);
    deliver(server, client.takeOutput()!, crypto, now);
    t.true(zero(keygen.secretKey));
  }
  const { tx, rx } = server.slot;
  const ratchet = ratchetState(server.slot);
  t.false(zero(tx));
  server.close({ reason: 'closed', code: 0, detail: '', authenticated: true }, now);
  t.true(zero(tx) && zero(rx) && zero(ratchet));

  const given = serverOf(chain);
  given.start(now);
  const second = clientOf(chain, { verified: 'chain' });
  second.start(now);
  given.receive(second.takeOutput()!, 0, now);
  const job = given.pending;
  given.close({ reason: 'handshake_timeout', code: 4, detail: '', authenticated: false }, now);
  if (job?.op === 'keygen') t.true(zero(job.seed));
  t.is(given.pending, null);
  given.resume(true, now);
  t.is(given.state, 'closed');
});

test('a client whose S4 does not fit has no keys left', (t) => {
  const { to, packet } = inFlight('S4');
  packet[30]! ^= 1;
  deliver(to, packet, crypto, now);
  t.is(to.state, 'closed');
  t.throws(() => to.seal(new Uint8Array(1), now), { code: 'not_established' });
});

test('all three suites connect with hedged signatures, and the bytes on the wire are those of the table', (t) => {
  for (const [suite, bytes] of [
    [1, 4194],
    [2, 5787],
    [3, 7969],
  ] as const) {
    const each = newChain(suite);
    const [client, server] = [clientOf(each), serverOf(each, { deterministicSigning: false })];
    const packets = connect(each, client, server);
    t.is(client.state, 'established');
    t.is(
      packets.reduce((sum, p) => sum + p.length, 0),
      bytes,
    );
  }
});
