// One RTU scenario from the built bundles, on every engine: the same log.
import test from 'ava';
import { expectedLog, runScenario, SCENARIO_FEATURES } from './scenario.ts';
import { targets } from './targets.ts';

const PATIENCE_MS = 300_000;

const only = process.env['CONF'];
for (const target of await targets()) {
  const { engine, profile } = target;
  if (only !== undefined && !`${engine} ${profile.name}`.includes(only)) continue;
  const lacking = SCENARIO_FEATURES.filter((feature) => !profile.features.includes(feature));
  const without = lacking.length === 0 ? '' : `, which has no ${lacking.join(', ')}`;
  test.serial(`${engine}: an RTU with ${profile.name}${without}`, async (t) => {
    t.timeout(PATIENCE_MS);
    const rig = await target.open();
    t.teardown(() => rig.close());
    t.deepEqual(await runScenario(rig), expectedLog(profile.features));
  });
}
