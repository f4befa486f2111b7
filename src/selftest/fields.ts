// Reads parsed known-answer files: every field by name, with an error that says where it is missing or wrong.

import { fromHex, toHex } from '../bytes.ts';

/** A part of a file and where it stands, such as `kem.encaps[2]`. */
export interface Entry {
  readonly path: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** What is wrong with a file itself, as opposed to an answer that differs. */
export class FormatError extends Error {}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function pathOf(entry: Entry, name: string): string {
  return entry.path === '' ? name : `${entry.path}.${name}`;
}

function wrong(entry: Entry, name: string, wanted: string): FormatError {
  const value = entry.value[name];
  return new FormatError(`${pathOf(entry, name)} ${value === undefined ? 'is missing' : `is not ${wanted}`}`);
}

export function rootEntry(file: unknown): Entry {
  if (!isObject(file)) throw new FormatError('the file is not a JSON object');
  return { path: '', value: file };
}

export function has(entry: Entry, name: string): boolean {
  return entry.value[name] !== undefined;
}

export function object(entry: Entry, name: string): Entry {
  const value = entry.value[name];
  if (!isObject(value)) throw wrong(entry, name, 'an object');
  return { path: pathOf(entry, name), value };
}

/** The entries of a list of objects. */
export function list(entry: Entry, name: string): Entry[] {
  const value = entry.value[name];
  if (!Array.isArray(value)) throw wrong(entry, name, 'a list');
  return value.map((item: unknown, i) => {
    const path = `${pathOf(entry, name)}[${i}]`;
    if (!isObject(item)) throw new FormatError(`${path} is not an object`);
    return { path, value: item };
  });
}

/** The one hexadecimal string of a list of one: the draws of a random source. */
export function onlyDraw(entry: Entry, name: string, length: number): Uint8Array {
  const value = entry.value[name];
  if (!Array.isArray(value) || value.length !== 1) throw wrong(entry, name, 'a list of one string');
  return hex({ path: pathOf(entry, name), value: { 0: value[0] as unknown } }, '0', length);
}

/** Bytes from hexadecimal; `length` in bytes, if it is fixed. */
export function hex(entry: Entry, name: string, length = -1): Uint8Array {
  const value = entry.value[name];
  const bytes = typeof value === 'string' ? fromHex(value) : null;
  if (bytes === null) throw wrong(entry, name, 'a hexadecimal string');
  if (length >= 0 && bytes.length !== length) {
    throw new FormatError(`${pathOf(entry, name)} has ${bytes.length} bytes, not ${length}`);
  }
  return bytes;
}

export function text(entry: Entry, name: string): string {
  const value = entry.value[name];
  if (typeof value !== 'string') throw wrong(entry, name, 'a string');
  return value;
}

export function integer(entry: Entry, name: string): number {
  const value = entry.value[name];
  if (
    typeof value !== 'number' ||
    !(value >= 0 && value <= 9007199254740991 && Math.floor(value) === value)
  ) {
    throw wrong(entry, name, 'a whole number');
  }
  return value;
}

/** A whole number of either sign. */
export function signed(entry: Entry, name: string): number {
  const value = real(entry, name);
  if (!(Math.abs(value) <= 9007199254740991 && Math.floor(value) === value)) {
    throw wrong(entry, name, 'a whole number');
  }
  return value;
}

export function real(entry: Entry, name: string): number {
  const value = entry.value[name];
  if (typeof value !== 'number') throw wrong(entry, name, 'a number');
  return value;
}

/** A list of strings, at least one. */
export function texts(entry: Entry, name: string): string[] {
  const value = entry.value[name];
  if (!Array.isArray(value) || value.length === 0) throw wrong(entry, name, 'a list');
  return value.map((item: unknown) => {
    if (typeof item !== 'string') throw wrong(entry, name, 'a list of strings');
    return item;
  });
}

export function truth(entry: Entry, name: string): boolean {
  const value = entry.value[name];
  if (typeof value !== 'boolean') throw wrong(entry, name, 'true or false');
  return value;
}

/** Null if equal, otherwise where the first difference is. */
export function difference(got: Uint8Array, wanted: Uint8Array): string | null {
  const length = Math.min(got.length, wanted.length);
  let at = 0;
  while (at < length && got[at] === wanted[at]) at++;
  if (at === got.length && at === wanted.length) return null;
  if (got.length !== wanted.length) return `${got.length} bytes instead of ${wanted.length}`;
  const end = at + 8;
  return `byte ${at}: ${toHex(got.subarray(at, end))} instead of ${toHex(wanted.subarray(at, end))}`;
}
