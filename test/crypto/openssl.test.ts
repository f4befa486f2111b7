// The kernels against OpenSSL 3.5, which comes with the prepared Node 24.
import { spawnSync } from 'node:child_process';
import test from 'ava';
import { toHex } from '../../src/bytes.ts';
import { micro } from '../../src/crypto/micro.ts';
import { decapsulate, encapsulate, keygen, sign } from '../../src/crypto/provider.ts';
import { engineProgram } from '../engines/engines.ts';
import { CASES, draws } from '../random.ts';
import { hex } from '../vectors.ts';

/** A deep run takes minutes. */
const PATIENCE_MS = 900_000;

function ask<T>(cases: object[]): T[] {
  const input = cases.map((c) => JSON.stringify(c)).join('\n');
  const run = spawnSync(engineProgram('node24'), ['test/crypto/openssl-oracle.mjs'], {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    timeout: PATIENCE_MS,
  });
  if (run.status !== 0) throw new Error(run.stderr);
  return run.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}

for (const [id, type] of [
  [1, 'ml-kem-512'],
  [2, 'ml-kem-768'],
  [3, 'ml-kem-1024'],
] as const) {
  test(`${type}: ${CASES} cases agree with OpenSSL`, (t) => {
    t.timeout(PATIENCE_MS);
    const draw = draws(t);
    const { kem } = micro.suite(id);
    const cases = Array.from({ length: CASES }, () => {
      const seed = draw.bytes(64);
      const pair = keygen(kem, seed);
      const sent = encapsulate(kem, pair.publicKey, draw.bytes(32))!;
      const tampered = sent.ciphertext.slice();
      tampered[draw.below(tampered.length)]! ^= 1 << draw.below(8);
      // The first coefficient of the key's last polynomial: the largest, and one too many.
      const keys = [3328, 3329, 4095].map((value) => {
        const key = pair.publicKey.slice();
        const at = kem.publicKeyBytes - 32 - 384;
        key[at] = value;
        key[at + 1] = (key[at + 1]! & 0xf0) | (value >> 8);
        return key;
      });
      return { seed, pair, sent, ciphertexts: [sent.ciphertext, tampered], keys };
    });
    const results = ask<{
      publicKey: string;
      secrets: string[];
      sent: { ciphertext: string; sharedSecret: string };
      accepted: boolean[];
    }>(
      cases.map((c) => ({
        type,
        seed: toHex(c.seed),
        ciphertexts: c.ciphertexts.map(toHex),
        keys: c.keys.map(toHex),
      })),
    );
    t.is(results.length, CASES);
    results.forEach((r, i) => {
      const c = cases[i]!;
      t.is(r.publicKey, toHex(c.pair.publicKey));
      t.deepEqual(
        r.secrets,
        c.ciphertexts.map((x) => toHex(decapsulate(kem, x, c.pair.secretKey)!)),
      );
      t.is(r.secrets[0], toHex(c.sent.sharedSecret));
      t.is(toHex(decapsulate(kem, hex(r.sent.ciphertext), c.pair.secretKey)!), r.sent.sharedSecret);
      t.deepEqual(r.accepted, [true, false, false]);
      t.deepEqual(
        c.keys.map((key) => encapsulate(kem, key, new Uint8Array(32)) !== null),
        r.accepted,
      );
    });
  });
}

for (const [id, type] of [
  [1, 'ml-dsa-44'],
  [2, 'ml-dsa-65'],
  [3, 'ml-dsa-87'],
] as const) {
  test(`${type}: ${CASES} cases agree with OpenSSL`, (t) => {
    t.timeout(PATIENCE_MS);
    const draw = draws(t);
    const { signer } = micro.suite(id);
    const cases = Array.from({ length: CASES }, (_, i) => {
      const seed = draw.bytes(32);
      const pair = keygen(signer, seed);
      const message = draw.bytes(draw.below(300));
      const context = draw.bytes(i % 2 === 0 ? 0 : draw.below(256));
      const signature = sign(signer, message, pair.secretKey, draw.bytes(32), context);
      const bad = signature.slice();
      bad[draw.below(bad.length)]! ^= 1 << draw.below(8);
      const repeated = signature.slice();
      const hints = signer.signatureBytes - [84, 61, 83][id - 1]!;
      repeated[hints + 1] = repeated[hints]!;
      return { seed, pair, message, context, signatures: [signature, bad, repeated] };
    });
    const results = ask<{ publicKey: string; verdicts: boolean[]; signature: string }>(
      cases.map((c) => ({
        type,
        seed: toHex(c.seed),
        message: toHex(c.message),
        context: toHex(c.context),
        signatures: c.signatures.map(toHex),
      })),
    );
    t.is(results.length, CASES);
    results.forEach((r, i) => {
      const c = cases[i]!;
      t.is(r.publicKey, toHex(c.pair.publicKey));
      t.deepEqual(
        r.verdicts,
        c.signatures.map((s) => signer.verify(s, c.message, c.pair.publicKey, c.context)),
      );
      t.deepEqual(r.verdicts, [true, false, false]);
      t.true(signer.verify(hex(r.signature), c.message, c.pair.publicKey, c.context));
    });
  });
}
