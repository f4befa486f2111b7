// One bundle: OUT/<profile>/qstp.js, qstp.min.js and their source maps, and what is to be said of them.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { rollup } from 'rollup';
import { profileConfig } from '../rollup.config.mjs';
import { writeHashes } from './measure.mjs';
import { writeManifests } from './moddable.mjs';
import { shares } from './shares.mjs';

/** Runs one rollup configuration and writes its outputs. */
export async function runRollup(config) {
  const bundle = await rollup(config);
  try {
    for (const output of [config.output].flat()) await bundle.write(output);
  } finally {
    await bundle.close();
  }
}

const ARTEFACTS = ['qstp.js', 'qstp.js.map', 'qstp.min.js', 'qstp.min.js.map'];

function measure(profile, folder) {
  const files = new Map(ARTEFACTS.map((name) => [name, readFileSync(path.join(folder, name))]));
  const code = files.get('qstp.min.js');
  const gzip = gzipSync(code, { level: 9 }).length;
  const over = [];
  const { minBytes, gzipBytes } = profile.budgets;
  if (code.length > minBytes) over.push(`${code.length - minBytes} bytes over minBytes`);
  if (gzip > gzipBytes) over.push(`${gzip - gzipBytes} bytes over gzipBytes`);
  return {
    profile: profile.name,
    readableBytes: files.get('qstp.js').length,
    minBytes: code.length,
    gzipBytes: gzip,
    budgetBytes: minBytes,
    sha256: Object.fromEntries(
      [...files].map(([name, bytes]) => [name, createHash('sha256').update(bytes).digest('hex')]),
    ),
    modules: shares(code.toString(), JSON.parse(files.get('qstp.min.js.map').toString())),
    over,
  };
}

/** Builds the bundle of a profile into a folder and returns its sizes. */
export async function bundle(profile, folder) {
  await runRollup(profileConfig(profile, folder));
  writeHashes(profile, folder);
  if (profile.target === 'moddable') writeManifests(profile, folder);
  return measure(profile, folder);
}
