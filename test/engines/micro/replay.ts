// The built bundle of a Moddable profile on an emulated microcontroller: what a device went through on Node, step by
// step again. What it answers must be the same to the last byte; what it takes is measured.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { record } from '../../conformance/drivers/recorder.ts';
import type { RecordedMachine, RecordedStep } from '../../conformance/drivers/recorder.ts';
import { moddableScript, vmEngine } from '../../conformance/drivers/xs.ts';
import type { GatewayOptions } from '../../conformance/gateway.ts';
import type { Command, Step } from '../../conformance/protocol.ts';
import type { Rig } from '../../conformance/rig.ts';
import { engine } from './operations.ts';
import type { MicroEngine } from './operations.ts';
import { EngineFailure } from './program.ts';
import type { Call } from './program.ts';

const SLOT_BYTES = 16;
/** For loading alone: the bundle is one function here, whose declarations lie on the stack meanwhile. */
const LOADING_STACK_SLOTS: Record<MicroEngine, number> = { m4: 4096, rp2040: 512 };
/** Beside the profile's stack, for the agent and its stand-ins, whose frames lie below all that the bundle does. */
export const FRAME_SLOTS = 56;
/** For one machine: the rp2040 takes a minute for a full handshake. */
const PATIENCE_MS = 900_000;

/** What a firmware profile says. */
interface Described {
  readonly entry: string;
  readonly engine: {
    readonly creation: {
      /** Bytes for slots, chunks and stack; 0: slots and chunks each have their own, which grows. */
      readonly static: number;
      readonly chunk: { readonly initial: number };
      readonly heap: { readonly initial: number };
      readonly stack: number;
    };
  };
}

/** What the steps of a machine took, the first one excepted: it loads. */
export interface Replayed {
  readonly steps: number;
  /** Slots of the stack at the most, and where nothing is done: frames of the agent and its stand-ins. */
  readonly stackSlots: number;
  readonly idleSlots: number;
  /** Bytes beside the loaded bundle before some step, at the most; and with the garbage that a step made. */
  readonly aliveBytes: number;
  readonly peakBytes: number;
  readonly searches: readonly Search[];
}

/** A search of the whole memory, after the step that asked for it: heap, garbage in it, stacks. */
export interface Search {
  readonly hex: string;
  /** In how many buffers it was on Node. */
  readonly buffers: number;
  /** How often it is there. */
  readonly times: number;
}

/** One call on the microcontroller: a step with its answer, or a search. */
interface Part {
  readonly expression: string;
  readonly answer?: string;
  readonly search?: Omit<Search, 'times'>;
}

/** The calls of a step. Where the memory is to be searched, the agent keeps no buffers and is not asked for them. */
function partsOf({ ms, commands, out }: RecordedStep, searching: boolean): Part[] {
  const step = (given: readonly Command[], said: Step['out']): Part => ({
    expression: `JSON.stringify(agent.step(${ms}, ${JSON.stringify(given)}).out)`,
    answer: JSON.stringify(said),
  });
  if (!searching) return [step(commands, out)];
  const found = out.flatMap((event) => (event[0] === 'found' ? [event[1]] : []));
  const wanted = commands.flatMap((command) => (command[0] === 'find' ? [command[1]] : []));
  return [
    step(
      commands
        .filter(([name]) => name !== 'find')
        .map((command) => (command[0] === 'boot' ? ['boot', { ...command[1], track: false }] : command)),
      out.filter(([name]) => name !== 'found'),
    ),
    ...wanted.map((hex, i) => ({
      expression: `memoryHolds('${hex}')`,
      search: { hex, buffers: found[i]! },
    })),
  ];
}

function taken(parts: readonly Part[], all: readonly Call[]): Replayed {
  const calls = all.filter((_, i) => parts[i]!.answer !== undefined);
  const steps = calls.slice(1, -1);
  const loaded = steps[0]!.slots! + steps[0]!.chunks!;
  const most = (of: (call: Call) => number): number => Math.max(...steps.map(of));
  return {
    steps: calls.length - 1,
    stackSlots: most(({ stack }) => stack! / SLOT_BYTES),
    idleSlots: calls[calls.length - 1]!.stack! / SLOT_BYTES,
    aliveBytes: most(({ slots, chunks }) => slots! + chunks!) - loaded,
    peakBytes: most(({ peakSlots, peakChunks }) => peakSlots! + peakChunks!) - loaded,
    searches: parts.flatMap(({ search }, i) =>
      search === undefined ? [] : [{ ...search, times: Number(all[i]!.value) }],
    ),
  };
}

