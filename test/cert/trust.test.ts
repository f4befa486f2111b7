// Client certificates, revocation and succession: what is taken, and that each way to pass something off is refused
// under a reason of its own.
import test from 'ava';
import { readFileSync } from 'node:fs';
import { sha3_256 } from '@noble/hashes/sha3.js';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import { equal, putU16 } from '../../src/bytes.ts';
import {
  decodeCertificate,
  decodeClientCertificate,
  decodeRootCertificate,
  decodeServerCertificate,
  parseCertificate,
} from '../../src/cert/certificate.ts';
import type { RootCertificate } from '../../src/cert/certificate.ts';
import {
  generateClientKey,
  generateRootKey,
  rootCertificate,
  rootSignature,
  signClientCertificate,
  signServerCertificate,
} from '../../src/cert/issue.ts';
import { decodeKey, encodeKey } from '../../src/cert/key-file.ts';
import {
  badRevocationSignature,
  checkRevocationList,
  decodeRevocation,
  decodeRevocationList,
  encodeRevocation,
  encodeRevocationList,
  isRevoked,
  pruneRevoked,
  REVOCATION_LIST_BYTES_MAX,
  revocationJob,
  revocationListMax,
  revocationListState,
  revocationOfJob,
  revoked,
  revokedSerials,
} from '../../src/cert/revocation.ts';
import {
  badSuccessionSignature,
  badSuccessorSignature,
  checkSuccession,
  checkSuccessor,
  decodeSuccession,
  encodeSuccession,
  rootKeyHash,
  successionBytes,
  successionJob,
} from '../../src/cert/succession.ts';
import { decodeCertificateText, encodeCertificateText } from '../../src/cert/text.ts';
import {
  checkClient,
  checkServer,
  signatureJob,
  verifyClient,
  verifyRoot,
  verifyServer,
} from '../../src/cert/verify.ts';
import { runJob } from '../../src/crypto/job.ts';
import { SUITES } from '../../src/params.ts';
import { hex, vectors } from '../vectors.ts';
import { DAY, FROM, listOf, newServer, newWorld, NOW, TRUST_FILE, trustJson } from './trust.ts';
import type { TrustFile } from './trust.ts';

const world = newWorld();
const { crypto, root, server, client, successor, nextRoot, sign } = world;
const { suite } = crypto;
const stranger = newWorld(1, 'stranger');
const succession = encodeSuccession(root, nextRoot, 1, sign);
/** A root whose period is over at NOW. */
const ended: RootCertificate = { ...root, to: NOW - 1 };

function flipped(bytes: Uint8Array, at: number, by = 1): Uint8Array {
  const altered = bytes.slice();
  altered[at]! ^= by;
  return altered;
}

/** Positions of a file to change: all but of signatures and keys, of which every 97th, and the last. */
function positions(bytes: Uint8Array, long: readonly (readonly [number, number])[]): number[] {
  const all: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const inside = long.find(([from, to]) => at >= from && at < to);
    if (inside === undefined || (at - inside[0]) % 97 === 0 || at === inside[1] - 1) all.push(at);
  }
  return all;
}

// ---- Client certificates -----------------------------------------------------------------------------------

test('a client certificate is one of a kind of its own, in every form', (t) => {
  t.is(client.kind, 'client');
  t.is(verifyClient(crypto, client, root, NOW), null);
  t.is(decodeCertificate(client.bytes).kind, 'client');
  t.is(decodeClientCertificate(client.bytes).issuer, 'device-1.qcc');
  t.throws(() => decodeServerCertificate(client.bytes), { code: 'certificate_kind' });
  t.throws(() => decodeRootCertificate(client.bytes), { code: 'certificate_kind' });
  t.throws(() => decodeClientCertificate(server.bytes), { code: 'certificate_kind' });
  t.throws(() => decodeClientCertificate(root.bytes), { code: 'certificate_kind' });
  const back = decodeCertificateText(encodeCertificateText(client));
  t.is(back.kind, 'client');
  t.deepEqual(back.bytes, client.bytes);
  const key = decodeKey(encodeKey(world.clientKey));
  t.is(key.kind, 'client');
  t.deepEqual(key, world.clientKey);
});

