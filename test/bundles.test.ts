import test from 'ava';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

// The tools are plain JavaScript outside the compiled tree; the tests run from the project's root.
interface Size {
  profile: string;
  minBytes: number;
  sha256: string;
}
interface Bundles {
  buildProfiles(options: { names?: unknown[]; out?: string }): Promise<Size[]>;
  BudgetError: new (sizes: unknown[]) => Error;
  runRollup(config: unknown): Promise<void>;
}
interface Profiles {
  profileNames(): string[];
  readProfile(name: string): Record<string, unknown>;
  validate(value: unknown, schema: unknown): void;
}
interface Config {
  profileConfig(profile: unknown, out: string): unknown;
}
const load = <T>(file: string) => import(pathToFileURL(path.resolve(file)).href) as Promise<T>;
const profiles = await load<Profiles>('tools/profiles.mjs');
const bundles = await load<Bundles>('tools/bundles.mjs');
const config = await load<Config>('rollup.config.mjs');
const schema = JSON.parse(await readFile('firmware-profiles/schema.json', 'utf8')) as unknown;

test('all profiles are valid', (t) => {
  t.deepEqual(profiles.profileNames(), ['deno-edge', 'rtu-gateway']);
  for (const name of profiles.profileNames()) t.is(profiles.readProfile(name)['name'], name);
  t.throws(() => profiles.readProfile('toaster'), {
    message: /there is no profile "toaster"; there are deno-edge/,
  });
});

for (const [change, message] of [
  [{ target: 'toaster' }, /^"target" must be one of deno, node, not "toaster"$/],
  [{ suite: 4 }, /^"suite" must be at most 3, not 4$/],
  [{ suite: 'S5' }, /^"suite" must be of type integer$/],
  [{ slots: 0 }, /^"slots" must be at least 1, not 0$/],
  [{ slots: undefined }, /^"slots" is missing$/],
  [{ buffers: { receive: 10 } }, /^"buffers.receive" must be at least 256, not 10$/],
  [{ buffers: {} }, /^"buffers.receive" is missing$/],
  [{ budgets: {} }, /^"budgets.minBytes" is missing$/],
  [{ entry: '../elsewhere.ts' }, /^"entry" must match/],
  [{ keepalive: 5 }, /^"keepalive" is no field of a profile; there are /],
] as const) {
  test(`a profile with ${JSON.stringify(change)} is refused by field`, (t) => {
    const profile = { ...profiles.readProfile('deno-edge'), ...change };
    t.throws(() => profiles.validate(profile, schema), { message });
  });
}

test('a second build is equal to the byte, self-contained, and carries its profile', async (t) => {
  const out = await mkdtemp(path.join(tmpdir(), 'qstp-bundles-'));
  try {
    await bundles.buildProfiles({ names: ['deno-edge'], out });
    for (const file of ['qstp.js', 'qstp.min.js', 'qstp.js.map', 'qstp.min.js.map']) {
      const [first, second] = await Promise.all(
        [path.resolve('dist'), out].map((folder) => readFile(path.join(folder, 'deno-edge', file))),
      );
      t.true(first!.equals(second!), file);
      t.false(second!.includes(out), 'no path of this machine');
      t.false(second!.includes(path.resolve('.')), 'no path of this machine');
    }
    const bundle = (await load(path.join(out, 'deno-edge/qstp.min.js'))) as {
      PROFILE: Record<string, unknown>;
    };
    const { suite, target, slots, buffers } = profiles.readProfile('deno-edge');
    t.like(bundle.PROFILE, { name: 'deno-edge', suite, target, slots, buffers } as Record<string, unknown>);
  } finally {
    await rm(out, { recursive: true, force: true });
  }
});

test('a bundle that would import something is refused', async (t) => {
  const out = await mkdtemp(path.join(tmpdir(), 'qstp-import-'));
  try {
    // The gateway's entry uses Node's modules; on Deno they are not to be had.
    const profile = { ...profiles.readProfile('rtu-gateway'), target: 'deno' };
    const error = await t.throwsAsync(bundles.runRollup(config.profileConfig(profile, out)));
    t.regex(error!.message, /node:/);
  } finally {
    await rm(out, { recursive: true, force: true });
  }
});

