// The known-answer transcript of X6 to X8, reproduced by both ends, and read by an implementation that shares
// nothing with src/ but the byte layouts of docs/extensions.md.
import test from 'ava';
import { readFileSync } from 'node:fs';
import { gcm } from '@noble/ciphers/aes.js';
import { sha3_256 } from '@noble/hashes/sha3.js';
import { cshake256 } from '@noble/hashes/sha3-addons.js';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import { newWorld } from '../cert/trust.ts';
import { hex, vectors } from '../vectors.ts';
import { TRUST_TRANSCRIPT, trustTranscriptJson } from './trust-vectors.ts';
import type { TrustTranscript } from './trust-vectors.ts';

const file = vectors<TrustTranscript>('edge/identity.json');
const [SIGNATURE, CERTIFICATE, ROOT] = [2420, 3846, 3830];
const ascii = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** Types (flag 10 as it is) in order, and the messages by type, fragments put together. */
function read(dir: number, chain: string, packets: string[]): [string[], Record<string, Uint8Array>] {
  const personalization = join(ascii('QSTP-EDGE-1 traffic'), Uint8Array.of(2, dir, 0, 0, 0, 0));
  const keys = cshake256(hex(chain), { personalization, dkLen: 36 });
  const types: string[] = [];
  const messages: Record<string, Uint8Array> = {};
  for (const packet of packets.map(hex)) {
    const nonce = join(keys.slice(32), packet.slice(5, 13));
    const body = gcm(keys.slice(0, 32), nonce, packet.slice(0, 21)).decrypt(packet.slice(21));
    const type = packet[0] === 0x10 ? 'revocation' : body[0]!.toString(16).padStart(2, '0');
    types.push(type);
    if (!['03', '0a', '0c', '0d'].includes(type)) {
      messages[type] = body;
      continue;
    }
    const before = messages[type] ?? new Uint8Array(0);
    if (Buffer.from(body).readUInt16LE(3) !== before.length) throw new Error('a fragment is left out');
    messages[type] = join(before, body.slice(5));
  }
  return [types, messages];
}

test('both ends reproduce the transcript byte for byte', (t) => {
  t.is(trustTranscriptJson(), readFileSync(TRUST_TRANSCRIPT, 'utf8'));
});

test('an independent reader opens every record and verifies every signature', (t) => {
  const world = newWorld(1, 'trust-vectors');
  const rootKey = world.root.verifyKey;
  const [fromClient, c] = read(0, file.chain0, file.client);
  const [fromServer, s] = read(1, file.chain1, file.server);
  t.deepEqual(fromClient, ['0b', '03', '11', 'revocation']);
  t.deepEqual(fromServer, ['01', '02', '02', '02', '0d', '0c', '0a', '09']);
  const verify = (signature: Uint8Array, message: Uint8Array, key: Uint8Array, context?: string): boolean =>
    context === undefined
      ? ml_dsa44.verify(signature, message, key)
      : ml_dsa44.verify(signature, message, key, { context: ascii(context) });

  // X6
  const certificate = c['03']!.slice(0, CERTIFICATE);
  const proof = c['03']!.slice(CERTIFICATE);
  t.is(proof.length, SIGNATURE);
  const hash = certificate.slice(SIGNATURE, SIGNATURE + 32);
  t.deepEqual(hash, sha3_256(certificate.slice(SIGNATURE + 32)));
  t.true(verify(certificate.slice(0, SIGNATURE), hash, rootKey));
  const clientKey = certificate.slice(SIGNATURE + 32, SIGNATURE + 32 + 1312);
  const nonces = join(s['01']!.slice(62, 78), c['0b']!.slice(54, 70));
  const message = join(hex(file.transcript), sha3_256(certificate), nonces);
  t.is(message.length, 96);
  t.true(verify(proof, message, clientKey, 'QSTP-EDGE-1/client'));
  t.is(s['01']![3], 1, 'the client must identify itself');
  t.is(s['01']![4]! & 0x88, 0x88, 'features 3 and 7');
  t.is(c['0b']![4]! & 0x88, 0x88);

  // X7
  const list = s['0a']!;
  t.true(verify(list.slice(-SIGNATURE), list.slice(0, -SIGNATURE), rootKey, 'QSTP-EDGE-1/crl'));
  t.is(Buffer.from(list).readUInt16LE(36), 1);
  t.deepEqual(list.slice(38, 54), new Uint8Array(16).fill(7));
  const { revocation } = c;
  const serial = new Uint8Array(16).fill(9);
  t.deepEqual(revocation!.slice(SIGNATURE), serial);
  t.true(verify(revocation!.slice(0, SIGNATURE), serial, rootKey, 'QSTP-EDGE-1/revoke'));
  t.deepEqual(s['09'], join(Uint8Array.of(9, 0), serial));

  // X8
  t.is(c['11']!.length, 49);
  t.deepEqual(c['11']!.slice(33), world.root.serial.slice());
  const root = s['0d']!.slice(0, ROOT);
  const oldHash = sha3_256(world.root.bytes.slice(SIGNATURE + 32));
  const statement = join(oldHash, s['0d']!.slice(0, ROOT + 4));
  t.true(verify(s['0d']!.slice(ROOT + 4), statement, rootKey, 'QSTP-EDGE-1/succession'));
  const nextKey = root.slice(SIGNATURE + 32, SIGNATURE + 32 + 1312);
  t.true(verify(root.slice(0, SIGNATURE), root.slice(SIGNATURE, SIGNATURE + 32), nextKey));
  const successor = s['0c']!;
  t.is(successor.length, CERTIFICATE);
  t.true(verify(successor.slice(0, SIGNATURE), successor.slice(SIGNATURE, SIGNATURE + 32), rootKey));
});
