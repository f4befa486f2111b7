// Minifies what bundles became, all in one thread, while this one goes on with the next bundle. One, because terser is
// several times faster once it is warm: @rollup/plugin-terser starts a thread for each output.

import { Worker } from 'node:worker_threads';

let thread = null;
/** What is under way, by number. */
const waiting = new Map();
let last = 0;

/** Ends a piece of work. An idle thread does not keep the process. */
function settle(id, { error, result }) {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (waiting.size === 0) thread.unref();
  if (error === undefined) resolve(result);
  else reject(new Error(`terser: ${error}`));
}

/** Of a minifier's objects most are gone at once: with less room for new ones they are moved about in vain. */
const LIMITS = { maxYoungGenerationSizeMb: 192 };

function start() {
  thread = new Worker(new URL('terse-thread.mjs', import.meta.url), { resourceLimits: LIMITS });
  thread.on('message', ({ id, ...outcome }) => settle(id, outcome));
  thread.on('error', ({ message: error }) => {
    for (const id of [...waiting.keys()]) settle(id, { error });
    thread = null;
  });
}

function minify(code, options) {
  if (thread === null) start();
  thread.ref();
  const id = last++;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    thread.postMessage({ id, code, options });
  });
}

/** A rollup plugin. `options`: terser's, or a function that answers them for the code of a chunk. */
export function terse(options) {
  return {
    name: 'terse',
    async renderChunk(code, _chunk, { format, sourcemap }) {
      const { code: short, map } = await minify(code, {
        module: format === 'es',
        toplevel: format === 'cjs',
        sourceMap: Boolean(sourcemap),
        ...(typeof options === 'function' ? options(code) : options),
      });
      return { code: short, map: map === undefined ? null : JSON.parse(map) };
    },
  };
}
