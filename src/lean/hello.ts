// The hellos (docs/extensions.md, X2), as far as a lean client has a use for them.

import { getU32, putU32 } from '../bytes.ts';
import { ErrorCode } from '../error.ts';
import { WITH_FULL_HANDSHAKE } from '../features.ts';
import { bundleProfileHash } from '../profile.ts';
import { DISCOVERY, HEADER, room } from './packets.ts';

export const KEEPALIVE = 1;
export const SERVER_HELLO = 1;
export const SERVER_HELLO_BYTES = 78;
const CLIENT_HELLO = 11;
const CLIENT_HELLO_BYTES = 70;
const RECORD_LEAST = 64;
const RECORD_MOST = 65519;

/** Reasons of the codes from `helloMismatch` on. */
export const HELLO_REFUSALS = ['hello_mismatch', 'idle_too_short', 'identity_required'];

/** Longest message that the server takes. */
export function mostOf(body: Uint8Array): number {
  return Math.min(body[20]! | (body[21]! << 8), RECORD_MOST);
}

/**
 * The client's answer to a server's hello, to be sealed; or the code it is refused with. `pollMs`: 0 without keep-alive;
 * `receive`: longest message taken, bytes; `filler`: 16 random bytes.
 */
export function answerHello(
  body: Uint8Array,
  features: number,
  pollMs: number,
  missed: number,
  receive: number,
  filler: Uint8Array,
): Uint8Array | number {
  const maxIdle = getU32(body, 16);
  if (body[1] !== 1 || body[2] !== DISCOVERY || body[3]! > 1 || mostOf(body) < RECORD_LEAST) {
    return ErrorCode.helloMismatch;
  }
  if (body[3] === 1) return ErrorCode.identityRequired;
  if (maxIdle > 0 && maxIdle < pollMs * (missed + 1)) return ErrorCode.idleTooShort;
  const p = room(CLIENT_HELLO_BYTES);
  p.set([CLIENT_HELLO, 1, 2, missed, features], HEADER);
  putU32(p, 29, pollMs);
  putU32(p, 33, receive);
  const measured = WITH_FULL_HANDSHAKE ? bundleProfileHash() : undefined;
  if (measured !== undefined) p.set(measured, HEADER + 22);
  p.set(filler, HEADER + 54);
  return p;
}
