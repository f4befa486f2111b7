// Cuts a byte stream into packets. It holds at most one, and takes a body only after the caller has
// admitted its header: a peer cannot make it allocate, or wait for, more than its state allows.

import { HEADER_BYTES } from '../params.ts';
import { copy } from '../bytes.ts';
import { headerLength } from './header.ts';

export interface Framer {
  /** Where packets that fit are collected; lent by the owner. */
  readonly home: Uint8Array;
  /** `home`, or an array of the packet's own size while a larger one is collected. */
  buffer: Uint8Array;
  /** Bytes collected. */
  fill: number;
  /** Bytes of the whole packet; 21 until the header is admitted. */
  need: number;
}

/** `home`: at least 21 bytes. Larger packets, once admitted, get an array of their own for their time. */
export function createFramer(home: Uint8Array): Framer {
  return { home, buffer: home, fill: 0, need: HEADER_BYTES };
}

/** Takes bytes from `from` on, up to what is needed now. Returns how many were taken. */
export function collect(framer: Framer, bytes: Uint8Array, from: number): number {
  const available = bytes.length - from;
  const wanted = framer.need - framer.fill;
  const taken = available < wanted ? available : wanted;
  copy(framer.buffer, framer.fill, bytes, from, taken);
  framer.fill += taken;
  return taken;
}

/** True when a header is complete and waits to be admitted. */
export function headerReady(framer: Framer): boolean {
  return framer.fill === HEADER_BYTES && framer.need === HEADER_BYTES;
}

/** Goes on to the body, of at least one byte: the caller has checked the header. */
export function admitBody(framer: Framer): void {
  framer.need = HEADER_BYTES + headerLength(framer.buffer);
  if (framer.need > framer.home.length) {
    framer.buffer = new Uint8Array(framer.need);
    copy(framer.buffer, 0, framer.home, 0, HEADER_BYTES);
  }
}

/** True when header and body are complete. */
export function packetReady(framer: Framer): boolean {
  return framer.need > HEADER_BYTES && framer.fill === framer.need;
}

/** Starts the next packet. Views of the last one stay valid until the next {@link collect}. */
export function nextPacket(framer: Framer): void {
  framer.buffer = framer.home;
  framer.fill = 0;
  framer.need = HEADER_BYTES;
}
