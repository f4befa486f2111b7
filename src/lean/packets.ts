// Headers of packets (docs/protocol.md), and the numbers of those a lean client sends and takes.

import { putU32 } from '../bytes.ts';

export const HEADER = 21;
/** Of an AES-256-GCM record. */
export const TAG = 16;

export const CONNECT_REQUEST = 1;
export const CONNECT_RESPONSE = 2;
export const TERMINATE = 3;
export const MESSAGE = 4;
export const EXCHANGE_REQUEST = 7;
export const EXCHANGE_RESPONSE = 8;
export const ERROR = 0x13;
export const REQUEST = 0x14;
export const RESPONSE = 0x15;
export const CONTROL_RCS = 0x16;
export const R1 = 0x17;
export const R2 = 0x18;
export const CONTROL = 0x19;

/** edge/1, clock not set, AES-256-GCM (X1). */
export const DISCOVERY = 7;

/** Added to a code that came sealed: the server itself said it. */
export const SEALED = 256;

/** Writes a header without its time; yields the packet. */
export function header(p: Uint8Array, flag: number, length: number, sequence: number): Uint8Array {
  p[0] = flag;
  putU32(p, 1, length);
  putU32(p, 5, sequence);
  return p;
}

/** A packet that is not sealed, its message still zeros. */
export function clear(flag: number, length: number, sequence: number): Uint8Array {
  return header(new Uint8Array(HEADER + length), flag, length, sequence);
}

/** Room for a record. */
export function room(length: number): Uint8Array {
  return new Uint8Array(HEADER + length + TAG);
}
