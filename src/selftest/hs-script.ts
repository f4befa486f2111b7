// The packets of a file of kind `hs`, read out of its entries.

import { HEADER_BYTES } from '../params.ts';
import { headerTime } from '../wire/header.ts';
import { FormatError, hex, integer, list, text } from './fields.ts';
import type { Entry } from './fields.ts';

export interface Packet {
  readonly path: string;
  readonly fromClient: boolean;
  readonly packet: Uint8Array;
  /** Of the header, seconds. */
  readonly time: number;
}

export interface Script {
  readonly time: number;
  readonly handshake: readonly Packet[];
  readonly data: readonly (Packet & { readonly plain: Uint8Array })[];
}

/** The packet of an entry: it has a header at least. */
export function readPacket(entry: Entry, fromClient: boolean): Packet {
  const packet = hex(entry, 'packet');
  if (packet.length < HEADER_BYTES) throw new FormatError(`${entry.path}.packet is shorter than a header`);
  return { path: entry.path, fromClient, packet, time: headerTime(packet) };
}

/** True for `first`, false for `second`. */
export function either(entry: Entry, name: string, first: string, second: string): boolean {
  const value = text(entry, name);
  if (value === first) return true;
  if (value === second) return false;
  throw new FormatError(`${entry.path}.${name} is "${value}", not ${first} or ${second}`);
}

/** The four packets of the handshake, and the records after it. */
export function readScript(file: Entry): Script {
  const handshake = list(file, 'handshake').map((e) => readPacket(e, either(e, 'from', 'client', 'server')));
  const data = list(file, 'data').map((e) => ({
    ...readPacket(e, either(e, 'dir', 'c2s', 's2c')),
    plain: hex(e, 'plain'),
  }));
  if (handshake.length !== 4) throw new FormatError(`handshake has ${handshake.length} packets, not 4`);
  if (data.length === 0) throw new FormatError('data has no packets');
  return { time: integer(file, 'time'), handshake, data };
}
