// The thread of tools/terse.mjs.

import { parentPort } from 'node:worker_threads';
import { minify } from 'terser';

parentPort.on('message', async ({ id, code, options }) => {
  try {
    parentPort.postMessage({ id, result: await minify(code, options) });
  } catch ({ message }) {
    parentPort.postMessage({ id, error: message });
  }
});