test("a client's passes for no server's, and a server's for no client's", (t) => {
  t.is(checkServer(client, root, NOW)?.reason, 'certificate_kind');
  t.is(verifyServer(crypto, client, root, NOW)?.reason, 'certificate_kind');
  t.is(checkClient(server, root, NOW)?.reason, 'certificate_kind');
  t.is(verifyClient(crypto, server, root, NOW)?.reason, 'certificate_kind');
  // Renamed, it is the other kind, and no longer what the root signed.
  const renamed = client.bytes.slice();
  renamed[suite.signatureBytes + 32 + suite.verifyKeyBytes + 'device-1.q'.length] = 'r'.charCodeAt(0);
  const passedOff = decodeCertificate(renamed);
  t.is(passedOff.kind, 'server');
  t.is(passedOff.issuer, 'device-1.qrc');
  if (passedOff.kind === 'server') t.is(checkServer(passedOff, root, NOW)?.reason, 'certificate_hash');
});

test('a root signs each kind as what it is', (t) => {
  const { rootKey, clientKey } = world;
  const zeros = new Uint8Array(32);
  t.throws(() => signServerCertificate(crypto, root, rootKey, clientKey, zeros), { code: 'issuer_invalid' });
  t.throws(() => signClientCertificate(crypto, root, rootKey, { ...clientKey, issuer: 'x.qrc' }, zeros), {
    code: 'issuer_invalid',
  });
  t.throws(() => signClientCertificate(crypto, root, stranger.rootKey, clientKey, zeros), {
    code: 'key_mismatch',
  });
  t.throws(() => generateClientKey(crypto, 'device.qrc', 10, FROM, world.random), { code: 'issuer_invalid' });
  const later = { ...clientKey, to: root.to + DAY };
  t.is(signClientCertificate(crypto, root, rootKey, later, zeros).to, root.to);
});

test('what a client sends as its certificate: every truncation and flip is refused', (t) => {
  t.deepEqual(parseCertificate(client.bytes, suite)?.hash, client.hash);
  for (let length = 0; length < client.bytes.length; length += length < 200 ? 1 : 61) {
    if (length !== root.bytes.length) t.is(parseCertificate(client.bytes.subarray(0, length), suite), null);
  }
  t.is(parseCertificate(client.bytes, SUITES[2]!), null);
  const at = suite.signatureBytes;
  let checked = 0;
  for (const i of positions(client.bytes, [
    [0, at],
    [at + 32, at + 32 + suite.verifyKeyBytes],
  ])) {
    const altered = parseCertificate(flipped(client.bytes, i), suite);
    if (altered === null) continue;
    t.not(altered.kind, 'root');
    if (altered.kind !== 'root') t.not(verifyClient(crypto, altered, root, NOW), null, `byte ${i}`);
    checked++;
  }
  t.true(checked > 100);
});

test("a client's certificate is checked as a server's is", (t) => {
  const reason = (now: number, under: RootCertificate = root): string | undefined =>
    checkClient(client, under, now)?.reason;
  t.is(reason(FROM - 1), 'certificate_not_yet_valid');
  t.is(reason(client.to), undefined);
  t.is(reason(client.to + 1), 'certificate_expired');
  t.is(reason(NOW, stranger.root), 'certificate_foreign_root');
  t.is(reason(NOW, newWorld(2).root), 'certificate_suite');
});

// ---- Revocation --------------------------------------------------------------------------------------------

test('a list: made, read, searched', (t) => {
  const bytes = listOf(world, [server.serial, client.serial, server.serial], 7);
  const list = decodeRevocationList(bytes, suite)!;
  t.is(bytes.length, 38 + 2 * 16 + suite.signatureBytes);
  t.deepEqual([list.number, list.issued, list.nextUpdate, list.count], [7, FROM, FROM + 30 * DAY, 2]);
  t.true(isRevoked(list, server.serial));
  t.true(isRevoked(list, client.serial));
  t.false(isRevoked(list, successor.serial));
  t.false(isRevoked(null, server.serial));
  t.is(revokedSerials(list).length, 2);
  t.true(runJob(crypto, revocationJob(list, root)));
  t.is(checkRevocationList(list, root, 6, NOW), null);
  t.is(revocationListState(list, list.nextUpdate), 'current');
  t.is(revocationListState(list, list.nextUpdate + 1), 'stale');
  t.is(revocationListState(null, NOW), 'missing');
  t.is(revoked('client').reason, 'revoked');
});

