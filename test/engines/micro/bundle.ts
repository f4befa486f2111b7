// The compiled device code as one script for XS: ES modules lowered to a global object `micro`.

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rollup } from 'rollup';

/** Name of the global that holds what the entry exports. */
export const GLOBAL = 'micro';

/** Bundles `entry`, a compiled module beside this one. */
export async function bundleScript(entry = 'device.js'): Promise<string> {
  const input = join(dirname(fileURLToPath(import.meta.url)), entry);
  const build = await rollup({ input, treeshake: true, onwarn: failOn });
  try {
    const { output } = await build.generate({ format: 'iife', name: GLOBAL, strict: true });
    return output[0].code.replace(/^var micro/, 'globalThis.micro');
  } finally {
    await build.close();
  }
}

function failOn(warning: { message: string }): never {
  throw new Error(`bundle: ${warning.message}`);
}
