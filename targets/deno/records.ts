// What does records in the place of the kernels on Deno: RCS-256 in WebAssembly, which needs no permission.

import { WITH_ENGINE, WITH_RCS } from '../../src/features.ts';
import { gcmRecords } from '../../src/crypto/gateway/gcm.ts';
import { rcsRecords } from '../../src/crypto/gateway/rcs.ts';
import { gatewayHashing } from '../../src/crypto/gateway/sponge.ts';
import type { RecordEngine } from '../../src/crypto/provider.ts';
import { createPool } from '../../src/pool/pool.ts';
import type { Pool } from '../../src/pool/pool.ts';

export const denoRecords: RecordEngine | null = WITH_ENGINE
  ? { gcm: gcmRecords, rcs: rcsRecords, hash: gatewayHashing }
  : null;

/** An attempt may begin before the slot of the one before is free. */
const CLIENT_SLOTS = 4;

/** The pool of a client's connection, one at a time. */
export function clientPool(): Pool {
  return createPool({
    slots: 1,
    maxSlots: CLIENT_SLOTS,
    engine: denoRecords,
    cipher: WITH_RCS ? 'rcs' : 'gcm',
  });
}
