// Loads a known-answer file; the tests run from the project's root.
import { readFileSync } from 'node:fs';

export function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(`test/vectors/${name}`, 'utf8')) as T;
}

export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}
