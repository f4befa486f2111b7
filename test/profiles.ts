// Bundles of firmware profiles for tests: built into a folder of their own, gone with the test.

import type { ExecutionContext } from 'ava';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** As firmware-profiles/schema.json describes it. */
export interface Profile {
  readonly name: string;
  readonly target: string;
  readonly features: readonly string[];
  readonly budgets: Readonly<Record<string, number>>;
  readonly [field: string]: unknown;
}

export interface Size {
  readonly profile: string;
  readonly minBytes: number;
  readonly modules: readonly { readonly module: string; readonly bytes: number }[];
}

// The tools are plain JavaScript outside the compiled tree; the tests run from the project's root.
interface Tools {
  profileNames(): string[];
  readProfile(name: string): Profile;
  buildProfiles(options: { names?: readonly unknown[]; out?: string }): Promise<Size[]>;
  runRollup(config: unknown): Promise<void>;
  profileConfig(profile: unknown, out: string): { output: readonly unknown[] };
}
const load = <T>(file: string) => import(pathToFileURL(path.resolve(file)).href) as Promise<T>;

/** The profiles for Espruino-class boards. */
export async function espruinoProfiles(): Promise<string[]> {
  const { profileNames, readProfile } = await load<Tools>('tools/profiles.mjs');
  return profileNames().filter((name) => readProfile(name).target === 'espruino');
}

/** Builds a profile with `change` and no budget; the folder of its bundle. */
export async function buildIn(
  t: ExecutionContext,
  name: string,
  change: (profile: Profile) => Partial<Profile> = () => ({}),
): Promise<string> {
  return (await buildSized(t, name, change)).folder;
}

/** The same, with its size. */
export async function buildSized(
  t: ExecutionContext,
  name: string,
  change: (profile: Profile) => Partial<Profile> = () => ({}),
): Promise<{ folder: string; size: Size }> {
  const { readProfile } = await load<Tools>('tools/profiles.mjs');
  const { buildProfiles } = await load<Tools>('tools/bundles.mjs');
  const out = await mkdtemp(path.join(tmpdir(), 'qstp-profile-'));
  t.teardown(() => rm(out, { recursive: true, force: true }));
  const profile = readProfile(name);
  const built = { ...profile, ...change(profile), budgets: { minBytes: 10_000_000 } };
  const [size] = await buildProfiles({ names: [built], out });
  return { folder: path.join(out, name), size: size! };
}

/** The readable bundle of a profile with `change`: what is in the minified one, in a tenth of the time. */
export async function readable(
  t: ExecutionContext,
  name: string,
  change: (profile: Profile) => Partial<Profile> = () => ({}),
): Promise<string> {
  const { readProfile } = await load<Tools>('tools/profiles.mjs');
  const { runRollup } = await load<Tools>('tools/bundle.mjs');
  const { profileConfig } = await load<Tools>('rollup.config.mjs');
  const out = await mkdtemp(path.join(tmpdir(), 'qstp-readable-'));
  t.teardown(() => rm(out, { recursive: true, force: true }));
  const profile = readProfile(name);
  const config = profileConfig({ ...profile, ...change(profile) }, out);
  await runRollup({ ...config, output: [config.output[0]] });
  return readFile(path.join(out, 'qstp.js'), 'utf8');
}

/** The modules whose code is in a minified bundle, by its source map. */
export async function modulesOf(folder: string): Promise<string[]> {
  const map = JSON.parse(await readFile(path.join(folder, 'qstp.min.js.map'), 'utf8')) as {
    sources: string[];
  };
  return map.sources;
}
