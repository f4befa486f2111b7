// What the known-answer runner tests: an interface, so that it can be pointed at a built bundle's exports.

import type { Provider } from '../crypto/provider.ts';

export interface HashApi {
  sha3_256(data: Uint8Array): Uint8Array;
  shake(rate: number, data: Uint8Array, length: number): Uint8Array;
  cshake(rate: number, data: Uint8Array, name: Uint8Array, custom: Uint8Array, length: number): Uint8Array;
  kmac(rate: number, key: Uint8Array, message: Uint8Array, custom: Uint8Array, length: number): Uint8Array;
  kmacReference(
    rate: number,
    key: Uint8Array,
    message: Uint8Array,
    custom: Uint8Array,
    length: number,
  ): Uint8Array;
}

export interface RcsApi {
  readonly RCS256_WORDS: number;
  readonly RCS512_WORDS: number;
  rcsInit(r: Int32Array, key: Uint8Array, nonce: Uint8Array, info: Uint8Array): void;
  rcsSeal(
    r: Int32Array,
    aad: Uint8Array,
    aadLength: number,
    data: Uint8Array,
    at: number,
    length: number,
  ): void;
  rcsOpen(
    r: Int32Array,
    aad: Uint8Array,
    aadLength: number,
    data: Uint8Array,
    at: number,
    length: number,
    scratch: Uint8Array,
  ): boolean;
  rcsCounter(r: Int32Array, out: Uint8Array): void;
}

/** The parts under test. A kind whose part a build does not have fails: it is never skipped. */
export interface KatApi {
  readonly hash?: HashApi;
  readonly rcs?: RcsApi;
  readonly provider?: Provider;
}

/** Told of each check: `failure` is null if it passed, otherwise one line that says what is wrong. */
export type Report = (check: string, failure: string | null) => void;

/** Runs one check. A check returns null if all is well; what it throws is its failure. */
export function check(report: Report, name: string, run: () => string | null): void {
  let failure: string | null;
  try {
    failure = run();
  } catch (error) {
    failure = error instanceof Error ? error.message : 'threw something that is not an error';
  }
  report(name, failure);
}
