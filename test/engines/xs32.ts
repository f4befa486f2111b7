// XS compiled for 32 bits: slots, pointers and chunks have the sizes they have on a device. It tells how much of
// them is alive; it has no meter.

import path from 'node:path';
import { BUILT, ensureBuilt } from './micro/program.ts';
import { startXs } from './xs.ts';

export interface Xs32Options {
  /** The project's folder. */
  root?: string;
  /** Longest time of one evaluation, milliseconds. */
  timeout?: number;
}

export interface Xs32Worker {
  /** Runs a script; returns one entry for each call of print(text). Rejects with an XsError if it throws. */
  evaluate(code: string): Promise<string[]>;
  /** Bytes of slots and chunks alive, built-ins and loaded scripts included, after a collection of garbage. */
  liveBytes(): Promise<number>;
  /**
   * Runs statements, in a function. By how many bytes, at the most, more were alive than before: garbage is
   * collected before every allocation. It is the sum of the most slots and the most chunks, so not less than
   * the most of both at one time.
   */
  peakBytes(statements: string): Promise<number>;
  close(): void;
}

/** Builds the worker if it is not up to date, and starts one. Rejects with what to do when it cannot be had. */
export async function startXs32(options: Xs32Options = {}): Promise<Xs32Worker> {
  const root = options.root ?? '.';
  await ensureBuilt('xs32', root);
  const program = path.resolve(root, BUILT, 'xs32/worker');
  const worker = await startXs({ program, prelude: '', timeout: options.timeout ?? 60_000 });

  async function evaluate(code: string): Promise<string[]> {
    return (await worker.evaluate(code)).output;
  }

  async function printed(expression: string): Promise<number> {
    return Number((await evaluate(`print(${expression})`)).at(-1));
  }

  return {
    evaluate,
    // The first evaluation of an expression leaves names behind.
    liveBytes: async () => {
      await printed('live()');
      return printed('live()');
    },
    peakBytes: (statements) => printed(`watch(function () { ${statements}\n})`),
    close: () => worker.close(),
  };
}
