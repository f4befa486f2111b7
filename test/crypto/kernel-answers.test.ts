import test from 'ava';
import { createCipheriv } from 'node:crypto';
import { blake2s } from '@noble/hashes/blake2.js';
import { sha3_256 } from '@noble/hashes/sha3.js';
import { kmac256 } from '@noble/hashes/sha3-addons.js';
import { noble } from '../../src/crypto/noble.ts';
import { decapsulate, encapsulate, keygen, sign } from '../../src/crypto/provider.ts';
import { kernelAnswers, kernelDigests, pattern } from '../conformance/kernel-answers.ts';

test('what the engines are compared by is right: the answers are those of noble and node:crypto', (t) => {
  const answers = new Map(kernelAnswers().map((g) => [g.name, g.answers]));
  t.is(answers.size, 9);
  const data = pattern(500, 10);
  t.deepEqual(answers.get('hashes'), [
    sha3_256(data),
    blake2s(data),
    kmac256(data, data, { personalization: data, dkLen: 64 }),
  ]);
  [
    ['mlKem512', 'mlDsa44'],
    ['mlKem768', 'mlDsa65'],
    ['mlKem1024', 'mlDsa87'],
  ].forEach(([kemName, dsaName], i) => {
    const { kem, signer } = noble.suite(i + 1);
    const keys = keygen(kem, pattern(64, 1));
    const sent = encapsulate(kem, keys.publicKey, pattern(32, 2))!;
    const changed = sent.ciphertext.slice();
    changed[9]! ^= 4;
    t.deepEqual(answers.get(kemName!), [
      keys.publicKey,
      keys.secretKey,
      changed,
      sent.sharedSecret,
      sent.sharedSecret,
      decapsulate(kem, changed, keys.secretKey)!,
    ]);
    const pair = keygen(signer, pattern(32, 4));
    const message = pattern(50, 3);
    const signature = sign(signer, message, pair.secretKey, pattern(32, 5), message);
    t.deepEqual(answers.get(dsaName!), [pair.publicKey, pair.secretKey, signature, Uint8Array.of(1, 0)]);
  });
  const key = pattern(32, 6);
  const cipher = createCipheriv('aes-256-gcm', key, key.subarray(0, 12));
  cipher.setAAD(key.subarray(0, 21));
  const text = pattern(300 + 16, 7).subarray(0, 300);
  const sealed = Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
  t.deepEqual(answers.get('records')!.slice(0, 2), [Uint8Array.from(sealed), Uint8Array.of(1)]);
  t.is(kernelDigests().trim().split('\n').length, 9);
});
