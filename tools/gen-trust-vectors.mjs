// Writes test/vectors/edge/trust.json, the known answers of client certificates, revocation and succession, from the
// compiled tests: `npx tsc -p . && node tools/gen-trust-vectors.mjs`. With --check it only says whether it is up to date.

import { readFileSync, writeFileSync } from 'node:fs';

const { TRUST_FILE, trustJson } = await import('../build/test/cert/trust.js');

const text = trustJson();
if (!process.argv.includes('--check')) {
  writeFileSync(TRUST_FILE, text);
} else if (readFileSync(TRUST_FILE, 'utf8') !== text) {
  process.stderr.write(`${TRUST_FILE} is not what the code says: run tools/gen-trust-vectors.mjs\n`);
  process.exitCode = 1;
}
