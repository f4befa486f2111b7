// Little-endian integers, fixed-time comparison, wiping, hex and ASCII over byte arrays.
// 64-bit numbers are two 32-bit halves; times in seconds are doubles, exact below 2^53.

const TWO_32 = 4294967296;

export function getU16(b: Uint8Array, at: number): number {
  return b[at]! | (b[at + 1]! << 8);
}

export function putU16(b: Uint8Array, at: number, value: number): void {
  b[at] = value;
  b[at + 1] = value >>> 8;
}

/** The 32 bits at `at` as a signed integer: equal bits, cheaper than {@link getU32}. */
export function getI32(b: Uint8Array, at: number): number {
  return b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24);
}

export function getU32(b: Uint8Array, at: number): number {
  return getI32(b, at) >>> 0;
}

export function putU32(b: Uint8Array, at: number, value: number): void {
  b[at] = value;
  b[at + 1] = value >>> 8;
  b[at + 2] = value >>> 16;
  b[at + 3] = value >>> 24;
}

/** A u64 as a double. Values over 2^53 lose low bits: use it for times, never for sequences. */
export function getTime(b: Uint8Array, at: number): number {
  return getU32(b, at + 4) * TWO_32 + getU32(b, at);
}

/** Writes a whole number of seconds, 0 to 2^53, as u64. */
export function putTime(b: Uint8Array, at: number, seconds: number): void {
  putU32(b, at, (seconds % TWO_32) | 0);
  putU32(b, at + 4, (seconds / TWO_32) | 0);
}

/** Copies `length` bytes. The ranges must not overlap within one array. */
export function copy(to: Uint8Array, toAt: number, from: Uint8Array, fromAt: number, length: number): void {
  for (let i = 0; i < length; i++) to[toAt + i] = from[fromAt + i]!;
}

/**
 * A copy of `b[from .. end)`. The slice of a typed array is a view where it is a Node Buffer, a plain array on
 * Espruino, and not there on engines of ES5 age.
 */
export function copyOf(b: Uint8Array, from = 0, end: number = b.length): Uint8Array {
  const out = new Uint8Array(end - from);
  copy(out, 0, b, from, end - from);
  return out;
}

/** A view of `b[from .. end)`: bytes and words alike. In bundles the call is shorter than the method's name. */
export function part<T extends Uint8Array | Int32Array>(b: T, from: number, end?: number): T {
  return b.subarray(from, end) as T;
}

/** Compares in a time that depends on the lengths only. Arrays of different lengths are unequal. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  return equalAt(a, 0, b, 0, a.length);
}

/** {@link equal} over two ranges of `length` bytes. */
export function equalAt(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, length: number): boolean {
  let difference = 0;
  for (let i = 0; i < length; i++) difference |= a[aAt + i]! ^ b[bAt + i]!;
  return difference === 0;
}

/** Overwrites a secret with zeros. */
export function wipe(secret: Uint8Array | Int32Array): void {
  // Engines of ES5 age lack it; where it is there, it costs a hundredth of the loop's steps.
  if ((secret as { fill?: unknown }).fill !== undefined) secret.fill(0);
  else for (let i = 0; i < secret.length; i++) secret[i] = 0;
}

export function isZero(b: Uint8Array): boolean {
  let any = 0;
  for (let i = 0; i < b.length; i++) any |= b[i]!;
  return any === 0;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** ASCII text as bytes; with `length`, zero padded or cut to it. */
export function ascii(text: string, length: number = text.length): Uint8Array {
  const out = new Uint8Array(length);
  for (let i = 0; i < length && i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

/** Bytes up to the first zero as a string, one character a byte. */
export function fromAscii(b: Uint8Array): string {
  let text = '';
  for (let i = 0; i < b.length && b[i] !== 0; i++) text += String.fromCharCode(b[i]!);
  return text;
}

export function toHex(b: Uint8Array): string {
  let text = '';
  for (let i = 0; i < b.length; i++) text += (b[i]! < 16 ? '0' : '') + b[i]!.toString(16);
  return text;
}

/** The bytes of a hexadecimal string of either case, or null if it is none. */
export function fromHex(text: string): Uint8Array | null {
  if (text.length % 2 !== 0 || /[^0-9a-fA-F]/.test(text)) return null;
  const out = new Uint8Array(text.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return out;
}