test('a list: each way to pass one off has a reason of its own', (t) => {
  const list = decodeRevocationList(listOf(world, [client.serial], 7), suite)!;
  const reason = (under: RootCertificate, held: number, now: number): string | undefined =>
    checkRevocationList(list, under, held, now)?.reason;
  t.is(reason(stranger.root, 0, NOW), 'revocation_foreign_root');
  t.is(reason(ended, 0, NOW), 'revocation_root_expired');
  t.is(reason(root, 8, NOW), 'revocation_older');
  t.is(reason(root, 7, NOW), 'revocation_held');
  t.is(reason(root, 6, FROM + 30 * DAY + 1), 'revocation_stale');
  t.is(reason(root, 6, FROM + 30 * DAY), undefined);
  const early = decodeRevocationList(listOf(world, [], 1, NOW + 61), suite)!;
  t.is(checkRevocationList(early, root, 0, NOW)?.reason, 'revocation_issued_later');
  t.is(checkRevocationList(early, root, 0, NOW + 1), null);
  const unnumbered = decodeRevocationList(listOf(world, [], 0), suite)!;
  t.is(checkRevocationList(unnumbered, root, 0, NOW)?.reason, 'revocation_held');
  t.false(runJob(crypto, revocationJob(list, stranger.root)));
  t.is(badRevocationSignature().reason, 'revocation_signature');
  // A signature of the root for another purpose is none of a list.
  const body = list.bytes.slice(0, 38 + 16);
  const other = sign(body, new Uint8Array(0));
  const forged = decodeRevocationList(Uint8Array.from([...body, ...other]), suite)!;
  t.false(runJob(crypto, revocationJob(forged, root)));
});

test('a list: every truncation is refused, and every flipped byte', (t) => {
  const bytes = listOf(world, [server.serial, client.serial], 7);
  for (let length = 0; length < bytes.length; length++) {
    t.is(decodeRevocationList(bytes.subarray(0, length), suite), null);
  }
  t.is(decodeRevocationList(Uint8Array.from([...bytes, 0]), suite), null);
  t.is(decodeRevocationList(bytes, SUITES[1]!), null);
  for (const at of positions(bytes, [[70, bytes.length]])) {
    const altered = decodeRevocationList(flipped(bytes, at, 0x10), suite);
    t.true(altered === null || !runJob(crypto, revocationJob(altered, root)), `byte ${at}`);
  }
});

test('a list holds what a control message carries, and no more', (t) => {
  t.deepEqual(SUITES.map(revocationListMax), [870, 814, 732]);
  const content = { rootSerial: root.serial, number: 1, issued: FROM, nextUpdate: FROM + DAY };
  for (const set of SUITES) {
    const unsigned = (): Uint8Array => new Uint8Array(set.signatureBytes);
    const serials: Uint8Array[] = [];
    for (let i = 0; i < revocationListMax(set); i++) {
      const serial = new Uint8Array(16);
      putU16(serial, 3, 60000 - i);
      serials.push(serial);
    }
    const full = encodeRevocationList(content, serials, set, unsigned);
    t.true(full.length <= REVOCATION_LIST_BYTES_MAX && full.length > REVOCATION_LIST_BYTES_MAX - 16);
    const list = decodeRevocationList(full, set)!;
    t.true(serials.every((serial) => isRevoked(list, serial)));
    t.throws(() => encodeRevocationList(content, [...serials, new Uint8Array(16)], set, unsigned), {
      code: 'revocation_full',
      message: /leave out those whose certificates have expired/,
    });
    const longer = new Uint8Array(full.length + 16);
    longer.set(full.subarray(0, 38));
    putU16(longer, 36, serials.length + 1);
    t.is(decodeRevocationList(longer, set), null);
  }
  t.throws(() => listOf(world, [new Uint8Array(15)]), { code: 'invalid_input' });
});

