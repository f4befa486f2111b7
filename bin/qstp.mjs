#!/usr/bin/env node
// Starts the command. In a checkout whose sources are newer than dist/, it is built first.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('..', import.meta.url);
const built = new URL('dist/qstp.js', root);

/** Newest modification time below a folder, milliseconds. */
function newest(folder) {
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const { mtimeMs } = statSync(`${entry.parentPath ?? entry.path}/${entry.name}`);
    if (mtimeMs > latest) latest = mtimeMs;
  }
  return latest;
}

function stale() {
  if (!existsSync(new URL('tsconfig.build.json', root))) return false;
  if (!existsSync(built)) return true;
  const made = statSync(built).mtimeMs;
  return ['src', 'targets', 'bin', 'bench'].some(
    (folder) => newest(fileURLToPath(new URL(folder, root))) > made,
  );
}

if (stale()) {
  if (process.stderr.isTTY) process.stderr.write('building qstp-edge ...\n');
  try {
    const { build } = await import('../tools/build.mjs');
    await build();
  } catch (error) {
    console.error(`qstp: the build failed: ${error.message}\nqstp: run \`npm ci\`, then \`npm run build\``);
    process.exit(1);
  }
}
await import(built.href);
