import test from 'ava';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { successionBytes } from '../src/cert/succession.ts';
import type * as aesGcm from '../src/crypto/micro/aes-gcm.ts';
import { SUITES } from '../src/params.ts';
import { readable } from './profiles.ts';

// The tools are plain JavaScript outside the compiled tree; the tests run from the project's root.
interface Size {
  profile: string;
  minBytes: number;
  sha256: Record<string, string>;
  modules: { module: string; bytes: number }[];
}
interface Bundles {
  buildProfiles(options: { names?: unknown[]; out?: string }): Promise<Size[]>;
  BudgetError: new (sizes: unknown[]) => Error;
}
interface Profiles {
  profileNames(): string[];
  readProfile(name: string): Record<string, unknown>;
  validate(value: unknown, schema: unknown): void;
  checkTogether(profile: unknown): void;
  featuresOf(profile: unknown): Record<string, boolean>;
  SUCCESSION: readonly number[];
}
interface Config {
  profileConfig(profile: unknown, out: string): { output: unknown[] };
}
const load = <T>(file: string) => import(pathToFileURL(path.resolve(file)).href) as Promise<T>;
const profiles = await load<Profiles>('tools/profiles.mjs');
const bundles = await load<Bundles>('tools/bundles.mjs');
const { runRollup } = await load<{ runRollup(config: unknown): Promise<void> }>('tools/bundle.mjs');
const config = await load<Config>('rollup.config.mjs');
const schema = JSON.parse(await readFile('firmware-profiles/schema.json', 'utf8')) as unknown;

test('all profiles are valid', (t) => {
  t.deepEqual(profiles.profileNames(), [
    'bangle2',
    'deno-edge',
    'deno-worker-lean',
    'deno-worker-outbound',
    'esp32',
    'esp32-lean',
    'esp32-mesh',
    'esp32-s3-psram',
    'esp8266-class',
    'espruino-pico-class',
    'espruino-puck-class',
    'espruino-wifi',
    'rtu-gateway',
  ]);
  for (const name of profiles.profileNames()) t.is(profiles.readProfile(name)['name'], name);
  t.throws(() => profiles.readProfile('toaster'), {
    message: /there is no profile "toaster"; there are bangle2, deno-edge/,
  });
});

for (const [change, message] of [
  [{ target: 'toaster' }, /^"target" must be one of moddable, espruino, deno, node, not "toaster"$/],
  [{ suite: 4 }, /^"suite" must be at most 3, not 4$/],
  [{ suite: 'S5' }, /^"suite" must be of type integer$/],
  [{ slots: 0 }, /^"slots" must be at least 1, not 0$/],
  [{ slots: undefined }, /^"slots" is missing$/],
  [
    { buffers: { receive: 10, handshake: 0, transmit: 0 } },
    /^"buffers.receive" must be at least 256, not 10$/,
  ],
  [{ buffers: {} }, /^"buffers.receive" is missing$/],
  [{ budgets: {} }, /^"budgets.minBytes" is missing$/],
  [{ entry: '../elsewhere.ts' }, /^"entry" must match/],
  [{ keepAlive: 5 }, /^"keepAlive" is no field of a profile; there are /],
  [{ keepalive: 5 }, /^"keepalive" must be of type object$/],
  [{ keepalive: { pollMs: 1.5, missed: 3 } }, /^"keepalive.pollMs" must be of type integer$/],
  [{ features: ['flight'] }, /^"features\[0\]" must be one of fullHandshake, .*, not "flight"$/],
  [{ features: ['sleep', 'sleep'] }, /^"features" names something twice$/],
  [{ entropy: [] }, /^"entropy" must have at least 1 item\(s\)$/],
  [
    { entropy: [{ source: 'webcrypto', approved: 'yes', bits: 8 }] },
    /^"entropy\[0\].approved" must be of type boolean$/,
  ],
  [{ clock: { source: 'sundial', persist: true } }, /^"clock.source" must be one of system, sntp, server/],
  [{ engine: { variables: 10 } }, /^"engine.variables" must be at least 500, not 10$/],
] as const) {
  test(`a profile with ${JSON.stringify(change)} is refused by field`, (t) => {
    const profile = { ...profiles.readProfile('deno-edge'), ...change };
    t.throws(() => profiles.validate(profile, schema), { message });
  });
}