test('what has expired may leave the list, a day later and if its end is known', (t) => {
  const serials = [server.serial, client.serial, successor.serial];
  const endOf = (serial: Uint8Array): number | null => (equal(serial, server.serial) ? server.to : null);
  t.deepEqual(pruneRevoked(serials, endOf, server.to + DAY), serials);
  t.deepEqual(pruneRevoked(serials, endOf, server.to + DAY + 1), [client.serial, successor.serial]);
});

test('a single revocation: made, read; truncations, flips and other signatures are refused', (t) => {
  const bytes = encodeRevocation(client.serial, sign);
  const good = decodeRevocation(bytes, suite)!;
  t.deepEqual(good.serial, client.serial);
  t.true(runJob(crypto, revocationOfJob(good, root)));
  t.false(runJob(crypto, revocationOfJob(good, stranger.root)));
  for (let length = 0; length < bytes.length; length++) {
    t.is(decodeRevocation(bytes.subarray(0, length), suite), null);
  }
  t.is(decodeRevocation(Uint8Array.from([...bytes, 0]), suite), null);
  for (const at of positions(bytes, [[0, suite.signatureBytes]])) {
    t.false(
      runJob(crypto, revocationOfJob(decodeRevocation(flipped(bytes, at), suite)!, root)),
      `byte ${at}`,
    );
  }
  const otherPurpose = sign(client.serial, new Uint8Array(0));
  t.false(runJob(crypto, revocationOfJob({ serial: client.serial, signature: otherPurpose }, root)));
});

// ---- Succession of server certificates ---------------------------------------------------------------------

test('a successor: same root, same issuer, later end, not revoked', (t) => {
  t.is(checkSuccessor(successor, server, root, null, NOW), null);
  t.true(runJob(crypto, signatureJob(successor, root)));
  const reason = (next: typeof successor, now = NOW, pinned = server): string | undefined =>
    checkSuccessor(next, pinned, root, null, now)?.reason;
  t.is(reason(server, NOW, successor), 'successor_older');
  t.is(reason(server), 'successor_older');
  t.is(reason({ ...successor, to: server.to }), 'successor_older');
  t.is(reason(newServer(world, 'other.qrc', 300)), 'successor_issuer');
  t.is(reason(stranger.successor), 'successor_foreign_root');
  t.is(reason(newWorld(2).successor), 'successor_suite');
  t.is(reason({ ...successor, issuer: 'gateway' }), 'successor_kind');
  t.is(checkSuccessor(client, server, root, null, NOW)?.reason, 'successor_kind');
  t.is(reason(successor, successor.to + 1), 'successor_period');
  t.is(reason(successor, FROM - 1), 'successor_period');
  t.is(reason({ ...successor, hash: server.hash }), 'successor_hash');
  t.is(badSuccessorSignature().reason, 'successor_signature');
  const list = decodeRevocationList(listOf(world, [successor.serial]), suite);
  t.is(checkSuccessor(successor, server, root, list, NOW)?.reason, 'successor_revoked');
});

test('a successor: every flipped byte is refused', (t) => {
  const { bytes } = successor;
  const at = suite.signatureBytes;
  for (const i of positions(bytes, [
    [0, at],
    [at + 32, at + 32 + suite.verifyKeyBytes],
  ])) {
    const next = parseCertificate(flipped(bytes, i), suite);
    if (next === null) continue;
    t.not(next.kind, 'root');
    if (next.kind === 'root') continue;
    const good =
      checkSuccessor(next, server, root, null, NOW) === null && runJob(crypto, signatureJob(next, root));
    t.false(good, `byte ${i}`);
  }
});

// ---- Succession of roots -----------------------------------------------------------------------------------

