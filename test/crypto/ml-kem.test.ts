import test from 'ava';
import { ml_kem1024, ml_kem512, ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import { createArena } from '../../src/crypto/micro/arena.ts';
import {
  ML_KEM_1024,
  ML_KEM_512,
  ML_KEM_768,
  mlKemBegin,
  mlKemDecapsulate,
  mlKemDecapsulateStep,
  mlKemDecapsulateSteps,
  mlKemEncapsulate,
  mlKemEncapsulateStep,
  mlKemEncapsulateSteps,
  mlKemKeygen,
  mlKemKeygenStep,
  mlKemKeygenSteps,
  mlKemVerdict,
} from '../../src/crypto/micro/ml-kem.ts';
import { CASES, draws } from '../random.ts';
import { isWiped, verdictOf } from './arena-checks.ts';

const SETS = [
  { name: 'ML-KEM-512', p: ML_KEM_512, oracle: ml_kem512 },
  { name: 'ML-KEM-768', p: ML_KEM_768, oracle: ml_kem768 },
  { name: 'ML-KEM-1024', p: ML_KEM_1024, oracle: ml_kem1024 },
];

for (const { name, p, oracle } of SETS) {
  test(`${name}: ${CASES} random cases as noble has them, in one dirty arena`, (t) => {
    const draw = draws(t);
    const arena = createArena(p.arenaBytes);
    const publicKey = new Uint8Array(p.publicKeyBytes);
    const secretKey = new Uint8Array(p.secretKeyBytes);
    const ciphertext = new Uint8Array(p.ciphertextBytes);
    const sharedSecret = new Uint8Array(32);
    for (let i = 0; i < CASES; i++) {
      arena.bytes.fill(255);
      const [seed, coins] = [draw.bytes(64), draw.bytes(32)];
      const pair = oracle.keygen(seed);
      mlKemKeygen(p, arena, seed, publicKey, secretKey);
      t.true(isWiped(arena));
      t.deepEqual({ publicKey, secretKey }, { ...pair });
      const sent = oracle.encapsulate(publicKey, coins);
      arena.bytes.fill(255);
      t.true(mlKemEncapsulate(p, arena, publicKey, coins, ciphertext, sharedSecret));
      t.true(isWiped(arena));
      t.deepEqual(
        { ciphertext, sharedSecret },
        { ciphertext: sent.cipherText, sharedSecret: sent.sharedSecret },
      );
      arena.bytes.fill(255);
      sharedSecret.fill(0);
      t.true(mlKemDecapsulate(p, arena, ciphertext, secretKey, sharedSecret));
      t.true(isWiped(arena));
      t.deepEqual(sharedSecret, sent.sharedSecret);
      ciphertext[draw.below(ciphertext.length)]! ^= 1 << draw.below(8);
      t.true(mlKemDecapsulate(p, arena, ciphertext, secretKey, sharedSecret));
      t.deepEqual(sharedSecret, oracle.decapsulate(ciphertext, secretKey));
      const noise = draw.bytes(ciphertext.length);
      t.true(mlKemDecapsulate(p, arena, noise, secretKey, sharedSecret));
      t.deepEqual(sharedSecret, oracle.decapsulate(noise, secretKey));
    }
  });

  test(`${name}: secret keys with any s^, ciphertexts of all ones, keys of all zeros as noble`, (t) => {
    const draw = draws(t);
    const arena = createArena(p.arenaBytes);
    const sharedSecret = new Uint8Array(32);
    const { publicKey, secretKey } = oracle.keygen(draw.bytes(64));
    for (const fill of [0, 255]) {
      const odd = secretKey.slice();
      odd.fill(fill, 0, 384 * p.k);
      for (const byte of [0, 255]) {
        const ciphertext = new Uint8Array(p.ciphertextBytes).fill(byte);
        t.true(mlKemDecapsulate(p, arena, ciphertext, odd, sharedSecret));
        t.deepEqual(sharedSecret, oracle.decapsulate(ciphertext, odd));
      }
    }
    const flat = publicKey.slice();
    flat.fill(0, 0, 384 * p.k);
    const ciphertext = new Uint8Array(p.ciphertextBytes);
    const coins = draw.bytes(32);
    t.true(mlKemEncapsulate(p, arena, flat, coins, ciphertext, sharedSecret));
    t.deepEqual(ciphertext, oracle.encapsulate(flat, coins).cipherText);
  });

  test(`${name}: in steps, as many as announced`, (t) => {
    const draw = draws(t);
    const arena = createArena(p.arenaBytes);
    const [seed, coins] = [draw.bytes(64), draw.bytes(32)];
    const publicKey = new Uint8Array(p.publicKeyBytes);
    const secretKey = new Uint8Array(p.secretKeyBytes);
    const ciphertext = new Uint8Array(p.ciphertextBytes);
    const sharedSecret = new Uint8Array(32);
    const run = (step: () => boolean): number => {
      let n = 1;
      mlKemBegin(arena);
      while (!step()) n++;
      return n;
    };
    t.is(
      run(() => mlKemKeygenStep(p, arena, seed, publicKey, secretKey)),
      mlKemKeygenSteps(p),
    );
    t.true(mlKemVerdict(arena));
    t.deepEqual({ publicKey, secretKey }, { ...oracle.keygen(seed) });
    t.is(
      run(() => mlKemEncapsulateStep(p, arena, publicKey, coins, ciphertext, sharedSecret)),
      mlKemEncapsulateSteps(p),
    );
    t.true(mlKemVerdict(arena));
    const sent = oracle.encapsulate(publicKey, coins);
    t.deepEqual([ciphertext, sharedSecret], [sent.cipherText, sent.sharedSecret]);
    sharedSecret.fill(0);
    t.is(
      run(() => mlKemDecapsulateStep(p, arena, ciphertext, secretKey, sharedSecret)),
      mlKemDecapsulateSteps(p),
    );
    t.true(mlKemVerdict(arena));
    t.deepEqual(sharedSecret, sent.sharedSecret);
    secretKey[384 * p.k]! ^= 1;
    t.is(
      run(() => mlKemDecapsulateStep(p, arena, ciphertext, secretKey, sharedSecret)),
      1,
    );
    t.false(mlKemVerdict(arena));
    t.is(verdictOf(arena), 0);
  });
}

test('arenas are as large as the documents say', (t) => {
  t.deepEqual(
    SETS.map(({ p }) => p.arenaBytes),
    [3152, 3664, 4176],
  );
});
