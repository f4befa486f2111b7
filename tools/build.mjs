// Builds dist/ for the package: the command and the library entry points. dist/ is replaced as a whole, so
// that no one ever sees half of it; bundles of firmware profiles in it stay.

import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageConfig } from '../rollup.config.mjs';
import { runRollup } from './bundle.mjs';
import { withBuildLock } from './lock.mjs';
import { profileNames } from './profiles.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DIST = path.join(ROOT, 'dist');

/** Removes what a build that was interrupted left behind. We hold the lock: no one else is at it. */
function sweep() {
  for (const name of readdirSync(ROOT)) {
    if (name.startsWith('dist.')) rmSync(path.join(ROOT, name), { recursive: true, force: true });
  }
}

export async function build() {
  await withBuildLock(
    (pid) => console.error(`build: waiting for process ${pid}`),
    async () => {
      sweep();
      const fresh = path.join(ROOT, 'dist.new');
      const old = path.join(ROOT, 'dist.old');
      await runRollup(packageConfig(fresh));
      for (const name of [...profileNames(), 'sizes.json']) {
        if (existsSync(path.join(DIST, name))) renameSync(path.join(DIST, name), path.join(fresh, name));
      }
      if (existsSync(DIST)) renameSync(DIST, old);
      renameSync(fresh, DIST);
      rmSync(old, { recursive: true, force: true });
    },
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await build();
  } catch (error) {
    console.error(`build: ${error.message}`);
    process.exitCode = 1;
  }
}