test('a new root: signed by the old one and by itself', (t) => {
  const statement = decodeSuccession(succession, suite)!;
  t.is(succession.length, successionBytes(suite));
  t.deepEqual(statement.certificate.bytes, nextRoot.bytes);
  t.is(statement.number, 1);
  t.is(checkSuccession(statement, root, 0, null, NOW), null);
  t.true(runJob(crypto, successionJob(statement, root)));
  t.is(verifyRoot(crypto, statement.certificate, NOW), null);
  t.is(checkSuccession(statement, root, 0, rootKeyHash(nextRoot), NOW), null);
});

test('a new root: each way to pass one off has a reason of its own', (t) => {
  const statement = decodeSuccession(succession, suite)!;
  const other = (certificate: RootCertificate): typeof statement => ({ ...statement, certificate });
  const reason = (held: number, of = statement, expected: Uint8Array | null = null, now = NOW) =>
    checkSuccession(of, root, held, expected, now)?.reason;
  t.is(reason(2), 'succession_older');
  t.is(reason(1), 'succession_held');
  t.is(reason(0, other(root)), 'succession_same_root');
  t.is(reason(0, other({ ...nextRoot, serial: root.serial })), 'succession_same_root');
  t.is(reason(0, other({ ...nextRoot, to: root.to })), 'succession_shorter');
  t.is(reason(0, other({ ...nextRoot, from: NOW + 1 })), 'succession_period');
  t.is(reason(0, other({ ...nextRoot, hash: root.hash })), 'succession_hash');
  t.is(reason(0, other(newWorld(2).nextRoot)), 'succession_suite');
  t.is(reason(0, statement, rootKeyHash(stranger.root)), 'succession_unexpected');
  t.is(reason(0, statement, new Uint8Array(0)), 'succession_unexpected');
  // An old root that has ended signs for nothing, unless the next one was provisioned.
  t.is(checkSuccession(statement, ended, 0, null, NOW)?.reason, 'succession_root_expired');
  t.is(checkSuccession(statement, ended, 0, rootKeyHash(nextRoot), NOW), null);
  // Signed by who is not the old root; for another old root; for another purpose.
  t.false(runJob(crypto, successionJob(statement, stranger.root)));
  const byStranger = encodeSuccession(
    root,
    nextRoot,
    2,
    rootSignature(crypto, stranger.root, stranger.rootKey, new Uint8Array(32)),
  );
  t.false(runJob(crypto, successionJob(decodeSuccession(byStranger, suite)!, root)));
  const ofStranger = encodeSuccession(stranger.root, nextRoot, 2, sign);
  t.false(runJob(crypto, successionJob(decodeSuccession(ofStranger, suite)!, root)));
  t.is(badSuccessionSignature().reason, 'succession_signature');
  t.throws(() => rootSignature(crypto, root, stranger.rootKey, new Uint8Array(32)), { code: 'key_mismatch' });
});

test('a new root: every truncation and flipped byte is refused', (t) => {
  const own = rootCertificate(
    crypto,
    generateRootKey(crypto, 'next.qrr', 700, FROM, world.random),
    new Uint8Array(32),
  );
  const bytes = encodeSuccession(root, own, 0x10203, sign);
  for (let length = 0; length < bytes.length; length += length < 100 ? 1 : 13) {
    t.is(decodeSuccession(bytes.subarray(0, length), suite), null);
  }
  t.is(decodeSuccession(Uint8Array.from([...bytes, 0]), suite), null);
  t.is(decodeSuccession(bytes, SUITES[1]!), null);
  const { signatureBytes, verifyKeyBytes } = suite;
  for (const at of positions(bytes, [
    [0, signatureBytes],
    [signatureBytes + 32, signatureBytes + 32 + verifyKeyBytes],
    [own.bytes.length + 4, bytes.length],
  ])) {
    const altered = decodeSuccession(flipped(bytes, at), suite);
    t.true(altered === null || !runJob(crypto, successionJob(altered, root)), `byte ${at}`);
  }
});

// ---- Known answers -----------------------------------------------------------------------------------------

test('the known answers are what the code says', (t) => {
  t.is(trustJson(), readFileSync(TRUST_FILE, 'utf8'));
});