const webcrypto = [{ source: 'webcrypto', approved: true, bits: 8 }];
for (const [name, change, message] of [
  ['esp32', { provider: 'native' }, /^"provider" cannot be native on moddable: micro or none$/],
  ['esp32', { provider: 'none' }, /^"provider" none has no algorithms for fullHandshake$/],
  ['esp8266-class', { provider: 'micro' }, /^"provider" must be none: /],
  ['esp8266-class', { features: ['resumption'] }, /^"features" lack fullHandshake and provisioned/],
  ['esp8266-class', { role: 'both' }, /^"role" both needs fullHandshake$/],
  ['deno-edge', { hooks: { gcm: 'targets/deno/gcm.ts' } }, /^"hooks.gcm" is not for gateways: /],
  [
    'esp32',
    { trust: { bytesMax: 8671 } },
    /^"trust.bytesMax" must be at least 8672 for revocation and succession/,
  ],
  [
    'deno-edge',
    { trust: { bytesMax: 16384 } },
    /^"trust" is for moddable: on deno a program opens its trust/,
  ],
  ['esp32-lean', { trust: { bytesMax: 16384 } }, /^"trust" needs revocation or succession$/],
  [
    'esp32',
    { hooks: { leanGcm: 'targets/espruino/gcm.ts' } },
    /^"hooks.leanGcm" is for clients that stand on/,
  ],
  [
    'deno-worker-lean',
    { features: ['fullHandshake', 'failover', 'paths'] },
    /^"features" need no failover beside paths, which has it$/,
  ],
  ['esp8266-class', { features: ['provisioned', 'sleep'] }, /^"features" sleep needs resumption$/],
  ['esp32', { records: 'gcm' }, /^"records" gcm has no room for the RCS-256 of strict$/],
  [
    'esp32',
    { buffers: { receive: 768, handshake: 4000, transmit: 0 } },
    /^"buffers.handshake" must be 0 or at least 4546/,
  ],
  [
    'deno-edge',
    { buffers: { receive: 768, handshake: 0, transmit: 768 } },
    /^"buffers.transmit" must be 0 on deno/,
  ],
  ['esp32', { entropy: webcrypto }, /^"entropy\[0\].source" cannot be webcrypto on moddable/],
  [
    'esp32',
    { entropy: [{ source: 'hwrng', approved: false, bits: 1 }] },
    /^"entropy" approves of no source: a device that boots with it refuses every handshake$/,
  ],
  ['esp32', { clock: { source: 'system', persist: true } }, /^"clock.source" cannot be system on moddable$/],
  ['esp32', { engine: { variables: 5100 } }, /^"engine.variables" is not for moddable$/],
  ['bangle2', { engine: {} }, /^"engine.variables" is missing on espruino$/],
] as const) {
  test(`${name} with ${JSON.stringify(change)} is refused by field`, (t) => {
    const profile = { ...profiles.readProfile(name), ...change };
    profiles.validate(profile, schema);
    t.throws(() => profiles.checkTogether(profile), { message });
  });
}

test('what a profile may set for trust is what new roots take', (t) => {
  for (const suite of SUITES) t.is(profiles.SUCCESSION[suite.id], successionBytes(suite));
});

test("a device's bundle has the limit of statements that its profile names, and the default without", async (t) => {
  const limit = /"trust":\{"bytesMax":9000\}/;
  t.regex(await readable(t, 'esp32', () => ({ trust: { bytesMax: 9000 } })), limit);
  t.notRegex(await readable(t, 'esp32'), limit);
});

test('a second build is equal to the byte, self-contained, and carries its profile', async (t) => {
  const out = await mkdtemp(path.join(tmpdir(), 'qstp-bundles-'));
  try {
    const [size] = await bundles.buildProfiles({ names: ['deno-edge'], out });
    for (const file of ['qstp.js', 'qstp.min.js', 'qstp.js.map', 'qstp.min.js.map']) {
      const [first, second] = await Promise.all(
        [path.resolve('dist'), out].map((folder) => readFile(path.join(folder, 'deno-edge', file))),
      );
      t.true(first!.equals(second!), file);
      t.false(second!.includes(out), 'no path of this machine');
      t.false(second!.includes(path.resolve('.')), 'no path of this machine');
      t.is(size!.sha256[file], createHash('sha256').update(second!).digest('hex'));
    }
    const modules = size!.modules.map(({ bytes }) => bytes);
    t.is(
      modules.reduce((sum, bytes) => sum + bytes, 0),
      size!.minBytes,
    );
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
    const error = await t.throwsAsync(runRollup(config.profileConfig(profile, out)));
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

/** The readable bundle alone: to minify it takes ten times as long. */
function buildReadable(profile: unknown, out: string): Promise<void> {
  const { output, ...rest } = config.profileConfig(profile, out);
  return runRollup({ ...rest, output: [output[0]] });
}

test('a hook takes the place of its kernel in the bundle, everywhere', async (t) => {
  const out = await mkdtemp(path.join(tmpdir(), 'qstp-hooks-'));
  try {
    const profile = {
      ...profiles.readProfile('deno-edge'),
      hooks: { keccak: 'test/fixtures/keccak-hook.mjs' },
    };
    profiles.validate(profile, schema);
    await buildReadable(profile, out);
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
    const profile = { ...profiles.readProfile('rtu-gateway'), hooks: { aes: 'test/fixtures/aes-hook.mjs' } };
    profiles.validate(profile, schema);
    await buildReadable({ ...profile, entry: 'test/fixtures/aes-entry.mjs' }, out);
    const { AES_GCM_WORDS, aesGcmInit, aesGcmSeal } = await load<typeof aesGcm>(path.join(out, 'qstp.js'));
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
