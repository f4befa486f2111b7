// The suite and the scenario from built bundles of Moddable on emulated microcontrollers, in a device's memory. A check is
// played on Node, for the gateway is there; each machine that it booted then goes through the same steps on the
// microcontroller, from the boot to what its storage holds at the end, and must answer the same to the last byte.
import type { TestFn } from 'ava';
import type { MicroEngine } from '../engines/micro/operations.ts';
import { BundleProgram, FRAME_SLOTS } from '../engines/micro/replay.ts';
import type { Search } from '../engines/micro/replay.ts';
import type { Profile } from '../profiles.ts';
import type { RecordedMachine } from './drivers/recorder.ts';
import { expectedLog, runScenario } from './scenario.ts';
import { SUITE } from './suite.ts';
import type { Check } from './suite.ts';
import { targets } from './targets.ts';

const PATIENCE_MS = 900_000;

/** What a search of buffers keeps from being collected: every one that was made. The rp2040 has no room for that. */
export const KEPT_BYTES = 512 * 1024;

export interface MicroTarget {
  readonly target: MicroEngine;
  readonly profile: string;
  /** Bytes beside the loaded bundle and its stack. Default: what the profile's machine has. */
  readonly bytes?: number;
  /** Default: the profile's. */
  readonly stackSlots?: number;
  /** Which checks are run. Default: all. */
  readonly checks?: (name: string) => boolean;
}

const asksToSearch = (machine: RecordedMachine): boolean =>
  machine.some(({ commands }) => commands.some(([name]) => name === 'find'));

/** How often bytes are in the storage, which is in the memory here: a device has it in flash. */
function stored(machine: RecordedMachine, hex: string): number {
  const { out } = machine[machine.length - 1]!;
  return out.filter((event) => event[0] === 'stored' && event[2]?.includes(hex)).length;
}

/** What is in no buffer on Node, and yet somewhere in the memory beside the storage. */
export function keptSecrets(machine: RecordedMachine, searches: readonly Search[]): Search[] {
  return searches.filter(({ hex, buffers, times }) => buffers === 0 && times > stored(machine, hex));
}

const only = process.env['QSTP_SUITE'];

/** Declares a test for each check that a profile has, and one for the scenario. */
export async function testOn(test: TestFn, all: readonly MicroTarget[]): Promise<void> {
  const known = await targets();
  for (const limits of all) {
    const { profile } = known.find((other) => other.profile.name === limits.profile)!;
    if (only === undefined || `${limits.target} ${limits.profile}`.includes(only))
      declare(test, limits, profile);
  }
}

function declare(test: TestFn, limits: MicroTarget, profile: Profile): void {
  const { target, checks = () => true } = limits;
  for (const check of [...SUITE, scenario(profile)]) {
    if (!check.applies(profile) || !checks(check.name)) continue;
    test.serial(`${target}, ${profile.name}: ${check.name}`, async (t) => {
      t.timeout(PATIENCE_MS);
      const program = await BundleProgram.of(profile.name);
      const { bytes = program.room, stackSlots } = limits;
      const machines = await program.record((rig) => check.run(rig), check.gateway);
      t.true(machines.length > 0);
      for (const [i, machine] of machines.entries()) {
        const start = Date.now();
        const searching = asksToSearch(machine);
        const took = await program.replay(machine, { target, bytes, stackSlots, searching });
        const own = took.stackSlots - took.idleSlots;
        const spent = `${took.peakBytes} bytes, ${own} slots, ${Date.now() - start} ms`;
        t.log(`machine ${i + 1}: ${took.steps} steps, ${spent}`);
        t.is(took.steps, machine.length);
        // The stack has no more, and what the stand-ins have beside it no more than they take.
        t.true(own > 0 && took.idleSlots >= FRAME_SLOTS, `${took.idleSlots} slots of frames`);
        if (!searching) continue;
        t.true(took.searches.some(({ buffers, times }) => buffers > 0 && times > 0));
        t.true(took.searches.some(({ buffers }) => buffers === 0));
        t.deepEqual(keptSecrets(machine, took.searches), []);
        if (target === 'm4') await program.replay(machine, { bytes: bytes + KEPT_BYTES, stackSlots });
      }
    });
  }
}

/** The life of an RTU, whose log is the same on every engine. */
function scenario(profile: Profile): Check {
  return {
    name: 'the scenario of an RTU',
    applies: () => true,
    async run(rig) {
      const [log, expected] = [await runScenario(rig), expectedLog(profile.features)].map((lines) =>
        lines.join('\n'),
      );
      if (log !== expected) throw new Error(`its log is\n${log}\ninstead of\n${expected}`);
    },
  };
}