test('a bundle over its budget fails the build, with the table, and replaces nothing', async (t) => {
  const out = await mkdtemp(path.join(tmpdir(), 'qstp-budget-'));
  try {
    const profile = { ...profiles.readProfile('deno-edge'), budgets: { minBytes: 1000, gzipBytes: 100_000 } };
    const error = await t.throwsAsync(bundles.buildProfiles({ names: [profile], out }), {
      instanceOf: bundles.BudgetError,
    });
    t.regex(error!.message, /\ndeno-edge .* 1000 .*TOO LARGE: \d+ bytes over minBytes$/);
    t.deepEqual(await readdir(out), []);
  } finally {
    await rm(out, { recursive: true, force: true });
  }
});

test('a hook takes the place of its kernel in the bundle, everywhere', async (t) => {
  const out = await mkdtemp(path.join(tmpdir(), 'qstp-hooks-'));
  try {
    const profile = {
      ...profiles.readProfile('deno-edge'),
      hooks: { keccak: 'test/fixtures/keccak-hook.mjs' },
    };
    profiles.validate(profile, schema);
    await bundles.runRollup(config.profileConfig(profile, out));
    interface Bundle {
      parts: {
        hash: {
          sha3_256(data: Uint8Array): Uint8Array;
          shake(rate: number, data: Uint8Array, n: number): Uint8Array;
        };
      };
    }
    const { parts } = await load<Bundle>(path.join(out, 'qstp.js'));
    const calls = (): number => (globalThis as { keccakHookCalls?: number }).keccakHookCalls ?? 0;
    t.is(calls(), 0);
    const hash = parts.hash.sha3_256(new Uint8Array(0));
    t.is(Buffer.from(hash).toString('hex').slice(0, 16), 'a7ffc6f8bf1ed766');
    t.is(calls(), 1);
    parts.hash.shake(136, new Uint8Array(136), 137);
    t.is(calls(), 4);
    t.throws(() => profiles.validate({ ...profile, hooks: { rcs: 'x.ts' } }, schema), {
      message: /"hooks.rcs" is no field/,
    });
  } finally {
    await rm(out, { recursive: true, force: true });
  }
});

test('a hook takes the place of AES', async (t) => {
  const out = await mkdtemp(path.join(tmpdir(), 'qstp-aes-hook-'));
  try {
    const profile = { ...profiles.readProfile('deno-edge'), hooks: { aes: 'test/fixtures/aes-hook.mjs' } };
    profiles.validate(profile, schema);
    await bundles.runRollup(config.profileConfig({ ...profile, entry: 'test/fixtures/aes-entry.mjs' }, out));
    interface Bundle {
      AES_GCM_WORDS: number;
      aesGcmInit(g: Int32Array, key: Uint8Array): void;
      aesGcmSeal(
        g: Int32Array,
        nonce: Uint8Array,
        aad: Uint8Array,
        aadLength: number,
        data: Uint8Array,
        at: number,
        length: number,
      ): void;
    }
    const { AES_GCM_WORDS, aesGcmInit, aesGcmSeal } = await load<Bundle>(path.join(out, 'qstp.js'));
    const calls = (): number => (globalThis as { aesHookCalls?: number }).aesHookCalls ?? 0;
    const g = new Int32Array(AES_GCM_WORDS);
    aesGcmInit(g, new Uint8Array(32));
    t.is(calls(), 1);
    const [zeros, data] = [new Uint8Array(12), new Uint8Array(32)];
    aesGcmSeal(g, zeros, zeros, 0, data, 0, 16);
    t.is(calls(), 2);
    // Test case 14 of the GCM specification.
    t.is(
      Buffer.from(data).toString('hex'),
      'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919',
    );
  } finally {
    await rm(out, { recursive: true, force: true });
  }
});
