// Every budget that a profile names is held: by the build, or by the benchmarks.
import test from 'ava';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { overBudget } from '../bench/budgets.ts';
import type { Profile } from './profiles.ts';

const load = <T>(file: string) => import(pathToFileURL(path.resolve(file)).href) as Promise<T>;
const SIZES = ['minBytes', 'gzipBytes'];
/** Of what is to be there at the least. */
const LEASTS = ['engineLeftBytes'];

/** Figures over any budget, and under any, whatever their metrics are called. */
const always = (value: number): Record<string, number> =>
  new Proxy({}, { get: () => value }) as Record<string, number>;
const HUGE = always(Number.MAX_SAFE_INTEGER);
const NONE = always(0);

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
      const lines = overBudget(LEASTS.includes(budget) ? NONE : HUGE, {
        ...profile,
        budgets: { [budget]: 1 },
      });
      t.true(lines.length === 1, `${profile.name}: ${budget}`);
      t.regex(lines[0]!, LEASTS.includes(budget) ? /under \w+ 1 / : /over \w+ 1 /);
      t.true(lines[0]!.includes(` ${budget} 1 of profile ${profile.name}`), lines[0]);
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
