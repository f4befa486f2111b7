// One short answer of every device kernel, for comparison between engines: no import but the kernels, no
// global but typed arrays, so that the lowered bundle of it runs anywhere.
import { AES_GCM_WORDS, aesGcmInit, aesGcmOpen, aesGcmSeal } from '../../src/crypto/micro/aes-gcm.ts';
import { createArena } from '../../src/crypto/micro/arena.ts';
import { blake2s256 } from '../../src/crypto/micro/blake2s.ts';
import { DRBG_WORDS, drbgFeed, drbgGenerate, drbgInit } from '../../src/crypto/micro/drbg.ts';
import {
  ML_DSA_44,
  ML_DSA_65,
  ML_DSA_87,
  mlDsaKeygen,
  mlDsaSign,
  mlDsaVerify,
} from '../../src/crypto/micro/ml-dsa.ts';
import type { MlDsa } from '../../src/crypto/micro/ml-dsa.ts';
import {
  ML_KEM_1024,
  ML_KEM_512,
  ML_KEM_768,
  mlKemDecapsulate,
  mlKemEncapsulate,
  mlKemKeygen,
} from '../../src/crypto/micro/ml-kem.ts';
import type { MlKem } from '../../src/crypto/micro/ml-kem.ts';
import { RCS256_WORDS, rcsInit, rcsSeal } from '../../src/crypto/micro/rcs.ts';
import { kmac, RATE_256, sha3_256 } from '../../src/crypto/micro/sponge.ts';
import { fixture as pattern } from '../../bench/fixture.ts';

export { pattern };

function mlKemAnswers(p: MlKem): Uint8Array[] {
  const arena = createArena(p.arenaBytes);
  const publicKey = new Uint8Array(p.publicKeyBytes);
  const secretKey = new Uint8Array(p.secretKeyBytes);
  const ciphertext = new Uint8Array(p.ciphertextBytes);
  const sent = new Uint8Array(32);
  const received = new Uint8Array(32);
  const rejected = new Uint8Array(32);
  mlKemKeygen(p, arena, pattern(64, 1), publicKey, secretKey);
  mlKemEncapsulate(p, arena, publicKey, pattern(32, 2), ciphertext, sent);
  mlKemDecapsulate(p, arena, ciphertext, secretKey, received);
  ciphertext[9] = ciphertext[9]! ^ 4;
  mlKemDecapsulate(p, arena, ciphertext, secretKey, rejected);
  return [publicKey, secretKey, ciphertext, sent, received, rejected];
}

function mlDsaAnswers(p: MlDsa): Uint8Array[] {
  const arena = createArena(p.arenaBytes);
  const signArena = createArena(p.signArenaBytes);
  const publicKey = new Uint8Array(p.publicKeyBytes);
  const secretKey = new Uint8Array(p.secretKeyBytes);
  const signature = new Uint8Array(p.signatureBytes);
  const message = pattern(50, 3);
  const verdicts = new Uint8Array(2);
  mlDsaKeygen(p, arena, pattern(32, 4), publicKey, secretKey);
  mlDsaSign(p, signArena, message, secretKey, pattern(32, 5), signature, message);
  verdicts[0] = mlDsaVerify(p, arena, signature, message, publicKey, message) ? 1 : 0;
  verdicts[1] = mlDsaVerify(p, arena, signature, message, publicKey, null) ? 1 : 0;
  return [publicKey, secretKey, signature, verdicts];
}

function recordAnswers(): Uint8Array[] {
  const key = pattern(32, 6);
  const gcm = new Int32Array(AES_GCM_WORDS);
  const rcs = new Int32Array(RCS256_WORDS);
  const first = pattern(300 + 16, 7);
  const second = pattern(300 + 32, 7);
  const opened = new Uint8Array(1);
  aesGcmInit(gcm, key);
  aesGcmSeal(gcm, key, key, 21, first, 0, 300);
  const copy = new Uint8Array(first);
  opened[0] = aesGcmOpen(gcm, key, key, 21, copy, 0, 300, new Uint8Array(16)) ? 1 : 0;
  rcsInit(rcs, key, pattern(32, 8), new Uint8Array(0));
  rcsSeal(rcs, key, 21, second, 0, 300);
  return [first, opened, second];
}

function randomAnswers(): Uint8Array[] {
  const d = new Int32Array(DRBG_WORDS);
  const out = new Uint8Array(100);
  drbgInit(d);
  drbgFeed(d, pattern(1024, 9), 2);
  drbgGenerate(d, out);
  return [out];
}

/** SHA3-256 of the answers' digests, and the answers by name. */
export function kernelAnswers(): { name: string; answers: Uint8Array[] }[] {
  const data = pattern(500, 10);
  return [
    { name: 'hashes', answers: [sha3_256(data), blake2s256(data), kmac(RATE_256, data, data, data, 64)] },
    { name: 'mlKem512', answers: mlKemAnswers(ML_KEM_512) },
    { name: 'mlKem768', answers: mlKemAnswers(ML_KEM_768) },
    { name: 'mlKem1024', answers: mlKemAnswers(ML_KEM_1024) },
    { name: 'mlDsa44', answers: mlDsaAnswers(ML_DSA_44) },
    { name: 'mlDsa65', answers: mlDsaAnswers(ML_DSA_65) },
    { name: 'mlDsa87', answers: mlDsaAnswers(ML_DSA_87) },
    { name: 'records', answers: recordAnswers() },
    { name: 'random', answers: randomAnswers() },
  ];
}

/** `name digest` lines: the same on every engine. */
export function kernelDigests(): string {
  const groups = kernelAnswers();
  let text = '';
  for (let i = 0; i < groups.length; i++) {
    const answers = groups[i]!.answers;
    const digests = new Uint8Array(32 * answers.length);
    for (let j = 0; j < answers.length; j++) digests.set(sha3_256(answers[j]!), 32 * j);
    const digest = sha3_256(digests);
    text += groups[i]!.name + ' ';
    for (let j = 0; j < 32; j++) text += (digest[j]! < 16 ? '0' : '') + digest[j]!.toString(16);
    text += '\n';
  }
  return text;
}
