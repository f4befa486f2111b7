// What the built bundle of a Moddable profile takes of its machine, on the emulated Cortex-M4: a device's first connection.
import type { RecordedMachine } from '../../conformance/drivers/recorder.ts';
import type { Rig } from '../../conformance/rig.ts';
import { BundleProgram } from './replay.ts';

/** A first connection, two polls, a cut, the way back by ticket, another poll. */
export async function firstConnection(rig: Rig): Promise<void> {
  await rig.boot();
  rig.start();
  await rig.see(/^connected$/, /^(full handshake|resumed)$/);
  await rig.poll(1);
  await rig.poll(2);
  rig.gateway.cut();
  await rig.see(/^down /, /^closed /);
  await rig.see(/^connected$/, /^resumed$/);
  await rig.poll(3);
}

export interface BundleFigures {
  /** The least memory beside the loaded bundle in which all of it runs: slots and chunks, bytes. */
  readonly bytes: number;
  /** Stack slots at the most, the frames of the stand-ins included. */
  readonly stackSlots: number;
  /** What is left of the profile's machine, bytes: its stack is part of that. */
  readonly leftBytes: number;
}

/** Measures a profile's bundle; the memory within a kilobyte. */
export async function measureBundle(profile: string, root = '.'): Promise<BundleFigures> {
  const program = await BundleProgram.of(profile, { root });
  const { room } = program;
  const [machine] = (await program.record(firstConnection)) as [RecordedMachine];
  const { aliveBytes, stackSlots } = await program.replay(machine);
  let [least, most] = [Math.floor(aliveBytes / 1024), Math.floor(room / 1024)];
  while (most - least > 1) {
    const middle = (least + most) >> 1;
    if (await program.fits(machine, middle * 1024)) most = middle;
    else least = middle;
  }
  const bytes = most * 1024;
  return { bytes, stackSlots, leftBytes: room - bytes };
}

/** As metrics: `m4.bundle.<profile>.bytes`, `.left.bytes`, `.stack.slots`. */
export async function bundleMetrics(profile: string, root = '.'): Promise<Record<string, number>> {
  const { bytes, leftBytes, stackSlots } = await measureBundle(profile, root);
  const name = `m4.bundle.${profile}`;
  return {
    [`${name}.bytes`]: bytes,
    [`${name}.left.bytes`]: leftBytes,
    [`${name}.stack.slots`]: stackSlots,
  };
}
