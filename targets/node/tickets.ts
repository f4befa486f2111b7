// Where a server on Node keeps its tickets (X4): in memory, or in a folder with the sealing key beside it.

import { linkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { QstpError } from '../../src/error.ts';
import { wipe } from '../../src/bytes.ts';
import { createTickets, memoryTicketStore } from '../../src/link/ticket-store.ts';
import type { Tickets } from '../../src/link/ticket-store.ts';
import type { Clock } from '../../src/platform.ts';
import { nodeRandom } from './platform.ts';
import { readWhole } from './storage.ts';
import { fileTicketStore } from './ticket-store.ts';
import type { FileTicketStoreOptions } from './ticket-store.ts';

const KEY_BYTES = 32;
/** Expired tickets are refused anyway: sweeping saves room only. */
const SWEEP_MS = 3600000;

export interface FolderTicketsOptions extends FileTicketStoreOptions {
  /** The key that seals the tickets, 32 bytes; made (mode 0600) if it is not there. Default: the folder's name and `.key`. */
  readonly keyFile?: string;
}

/** Tickets that are gone with the process. */
export function memoryTickets(): Tickets {
  return createTickets(memoryTicketStore(), freshKey(), nodeRandom);
}

/**
 * Tickets in `folder`, which is made (mode 0700) if it is not there, so that clients resume after a restart. Servers
 * that hold the same certificate may share folder and key. Throws `storage_failed`, `ticket_key`.
 */
export function folderTickets(folder: string, options: FolderTicketsOptions = {}): Tickets {
  const keyFile = options.keyFile ?? `${path.resolve(folder)}.key`;
  const inside = path.relative(folder, keyFile);
  if (!inside.startsWith('..') && !path.isAbsolute(inside)) {
    throw new QstpError(
      'ticket_key',
      `the ticket key ${keyFile} is inside the folder of the tickets it seals: keep it elsewhere`,
    );
  }
  const store = fileTicketStore(folder, options);
  return createTickets(store, ticketKey(keyFile, options.report), nodeRandom);
}

function freshKey(): Uint8Array {
  const key = new Uint8Array(KEY_BYTES);
  nodeRandom(key);
  return key;
}

function ticketKey(file: string, report: FolderTicketsOptions['report']): Uint8Array {
  try {
    const key = readWhole(file) ?? makeKey(file);
    if (key.length !== KEY_BYTES) {
      throw new QstpError(
        'ticket_key',
        `${file} is no ticket key of ${KEY_BYTES} bytes: remove it for a new one`,
      );
    }
    if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
      report?.(`${file} can be read by others than its owner: chmod 600 it`);
    }
    return key;
  } catch (error) {
    if (error instanceof QstpError) throw error;
    throw new QstpError('storage_failed', `cannot use the ticket key ${file}: ${(error as Error).message}`);
  }
}

/** The key of whoever was first: another server may be starting too. */
function makeKey(file: string): Uint8Array {
  const key = freshKey();
  const draft = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(draft, key, { mode: 0o600, flush: true });
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    wipe(key);
    return readWhole(file) ?? new Uint8Array(0);
  } finally {
    rmSync(draft, { force: true });
  }
  return key;
}

/** Removes expired tickets every so often, without keeping the process alive for it. Returns what stops it. */
export function sweepTickets(tickets: Tickets, clock: Clock, everyMs: number = SWEEP_MS): () => void {
  const handle = setInterval(() => tickets.sweep(clock.now(), () => undefined), everyMs);
  handle.unref();
  return () => clearInterval(handle);
}
