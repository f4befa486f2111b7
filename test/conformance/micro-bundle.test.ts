// The memory that a Moddable bundle takes of the ESP32's machine, on the emulated Cortex-M4. The full bundle takes minutes:
// with QSTP_DEEP=1 only.
import test from 'ava';
import { readFileSync } from 'node:fs';
import { overBudget } from '../../bench/budgets.ts';
import type { Budgeted } from '../../bench/budgets.ts';
import { firstConnection } from '../engines/micro/bundle.ts';
import { BundleProgram } from '../engines/micro/replay.ts';

const PATIENCE_MS = 900_000;
/** The lean client takes more than that. */
const TOO_LITTLE = 16 * 1024;

const deep = process.env['QSTP_DEEP'] === '1';
for (const name of deep ? ['esp32-lean', 'esp32'] : ['esp32-lean']) {
  test.serial(`m4: a first connection and a resumption of ${name} fit the ESP32's machine`, async (t) => {
    t.timeout(PATIENCE_MS);
    const profile = JSON.parse(readFileSync(`firmware-profiles/${name}.json`, 'utf8')) as Budgeted;
    const program = await BundleProgram.of(name);
    const leftBytes = profile.budgets['engineLeftBytes']!;
    const [machine] = await program.record(firstConnection);
    // It runs in what is there less what is to be left; the stack is as deep as in any room.
    const { stackSlots } = await program.replay(machine!, { bytes: program.room - leftBytes });
    t.log(`${name}: ${leftBytes} bytes left, ${stackSlots} stack slots`);
    t.true(stackSlots > 100);
    t.deepEqual(overBudget({ [`m4.bundle.${name}.stack.slots`]: stackSlots }, profile), []);
    t.false(await program.fits(machine!, TOO_LITTLE));
  });
}
