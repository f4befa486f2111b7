// Scenarios over the bundle of a Moddable profile, on Node and on XS: what they tell is the same, line by line.

import test from 'ava';
import { createContext, runInContext } from 'node:vm';
import { PRELOAD } from '../../engines/bundle.ts';
import { startXs } from '../../engines/xs.ts';
import { frozen, moddableBundle } from './bundle.ts';

export const PATIENCE_MS = 600_000;

export type Bundle = Awaited<ReturnType<typeof moddableBundle>>;

export interface Play {
  readonly names: readonly string[];
  /** What each scenario tells. */
  readonly expected: Readonly<Record<string, string>>;
  /** Those that are played with everything frozen too. */
  readonly frozen: readonly string[];
  /** A script that defines `play(name)` over the bundle's code. */
  script(code: string): Promise<string>;
}

/** Devices have the built-ins in flash: what they hold cannot be written, nor shadowed by an assignment. */
const FROZEN_BUILTINS = `for (const { prototype } of [Object, Function, Array, String, Number, Error, TypeError, RangeError,
  ArrayBuffer, DataView, Uint8Array, Int32Array, Object.getPrototypeOf(Uint8Array), Map, Set]) Object.freeze(prototype);`;

/** Declares the tests; gives the bundle, which is there when they run. */
export function playScenarios(profile: string, play: Play): () => Bundle {
  let bundle: Bundle;
  const { names } = play;
  const told: Record<string, string> = {};

  test.before(async (t) => {
    t.timeout(PATIENCE_MS);
    bundle = await moddableBundle(profile);
    const context = createContext({ trace: () => undefined });
    runInContext(await play.script(bundle.minified), context);
    for (const name of names) told[name] = runInContext(`play('${name}')`, context) as string;
  });

  for (const name of names) {
    test(`Node: ${name}`, (t) => {
      t.is(told[name]!, play.expected[name]!.trim());
    });
  }

  for (const preload of [false, true]) {
    test(`XS: the same${preload ? ', with built-ins and every module-level object frozen' : ''}`, async (t) => {
      t.timeout(PATIENCE_MS);
      const worker = await startXs({ timeout: PATIENCE_MS });
      try {
        await worker.evaluate('globalThis.trace = () => undefined;');
        if (preload) await worker.evaluate(PRELOAD + FROZEN_BUILTINS);
        await worker.evaluate(await play.script(preload ? await frozen(bundle.readable) : bundle.minified));
        for (const name of preload ? play.frozen : names) {
          const { output } = await worker.evaluate(`print(play('${name}'))`);
          t.is(output.join('\n'), told[name]!, name);
        }
      } finally {
        worker.close();
      }
    });
  }
  return () => bundle;
}
