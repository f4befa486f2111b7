// Reads an image of an NVS partition, written from Espressif's description of the format and not from nvs.ts: it
// checks every checksum and state, and refuses what it does not know.

import { crc32 } from 'node:zlib';

/** CRC-32 of zlib, begun as the description says: with all ones for a start. */
function crc(bytes: Uint8Array): number {
  return crc32(bytes, 0xffffffff) >>> 0;
}

function fail(why: string): never {
  throw new Error(`NVS: ${why}`);
}

interface Item {
  namespace: number;
  type: number;
  chunk: number;
  key: string;
  data: DataView;
  body: Uint8Array;
}

function readEntry(page: Uint8Array, index: number): { item: Item; span: number } {
  const at = 64 + 32 * index;
  const entry = page.slice(at, at + 32);
  const view = new DataView(entry.buffer);
  const span = entry[2]!;
  if (span < 1 || index + span > 126) fail(`entry ${index} spans ${span}`);
  const covered = new Uint8Array([...entry.slice(0, 4), ...entry.slice(8)]);
  if (view.getUint32(4, true) !== crc(covered)) fail(`entry ${index}: bad checksum`);
  const end = entry.indexOf(0, 8);
  if (end < 0 || end > 23) fail(`entry ${index}: its key has no end`);
  return {
    span,
    item: {
      namespace: entry[0]!,
      type: entry[1]!,
      chunk: entry[3]!,
      key: String.fromCharCode(...entry.slice(8, end)),
      data: new DataView(entry.buffer, 24, 8),
      body: page.slice(at + 32, at + 32 * span),
    },
  };
}

function readPage(page: Uint8Array, number: number): Item[] {
  const view = new DataView(page.buffer, page.byteOffset, page.length);
  if (view.getUint32(4, true) !== number) fail(`page ${number} has another number`);
  if (page[8] !== 0xfe) fail(`page ${number} is not of version 2`);
  if (page.subarray(9, 28).some((b) => b !== 0xff))
    fail(`page ${number}: its header has more than it should`);
  if (view.getUint32(28, true) !== crc(page.subarray(4, 28))) fail(`page ${number}: bad checksum`);
  const state = (i: number): number => (page[32 + (i >> 2)]! >> (2 * (i & 3))) & 3;
  const items: Item[] = [];
  let i = 0;
  while (i < 126 && state(i) === 2) {
    const { item, span } = readEntry(page, i);
    for (let j = i; j < i + span; j++)
      if (state(j) !== 2) fail(`entry ${j} of page ${number} is not written`);
    items.push(item);
    i += span;
  }
  for (; i < 128; i++) if (state(i) !== 3) fail(`entry ${i} of page ${number} is not empty`);
  return items;
}

/** All blobs, by `namespace/key`. */
export function readNvs(image: Uint8Array): Record<string, Uint8Array> {
  if (image.length % 4096 !== 0) fail('no whole number of pages');
  const items: Item[] = [];
  const pages = image.length / 4096;
  let used = 0;
  for (; used < pages; used++) {
    const page = image.slice(4096 * used, 4096 * (used + 1));
    const state = new DataView(page.buffer).getUint32(0, true);
    if (state === 0xffffffff) break;
    const next = image[4096 * (used + 1)];
    if (state !== (next === undefined || next === 0xff ? 0xfffffffe : 0xfffffffc))
      fail(`state of page ${used}`);
    items.push(...readPage(page, used));
  }
  if (used === pages) fail('no page is free');
  if (image.subarray(4096 * used).some((b) => b !== 0xff)) fail('a free page is not empty');

  const names: Record<number, string> = {};
  for (const item of items) {
    if (item.namespace !== 0) continue;
    if (item.type !== 1 || item.chunk !== 0xff) fail(`namespace ${item.key} is of type ${item.type}`);
    names[item.data.getUint8(0)] = item.key;
  }
  const blobs: Record<string, Uint8Array> = {};
  for (const index of items.filter((item) => item.namespace !== 0 && item.type === 0x48)) {
    const namespace = names[index.namespace] ?? fail(`there is no namespace ${index.namespace}`);
    const value: number[] = [];
    for (let i = 0; i < index.data.getUint8(4); i++) {
      const chunk = items.find(
        (item) =>
          item.type === 0x42 &&
          item.namespace === index.namespace &&
          item.key === index.key &&
          item.chunk === index.data.getUint8(5) + i,
      );
      if (chunk === undefined) fail(`${index.key}: chunk ${i} is missing`);
      const bytes = chunk.body.subarray(0, chunk.data.getUint16(0, true));
      if (chunk.data.getUint32(4, true) !== crc(bytes)) fail(`${index.key}: bad checksum of its data`);
      if (chunk.body.subarray(bytes.length).some((b) => b !== 0xff)) fail(`${index.key}: something follows`);
      value.push(...bytes);
    }
    if (value.length !== index.data.getUint32(0, true)) fail(`${index.key}: ${value.length} bytes`);
    const name = `${namespace}/${index.key}`;
    if (name in blobs) fail(`${name} is there twice`);
    blobs[name] = new Uint8Array(value);
  }
  const known = items.filter((item) => item.namespace === 0 || item.type === 0x48 || item.type === 0x42);
  if (known.length !== items.length) fail('there are values of other types');
  return blobs;
}
