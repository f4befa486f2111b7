// Programs for the emulated microcontrollers: built from a script, run by m4.ts or rp2040.ts, reported here.

import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

/** Build results, from the project's folder. */
export const BUILT = 'build/engines/micro';

/** The ESP32's machine under Moddable ("static"): what a script may use in slots, chunks and stack, bytes. */
export const DEVICE_ARENA_BYTES = 94_208;
/** Stack slots of that machine, 16 bytes each. */
export const DEVICE_STACK_SLOTS = 384;

export interface Options {
  /** Bytes for slots, chunks and stack, built-ins not counted. Default {@link DEVICE_ARENA_BYTES}. */
  arenaBytes?: number;
  /** Default {@link DEVICE_STACK_SLOTS}. */
  stackSlots?: number;
  /**
   * How many of the first expressions belong to loading. They have what the board has; `arenaBytes` is then what is
   * there beside all that is in use after them, the stack not counted. Default 0: loading has its place in the arena.
   */
  loadingCalls?: number;
  /** Stack slots for these, no fewer than the others'. */
  loadingStackSlots?: number;
  /** Evaluated one after the other in the script's global scope, each in a function of its own. */
  expressions: readonly string[];
  /** All expressions in one function, of which there is otherwise one for each. Their counts contain the way there. */
  inOne?: boolean;
  /** Of no use but for time: the m4 does not count, and is a fifth faster. Counts then mean nothing. */
  uncounted?: boolean;
  /** Real time after which the emulator is stopped. Default 120,000 ms. */
  timeoutMs?: number;
  /** The project's folder. Default: the current one. */
  root?: string;
}

/** One expression: its result as a string, or what it threw, and what it took. Sizes in bytes. */
export interface Call {
  expression: string;
  value?: string;
  thrown?: string;
  /** Instructions (m4) or cycles (rp2040). Absent if it threw. */
  count?: number;
  /** Slots and chunks in use before the call, after a collection. */
  slots?: number;
  chunks?: number;
  /** The most in use during the call, garbage included: equal to the above if nothing was allocated. */
  peakSlots?: number;
  peakChunks?: number;
  /** Depth of the C stack and of the machine's stack during the call. */
  cStack?: number;
  stack?: number;
}

export interface Run {
  /** Slots and chunks of the machine before the script: a product keeps these in flash. */
  builtins: number;
  /** Loading the script. `slots` and `chunks`: in use after it, built-ins included. */
  load: { count: number; slots: number; chunks: number; cHeap: number };
  prints: string[];
  calls: Call[];
}

/** The run ended badly. `reason` is "memory full", "stack overflow" and the like. */
export class EngineFailure extends Error {
  readonly reason: string;
  declare readonly calls: Call[];
  constructor(engine: string, reason: string, calls: Call[] = []) {
    const at = calls.length > 0 ? ` after ${calls.length} calls` : '';
    super(`${engine}: ${reason}${at}`);
    this.reason = reason;
    // Not printed with the error: expressions can be long.
    Object.defineProperty(this, 'calls', { value: calls });
  }
}

export interface RunOptions {
  /** Where the engine was built. */
  readonly built: string;
  readonly timeoutMs: number;
  readonly uncounted: boolean;
}

/** Runs an image; returns what came out on the console. */
export type Runner = (image: Uint8Array, options: RunOptions) => Promise<string>;

const built = new Map<string, Promise<void>>();

/** Builds the engine if it is not up to date. Rejects with what to do when it cannot be had. */
export function ensureBuilt(engine: 'm4' | 'rp2040' | 'xs32', root = '.'): Promise<void> {
  let done = built.get(engine);
  if (done === undefined) {
    done = buildEngine(engine, root);
    built.set(engine, done);
  }
  return done;
}

