// A platform's storage as a folder of small files: one a key, mode 0600, written whole and then renamed.

import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { QstpError } from '../../src/error.ts';
import { checkStorageKey } from '../../src/link/storage-memory.ts';
import type { Storage } from '../../src/platform.ts';

/** Larger than anything that is stored. */
const VALUE_BYTES_MAX = 1 << 26;

function failure(what: string, error: unknown): QstpError {
  return new QstpError('storage_failed', `cannot ${what}: ${(error as Error).message}`);
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** A rename is durable once its folder is; not every system can flush a folder. */
export function flushFolder(folder: string): void {
  let handle: number;
  try {
    handle = openSync(folder, 'r');
  } catch {
    return;
  }
  try {
    fsyncSync(handle);
  } catch {
    // Windows: a rename is durable without it.
  } finally {
    closeSync(handle);
  }
}

/** Replaces a file's content, atomically and durably: a cut leaves the old content or the new one. */
export function replaceFile(file: string, bytes: Uint8Array): void {
  const draft = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(draft, bytes, { mode: 0o600, flush: true });
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
  flushFolder(path.dirname(file));
}

/** A file's content, null if there is none. */
export function readWhole(file: string): Uint8Array | null {
  try {
    if (statSync(file).size > VALUE_BYTES_MAX) throw new Error(`${file} is far too large`);
    return new Uint8Array(readFileSync(file));
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** The storage in `folder`, which is made (mode 0700) if it is not there. Throws `storage_failed`. */
export function fileStorage(folder: string): Storage {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || code === 'ENOTDIR') {
      throw new QstpError('storage_failed', `${folder} is a file, or lies in one: name a folder`);
    }
    throw failure(`make the folder ${folder}`, error);
  }
  const place = (key: string): string => {
    checkStorageKey(key);
    // The mark in front keeps "." and ".." and names that a system reserves from being file names.
    return path.join(folder, `_${key}`);
  };
  return {
    get(key) {
      const file = place(key);
      try {
        return readWhole(file);
      } catch (error) {
        throw failure(`read ${file}`, error);
      }
    },
    set(key, value) {
      const file = place(key);
      try {
        replaceFile(file, value);
      } catch (error) {
        throw failure(`write ${file}`, error);
      }
    },
    remove(key) {
      const file = place(key);
      try {
        rmSync(file, { force: true });
        flushFolder(folder);
      } catch (error) {
        throw failure(`remove ${file}`, error);
      }
    },
  };
}
