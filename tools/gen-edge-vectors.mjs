// Writes test/vectors/edge/*.json, the known-answer transcripts of the extensions, from the compiled tests:
// `npx tsc -p . && node tools/gen-edge-vectors.mjs`. With --check it only says whether they are up to date.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const { EDGE_FILES, edgeJson } = await import('../build/test/session/edge-vectors.js');

const check = process.argv.includes('--check');
mkdirSync('test/vectors/edge', { recursive: true });
for (const cipher of EDGE_FILES) {
  const file = `test/vectors/edge/${cipher}.json`;
  const text = edgeJson(cipher);
  if (!check) {
    writeFileSync(file, text);
  } else if (readFileSync(file, 'utf8') !== text) {
    process.stderr.write(`${file} is not what the sessions say: run tools/gen-edge-vectors.mjs\n`);
    process.exitCode = 1;
  }
}
