// One process at a time through a piece of work, across processes. The lock is a file that names its owner;
// a lock whose owner is gone is taken over.

import { linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function ownerOf(path) {
  try {
    return Number(readFileSync(path, 'utf8'));
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

function discard(path) {
  try {
    unlinkSync(path);
  } catch {
    // Gone already.
  }
}

/** Creates `path` holding our process id in one step, so that no lock is ever without an owner. */
function take(path) {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    discard(own);
  }
}

/** Removes a lock left by a dead process. A second lock guards this, or two waiters could each remove one. */
function takeOver(path) {
  if (!take(`${path}.stale`)) return;
  const owner = ownerOf(path);
  if (owner !== 0 && !alive(owner)) discard(path);
  discard(`${path}.stale`);
}

/**
 * Runs `work` while holding the lock file `path`. `waiting(pid)` is called once if another process holds it.
 * Gives up after `limit` milliseconds with an error that names the file.
 */
export async function withLock(path, limit, waiting, work) {
  const end = Date.now() + limit;
  let told = false;
  while (!take(path)) {
    const owner = ownerOf(path);
    if (owner !== 0 && !alive(owner)) takeOver(path);
    else if (Date.now() > end) {
      throw new Error(`process ${owner} has held ${path} for too long; end it, or delete that file`);
    } else {
      if (!told) waiting(owner);
      told = true;
      await sleep(100);
    }
  }
  try {
    return await work();
  } finally {
    discard(path);
  }
}
