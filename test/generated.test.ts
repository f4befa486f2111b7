import test from 'ava';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

for (const generator of ['tools/gen-keccak.mjs', 'tools/gen-rijndael.mjs', 'tools/gen-wasm-records.mjs']) {
  test(`${generator} writes what is there`, async (t) => {
    await t.notThrowsAsync(promisify(execFile)(process.execPath, [generator, '--check']));
  });
}
