// What mesh/1 is built of: its errors, its hash and its key derivation.

import { copy, wipe } from '../../bytes.ts';
import { BLAKE2S_WORDS, blake2sAbsorb, blake2sFinish, blake2sInit } from '../../crypto/micro/blake2s.ts';
import { putUtf8, utf8Bytes } from '../proto/utf8.ts';
import { putU64 } from '../u64.ts';
import type { U64 } from '../u64.ts';

/** The errors of the original that a peer or a store can cause. */
export type PqcError = 'InvalidInput' | 'VerifyFailed' | 'LimitExceeded' | 'IntegrationError';

/** Why something was refused, in the original's words. */
export interface PqcFailure {
  readonly error: PqcError;
  readonly message: string;
}

export const VERIFY_FAILED: PqcFailure = { error: 'VerifyFailed', message: 'verification failed' };

export function failure(error: PqcError, message: string): PqcFailure {
  return { error, message };
}

const PREFIXES: Readonly<Record<PqcError, string>> = {
  InvalidInput: 'invalid input: ',
  VerifyFailed: '',
  LimitExceeded: 'limit exceeded: ',
  IntegrationError: 'integration error: ',
};

/** A failure as the original prints it. */
export function failureText(why: PqcFailure): string {
  return PREFIXES[why.error] + why.message;
}

export function isFailure(value: object): value is PqcFailure {
  return 'error' in value;
}

/** BLAKE2s-256 over parts one after the other, without their lengths. */
export function blake2s(parts: readonly Uint8Array[]): Uint8Array {
  const state = new Int32Array(BLAKE2S_WORDS);
  const out = new Uint8Array(32);
  blake2sInit(state, 32, null);
  for (const part of parts) blake2sAbsorb(state, part, 0, part.length);
  blake2sFinish(state, out, 0);
  return out;
}

/** `length` bytes of H(label || i || secret || context), i = 1, 2, ... */
export function kdf(secret: Uint8Array, label: string, context: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  const name = utf8(label);
  for (let at = 0, i = 1; at < length; at += 32, i++) {
    const block = blake2s([name, new Uint8Array([i]), secret, context]);
    copy(out, at, block, 0, length - at < 32 ? length - at : 32);
    wipe(block);
  }
  return out;
}

export function utf8(text: string): Uint8Array {
  const out = new Uint8Array(utf8Bytes(text));
  putUtf8(out, 0, text);
  return out;
}

export function le64(value: Readonly<U64>): Uint8Array {
  const out = new Uint8Array(8);
  putU64(out, 0, value);
  return out;
}
