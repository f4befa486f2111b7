// XS: the built bundle of a Moddable profile in the XS worker, over stand-ins of Moddable's modules; and the same on
// Node, for what is to be equal on both.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { bundleScript, PRELOAD } from '../../engines/bundle.ts';
import { startXs } from '../../engines/xs.ts';
import { asFunction, frozen } from '../../targets/moddable/bundle.ts';
import type { Step } from '../protocol.ts';
import type { VirtualEngine } from './virtual.ts';

const PATIENCE_MS = 300_000;

/** Devices have the built-ins in flash: what they hold cannot be written, nor shadowed by an assignment. */
const FROZEN_BUILTINS = `for (const { prototype } of [Object, Function, Array, String, Number, Error, TypeError, RangeError,
  ArrayBuffer, DataView, Uint8Array, Int32Array, Object.getPrototypeOf(Uint8Array), Map, Set]) Object.freeze(prototype);`;

/** What drives a facade, of those that a profile's `entry` can be. */
const AGENTS: Readonly<Record<string, string>> = {
  'targets/moddable/mod.ts': 'test/conformance/agents/moddable.ts',
  'targets/moddable/lean.ts': 'test/conformance/agents/moddable-lean.ts',
};
const scripts = new Map<string, Promise<string>>();

/** Whether there is an agent for bundles with this entry. */
export function hasAgent(entry: string): boolean {
  return AGENTS[entry] !== undefined;
}

function agentScript(entry: string, root: string): Promise<string> {
  let script = scripts.get(entry);
  if (script === undefined)
    scripts.set(entry, (script = bundleScript(AGENTS[entry]!, { name: 'agentModule', root })));
  return script;
}

/** The agent of a facade with its bundle, as a script that defines the global `agent`. */
export async function moddableScript(entry: string, code: string, root = '.'): Promise<string> {
  const track = await readFile(path.join(root, 'test/engines/track.js'), 'utf8');
  return `globalThis.trace = () => undefined;
    ${track}\n${await agentScript(entry, root)}\nglobalThis.load = ${asFunction(code)};
    globalThis.agent = agentModule.createAgent({ load, track: trackBuffers });`;
}

function call(ms: number, commands: readonly unknown[]): string {
  return `JSON.stringify(agent.step(${ms}, ${JSON.stringify(commands)}))`;
}

/** With `preload`, every module-level object and the built-ins are frozen first, as in a Moddable build. */
export async function xsEngine(
  entry: string,
  code: string,
  readable: string,
  options: { preload?: boolean } = {},
): Promise<VirtualEngine> {
  const worker = await startXs({ timeout: PATIENCE_MS });
  if (options.preload === true) {
    await worker.evaluate(PRELOAD);
    await worker.evaluate(FROZEN_BUILTINS);
  }
  await worker.evaluate(
    await moddableScript(entry, options.preload === true ? await frozen(readable) : code),
  );
  return {
    async step(ms, commands) {
      const { output } = await worker.evaluate(`print(${call(ms, commands)})`);
      return JSON.parse(output.join('')) as Step;
    },
    close: () => worker.close(),
  };
}

/** The device's bundle on Node, as on XS. */
export async function vmEngine(entry: string, code: string, root = '.'): Promise<VirtualEngine> {
  const context = createContext({});
  runInContext(await moddableScript(entry, code, root), context);
  return {
    step: async (ms, commands) => JSON.parse(runInContext(call(ms, commands), context) as string) as Step,
    close: () => undefined,
  };
}
