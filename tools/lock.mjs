// One process at a time through a piece of work, across processes. The lock is a file that names its owner;
// a lock whose owner is gone is taken over.

import { linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Longest wait for another build, milliseconds: one of all bundles takes a minute. */
export const BUILD_MS = 300_000;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function ownerOf(file) {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return 0;
  }
}

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function discard(file) {
  try {
    unlinkSync(file);
  } catch {
    // Gone already.
  }
}

/** Creates `file` holding our process id in one step, so that no lock is ever without an owner. */
function take(file) {
  const own = `${file}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  try {
    linkSync(own, file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    discard(own);
  }
}

/** Removes a lock left by a dead process. A second lock guards this, or two waiters could each remove one. */
function takeOver(file) {
  if (!take(`${file}.stale`)) return;
  const owner = ownerOf(file);
  if (owner !== 0 && !alive(owner)) discard(file);
  discard(`${file}.stale`);
}

/**
 * Runs `work` while holding the lock file `file`. `waiting(pid)` is called once if another process holds it.
 * Gives up after `limit` milliseconds with an error that names the file.
 */
export async function withLock(file, limit, waiting, work) {
  const end = Date.now() + limit;
  let told = false;
  while (!take(file)) {
    const owner = ownerOf(file);
    if (owner !== 0 && !alive(owner)) takeOver(file);
    else if (Date.now() > end) {
      throw new Error(`process ${owner} has held ${file} for too long; end it, or delete that file`);
    } else {
      if (!told) waiting(owner);
      told = true;
      await sleep(100);
    }
  }
  try {
    return await work();
  } finally {
    discard(file);
  }
}

/** The same for what is written into dist/ of the checkout: the package, which replaces it as a whole, and bundles in it. */
export function withBuildLock(waiting, work) {
  mkdirSync(path.join(ROOT, 'build'), { recursive: true });
  return withLock(path.join(ROOT, 'build/.build.lock'), BUILD_MS, waiting, work);
}
