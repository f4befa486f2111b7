// The keys of a connection (docs/extensions.md, X0): those of its records, and the secret that tickets come from.

import { WITH_FULL_HANDSHAKE, WITH_RESUMPTION } from '../features.ts';
import { gcmKey } from './gcm.ts';
import { lab } from './hash.ts';

/** Keys of AES-256-GCM (gcm.ts) for what is sent and what is received, and the export secret; empty before and after. */
export type Keys = (Int32Array | Uint8Array)[];

const MORE: boolean = WITH_FULL_HANDSHAKE || WITH_RESUMPTION;

export const TX = 0;
export const RX = 1;
export const EXPORT = 2;

/** The record key of a direction, 0 from the client and 1 from the server, of 96 bytes of secrets. */
function recordKey(secrets: Uint8Array, direction: number): Int32Array {
  const chain = secrets.subarray(32 * direction, 32 * direction + 32);
  return gcmKey(lab(chain, 'traffic', [[2, direction, 0, 0, 0, 0]], 36));
}

/**
 * Derives the keys of a connection from Z and T, in steps of about one key each. `kind`: 0 for the full handshake, 1 for R1.
 * `done` is called in the last.
 */
export function deriveKeys(
  keys: Keys,
  kind: number,
  z: Uint8Array,
  transcript: () => Uint8Array,
  done: () => void,
): (() => void)[] {
  let t: Uint8Array;
  let secrets: Uint8Array;
  return [
    () => (t = transcript()),
    () => (secrets = lab(z, 'secrets', [[kind], t], 96)),
    () => (keys[TX] = recordKey(secrets, 0)),
    () => {
      keys[RX] = recordKey(secrets, 1);
      // Tickets come from it.
      if (MORE) keys[EXPORT] = secrets.subarray(64);
      secrets.fill(0, 0, MORE ? 64 : 96);
      done();
    },
  ];
}
