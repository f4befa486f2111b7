// Tuple metadata of mesh/1: what a tunnel puts into the store about itself. One record a tunnel is all its nonce is
// good for.
//
//   0 tunnel id[16] | 16 KEM key id[32] | 48 signing key id[32] | 80 t | 81 n | 82 route hash[32] | 114 class
//   115 route epoch u64 | 123 established u64

import { concat, copyOf, wipe } from '../../bytes.ts';
import {
  AES_GCM_TAG_BYTES,
  AES_GCM_WORDS,
  aesGcmInit,
  aesGcmOpen,
  aesGcmSeal,
} from '../../crypto/micro/aes-gcm.ts';
import type { MeshQosClass, TunnelId, TupleRecord } from '../types.ts';
import { getU64 } from '../u64.ts';
import type { U64 } from '../u64.ts';
import { failure, kdf, le64, VERIFY_FAILED } from './parts.ts';
import type { PqcFailure } from './parts.ts';

const PLAIN_BYTES = 131;

export interface Threshold {
  readonly t: number;
  readonly n: number;
}

export interface LegacyTupleMetadata {
  readonly tunnelId: TunnelId;
  readonly kemKeyId: Uint8Array;
  readonly signingKeyId: Uint8Array;
  readonly threshold: Threshold;
  readonly routeHash: Uint8Array;
  readonly qos: MeshQosClass;
  readonly routeEpoch: Readonly<U64>;
  /** Milliseconds since 1970. */
  readonly establishedAt: Readonly<U64>;
}

export function encodeLegacyTuple(m: LegacyTupleMetadata): Uint8Array {
  return concat([
    m.tunnelId,
    m.kemKeyId,
    m.signingKeyId,
    new Uint8Array([m.threshold.t, m.threshold.n]),
    m.routeHash,
    new Uint8Array([m.qos]),
    le64(m.routeEpoch),
    le64(m.establishedAt),
  ]);
}

export function decodeLegacyTuple(b: Uint8Array): LegacyTupleMetadata | PqcFailure {
  if (b.length < PLAIN_BYTES) return failure('InvalidInput', 'tuple metadata truncated');
  const qos = b[114]!;
  if (qos < 1 || qos > 3) return failure('InvalidInput', 'unknown qos class');
  const routeEpoch = { low: 0, high: 0 };
  const establishedAt = { low: 0, high: 0 };
  getU64(b, 115, routeEpoch);
  getU64(b, 123, establishedAt);
  return {
    tunnelId: copyOf(b, 0, 16),
    kemKeyId: copyOf(b, 16, 48),
    signingKeyId: copyOf(b, 48, 80),
    threshold: { t: b[80]!, n: b[81]! },
    routeHash: copyOf(b, 82, 114),
    qos: qos as MeshQosClass,
    routeEpoch,
    establishedAt,
  };
}

/** AES-256-GCM in one go. */
export function gcmSeal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array): Uint8Array {
  const state = new Int32Array(AES_GCM_WORDS);
  const out = new Uint8Array(plain.length + AES_GCM_TAG_BYTES);
  out.set(plain);
  aesGcmInit(state, key);
  aesGcmSeal(state, nonce, aad, aad.length, out, 0, plain.length);
  wipe(state);
  return out;
}

/** The plaintext, or null. */
export function gcmOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | null {
  const length = sealed.length - AES_GCM_TAG_BYTES;
  if (length < 0 || nonce.length !== 12) return null;
  const state = new Int32Array(AES_GCM_WORDS);
  const data = copyOf(sealed);
  aesGcmInit(state, key);
  const good = aesGcmOpen(state, nonce, aad, aad.length, data, 0, length, new Uint8Array(AES_GCM_TAG_BYTES));
  wipe(state);
  return good ? copyOf(data, 0, length) : null;
}

export function sealLegacyTuple(tupleKey: Uint8Array, metadata: LegacyTupleMetadata): TupleRecord {
  const nonce = kdf(tupleKey, 'tuple-nonce', new Uint8Array(0), 12);
  return {
    version: 0,
    nonce,
    ciphertext: gcmSeal(tupleKey, nonce, new Uint8Array(0), encodeLegacyTuple(metadata)),
  };
}

export function openLegacyTuple(tupleKey: Uint8Array, record: TupleRecord): LegacyTupleMetadata | PqcFailure {
  const plain = gcmOpen(tupleKey, record.nonce, new Uint8Array(0), record.ciphertext);
  return plain === null ? VERIFY_FAILED : decodeLegacyTuple(plain);
}
