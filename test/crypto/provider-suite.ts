// What every provider must do, as one suite: known answers, round trips, and verdicts on malformed input.
import type { TestFn } from 'ava';
import { concat } from '../../src/bytes.ts';
import { shake, RATE_256 } from '../../src/crypto/micro/sponge.ts';
import { decapsulate, encapsulate, keygen, sign } from '../../src/crypto/provider.ts';
import type { Provider } from '../../src/crypto/provider.ts';
import { suiteByName } from '../../src/cert/suite.ts';
import { SUITES } from '../../src/params.ts';
import { draws } from '../random.ts';
import { hex, vectors } from '../vectors.ts';

interface PqFile {
  config: string;
  kem: {
    keygenCoins: string;
    pk: string;
    sk: string;
    encapsCoins: string;
    ct: string;
    ss: string;
    tamperedByte: number;
    tamperedXor: number;
  };
  dsa: {
    seed: string;
    pk: string;
    sk: string;
    msg: string;
    signedMessage: string;
    signedMessageCtx_ctx: string;
  };
}

/** A copy with byte `at` changed by `xor`. */
function changed(b: Uint8Array, at: number, xor: number): Uint8Array {
  const out = b.slice();
  out[at]! ^= xor;
  return out;
}

/** A copy one byte shorter and one byte longer. */
function offByOne(b: Uint8Array): Uint8Array[] {
  const longer = new Uint8Array(b.length + 1);
  longer.set(b);
  return [b.slice(0, -1), longer];
}

/** A copy with the 12-bit number `index` of a packed vector replaced. */
function withCoefficient(b: Uint8Array, index: number, value: number): Uint8Array {
  const out = b.slice();
  const at = (index >> 1) * 3;
  if (index % 2 === 0) {
    out[at] = value;
    out[at + 1] = (out[at + 1]! & 0xf0) | (value >> 8);
  } else {
    out[at + 1] = (out[at + 1]! & 0x0f) | (value << 4);
    out[at + 2] = value >> 4;
  }
  return out;
}

