// The built bundle of a Moddable profile on an emulated microcontroller: what a device went through on Node, step by
// step again. What it answers must be the same to the last byte; what it takes is measured.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { record } from '../../conformance/drivers/recorder.ts';
import type { RecordedMachine } from '../../conformance/drivers/recorder.ts';
import { moddableScript, vmEngine } from '../../conformance/drivers/xs.ts';
import type { GatewayOptions } from '../../conformance/gateway.ts';
import type { Rig } from '../../conformance/rig.ts';
import { engine } from './operations.ts';
import type { MicroEngine } from './operations.ts';
import { EngineFailure } from './program.ts';
import type { Call, Run } from './program.ts';

const SLOT_BYTES = 16;
/** For loading alone: the bundle is one function here, whose declarations lie on the stack meanwhile. */
const LOADING_STACK_SLOTS = 4096;
const PATIENCE_MS = 300_000;

/** What a firmware profile says of the machine. */
interface Creation {
  /** Bytes for slots, chunks and stack; 0: slots and chunks each have their own, which grows. */
  readonly static: number;
  readonly chunk: { readonly initial: number };
  readonly heap: { readonly initial: number };
  readonly stack: number;
}

/** Slots that calls took of the stack at the most; the first one loads. */
export function stackOf(calls: readonly Call[]): number {
  return Math.max(...calls.slice(1).map((call) => call.stack! / SLOT_BYTES));
}

/** Bytes beside the loaded bundle that were alive before some call, at the most. */
export function aliveOf(calls: readonly Call[]): number {
  const alive = calls.slice(1).map(({ slots, chunks }) => slots! + chunks!);
  return Math.max(...alive) - alive[0]!;
}

export class BundleProgram {
  readonly profile: string;
  /** Bytes of the machine that the profile describes, beside its stack. Of one that grows: what it begins with. */
  readonly room: number;
  readonly stackSlots: number;
  private readonly entry: string;
  private readonly code: string;
  private readonly root: string;

  private constructor(profile: string, entry: string, creation: Creation, code: string, root: string) {
    this.profile = profile;
    this.entry = entry;
    this.code = code;
    this.root = root;
    this.stackSlots = creation.stack;
    const { chunk, heap, stack } = creation;
    this.room =
      creation.static === 0
        ? chunk.initial + SLOT_BYTES * heap.initial
        : creation.static - SLOT_BYTES * stack;
  }

  static async of(profile: string, root = '.'): Promise<BundleProgram> {
    const code = await readFile(path.join(root, 'dist', profile, 'qstp.min.js'), 'utf8');
    const described = await readFile(path.join(root, 'firmware-profiles', `${profile}.json`), 'utf8');
    const { engine, entry } = JSON.parse(described) as { engine: { creation: Creation }; entry: string };
    return new BundleProgram(profile, entry, engine.creation, code, root);
  }

  /** Plays with a device on Node: the machines that it was, one for each boot. */
  record(play: (rig: Rig) => Promise<unknown>, gateway: GatewayOptions = {}): Promise<RecordedMachine[]> {
    const { profile, root } = this;
    const start = () => vmEngine(this.entry, this.code, root);
    return record({ profile, start, root, gateway }, play);
  }

  /**
   * Goes through the steps of a machine where this much is free beside the loaded bundle, stack not counted. Rejects if
   * that is not enough, and with the first answer that is another.
   */
  async replay(machine: RecordedMachine, bytes = this.room, target: MicroEngine = 'm4'): Promise<Run> {
    const expressions = machine.map(
      ({ ms, commands }) => `JSON.stringify(agent.step(${ms}, ${JSON.stringify(commands)}).out)`,
    );
    const run = await engine(target)(await moddableScript(this.entry, this.code, this.root), {
      expressions,
      arenaBytes: bytes,
      // The first step boots: after it the bundle is loaded.
      loadingCalls: 1,
      stackSlots: LOADING_STACK_SLOTS,
      root: this.root,
      timeoutMs: PATIENCE_MS,
    });
    run.calls.forEach((call, i) => {
      if (call.thrown !== undefined)
        throw new EngineFailure(target, `step ${i} threw ${call.thrown}`, run.calls);
      const expected = JSON.stringify(machine[i]!.out);
      if (call.value === expected) return;
      const said = `${call.value?.slice(0, 200)} instead of ${expected.slice(0, 200)}`;
      throw new EngineFailure(target, `step ${i}: ${said}`, run.calls);
    });
    return run;
  }

  async fits(machine: RecordedMachine, bytes: number): Promise<boolean> {
    try {
      await this.replay(machine, bytes);
      return true;
    } catch (error) {
      if (error instanceof EngineFailure && error.reason === 'memory full') return false;
      throw error;
    }
  }
}
