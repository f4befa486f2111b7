// The bundle of a Moddable profile as a script: a function of the modules it imports, which returns what it exports.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { preloadPlugin } from '../../engines/bundle.ts';

interface Tools {
  readProfile(name: string): { budgets: object };
  buildProfiles(options: { names: unknown[]; out: string }): Promise<unknown>;
}

const load = (file: string): Promise<Tools> =>
  import(pathToFileURL(path.resolve(file)).href) as Promise<Tools>;

/** The bundle, as `qstp build` writes it. Its size is held by its budget, not here. */
export async function moddableBundle(profile: string): Promise<{ readable: string; minified: string }> {
  const { readProfile } = await load('tools/profiles.mjs');
  const { buildProfiles } = await load('tools/bundles.mjs');
  const out = await mkdtemp(path.join(tmpdir(), 'qstp-moddable-'));
  try {
    const whole = { ...readProfile(profile), budgets: { minBytes: 1 << 20 } };
    await buildProfiles({ names: [whole], out });
    const read = (name: string): Promise<string> => readFile(path.join(out, profile, name), 'utf8');
    return { readable: await read('qstp.js'), minified: await read('qstp.min.js') };
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

/** The same with each value at its top level passed through the global `preload` (see PRELOAD). */
export async function frozen(code: string): Promise<string> {
  const { transform } = preloadPlugin();
  if (typeof transform !== 'function') throw new Error('the preload plugin has no transform');
  // The command has this file too, and runs where rollup is not.
  const name = 'rollup/parseAst';
  const { parseAst } = (await import(name)) as typeof import('rollup/parseAst');
  const parse = (text: string): unknown => parseAst(text);
  return transform.call({ parse } as never, code, 'bundle') as string;
}

const IMPORT = /^\s*import\s*(\w+)\s*from\s*["'](\w+)["'];?\s*/;

/**
 * A module as a function expression. Every module-level value goes through `preload` first, if there is a global of
 * that name.
 */
export function asFunction(code: string): string {
  let rest = code.replace(/\/\/# sourceMappingURL=.*\s*$/, '');
  let head = '';
  for (let found = IMPORT.exec(rest); found !== null; found = IMPORT.exec(rest)) {
    head += `const ${found[1]} = modules[${JSON.stringify(found[2])}];\n`;
    rest = rest.slice(found[0].length);
  }
  // What freezes functions and classes comes behind the exports.
  const tail = /(?:\n(?:preload\([\w$]+\);)?)*$/.exec(rest)![0];
  rest = rest.slice(0, rest.length - tail.length);
  const exported = /export\s*\{([^}]*)\};?\s*$/.exec(rest);
  if (exported === null || /\bimport\b\s*[^(.]/.test(rest.slice(0, 200))) {
    throw new Error('the bundle does not begin with its imports and end with its exports');
  }
  const entries = exported[1]!.split(',').map((entry) => {
    const [local, name] = entry.trim().split(/\s+as\s+/);
    return `${name ?? local}: ${local}`;
  });
  return `(function (modules) {\n'use strict';\n${head}${rest.slice(0, exported.index)}${tail}\nreturn { ${entries.join(', ')} };\n})`;
}
