// The keys of a connection (docs/extensions.md, X0): those of its records, and the secret that tickets come from.

import { copyOf, part } from '../bytes.ts';
import { gcmKey } from './gcm.ts';
import { lab } from './hash.ts';
import { MORE } from './suite.ts';
import type { Client } from './types.ts';

// Places in `keyed` of a client: keys of AES-256-GCM (gcm.ts) for what is sent and what is received, the export secret.
export const TX = 0;
export const RX = 1;
export const EXPORT = 2;

/** The record key of a direction, 0 from the client and 1 from the server, of 96 bytes of secrets. */
function recordKey(secrets: Uint8Array, direction: number): Int32Array {
  const chain = part(secrets, 32 * direction, 32 * direction + 32);
  return gcmKey(lab(chain, 'traffic', [[2, direction, 0, 0, 0, 0]], 36));
}

/**
 * The steps, of about one key each, that derive the keys of a connection from Z and T; then its records may come. `kind`: 0 for
 * the full handshake, 1 for R1.
 */
export function deriveKeys(
  c: Client,
  kind: number,
  z: Uint8Array,
  transcript: () => Uint8Array,
): (() => void)[] {
  let t: Uint8Array;
  let secrets: Uint8Array;
  return [
    () => (t = transcript()),
    () => (secrets = lab(z, 'secrets', [[kind], t], 96)),
    () => (c.keyed[TX] = recordKey(secrets, 0)),
    () => {
      c.keyed[RX] = recordKey(secrets, 1);
      // Tickets come from it.
      if (MORE) c.keyed[EXPORT] = copyOf(secrets, 64);
      secrets.fill(0);
      c.txSequence = 2;
      c.dueSequence = 3;
      c.take = null;
    },
  ];
}
