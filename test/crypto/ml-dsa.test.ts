import test from 'ava';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { createArena } from '../../src/crypto/micro/arena.ts';
import {
  ML_DSA_44,
  ML_DSA_65,
  ML_DSA_87,
  mlDsaKeygen,
  mlDsaKeygenBegin,
  mlDsaKeygenStep,
  mlDsaKeygenSteps,
  mlDsaSign,
  mlDsaSignBytes,
  mlDsaVerify,
  mlDsaVerifyBegin,
  mlDsaVerifyStep,
  mlDsaVerifySteps,
} from '../../src/crypto/micro/ml-dsa.ts';
import { CASES, draws } from '../random.ts';
import { isWiped } from './arena-checks.ts';

const SETS = [
  { name: 'ML-DSA-44', p: ML_DSA_44, oracle: ml_dsa44 },
  { name: 'ML-DSA-65', p: ML_DSA_65, oracle: ml_dsa65 },
  { name: 'ML-DSA-87', p: ML_DSA_87, oracle: ml_dsa87 },
];

for (const { name, p, oracle } of SETS) {
  test(`${name}: ${CASES} random cases as noble has them, in one dirty arena`, (t) => {
    const draw = draws(t);
    const arena = createArena(p.arenaBytes);
    const signArena = createArena(p.signArenaBytes);
    const publicKey = new Uint8Array(p.publicKeyBytes);
    const secretKey = new Uint8Array(p.secretKeyBytes);
    const signature = new Uint8Array(p.signatureBytes);
    for (let i = 0; i < CASES; i++) {
      const seed = draw.bytes(32);
      arena.bytes.fill(255);
      mlDsaKeygen(p, arena, seed, publicKey, secretKey);
      t.true(isWiped(arena));
      t.deepEqual({ publicKey, secretKey }, { ...oracle.keygen(seed) });
      const message = draw.bytes(draw.below(400));
      const random = i % 3 === 0 ? new Uint8Array(32) : draw.bytes(32);
      const context = i % 2 === 0 ? null : draw.bytes(draw.below(256));
      const withContext = context === null ? {} : { context };
      signArena.bytes.fill(255);
      t.true(mlDsaSign(p, signArena, message, secretKey, random, signature, context));
      t.true(isWiped(signArena));
      t.deepEqual(signature, oracle.sign(message, secretKey, { extraEntropy: random, ...withContext }));
      arena.bytes.fill(255);
      t.true(mlDsaVerify(p, arena, signature, message, publicKey, context));
      t.true(isWiped(arena));
      const wrong = signature.slice();
      wrong[draw.below(wrong.length)]! ^= 1 << draw.below(8);
      t.is(
        mlDsaVerify(p, arena, wrong, message, publicKey, context),
        oracle.verify(wrong, message, publicKey, withContext),
      );
    }
  });

  test(`${name}: the same signature with either number of attempts at a time`, (t) => {
    const draw = draws(t);
    const { secretKey } = oracle.keygen(draw.bytes(32));
    const one = createArena(mlDsaSignBytes(p.k, p.l, 1));
    const two = createArena(mlDsaSignBytes(p.k, p.l, 2));
    const [a, b] = [new Uint8Array(p.signatureBytes), new Uint8Array(p.signatureBytes)];
    for (let i = 0; i < 10; i++) {
      const message = draw.bytes(i);
      t.true(mlDsaSign(p, one, message, secretKey, new Uint8Array(32), a, null));
      t.true(mlDsaSign(p, two, message, secretKey, new Uint8Array(32), b, null));
      t.deepEqual(a, b);
      t.true(isWiped(one) && isWiped(two));
    }
  });

  test(`${name}: every byte of the hints, every bound of z, as noble judges them`, (t) => {
    const draw = draws(t);
    const arena = createArena(p.arenaBytes);
    const { publicKey, secretKey } = oracle.keygen(draw.bytes(32));
    const message = draw.bytes(20);
    const signature = oracle.sign(message, secretKey, { extraEntropy: draw.bytes(32) });
    const same = (bad: Uint8Array): void => {
      t.is(mlDsaVerify(p, arena, bad, message, publicKey, null), oracle.verify(bad, message, publicKey));
    };
    for (let at = p.signatureBytes - p.omega - p.k; at < p.signatureBytes; at++) {
      for (const value of [signature[at]! ^ 1, 255]) {
        const bad = signature.slice();
        bad[at] = value;
        same(bad);
      }
    }
    // z = gamma1 - v: v from the largest coefficient that is allowed to the first that is not, both signs
    const bits = p.gamma1Bits + 1;
    const gamma1 = 1 << p.gamma1Bits;
    for (const z of [gamma1 - p.beta - 1, gamma1 - p.beta, gamma1, 1 - gamma1, p.beta - gamma1]) {
      const bad = signature.slice();
      const v = gamma1 - z;
      for (let bit = 0; bit < bits; bit++) {
        const at = p.commitmentBytes + (bit >> 3);
        bad[at] = (bad[at]! & ~(1 << (bit & 7))) | (((v >> bit) & 1) << (bit & 7));
      }
      same(bad);
    }
  });

  test(`${name}: in steps, as many as announced`, (t) => {
    const draw = draws(t);
    const arena = createArena(p.arenaBytes);
    const seed = draw.bytes(32);
    const publicKey = new Uint8Array(p.publicKeyBytes);
    const secretKey = new Uint8Array(p.secretKeyBytes);
    let n = 1;
    mlDsaKeygenBegin(arena);
    while (!mlDsaKeygenStep(p, arena, seed, publicKey, secretKey)) n++;
    t.is(n, mlDsaKeygenSteps(p));
    t.deepEqual({ publicKey, secretKey }, { ...oracle.keygen(seed) });
    const message = draw.bytes(9);
    const signature = oracle.sign(message, secretKey);
    n = 1;
    mlDsaVerifyBegin(arena);
    while (!mlDsaVerifyStep(p, arena, signature, message, publicKey, null)) n++;
    t.is(n, mlDsaVerifySteps(p));
  });
}

test('arenas are as large as the documents say', (t) => {
  t.deepEqual(
    SETS.map(({ p }) => [p.arenaBytes, p.signArenaBytes]),
    [
      [7984, 22336],
      [9008, 28480],
      [11056, 19232],
    ],
  );
});

test('keygen: a coefficient of t just below -q is one just below q', (t) => {
  // About one key in ten thousand has such a coefficient; these two have.
  for (const seed of [
    'a4bdc95f0aab6c4c1574c14807d8781d00d9f9b606b23e1c59d2a237926864e0',
    'd9871ba32fb4c68ace96684856cd5028b29b00f0ba5083dfbe310d61996351f0',
  ]) {
    const bytes = new Uint8Array(Buffer.from(seed, 'hex'));
    const expected = ml_dsa65.keygen(bytes.slice());
    const publicKey = new Uint8Array(ML_DSA_65.publicKeyBytes);
    const secretKey = new Uint8Array(ML_DSA_65.secretKeyBytes);
    mlDsaKeygen(ML_DSA_65, createArena(ML_DSA_65.arenaBytes), bytes, publicKey, secretKey);
    t.deepEqual(publicKey, expected.publicKey);
    t.deepEqual(secretKey, expected.secretKey);
  }
});