export function providerSuite(test: TestFn, provider: Provider): void {
  for (const name of ['pq.s3.json', 'pq.s5.json']) {
    test(`${provider.name}: ML-KEM and ML-DSA known answers of ${name}`, (t) => {
      const { config, kem: k, dsa: d } = vectors<PqFile>(name);
      const { kem, signer } = provider.suite(suiteByName(config).id);
      const keys = keygen(kem, hex(k.keygenCoins));
      t.deepEqual(keys, { publicKey: hex(k.pk), secretKey: hex(k.sk) });
      t.deepEqual(encapsulate(kem, keys.publicKey, hex(k.encapsCoins)), {
        ciphertext: hex(k.ct),
        sharedSecret: hex(k.ss),
      });
      t.deepEqual(decapsulate(kem, hex(k.ct), keys.secretKey), hex(k.ss));
      const tampered = changed(hex(k.ct), k.tamperedByte, k.tamperedXor);
      const z = keys.secretKey.slice(-32);
      t.deepEqual(decapsulate(kem, tampered, keys.secretKey), shake(RATE_256, concat([z, tampered]), 32));

      const pair = keygen(signer, hex(d.seed));
      t.deepEqual(pair, { publicKey: hex(d.pk), secretKey: hex(d.sk) });
      const [msg, zeros] = [hex(d.msg), new Uint8Array(32)];
      const plain = hex(d.signedMessage).subarray(0, signer.signatureBytes);
      t.deepEqual(sign(signer, msg, pair.secretKey, zeros), plain);
      t.true(signer.verify(plain, msg, pair.publicKey));
      const context = new TextEncoder().encode('ctx');
      const bound = hex(d.signedMessageCtx_ctx).subarray(0, signer.signatureBytes);
      t.deepEqual(sign(signer, msg, pair.secretKey, zeros, context), bound);
      t.true(signer.verify(bound, msg, pair.publicKey, context));
      t.false(signer.verify(bound, msg, pair.publicKey));
    });
  }

  test(`${provider.name}: a suite that is not in the build is refused by name`, (t) => {
    t.throws(() => provider.suite(4), { message: /suite 4/ });
    t.throws(() => provider.suite(0), { message: /suite 0/ });
  });

  for (const suite of SUITES) {
    const { kem, signer } = provider.suite(suite.id);
    const of = `${provider.name}, suite ${suite.id}`;

    test(`${of}: sizes`, (t) => {
      t.is(provider.suite(suite.id).suite, suite);
      t.is(kem.publicKeyBytes, suite.kemPublicKeyBytes);
      t.is(kem.secretKeyBytes, suite.kemSecretKeyBytes);
      t.is(kem.ciphertextBytes, suite.ciphertextBytes);
      t.is(signer.publicKeyBytes, suite.verifyKeyBytes);
      t.is(signer.secretKeyBytes, suite.signingKeyBytes);
      t.is(signer.signatureBytes, suite.signatureBytes);
    });

    test(`${of}: ML-KEM agrees with itself, rejects implicitly and leaves its inputs alone`, (t) => {
      const draw = draws(t);
      const [seed, coins] = [draw.bytes(64), draw.bytes(32)];
      const [seedCopy, coinsCopy] = [seed.slice(), coins.slice()];
      const pair = keygen(kem, seed);
      const [publicCopy, secretCopy] = [pair.publicKey.slice(), pair.secretKey.slice()];
      const sent = encapsulate(kem, pair.publicKey, coins)!;
      const ciphertextCopy = sent.ciphertext.slice();
      t.deepEqual(decapsulate(kem, sent.ciphertext, pair.secretKey), sent.sharedSecret);
      t.deepEqual([seed, coins], [seedCopy, coinsCopy]);
      t.deepEqual([pair.publicKey, pair.secretKey], [publicCopy, secretCopy]);
      t.deepEqual(sent.ciphertext, ciphertextCopy);
      const z = seed.slice(32);
      for (const at of [0, kem.ciphertextBytes >> 1, kem.ciphertextBytes - 1]) {
        const bad = changed(sent.ciphertext, at, 1 << draw.below(8));
        t.deepEqual(decapsulate(kem, bad, pair.secretKey), shake(RATE_256, concat([z, bad]), 32));
      }
    });

    test(`${of}: ML-KEM refuses malformed keys and lengths, and writes nothing then`, (t) => {
      const draw = draws(t);
      const pair = keygen(kem, draw.bytes(64));
      const coins = draw.bytes(32);
      const { ciphertext } = encapsulate(kem, pair.publicKey, coins)!;
      const k = (kem.publicKeyBytes - 32) / 384;
      const out = new Uint8Array(kem.ciphertextBytes);
      const secret = new Uint8Array(32);
      const refused = (key: Uint8Array, m = coins): void => {
        t.false(kem.encapsulateInto(key, m, out, secret));
        t.true(out.every((x) => x === 0));
        t.true(secret.every((x) => x === 0));
      };
      // §7.2: every place, first and last of each polynomial at least, and every boundary value
      for (let i = 0; i < k; i++) {
        for (const index of [256 * i, 256 * i + 1, 256 * i + 254, 256 * i + 255]) {
          t.not(encapsulate(kem, withCoefficient(pair.publicKey, index, 3328), coins), null);
          for (const value of [3329, 3330, 4095]) refused(withCoefficient(pair.publicKey, index, value));
        }
      }
      refused(withCoefficient(pair.publicKey, draw.below(256 * k), 3329));
      for (const key of offByOne(pair.publicKey)) refused(key);
      for (const m of offByOne(coins)) refused(pair.publicKey, m);
      // §7.3: the hash in the key is that of the key in it
      const hashAt = 768 * k + 32;
      for (const at of [384 * k, hashAt - 1, hashAt, hashAt + 31]) {
        t.false(kem.decapsulateInto(ciphertext, changed(pair.secretKey, at, 128), secret));
      }
      for (const key of offByOne(pair.secretKey)) t.false(kem.decapsulateInto(ciphertext, key, secret));
      for (const c of offByOne(ciphertext)) t.false(kem.decapsulateInto(c, pair.secretKey, secret));
      t.true(secret.every((x) => x === 0));
      for (const seed of offByOne(draw.bytes(64))) t.throws(() => keygen(kem, seed));
    });

    test(`${of}: ML-DSA signs what it verifies, with and without randomness and context`, (t) => {
      const draw = draws(t);
      const pair = keygen(signer, draw.bytes(32));
      const message = draw.bytes(draw.below(300));
      const [random, zeros] = [draw.bytes(32), new Uint8Array(32)];
      const hedged = sign(signer, message, pair.secretKey, random);
      t.notDeepEqual(hedged, sign(signer, message, pair.secretKey, zeros));
      t.deepEqual(hedged, sign(signer, message, pair.secretKey, random));
      t.true(signer.verify(hedged, message, pair.publicKey));
      for (const length of [0, 1, 255]) {
        const context = draw.bytes(length);
        const bound = sign(signer, message, pair.secretKey, random, context);
        t.true(signer.verify(bound, message, pair.publicKey, context));
        t.is(signer.verify(bound, message, pair.publicKey), length === 0);
      }
      t.throws(() => sign(signer, message, pair.secretKey, random, new Uint8Array(256)));
      t.false(signer.verify(hedged, message, pair.publicKey, new Uint8Array(256)));
      t.false(signer.verify(hedged, concat([message, new Uint8Array(1)]), pair.publicKey));
    });

    test(`${of}: ML-DSA refuses malformed signatures, keys and lengths`, (t) => {
      const draw = draws(t);
      const pair = keygen(signer, draw.bytes(32));
      const message = draw.bytes(40);
      const signature = sign(signer, message, pair.secretKey, draw.bytes(32));
      t.true(signer.verify(signature, message, pair.publicKey));
      const refused = (bad: Uint8Array): void => {
        t.false(signer.verify(bad, message, pair.publicKey));
      };
      for (const bad of offByOne(signature)) refused(bad);
      for (const key of offByOne(pair.publicKey)) t.false(signer.verify(signature, message, key));
      for (let i = 0; i < 20; i++)
        refused(changed(signature, draw.below(signature.length), 1 << draw.below(8)));
      t.false(signer.verify(signature, message, changed(pair.publicKey, draw.below(32), 1)));
      // HintBitUnpack: order, repetition, count, filling
      const k = [4, 6, 8][suite.id - 1]!;
      const omega = [80, 55, 75][suite.id - 1]!;
      const at = signature.length - omega - k;
      const ends = at + omega;
      const swapped = signature.slice();
      [swapped[at], swapped[at + 1]] = [signature[at + 1]!, signature[at]!];
      refused(swapped);
      const repeated = signature.slice();
      repeated[at + 1] = repeated[at]!;
      refused(repeated);
      const last = signature[ends + k - 1]!;
      t.true(last < omega, 'the signature has a free place for hints');
      refused(changed(signature, at + last, 1));
      refused(changed(signature, ends - 1, 255));
      for (const value of [0, omega + 1, 255]) {
        const counted = signature.slice();
        counted[ends + k - 1] = value;
        refused(counted);
      }
      const descending = signature.slice();
      descending[ends] = last + 1;
      refused(descending);
      // a coefficient of z at the bound
      const zAt = [32, 48, 64][suite.id - 1]!;
      const full = signature.slice();
      full.fill(0, zAt, zAt + 5);
      refused(full);
      // a secret key with a coefficient of s1 out of range
      const damaged = pair.secretKey.slice();
      damaged[128] = 255;
      t.throws(() => sign(signer, message, damaged, new Uint8Array(32)));
      for (const key of offByOne(pair.secretKey))
        t.throws(() => sign(signer, message, key, new Uint8Array(32)));
      for (const random of offByOne(new Uint8Array(32))) {
        t.throws(() => sign(signer, message, pair.secretKey, random));
      }
      for (const seed of offByOne(new Uint8Array(32))) t.throws(() => keygen(signer, seed));
    });
  }
}