export interface ReplayOptions {
  readonly target?: MicroEngine;
  /** What is free beside the loaded bundle, stack not counted. Default: the profile's `room`. */
  readonly bytes?: number;
  /** Of the stack, frames of the stand-ins not counted. Default: the profile's. */
  readonly stackSlots?: number | undefined;
  /** Searches the whole memory where the bundle's buffers were searched on Node. */
  readonly searching?: boolean;
}

export class BundleProgram {
  readonly profile: string;
  /** Slots of the stack that the profile gives its machine. */
  readonly stackSlots: number;
  /** Bytes of that machine beside the stack. Of one that grows: what it begins with. */
  readonly room: number;
  private readonly entry: string;
  private readonly code: string;
  private readonly root: string;

  private constructor(profile: string, described: Described, code: string, root: string) {
    const { chunk, heap, stack, static: bytes } = described.engine.creation;
    this.profile = profile;
    this.entry = described.entry;
    this.stackSlots = stack;
    this.room = bytes === 0 ? chunk.initial + SLOT_BYTES * heap.initial : bytes - SLOT_BYTES * stack;
    this.code = code;
    this.root = root;
  }

  /** Of the bundle as it was built. */
  static async of(
    profile: string,
    { root = '.', file = 'qstp.min.js', change = (code: string) => code } = {},
  ): Promise<BundleProgram> {
    const read = (name: string) => readFile(path.join(root, name), 'utf8');
    const described = JSON.parse(await read(`firmware-profiles/${profile}.json`)) as Described;
    return new BundleProgram(profile, described, change(await read(`dist/${profile}/${file}`)), root);
  }

  /** Plays with a device on Node: the machines that it was, one for each boot. */
  record(play: (rig: Rig) => Promise<unknown>, gateway: GatewayOptions = {}): Promise<RecordedMachine[]> {
    const { profile, entry, code, root } = this;
    return record({ profile, start: () => vmEngine(entry, code, root), root, gateway }, play);
  }

  /**
   * Goes through the steps of a machine. Rejects with an {@link EngineFailure} if there is too little memory, and with the
   * first answer that is another.
   */
  async replay(machine: RecordedMachine, options: ReplayOptions = {}): Promise<Replayed> {
    const { target = 'm4', bytes = this.room, stackSlots = this.stackSlots, searching = false } = options;
    const idle: RecordedStep = { ms: machine[machine.length - 1]!.ms, commands: [], out: [] };
    const parts = [...machine, idle].flatMap((step) => partsOf(step, searching));
    const { calls } = await engine(target)(await moddableScript(this.entry, this.code, this.root), {
      expressions: parts.map(({ expression }) => expression),
      arenaBytes: bytes,
      // The first step boots: after it the bundle is loaded.
      loadingCalls: 1,
      loadingStackSlots: LOADING_STACK_SLOTS[target],
      stackSlots: stackSlots + FRAME_SLOTS,
      root: this.root,
      inOne: true,
      uncounted: true,
      timeoutMs: PATIENCE_MS,
    });
    for (const [i, { answer }] of parts.entries()) {
      const { value, thrown } = calls[i]!;
      if (thrown === undefined && (answer === undefined || value === answer)) continue;
      const said = thrown === undefined ? value!.slice(0, 200) : `threw ${thrown}`;
      throw new EngineFailure(target, `call ${i}: ${said} instead of ${answer?.slice(0, 200)}`, calls);
    }
    return taken(parts, calls);
  }

  /** Whether the steps of a machine can be gone through with this much memory. */
  async fits(machine: RecordedMachine, bytes: number): Promise<boolean> {
    try {
      await this.replay(machine, { bytes });
      return true;
    } catch (error) {
      if (error instanceof EngineFailure && error.reason === 'memory full') return false;
      throw error;
    }
  }
}
