// The runtime of the original: a node that encapsulates to its own key. No key exchange takes place (docs/mesh.md).

import { concat } from '../../bytes.ts';
import { QstpError } from '../../error.ts';
import { getUtf8 } from '../proto/utf8.ts';
import { copyU64, u64, u64Less } from '../u64.ts';
import type { U64 } from '../u64.ts';
import { blake2s, le64 } from './parts.ts';
import type { Pqc1Record } from './pqc1.ts';

/** A KEM as the original's adapters are: it has its own random source. */
export interface LegacyKem {
  /** The level byte of PQC1. */
  readonly level: number;
  keygen(): { publicKey: Uint8Array; secretKey: Uint8Array };
  encapsulate(publicKey: Uint8Array): { ciphertext: Uint8Array; sharedSecret: Uint8Array };
  decapsulate(ciphertext: Uint8Array, secretKey: Uint8Array): Uint8Array;
}

export interface LegacySigner {
  readonly level: number;
  keygen(): { publicKey: Uint8Array; secretKey: Uint8Array };
  sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array;
  verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
}

export interface LegacyRuntime {
  /** Throws `invalid_input` for an empty request. The time is that of the record's making, milliseconds. */
  handshake(request: Uint8Array): { record: Pqc1Record; now: U64 };
}

const START_MS = 1700000000000;
const ROTATION_MS = 300000;
const THRESHOLD_T = 3;
const THRESHOLD_N = 5;

/** H(public key || created): ids of KEM keys and of signing keys. */
export function legacyKeyId(publicKey: Uint8Array, createdAt: Readonly<U64>): Uint8Array {
  return blake2s([publicKey, le64(createdAt)]);
}

function sum(value: Readonly<U64>, plus: number): U64 {
  const low = value.low + plus;
  return { low: low >>> 0, high: (value.high + (low > 4294967295 ? 1 : 0)) >>> 0 };
}

/** The number behind the first `ts=` of a request `a=b&ts=1`, if it is a u64 in decimal. */
function hintOf(request: Uint8Array): U64 | null {
  const text = getUtf8(request, 0, request.length);
  for (const part of text === null ? [] : text.split('&')) {
    if (part.slice(0, 3) !== 'ts=') continue;
    const digits = part.slice(3);
    if (!/^\+?[0-9]+$/.test(digits)) continue;
    const value = parse(digits);
    if (value !== null) return value;
  }
  return null;
}

function parse(digits: string): U64 | null {
  const value = { low: 0, high: 0 };
  for (let i = digits[0] === '+' ? 1 : 0; i < digits.length; i++) {
    const low = value.low * 10 + digits.charCodeAt(i) - 48;
    const high = value.high * 10 + Math.floor(low / 4294967296);
    if (high > 4294967295) return null;
    value.low = low % 4294967296;
    value.high = high;
  }
  return value;
}

/** A runtime in its initial state. */
export function createLegacyRuntime(kem: LegacyKem, signer: LegacySigner): LegacyRuntime {
  const clock = u64(START_MS);
  const signing = signer.keygen();
  const signingKeyId = legacyKeyId(signing.publicKey, clock);
  let key = { pair: kem.keygen(), created: u64(START_MS) };
  return {
    handshake(request) {
      if (request.length === 0) throw new QstpError('invalid_input', 'handshake request is empty');
      const hint = hintOf(request);
      copyU64(clock, hint !== null && u64Less(clock, hint) ? hint : sum(clock, 1));
      if (!u64Less(clock, sum(key.created, ROTATION_MS)))
        key = { pair: kem.keygen(), created: sum(clock, 0) };
      const { publicKey } = key.pair;
      const { ciphertext, sharedSecret } = kem.encapsulate(publicKey);
      const record: Pqc1Record = {
        kemLevel: kem.level,
        dsaLevel: signer.level,
        thresholdT: THRESHOLD_T,
        thresholdN: THRESHOLD_N,
        kemKeyId: legacyKeyId(publicKey, key.created),
        signingKeyId,
        kemCreatedAt: key.created,
        kemExpiresAt: sum(key.created, ROTATION_MS),
        ciphertext,
        sharedSecret,
        signature: signer.sign(concat([ciphertext, sharedSecret, request]), signing.secretKey),
        kemPublicKey: publicKey,
        dsaPublicKey: signing.publicKey,
      };
      return { record, now: sum(clock, 0) };
    },
  };
}
