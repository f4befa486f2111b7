// The native provider against the other two. This file runs twice: under a Node without native cryptography it starts
// itself under the prepared Node 24, where the tests are.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { equal, isZero } from '../../src/bytes.ts';
import { runsJobs } from '../../src/crypto/job.ts';
import type { CryptoJob } from '../../src/crypto/job.ts';
import { micro } from '../../src/crypto/micro.ts';
import { nativeProvider } from '../../src/crypto/native.ts';
import type { NativeEngine } from '../../src/crypto/native.ts';
import { noble } from '../../src/crypto/noble.ts';
import { decapsulate, encapsulate, keygen, sign } from '../../src/crypto/provider.ts';
import type { SuiteCrypto } from '../../src/crypto/provider.ts';
import { SUITES } from '../../src/params.ts';
import { nodeEngine } from '../../targets/node/native.ts';
import { engineProgram } from '../engines/engines.ts';
import { draws } from '../random.ts';
import { providerSuite } from './provider-suite.ts';

const PATIENCE_MS = 300_000;

const engine = nodeEngine();
if (engine === null) underNode24();
else nativeTests(engine);

function underNode24(): void {
  test('the tests of the native provider pass under Node 24', (t) => {
    t.timeout(PATIENCE_MS);
    const run = spawnSync(
      engineProgram('node24'),
      ['node_modules/ava/entrypoints/cli.mjs', '--tap', fileURLToPath(import.meta.url)],
      { encoding: 'utf8', timeout: PATIENCE_MS, env: { ...process.env, FORCE_COLOR: '0' } },
    );
    t.is(run.status, 0, `${run.stdout}\n${run.stderr}`);
    const passed = Number(/^# pass (\d+)$/m.exec(run.stdout)?.[1] ?? 0);
    t.true(passed >= 30, `${passed} tests passed: ${run.stdout}`);
    t.regex(run.stdout, /^ok \d+ - native, suite 3: jobs/m);
  });
}

/** Runs a job on the engine itself; rejects if it is not the engine's. */
function run(crypto: SuiteCrypto, job: CryptoJob): Promise<boolean> {
  return new Promise((resolve, fail) => {
    if (!runsJobs(crypto)) throw new Error('the suite runs no jobs');
    if (crypto.start(job, resolve) === null) fail(new Error(`${job.op} is not native`));
  });
}

type Count = Record<string, number>;

/** The engine, counting what it imports. */
function counted<Key>(of: NativeEngine<Key>, count: Count): NativeEngine<Key> {
  const note = (what: string): void => {
    count[what] = (count[what] ?? 0) + 1;
  };
  return {
    ...of,
    set(suite) {
      const inner = of.set(suite);
      return {
        ...inner,
        importVerifyKey(bytes) {
          note('verify');
          return inner.importVerifyKey(bytes);
        },
        expanded: {
          ...inner.expanded!,
          importDecapsulationKey(bytes) {
            note('decapsulation');
            return inner.expanded!.importDecapsulationKey(bytes);
          },
          importSigningKey(bytes) {
            note('signing');
            return inner.expanded!.importSigningKey(bytes);
          },
        },
      };
    },
  };
}

function nativeTests<Key>(of: NativeEngine<Key>): void {
  const native = nativeProvider(of, noble);
  providerSuite(test, native);

  test('native: the engine is named, and takes expanded keys; contexts from Node 24.8 on', (t) => {
    t.regex(native.engine!, /^Node 2\d\.\d+\.\d+, OpenSSL 3\./);
    t.true(of.synchronous);
    t.is(of.contexts, !process.versions.node.startsWith('24.7.'));
    t.not(of.set(SUITES[0]!).expanded, null);
  });

  for (const suite of SUITES) {
    const crypto = native.suite(suite.id);
    const others = [noble, micro].map((provider) => provider.suite(suite.id));

    test(`native, suite ${suite.id}: jobs agree with noble and micro in both directions`, async (t) => {
      const draw = draws(t);
      // Its key pair, their encapsulations.
      const made = {
        op: 'keygen',
        seed: draw.bytes(64),
        publicKey: new Uint8Array(suite.kemPublicKeyBytes),
        secretKey: new Uint8Array(suite.kemSecretKeyBytes),
      } as const;
      t.true(await run(crypto, made));
      t.true(isZero(made.seed));
      for (const other of others) {
        const sent = encapsulate(other.kem, made.publicKey, draw.bytes(32))!;
        const got = new Uint8Array(32);
        const job = { op: 'decapsulate', ...sent, secretKey: made.secretKey, sharedSecret: got } as const;
        t.true(await run(crypto, { ...job, sharedSecret: got }));
        t.deepEqual(got, sent.sharedSecret);
      }
      // Their key pairs, its encapsulations.
      for (const other of others) {
        const pair = keygen(other.kem, draw.bytes(64));
        const job = {
          op: 'encapsulate',
          publicKey: pair.publicKey,
          coins: draw.bytes(32),
          ciphertext: new Uint8Array(suite.ciphertextBytes),
          sharedSecret: new Uint8Array(32),
        } as const;
        t.true(await run(crypto, job));
        t.true(isZero(job.coins));
        for (const each of others) {
          t.deepEqual(decapsulate(each.kem, job.ciphertext, pair.secretKey), job.sharedSecret);
        }
        const back = new Uint8Array(32);
        const { ciphertext } = job;
        t.true(
          await run(crypto, { op: 'decapsulate', ciphertext, secretKey: pair.secretKey, sharedSecret: back }),
        );
        t.deepEqual(back, job.sharedSecret);
      }
      // Their signing keys, in the form of key files.
      const pair = keygen(others[0]!.signer, draw.bytes(32));
      const message = draw.bytes(draw.below(200));
      const bounds = of.contexts ? [draw.bytes(1), draw.bytes(255)] : [];
      for (const context of [undefined, new Uint8Array(0), ...bounds]) {
        const bound = context === undefined ? {} : { context };
        const job = {
          op: 'sign',
          message,
          secretKey: pair.secretKey,
          random: draw.bytes(32),
          signature: new Uint8Array(suite.signatureBytes),
          ...bound,
        } as const;
        t.true(await run(crypto, job));
        t.true(isZero(job.random));
        const { signature } = job;
        const verify = { op: 'verify', signature, message, publicKey: pair.publicKey } as const;
        t.true(await run(crypto, { ...verify, ...bound }));
        t.is(await run(crypto, verify), context === undefined || context.length === 0);
        for (const other of others) t.true(other.signer.verify(signature, message, pair.publicKey, context));
        for (const other of others) {
          const theirs = sign(other.signer, message, pair.secretKey, draw.bytes(32), context);
          t.true(await run(crypto, { ...verify, signature: theirs, ...bound }));
          theirs[draw.below(theirs.length)]! ^= 1 << draw.below(8);
          t.false(await run(crypto, { ...verify, signature: theirs, ...bound }));
        }
      }
    });

    test(`native, suite ${suite.id}: a key is imported once, and never taken for another`, async (t) => {
      const draw = draws(t);
      const count: Count = {};
      const fresh = nativeProvider(counted(of, count), null).suite(suite.id);
      const [first, second] = [
        keygen(others[0]!.signer, draw.bytes(32)),
        keygen(others[0]!.signer, draw.bytes(32)),
      ];
      const message = draw.bytes(30);
      const signature = new Uint8Array(suite.signatureBytes);
      const signing = (): Promise<boolean> =>
        run(fresh, { op: 'sign', message, secretKey: first.secretKey, random: draw.bytes(32), signature });
      const verifies = (publicKey: Uint8Array): Promise<boolean> =>
        run(fresh, { op: 'verify', signature, message, publicKey });
      for (let i = 0; i < 4; i++) t.true((await signing()) && (await verifies(first.publicKey)));
      t.deepEqual(count, { signing: 1, verify: 1 });
      t.false(await verifies(second.publicKey));
      // More at once than there are threads, one waiting for another's copy of the key.
      const all = await Promise.all(Array.from({ length: 11 }, () => verifies(first.publicKey)));
      t.deepEqual(
        all,
        Array.from({ length: 11 }, () => true),
      );
      t.deepEqual(count, { signing: 1, verify: 2 });
      // Another key in the same arrays.
      first.secretKey.set(second.secretKey);
      first.publicKey.set(second.publicKey);
      t.true((await signing()) && (await verifies(second.publicKey)) && (await verifies(first.publicKey)));
      t.deepEqual(count, { signing: 2, verify: 3 });

      const pair = keygen(others[0]!.kem, draw.bytes(64));
      const sent = encapsulate(others[0]!.kem, pair.publicKey, draw.bytes(32))!;
      const got = new Uint8Array(32);
      const opens = (): Promise<boolean> =>
        run(fresh, { op: 'decapsulate', ...sent, secretKey: pair.secretKey, sharedSecret: got });
      for (let i = 0; i < 3; i++) t.true((await opens()) && equal(got, sent.sharedSecret));
      t.is(count['decapsulation'], 1);
      // Wiped, the key is gone.
      pair.secretKey.fill(0);
      got.fill(0);
      t.false(await opens());
      t.true(isZero(got));
    });

    test(`native, suite ${suite.id}: malformed input fails and writes nothing`, async (t) => {
      const draw = draws(t);
      const pair = keygen(others[0]!.kem, draw.bytes(64));
      const bad = pair.publicKey.slice();
      bad.fill(255, 0, 3);
      const sharedSecret = new Uint8Array(32);
      const ciphertext = new Uint8Array(suite.ciphertextBytes);
      const coins = draw.bytes(32);
      for (const publicKey of [bad, pair.publicKey.slice(1)]) {
        t.false(await run(crypto, { op: 'encapsulate', publicKey, coins, ciphertext, sharedSecret }));
      }
      t.true(isZero(ciphertext) && isZero(sharedSecret));
      const damaged = pair.secretKey.slice();
      damaged[damaged.length - 40]! ^= 1;
      t.false(await run(crypto, { op: 'decapsulate', ciphertext, secretKey: damaged, sharedSecret }));
      t.true(isZero(sharedSecret));
      const signature = new Uint8Array(suite.signatureBytes);
      const secretKey = new Uint8Array(suite.signingKeyBytes - 1);
      const random = draw.bytes(32);
      t.false(await run(crypto, { op: 'sign', message: coins, secretKey, random, signature }));
      t.true(isZero(signature));
    });
  }

  test('native: without another provider, what the engine cannot do says so', (t) => {
    const alone = nativeProvider(of, null).suite(2);
    const seed = new Uint8Array(64);
    t.throws(() => keygen(alone.kem, seed), { code: 'not_native', message: /given randomness/ });
    t.throws(() => sign(alone.signer, seed, seed, seed), { code: 'not_native' });
  });

  test("native: what an engine without contexts leaves is another provider's", async (t) => {
    const draw = draws(t);
    const plain = nativeProvider({ ...of, contexts: false }, noble).suite(2);
    const pair = keygen(plain.signer, draw.bytes(32));
    const [message, context] = [draw.bytes(20), draw.bytes(5)];
    const signature = sign(noble.suite(2).signer, message, pair.secretKey, draw.bytes(32), context);
    const { publicKey } = pair;
    if (!runsJobs(plain)) throw new Error('the suite runs no jobs');
    t.is(
      plain.start({ op: 'verify', signature, message, publicKey, context }, () => t.fail()),
      null,
    );
    t.true(plain.signer.verify(signature, message, publicKey, context));
    t.true(
      await run(plain, {
        op: 'verify',
        signature: sign(noble.suite(2).signer, message, pair.secretKey, draw.bytes(32)),
        message,
        publicKey,
      }),
    );
  });
}
