import test from 'ava';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const file = pathToFileURL(path.resolve('tools/lock.mjs')).href;
const { withLock } = (await import(file)) as {
  withLock<T>(
    path: string,
    limit: number,
    waiting: (pid: number) => void,
    work: () => Promise<T>,
  ): Promise<T>;
};

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'qstp-lock-'));
  try {
    await run(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Adds one to a counter, slowly, `times` times, each under the lock. */
const WORKER = `
const [lock, counter, times, url] = process.argv.slice(1);
const { withLock } = await import(url);
const { readFileSync, writeFileSync } = await import('node:fs');
for (let i = 0; i < times; i++) {
  await withLock(lock, 30000, () => {}, async () => {
    const n = Number(readFileSync(counter, 'utf8'));
    await new Promise((done) => setTimeout(done, 5));
    writeFileSync(counter, String(n + 1));
  });
}`;

test('four processes never hold a lock at once, even one that a dead process left', async (t) => {
  await inFolder(async (folder) => {
    const [lock, counter] = [path.join(folder, 'lock'), path.join(folder, 'counter')];
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    await writeFile(lock, String(dead));
    await writeFile(counter, '0');
    const runs = [1, 2, 3, 4].map(
      () =>
        new Promise((done) => {
          const args = ['--input-type=module', '-e', WORKER, lock, counter, '5', file];
          spawn(process.execPath, args, { stdio: 'inherit' }).on('close', done);
        }),
    );
    t.deepEqual(await Promise.all(runs), [0, 0, 0, 0]);
    t.is(await readFile(counter, 'utf8'), '20');
    t.deepEqual(await readdir(folder), ['counter']);
  });
});

test('a lock that is held is waited for, then given up with its owner and file', async (t) => {
  await inFolder(async (folder) => {
    const lock = path.join(folder, 'lock');
    await writeFile(lock, String(process.pid));
    const told: number[] = [];
    const waiting = (pid: number) => void told.push(pid);
    await t.throwsAsync(
      withLock(lock, 250, waiting, async () => t.fail()),
      {
        message: new RegExp(`process ${process.pid} has held .*lock for too long`),
      },
    );
    t.deepEqual(told, [process.pid]);
  });
});

test('a lock is released when the work fails', async (t) => {
  await inFolder(async (folder) => {
    const lock = path.join(folder, 'lock');
    const fails = async () => {
      throw new Error('work');
    };
    await t.throwsAsync(
      withLock(lock, 250, () => undefined, fails),
      { message: 'work' },
    );
    t.is(
      await withLock(
        lock,
        250,
        () => undefined,
        async () => 7,
      ),
      7,
    );
  });
});
