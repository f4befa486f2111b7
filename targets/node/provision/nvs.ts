// An image of an ESP32 partition for its key-value store NVS, in the format that Espressif publishes (ESP-IDF
// programming guide, "Non-Volatile Storage Library", Internals), version 2:
//
//   page of 4,096 bytes:  state u32 | number u32 | version u8 | FF[19] | crc u32 | states of entries[32] | 126 entries
//   entry of 32 bytes:    namespace u8 | type u8 | span u8 | chunk u8 | crc u32 | key[16] | data[8]
//   data of a blob chunk: size u16 | FFFF | crc u32, its bytes in the entries that follow
//   data of a blob index: size u32 | chunks u8 | first chunk u8 | FFFF
//
// The checksum is CRC-32 as in Ethernet, begun at 0 where that begins at all ones. What is not written is FF.

import { QstpError } from '../../../src/error.ts';

const PAGE_BYTES = 4096;
const ENTRY_BYTES = 32;
const ENTRIES = 126;
const ENTRIES_AT = 64;
const STATES_AT = 32;
const PageState = { active: 0xfffffffe, full: 0xfffffffc } as const;
const VERSION_2 = 0xfe;
const Type = { u8: 0x01, blobData: 0x42, blobIndex: 0x48 } as const;
/** Bits of an entry's state that are 1 in an empty and 0 in a written one; both are 0 in an erased one. */
const WRITTEN = 0b10;
const NO_CHUNK = 0xff;
const NAME_MAX = 15;
/** NVS moves entries to a page it keeps free. */
const PAGES_LEAST = 3;

export interface NvsBlob {
  /** 1 to 15 characters. */
  readonly namespace: string;
  readonly key: string;
  readonly value: Uint8Array;
}

/** CRC-32 (polynomial EDB88320, reflected) from `start`, which is inverted before and after. */
export function crc32(bytes: Uint8Array, start: number): number {
  let crc = ~start;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

const CRC_START = 0xffffffff;

function checkName(name: string): string {
  if (/^[\x21-\x7e]+$/.test(name) && name.length <= NAME_MAX) return name;
  throw new QstpError('storage_key', `"${name}" is no name for NVS: 1 to ${NAME_MAX} visible characters`);
}

/** Fills pages one after the other. */
class Writer {
  readonly image: Buffer;
  private readonly pages: number;
  private page = -1;
  private entry = ENTRIES;

  constructor(bytes: number) {
    this.pages = bytes / PAGE_BYTES;
    this.image = Buffer.alloc(bytes, 0xff);
  }

  /** Entries left in the current page. */
  get room(): number {
    return ENTRIES - this.entry;
  }

  private newPage(): void {
    if (this.page + 2 >= this.pages) {
      throw new QstpError('storage_full', `it does not fit a partition of ${this.image.length} bytes`);
    }
    if (this.page >= 0) this.image.writeUInt32LE(PageState.full, this.page * PAGE_BYTES);
    this.page++;
    this.entry = 0;
    const header = this.image.subarray(this.page * PAGE_BYTES, this.page * PAGE_BYTES + ENTRY_BYTES);
    header.writeUInt32LE(PageState.active, 0);
    header.writeUInt32LE(this.page, 4);
    header[8] = VERSION_2;
    header.writeUInt32LE(crc32(header.subarray(4, 28), CRC_START), 28);
  }

  /** Goes on to a new page if fewer than `entries` are left. */
  need(entries: number): void {
    if (this.room < entries) this.newPage();
  }

  /** An entry, with what follows it in entries of its own. */
  put(namespace: number, type: number, chunk: number, key: string, data: Buffer, rest: Uint8Array): void {
    const span = 1 + Math.ceil(rest.length / ENTRY_BYTES);
    this.need(span);
    const start = this.page * PAGE_BYTES;
    const at = start + ENTRIES_AT + this.entry * ENTRY_BYTES;
    const entry = this.image.subarray(at, at + ENTRY_BYTES);
    entry.set([namespace, type, span, chunk]);
    entry.fill(0, 8, 24);
    entry.write(key, 8, 'ascii');
    data.copy(entry, 24);
    const covered = Buffer.concat([entry.subarray(0, 4), entry.subarray(8)]);
    entry.writeUInt32LE(crc32(covered, CRC_START), 4);
    this.image.set(rest, at + ENTRY_BYTES);
    for (let i = this.entry; i < this.entry + span; i++) {
      const byte = start + STATES_AT + (i >> 2);
      const shift = (i & 3) * 2;
      this.image[byte] = (this.image[byte]! & ~(3 << shift)) | (WRITTEN << shift);
    }
    this.entry += span;
  }
}

/**
 * The image of a partition of `bytes`, a multiple of 4,096, with nothing in it but these. Throws `storage_full`,
 * `storage_key`.
 */
export function nvsImage(blobs: readonly NvsBlob[], bytes: number): Uint8Array {
  if (bytes % PAGE_BYTES !== 0 || bytes < PAGES_LEAST * PAGE_BYTES) {
    throw new QstpError(
      'storage_full',
      `an NVS partition has at least ${PAGES_LEAST} pages of ${PAGE_BYTES} bytes`,
    );
  }
  const writer = new Writer(bytes);
  const namespaces: string[] = [];
  const none = new Uint8Array(0);
  for (const { namespace, key, value } of blobs) {
    if (!namespaces.includes(checkName(namespace))) {
      namespaces.push(namespace);
      const index = Buffer.alloc(8, 0xff);
      index[0] = namespaces.length;
      writer.put(0, Type.u8, NO_CHUNK, namespace, index, none);
    }
    const number = namespaces.indexOf(namespace) + 1;
    checkName(key);
    let chunks = 0;
    for (let at = 0; at < value.length || chunks === 0; chunks++) {
      // A chunk of no bytes helps nobody: it begins where there is room for one entry of it.
      writer.need(2);
      const chunk = value.subarray(at, at + (writer.room - 1) * ENTRY_BYTES);
      const data = Buffer.alloc(8, 0xff);
      data.writeUInt16LE(chunk.length, 0);
      data.writeUInt32LE(crc32(chunk, CRC_START), 4);
      writer.put(number, Type.blobData, chunks, key, data, chunk);
      at += chunk.length;
    }
    const index = Buffer.alloc(8, 0xff);
    index.writeUInt32LE(value.length, 0);
    index[4] = chunks;
    index[5] = 0;
    writer.put(number, Type.blobIndex, NO_CHUNK, key, index, none);
  }
  return new Uint8Array(writer.image);
}
