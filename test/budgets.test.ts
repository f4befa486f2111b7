// Every budget that a profile names is held: by the build, or by the benchmarks.
import test from 'ava';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { overBudget } from '../bench/bench.ts';
import type { Profile } from './profiles.ts';

const load = <T>(file: string) => import(pathToFileURL(path.resolve(file)).href) as Promise<T>;
const SIZES = ['minBytes', 'gzipBytes'];

/** A figure over any budget, whatever its metric is called. */
const HUGE = new Proxy({}, { get: () => Number.MAX_SAFE_INTEGER }) as Record<string, number>;

test('a budget of 1 is exceeded, whichever budget of whichever profile it is', async (t) => {
  const { profileNames, readProfile } = await load<{
    profileNames(): string[];
    readProfile(name: string): Profile;
  }>('tools/profiles.mjs');
  const named = new Set<string>();
  for (const profile of profileNames().map(readProfile)) {
    for (const budget of Object.keys(profile.budgets)) {
      named.add(budget);
      if (SIZES.includes(budget)) continue;
      const lines = overBudget(HUGE, { ...profile, budgets: { [budget]: 1 } });
      t.true(lines.length === 1 && lines[0]!.includes(`over ${budget} 1`), `${profile.name}: ${budget}`);
    }
  }
  const schema = JSON.parse(readFileSync('firmware-profiles/schema.json', 'utf8')) as {
    properties: { budgets: { properties: object } };
  };
  const known = Object.keys(schema.properties.budgets.properties);
  t.true([...named].every((budget) => known.includes(budget)));
});

for (const budget of SIZES) {
  test(`the build fails over ${budget}`, async (t) => {
    t.timeout(120_000);
    const { readProfile } = await load<{ readProfile(name: string): Profile }>('tools/profiles.mjs');
    const { buildProfiles } = await load<{
      buildProfiles(options: { names: unknown[]; out: string }): Promise<unknown>;
    }>('tools/bundles.mjs');
    const out = mkdtempSync(path.join(tmpdir(), 'qstp-budget-'));
    t.teardown(() => rmSync(out, { recursive: true, force: true }));
    const profile = { ...readProfile('espruino-puck-class'), budgets: { minBytes: 1e6, [budget]: 1 } };
    await t.throwsAsync(buildProfiles({ names: [profile], out }), {
      message: new RegExp(`TOO LARGE: \\d+ bytes over ${budget}$`),
    });
  });
}
