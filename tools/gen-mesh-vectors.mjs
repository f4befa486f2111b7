// Writes test/vectors/mesh/mesh2.json, the known-answer transcript of mesh/2, from the compiled tests:
// `npx tsc -p . && node tools/gen-mesh-vectors.mjs`. With --check it only says whether it is up to date.

import { readFileSync, writeFileSync } from 'node:fs';

const { MESH_FILE, meshJson } = await import('../build/test/mesh/vectors.js');

const { noble } = await import('../build/src/crypto/noble.js');
const text = meshJson(noble.suite(1));
if (!process.argv.includes('--check')) {
  writeFileSync(MESH_FILE, text);
} else if (readFileSync(MESH_FILE, 'utf8') !== text) {
  process.stderr.write(`${MESH_FILE} is not what the tunnels say: run tools/gen-mesh-vectors.mjs\n`);
  process.exitCode = 1;
}
