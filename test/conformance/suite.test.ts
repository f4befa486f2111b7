// The suite, from the built bundle of every profile, on every engine that runs it.
import test from 'ava';
import { SUITE } from './suite.ts';
import { openChanged, targets } from './targets.ts';

const PATIENCE_MS = 300_000;
/** The suite is for the engines themselves: these only compare what an engine did. */
const COMPARED = ['XS, frozen', 'Node as XS'];

const only = process.env['QSTP_SUITE'];
for (const target of await targets()) {
  const { engine, profile } = target;
  if (COMPARED.includes(engine)) continue;
  if (only !== undefined && !`${engine} ${profile.name}`.includes(only)) continue;
  for (const check of SUITE.filter(({ applies }) => applies(profile))) {
    test.serial(`${engine}, ${profile.name}: ${check.name}`, async (t) => {
      t.timeout(PATIENCE_MS);
      const rig = await target.open(check.gateway);
      t.teardown(() => rig.close());
      const start = Date.now();
      await check.run(rig);
      t.log(`${Date.now() - start} ms`);
      t.pass();
    });
  }
}

/** Changes of the bundle that the suite has to notice: each with the check that fails then. */
const FAULTS: readonly (readonly [check: RegExp, what: string, from: RegExp, to: string])[] = [
  [/^wipe/, 'nothing is wiped', /(function wipe\(\w+\) \{)/, '$1 return;'],
  [/^the entropy gate/, 'any seed will do', /throw (refusal[$\w]*\(into)/, '$1'],
  [
    /^rejects: an altered record/,
    'tags are not compared',
    /(function equalAt\([^)]*\) \{)/,
    '$1 return true;',
  ],
];
for (const [name, what, from, to] of FAULTS) {
  test.serial(`the suite fails where ${what}`, async (t) => {
    t.timeout(PATIENCE_MS);
    const { profile } = (await targets()).find((target) => target.profile.name === 'esp32')!;
    const rig = await openChanged(profile, (code) => {
      const changed = code.replace(from, to);
      t.not(changed, code, 'there is something to change');
      return changed;
    });
    t.teardown(() => rig.close());
    await t.throwsAsync(SUITE.find((check) => name.test(check.name))!.run(rig));
  });
}
