// The server as a device knows it that has no room for certificates: what a handshake needs of them. Their signatures were
// verified when the device was provisioned, as an end with `verified: 'chain'` has them.
//
//   serial[16] | from u64 | to u64 | sch0[32] | verification key, where there are full handshakes

import { copyOf, getTime, part } from '../bytes.ts';
import { WITH_FULL_HANDSHAKE } from '../features.ts';
import { ANCHOR_KIND, readStored } from './stored.ts';
import { DSA } from './suite.ts';
import type { Anchor, Files } from './types.ts';

const ANCHOR = 'qstp.anchor';
const KEY_AT = 64;

/** Throws if there is none, or it is damaged. */
export function readAnchor(files: Files): Anchor {
  const b = readStored(files, ANCHOR, ANCHOR_KIND, KEY_AT + (WITH_FULL_HANDSHAKE ? DSA.publicKeyBytes : 0));
  return {
    serial: copyOf(b, 0, 16),
    from: getTime(b, 16),
    to: getTime(b, 24),
    sch0: copyOf(b, 32, KEY_AT),
    key: part(b, KEY_AT),
  };
}
