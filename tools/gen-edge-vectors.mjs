// Writes test/vectors/edge/*.json, the known-answer transcripts of the extensions, from the compiled tests:
// `npx tsc -p . && node tools/gen-edge-vectors.mjs`. With --check it only says whether they are up to date.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const { EDGE_FILES, edgeJson } = await import('../build/test/session/edge-vectors.js');

const { TRUST_TRANSCRIPT, trustTranscriptJson } = await import('../build/test/session/trust-vectors.js');

const check = process.argv.includes('--check');
mkdirSync('test/vectors/edge', { recursive: true });
const files = EDGE_FILES.map((cipher) => [`test/vectors/edge/${cipher}.json`, () => edgeJson(cipher)]);
files.push([TRUST_TRANSCRIPT, trustTranscriptJson]);
for (const [file, make] of files) {
  const text = make();
  if (!check) {
    writeFileSync(file, text);
  } else if (readFileSync(file, 'utf8') !== text) {
    process.stderr.write(`${file} is not what the sessions say: run tools/gen-edge-vectors.mjs\n`);
    process.exitCode = 1;
  }
}
