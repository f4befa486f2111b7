// One RTU scenario from the built bundles, on every engine: the same log.
import test from 'ava';
import { concat, toHex } from '../../src/bytes.ts';
import { sha3_256 } from '../../src/crypto/micro/sponge.ts';
import { expectedLog, runScenario, SCENARIO_FEATURES } from './scenario.ts';
import { targets } from './targets.ts';

const PATIENCE_MS = 300_000;
const VIRTUAL_XS: readonly string[] = ['XS', 'XS, frozen', 'Node as XS'];
const sent: Record<string, string> = {};

const only = process.env['QSTP_SUITE'];
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
    t.true(rig.gateway.heard.length > 0);
    // Over stand-ins everything repeats: then what it sends is the same to the last byte on every engine.
    if (!VIRTUAL_XS.includes(engine)) return;
    const digest = toHex(sha3_256(concat(rig.gateway.heard)));
    t.is(digest, (sent[profile.name] ??= digest), 'the bytes it sends');
  });
}
