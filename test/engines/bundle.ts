// Bundles a TypeScript module of the project into one script for an engine that has no modules of its own.
// It works from a checkout: rollup and typescript are the project's development tools.

import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plugin } from 'rollup';

export interface ScriptOptions {
  /** The global the script assigns the module's exports to. */
  name: string;
  /** The project's folder. */
  root?: string;
  /** Wraps every module-level value in a call of the global `preload`: see {@link PRELOAD}. */
  preload?: boolean;
  /**
   * Declares everything at the top level of the script, as a module does, not inside a function: there each
   * declaration takes a slot of XS's stack, and devices have a few hundred.
   */
  flat?: boolean;
  /** Lowers the script to ES5, for engines that know no more. */
  es5?: boolean;
}

/**
 * A stand-in for Moddable's preload, which freezes module-level objects into flash: a script that defines the
 * global `preload`. It freezes a value and what it leads to; typed arrays become read-only wrappers.
 */
export const PRELOAD = `globalThis.preload = (() => {
  const seen = new Map();
  const MUTATORS = /^(set|fill|sort|reverse|copyWithin)$/;
  const refuse = () => { throw new TypeError('read-only buffer'); };
  const readOnly = (array) => new Proxy(array, {
    get(target, name) {
      if (typeof name === 'string' && MUTATORS.test(name)) return refuse;
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
    set: refuse, defineProperty: refuse, deleteProperty: refuse,
  });
  return function preload(value) {
    if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return value;
    if (seen.has(value)) return seen.get(value);
    if (ArrayBuffer.isView(value)) {
      const wrapper = readOnly(value);
      seen.set(value, wrapper);
      seen.set(wrapper, wrapper);
      return wrapper;
    }
    seen.set(value, value);
    for (const name of Reflect.ownKeys(value)) {
      const property = Reflect.getOwnPropertyDescriptor(value, name);
      if (!('value' in property)) continue;
      const frozen = preload(property.value);
      if (frozen !== property.value) value[name] = frozen;
    }
    return Object.freeze(value);
  };
})();`;

/** Modules are installed where the project is, wherever this file was bundled to. */
function load<T>(name: string): Promise<T> {
  return import(name) as Promise<T>;
}

/** What devices' bundles are compiled with. */
interface Transpile {
  transpile(): Plugin;
  lower(): Plugin;
}

/** One script that assigns the exports of `entry`, a file of the project or anywhere, to a global. */
export async function bundleScript(entry: string, options: ScriptOptions): Promise<string> {
  const root = path.resolve(options.root ?? '.');
  const { rollup } = await load<typeof import('rollup')>('rollup');
  const resolve = await load<{ default: () => Plugin }>('@rollup/plugin-node-resolve');

  const { lower, transpile } = await load<Transpile>(
    pathToFileURL(path.join(root, 'tools/transpile.mjs')).href,
  );
  const bundle = await rollup({
    input: path.resolve(root, entry),
    plugins: [
      transpile(),
      resolve.default(),
      ...(options.preload === true ? [preloadPlugin()] : []),
      ...(options.es5 === true ? [lower()] : []),
    ],
    onLog(level, log) {
      if (level === 'warn') throw new Error(log.message);
    },
  });
  // Minified as what ships is: the XS worker takes a step for every line of source besides.
  const { terse } = await load<{ terse(options: object): Plugin }>(
    pathToFileURL(path.join(root, 'tools/terse.mjs')).href,
  );
  const compress = { inline: 1, reduce_funcs: false, sequences: false };
  const module = options.flat === true;
  const { output } = await bundle.generate({
    format: module ? 'es' : 'iife',
    name: options.name,
    strict: true,
    freeze: options.es5 !== true,
    plugins: options.es5 === true ? [] : [terse({ ecma: 2020, module, compress })],
  });
  await bundle.close();
  if (output.length !== 1) throw new Error(`${entry} became ${output.length} files instead of one`);
  const { code } = output[0];
  return options.flat === true ? flatten(code, options.name) : code;
}

/** A module without imports as a script: its exports become an object. */
function flatten(code: string, name: string): string {
  const at = code.search(/export\s*\{[^}]*\};?\s*$/);
  const list = /\{([^}]*)\}/.exec(code.slice(at))?.[1];
  if (at < 0 || list === undefined) throw new Error('the bundle does not end with its exports');
  if (new RegExp(`\\b(var|let|const|function|class) ${name}\\b`).test(code)) {
    throw new Error(`the bundle has something called ${name} itself: choose another name`);
  }
  const entries = list.split(',').map((entry) => {
    const [local, exported] = entry.trim().split(' as ');
    return `${exported ?? local}: ${local}`;
  });
  return `'use strict';\n${code.slice(0, at)}\nglobalThis.${name} = { ${entries.join(', ')} };\n`;
}

interface Range {
  start: number;
  end: number;
}

/** Passes what each module declares at its top level through `preload`. */
export function preloadPlugin(): Plugin {
  return {
    name: 'preload',
    transform(code) {
      const edits: { at: number; text: string }[] = [];
      const names: string[] = [];
      for (const statement of this.parse(code).body) {
        const declaration =
          statement.type === 'ExportNamedDeclaration' && statement.declaration
            ? statement.declaration
            : statement;
        if (declaration.type === 'VariableDeclaration') {
          for (const { init } of declaration.declarations) {
            if (!init) continue;
            const { start, end } = init as unknown as Range;
            edits.push({ at: start, text: 'preload(' }, { at: end, text: ')' });
          }
        } else if (declaration.type === 'FunctionDeclaration' || declaration.type === 'ClassDeclaration') {
          if (declaration.id) names.push(declaration.id.name);
        }
      }
      let out = code;
      for (const { at, text } of edits.sort((a, b) => b.at - a.at))
        out = out.slice(0, at) + text + out.slice(at);
      return `${out}\n${names.map((name) => `preload(${name});`).join('\n')}\n`;
    },
  };
}
