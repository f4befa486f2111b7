// The suite from built bundles of Moddable on emulated microcontrollers, in a device's memory: each check is played on
// Node, and every machine of it goes through the same steps there, and must answer the same bytes.
import test from 'ava';
import { BundleProgram, stackOf } from '../engines/micro/replay.ts';
import { SUITE } from './suite.ts';
import { targets } from './targets.ts';

const PATIENCE_MS = 900_000;

const profiles = (process.env['QSTP_MICRO'] ?? 'esp8266-class').split(',');
for (const name of profiles) {
  const { profile } = (await targets()).find((target) => target.profile.name === name)!;
  for (const check of SUITE.filter(({ applies }) => applies(profile))) {
    test.serial(`m4, ${name}: ${check.name}`, async (t) => {
      t.timeout(PATIENCE_MS);
      const program = await BundleProgram.of(name);
      const start = Date.now();
      const machines = await program.record((rig) => check.run(rig), check.gateway);
      t.log(`recorded ${Date.now() - start} ms`);
      for (const machine of machines) {
        const start = Date.now();
        const bytes = machine.some(({ commands }) => commands.some(([name]) => name === 'find')) ? 1_500_000 : program.room;
        try {
          const { calls } = await program.replay(machine, bytes);
          const stack = stackOf(calls);
          const peak = Math.max(...calls.slice(1).map((c) => c.peakSlots! + c.peakChunks!)) - calls[1]!.slots! - calls[1]!.chunks!;
          t.log(`${Date.now() - start} ms, ${machine.length} steps, stack ${stack}, peak ${peak} of ${program.room}, ${calls.reduce((s, c) => s + c.count!, 0) / 1e6} M`);
        } catch (error) {
          t.fail(`${(error as Error).message}`);
        }
      }
      t.pass();
    });
  }
}
