// Where the prepared engines are. tools/engines.mjs prepares them.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

export type EngineProgram = 'xs' | 'deno' | 'node24';

/**
 * The program of an engine, as an absolute path. `root` is the project's folder. Throws, saying what to do,
 * if it was not prepared: an engine that is missing is an error, never a reason to skip.
 */
export function engineProgram(name: EngineProgram, root = '.'): string {
  const folder = path.resolve(root, 'test/engines');
  let file: string | undefined;
  try {
    const stamp = JSON.parse(readFileSync(path.join(folder, 'node_modules/.engines.json'), 'utf8')) as {
      programs: Record<string, string>;
    };
    file = stamp.programs[name];
  } catch {
    // Not prepared.
  }
  if (file !== undefined && existsSync(path.join(folder, file))) return path.join(folder, file);
  throw new Error(`the ${name} engine is not ready; run: node tools/engines.mjs`);
}
