// Known answers of kind `pqc1`: records of the original's own program, read, written again, and recomputed.

import { ascii } from '../bytes.ts';
import { isFailure } from '../mesh/v1/index.ts';
import type { LegacyRuntime, Mesh1 } from '../mesh/v1/index.ts';
import type { Report } from './api.ts';
import { check } from './api.ts';
import { createDemoKem, createDemoSigner } from './demo-adapters.ts';
import { difference, FormatError, has, hex, list, signed, text, truth } from './fields.ts';
import type { Entry } from './fields.ts';

/** What that program claims its adapters to be. */
const LEVEL = 1;

function create(mesh: Mesh1): LegacyRuntime {
  return mesh.createRuntime(createDemoKem(mesh.blake2s, LEVEL), createDemoSigner(mesh.blake2s, LEVEL));
}

function reread(mesh: Mesh1, bytes: Uint8Array): string | null {
  const record = mesh.decodePqc1(bytes);
  if (isFailure(record)) return record.message;
  const id = difference(mesh.keyId(record.kemPublicKey, record.kemCreatedAt), record.kemKeyId);
  return id === null ? difference(mesh.encodePqc1(record), bytes) : 'the KEM key id: ' + id;
}

/** An instance of its own, or the next of a sequence on one. */
function isFresh(entry: Entry): boolean {
  if (has(entry, 'fresh_instance')) {
    if (truth(entry, 'fresh_instance')) return true;
    throw new FormatError(entry.path + ' is not fresh, and names no sequence');
  }
  if (text(entry, 'sequence') !== 'one instance') throw new FormatError(entry.path + '.sequence is unknown');
  return false;
}

export function checkPqc1(file: Entry, mesh: Mesh1, report: Report): void {
  let shared: LegacyRuntime | null = null;
  for (const entry of list(file, 'cases')) {
    const fresh = isFresh(entry);
    const runtime = fresh ? create(mesh) : (shared ??= create(mesh));
    const bytes = hex(entry, 'pqc1');
    check(report, entry.path + ' reading', () => reread(mesh, bytes));
    check(report, entry.path + ' record', () => {
      const made = mesh.encodePqc1(runtime.handshake(ascii(text(entry, 'request'))).record);
      if (made.length !== signed(entry, 'result')) return 'the record has ' + made.length + ' bytes';
      return difference(made, bytes);
    });
  }
}
