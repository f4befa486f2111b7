// The built bundle of a Moddable profile on the emulated microcontroller: a device's first connection, as it went on
// Node, step by step again. What it answers must be the same to the last byte; what it takes is measured.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { moddableScript, vmEngine } from '../../conformance/drivers/xs.ts';
import { openOn } from '../../conformance/targets.ts';
import type { Command, Step } from '../../conformance/protocol.ts';
import { runM4 } from './m4.ts';
import { DEVICE_ARENA_BYTES, EngineFailure } from './program.ts';
import type { Call, Run } from './program.ts';

const SLOT_BYTES = 16;
/** Where the arena is measured that the loaded bundle takes. */
const BOARD_BYTES = 2_000_000;
/** For loading alone: the bundle is one function here, whose declarations lie on the stack meanwhile. */
const LOADING_STACK_SLOTS = 4096;
const PATIENCE_MS = 300_000;

interface Recorded {
  readonly ms: number;
  readonly commands: readonly Command[];
  readonly out: Step['out'];
}

/** A first connection, two polls, a cut, the way back by ticket, another poll. */
async function record(profile: string, entry: string, code: string, root: string): Promise<Recorded[]> {
  const steps: Recorded[] = [];
  const engine = await vmEngine(entry, code, root);
  const rig = await openOn(
    profile,
    {
      async step(ms, commands) {
        const step = await engine.step(ms, commands);
        steps.push({ ms, commands, out: step.out });
        return step;
      },
      close: () => engine.close(),
    },
    root,
  );
  await rig.boot();
  rig.start();
  await rig.see(/^connected$/, /^(full handshake|resumed)$/);
  await rig.poll(1);
  await rig.poll(2);
  rig.gateway.cut();
  await rig.see(/^down /, /^closed /);
  await rig.see(/^connected$/, /^resumed$/);
  await rig.poll(3);
  await rig.close();
  return steps;
}

export interface BundleFigures {
  /** The least memory beside the loaded bundle in which all of it runs: slots and chunks, bytes. */
  readonly bytes: number;
  /** Stack slots at the most, the frames of the stand-ins included. */
  readonly stackSlots: number;
  /** What is left of the ESP32's machine, bytes: its stack, as the profile has it, is part of that. */
  readonly leftBytes: number;
}

/** The program, and what it has to say. */
export class BundleProgram {
  /** Bytes of the stack that the profile gives the machine. */
  readonly stackBytes: number;
  private readonly source: string;
  private readonly steps: readonly Recorded[];
  private readonly root: string;
  /** Slots and chunks of the loaded bundle with the board's stand-ins, built-ins not counted. */
  private loaded = 0;

  private constructor(source: string, steps: readonly Recorded[], stackBytes: number, root: string) {
    this.source = source;
    this.steps = steps;
    this.stackBytes = stackBytes;
    this.root = root;
  }

  static async of(profile: string, root = '.'): Promise<BundleProgram> {
    const code = await readFile(path.join(root, 'dist', profile, 'qstp.min.js'), 'utf8');
    const { engine, entry } = JSON.parse(
      await readFile(path.join(root, 'firmware-profiles', `${profile}.json`), 'utf8'),
    ) as { engine: { creation: { stack: number } }; entry: string };
    const steps = await record(profile, entry, code, root);
    return new BundleProgram(
      await moddableScript(entry, code, root),
      steps,
      SLOT_BYTES * engine.creation.stack,
      root,
    );
  }

  /** What is there beside the stack that the profile asks for, bytes. */
  get room(): number {
    return DEVICE_ARENA_BYTES - this.stackBytes;
  }

  private async run(arenaBytes: number): Promise<Run> {
    const expressions = this.steps.map(
      ({ ms, commands }) => `JSON.stringify(agent.step(${ms}, ${JSON.stringify(commands)}).out)`,
    );
    const options = { expressions, arenaBytes, stackSlots: LOADING_STACK_SLOTS, root: this.root };
    const run = await runM4(this.source, { ...options, timeoutMs: PATIENCE_MS });
    run.calls.forEach((call, i) => {
      if (call.thrown !== undefined)
        throw new EngineFailure('m4', `step ${i} threw ${call.thrown}`, run.calls);
      const expected = JSON.stringify(this.steps[i]!.out);
      if (call.value !== expected) {
        const said = `${call.value?.slice(0, 200)} instead of ${expected.slice(0, 200)}`;
        throw new EngineFailure('m4', `step ${i}: ${said}`, run.calls);
      }
    });
    return run;
  }

  /** Runs it where this much is free beside the loaded bundle, stack not counted. Rejects if it is not enough. */
  async within(bytes: number): Promise<Run> {
    if (this.loaded === 0) {
      // The first call boots: after it the bundle is loaded.
      const { builtins, calls } = await this.run(BOARD_BYTES);
      this.loaded = calls[1]!.slots! + calls[1]!.chunks! - builtins;
    }
    return this.run(this.loaded + bytes + SLOT_BYTES * LOADING_STACK_SLOTS);
  }

  /** Bytes beside the loaded bundle that were alive before some call, at the most. */
  alive({ builtins, calls }: Run): number {
    return Math.max(...calls.slice(1).map(({ slots, chunks }) => slots! + chunks!)) - builtins - this.loaded;
  }

  async fits(bytes: number): Promise<boolean> {
    try {
      await this.within(bytes);
      return true;
    } catch (error) {
      if (error instanceof EngineFailure && error.reason === 'memory full') return false;
      throw error;
    }
  }
}

/** Slots that calls took of the stack at the most; the first one loads. */
export function stackOf(calls: readonly Call[]): number {
  return Math.max(...calls.slice(1).map((call) => call.stack! / SLOT_BYTES));
}

/** Measures a profile's bundle; the memory within a kilobyte. */
export async function measureBundle(profile: string, root = '.'): Promise<BundleFigures> {
  const program = await BundleProgram.of(profile, root);
  const { room } = program;
  const run = await program.within(room);
  let [least, most] = [Math.floor(program.alive(run) / 1024), Math.floor(room / 1024)];
  while (most - least > 1) {
    const middle = (least + most) >> 1;
    if (await program.fits(middle * 1024)) most = middle;
    else least = middle;
  }
  const bytes = most * 1024;
  return { bytes, stackSlots: stackOf(run.calls), leftBytes: room - bytes };
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
