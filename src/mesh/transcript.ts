// Hashes of the handshake, and the fields of its messages. Every hash has its label; every part its length.

import { getU16, putU16, putU32, wipe } from '../bytes.ts';
import { BLAKE2S_WORDS, blake2sAbsorb, blake2sFinish, blake2sInit } from '../crypto/micro/blake2s.ts';
import { HANDSHAKE_DATA_MAX, HOPS_MAX, TOPIC_BYTES_MAX } from './params.ts';
import { getUtf8 } from './proto/utf8.ts';
import { PEER_ID_BYTES } from './types.ts';
import type { MeshQosClass, MeshRoutePlan } from './types.ts';
import { getU64, putU64 } from './u64.ts';
import type { U64 } from './u64.ts';
import { putRoute, routeBytes } from './routes.ts';

/** BLAKE2s-256 over the label and the parts, each with its length as u32; with a key, its MAC. 32 bytes. */
export function meshHash(
  label: string,
  parts: readonly Uint8Array[],
  key: Uint8Array | null = null,
): Uint8Array {
  const state = new Int32Array(BLAKE2S_WORDS);
  const out = new Uint8Array(32);
  const length = new Uint8Array(4);
  const name = new Uint8Array(label.length);
  for (let i = 0; i < label.length; i++) name[i] = label.charCodeAt(i);
  blake2sInit(state, 32, key);
  for (let i = -1; i < parts.length; i++) {
    const part = i < 0 ? name : parts[i]!;
    putU32(length, 0, part.length);
    blake2sAbsorb(state, length, 0, 4);
    blake2sAbsorb(state, part, 0, part.length);
  }
  blake2sFinish(state, out, 0);
  return out;
}

/** Writes the fields of a message one after the other. */
export class FieldWriter {
  readonly bytes: Uint8Array;
  at = 0;
  constructor(room: number) {
    this.bytes = new Uint8Array(room);
  }
  byte(value: number): void {
    this.bytes[this.at++] = value;
  }
  /** Of a length that both ends know. */
  fixed(part: Uint8Array): void {
    this.bytes.set(part, this.at);
    this.at += part.length;
  }
  /** u16 length, bytes. */
  part(part: Uint8Array): void {
    putU16(this.bytes, this.at, part.length);
    this.at += 2;
    this.fixed(part);
  }
  number(value: Readonly<U64>): void {
    putU64(this.bytes, this.at, value);
    this.at += 8;
  }
  route(plan: MeshRoutePlan): void {
    this.at = putRoute(this.bytes, this.at, plan);
  }
  /** What has been written. */
  done(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }
}

export function roomFor(plan: MeshRoutePlan | null, parts: readonly number[]): number {
  let room = plan === null ? 0 : routeBytes(plan);
  for (const part of parts) room += 2 + part;
  return room;
}

/** Reads the fields of a message. What is not there reads as nothing, and `good` is false from then on. */
export class FieldReader {
  private readonly bytes: Uint8Array;
  private readonly end: number;
  at: number;
  good = true;
  constructor(bytes: Uint8Array, at: number, length: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = at + length;
  }
  private take(length: number): number {
    const from = this.at;
    if (!this.good || from + length > this.end) {
      this.good = false;
      return -1;
    }
    this.at = from + length;
    return from;
  }
  byte(): number {
    const from = this.take(1);
    return from < 0 ? 0 : this.bytes[from]!;
  }
  fixed(length: number): Uint8Array {
    const from = this.take(length);
    return from < 0 ? new Uint8Array(length) : this.bytes.subarray(from, from + length);
  }
  /** At most `most` bytes. */
  part(most: number): Uint8Array {
    const from = this.take(2);
    const length = from < 0 ? 0 : getU16(this.bytes, from);
    if (length > most) this.good = false;
    return this.fixed(this.good ? length : 0);
  }
  /** Of exactly `length` bytes. */
  sized(length: number): Uint8Array {
    const part = this.part(length);
    if (part.length !== length) this.good = false;
    return part;
  }
  number(): U64 {
    const out = { low: 0, high: 0 };
    const from = this.take(8);
    if (from >= 0) getU64(this.bytes, from, out);
    return out;
  }
  data(): Uint8Array {
    return this.part(HANDSHAKE_DATA_MAX);
  }
  route(): MeshRoutePlan {
    const text = this.part(TOPIC_BYTES_MAX);
    const topic = getUtf8(text, 0, text.length);
    const qos = this.byte();
    const epoch = this.number();
    const from = this.take(2);
    const count = from < 0 ? 0 : getU16(this.bytes, from);
    const hops: Uint8Array[] = [];
    if (topic === null || topic === '' || qos < 1 || qos > 3 || count > HOPS_MAX) this.good = false;
    for (let i = 0; this.good && i < count; i++) hops.push(this.fixed(PEER_ID_BYTES).slice());
    return { topic: topic ?? '', hops, qos: qos as MeshQosClass, epoch };
  }
  /** True if all was there, and nothing is left. */
  ended(): boolean {
    return this.good && this.at === this.end;
  }
}

export function wipeAll(secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) wipe(secret);
}