function buildEngine(engine: string, root: string): Promise<void> {
  return new Promise((done, failed) => {
    const targets = engine === 'xs32' ? [engine] : ['bytecode', engine];
    const command = [resolve(root, 'test/engines/micro/build.mjs'), ...targets];
    const child = spawn(process.execPath, command, { stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (data: Buffer) => {
      errors += data.toString();
    });
    child.on('error', failed);
    child.on('close', (status) =>
      status === 0 ? done() : failed(new Error(`engine ${engine} cannot be built\n${errors.slice(-4000)}`)),
    );
  });
}

/** Header fields that the compiler leaves to us (bytecode.c), byte offsets. */
const ARENA_BYTES_AT = 4;
const STACK_SLOTS_AT = 8;
const LOADING_CALLS_AT = 12;
const LOADING_STACK_SLOTS_AT = 16;

/** Declares the array of functions that the host calls. */
function callsOf({ expressions, inOne = false }: Options): string {
  if (!inOne)
    return `var calls = [\n${expressions.map((e) => `function () { return (${e}\n); }`).join(',\n')}\n];`;
  const cases = expressions.map((e, i) => `case ${i}: return (${e}\n);`);
  return `var next = 0;
    function call() {\nswitch (next++) {\n${cases.join('\n')}\n}\n}
    var calls = new Array(${expressions.length}).fill(call);`;
}

/** Compiles script and expressions to an image. */
export async function imageOf(source: string, options: Options): Promise<Uint8Array> {
  const script = `${source}\n${callsOf(options)}\n`;
  const folder = await mkdtemp(join(tmpdir(), 'micro-'));
  try {
    const [input, output] = [join(folder, 'program.js'), join(folder, 'program.bin')];
    await writeFile(input, script);
    await promisify(execFile)(resolve(options.root ?? '.', BUILT, 'bytecode/bytecode'), [input, output], {
      timeout: 60_000,
    });
    const image = await readFile(output);
    image.writeUInt32LE(options.arenaBytes ?? DEVICE_ARENA_BYTES, ARENA_BYTES_AT);
    image.writeUInt32LE(options.stackSlots ?? DEVICE_STACK_SLOTS, STACK_SLOTS_AT);
    image.writeUInt32LE(options.loadingCalls ?? 0, LOADING_CALLS_AT);
    image.writeUInt32LE(options.loadingStackSlots ?? 0, LOADING_STACK_SLOTS_AT);
    return image;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Builds, runs and reads one program. */
export async function runProgram(
  engine: 'm4' | 'rp2040',
  runner: Runner,
  source: string,
  options: Options,
): Promise<Run> {
  await ensureBuilt(engine, options.root);
  const image = await imageOf(source, options);
  const output = await runner(image, {
    built: resolve(options.root ?? '.', BUILT),
    timeoutMs: options.timeoutMs ?? 120_000,
    uncounted: options.uncounted ?? false,
  });
  return readReport(engine, output, options.expressions);
}

function readReport(engine: string, output: string, expressions: readonly string[]): Run {
  const run: Run = { builtins: 0, load: { count: 0, slots: 0, chunks: 0, cHeap: 0 }, prints: [], calls: [] };
  const at = (index: string): Call =>
    (run.calls[Number(index)] ??= { expression: expressions[Number(index)]! });
  let ended = false;
  for (const line of output.split('\n')) {
    const [kind = '', ...words] = line.split(' ');
    const n = words.map(Number);
    const text = (from: number): string => unescape(words.slice(from).join(' '));
    if (kind === '>') run.prints.push(text(0));
    else if (kind === 'boot') run.builtins = n[0]!;
    else if (kind === 'load') run.load = { count: n[0]!, slots: n[1]!, chunks: n[2]!, cHeap: n[3]! };
    else if (kind === 'call') {
      const [, count, slots, chunks, peakSlots, peakChunks, cStack, stack] = n as [number, ...number[]];
      Object.assign(at(words[0]!), { count, slots, chunks, peakSlots, peakChunks, cStack, stack });
    } else if (kind === 'value') at(words[0]!).value = text(1);
    else if (kind === 'throw' && words[0] === 'load') throw new EngineFailure(engine, text(1));
    else if (kind === 'throw') at(words[0]!).thrown = text(1);
    else if (kind === 'abort' || kind === 'refuse') throw new EngineFailure(engine, text(0), run.calls);
    else if (kind === 'fault') throw new EngineFailure(engine, 'processor fault', run.calls);
    else if (kind === 'end') ended = true;
  }
  if (!ended) throw new EngineFailure(engine, `no end of the report: ${output.slice(-500)}`, run.calls);
  return run;
}

function unescape(text: string): string {
  return text.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
}