test('the known answers, read by an implementation that shares nothing with src/ but the layouts', (t) => {
  const [set] = vectors<TrustFile>('edge/trust.json').sets;
  const [SIG, VK] = [2420, 1312];
  const rootFile = hex(set!.root);
  const publicKey = rootFile.slice(SIG + 32, SIG + 32 + VK);
  const rootSerial = rootFile.slice(SIG + 32 + VK + 32, SIG + 32 + VK + 48);
  const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
  const verify = (signature: Uint8Array, message: Uint8Array, context?: string): boolean =>
    ml_dsa44.verify(
      signature,
      message,
      publicKey,
      context === undefined ? {} : { context: bytes(`QSTP-EDGE-1/${context}`) },
    );
  for (const file of [rootFile, hex(set!.server), hex(set!.client), hex(set!.successor)]) {
    t.deepEqual(sha3_256(file.slice(SIG + 32)), file.slice(SIG, SIG + 32));
    t.true(verify(file.slice(0, SIG), file.slice(SIG, SIG + 32)));
  }
  const client = hex(set!.client);
  const issuerAt = SIG + 32 + VK;
  t.deepEqual(Buffer.from(client.slice(issuerAt, issuerAt + 32)).toString(), 'device-1.qcc'.padEnd(32, '\0'));
  const serialOf = (file: Uint8Array): Uint8Array => file.slice(issuerAt + 32, issuerAt + 48);
  const key = hex(set!.clientKey);
  t.is(key.length, 3970);
  t.deepEqual(key.slice(32, 64), new Uint8Array(32));
  t.deepEqual(key.slice(64, 80), serialOf(client));
  t.deepEqual(key.slice(80 + 2560, 80 + 2560 + VK), client.slice(SIG + 32, SIG + 32 + VK));

  const number = (file: Uint8Array, at: number, length: 2 | 4 | 8): number =>
    Number(Buffer.from(file).readBigUInt64LE(at) & ((1n << BigInt(8 * length)) - 1n));
  const lists: [string, number, number, number, Uint8Array[]][] = [
    [set!.list1, 1, FROM, FROM + 30 * DAY, [serialOf(client)]],
    [set!.list2, 2, FROM + DAY, FROM + 40 * DAY, [serialOf(client), serialOf(hex(set!.server))]],
  ];
  for (const [text, expected, issued, nextUpdate, serials] of lists) {
    const list = hex(text);
    t.deepEqual(list.slice(0, 16), rootSerial);
    t.deepEqual(
      [number(list, 16, 4), number(list, 20, 8), number(list, 28, 8), number(list, 36, 2)],
      [expected, issued, nextUpdate, serials.length],
    );
    const end = 38 + 16 * serials.length;
    const sorted = serials.map((serial) => Buffer.from(serial).toString('hex')).sort();
    t.is(Buffer.from(list.slice(38, end)).toString('hex'), sorted.join(''));
    t.true(verify(list.slice(end), list.slice(0, end), 'crl'));
    t.false(verify(list.slice(end), list.slice(0, end)));
  }
  const revocation = hex(set!.revocation);
  t.deepEqual(revocation.slice(SIG), serialOf(client));
  t.true(verify(revocation.slice(0, SIG), revocation.slice(SIG), 'revoke'));

  const statement = hex(set!.succession);
  const next = statement.slice(0, rootFile.length);
  t.is(number(statement, rootFile.length, 4), 1);
  const signed = Buffer.concat([sha3_256(rootFile.slice(SIG + 32)), statement.slice(0, rootFile.length + 4)]);
  t.true(verify(statement.slice(rootFile.length + 4), new Uint8Array(signed), 'succession'));
  const nextKey = next.slice(SIG + 32, SIG + 32 + VK);
  t.true(ml_dsa44.verify(next.slice(0, SIG), next.slice(SIG, SIG + 32), nextKey));
  t.is(Buffer.from(sha3_256(nextKey)).toString('hex'), set!.nextRootKeyHash);
  t.is(Buffer.from(sha3_256(rootFile.slice(SIG + 32))).toString('hex'), set!.rootHash);
});
