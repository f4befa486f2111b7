// Metadata of a tunnel of mesh/2 in the store: a row under a pointer that both ends derive, sealed anew each time.
//
//   2 | tunnel id[16] | initiator's id[32] | responder's id[32] | route hash[32] | class | route epoch u64
//     | decision u32 | established u64
//
// The associated data name the pointer and the version: a row in another's place, or an old one, does not pass.

import { ascii, concat, copy, copyOf, equalAt, getU32, putU32, wipe } from '../bytes.ts';
import {
  AES_GCM_TAG_BYTES,
  AES_GCM_WORDS,
  aesGcmInit,
  aesGcmOpen,
  aesGcmSeal,
} from '../crypto/micro/aes-gcm.ts';
import type { Random } from '../crypto/provider.ts';
import { MeshFlag, MeshWord, refuse, wordsOut } from './node.ts';
import type { Mesh, MeshSlot } from './node.ts';
import { Refusal, refusal } from './reject.ts';
import type { MeshReject } from './reject.ts';
import { TUPLE_NONCE } from './params.ts';
import type { MeshPeerId, MeshQosClass, TunnelId, TupleChainStore, TupleRecord } from './types.ts';
import { getU64, putU64 } from './u64.ts';
import type { U64 } from './u64.ts';

const W = MeshWord;
const PLAIN_BYTES = 134;
const LABEL = 'mesh/2 tuple';

export interface TupleMetadata {
  /** Of the row, from 1 on. */
  readonly version: number;
  readonly tunnelId: TunnelId;
  readonly initiator: MeshPeerId;
  readonly responder: MeshPeerId;
  readonly routeHash: Uint8Array;
  readonly qos: MeshQosClass;
  readonly routeEpoch: U64;
  /** Number of the decision that chose the route. */
  readonly decision: number;
  /** Milliseconds since 1970; 0 if that was not known. */
  readonly establishedAt: U64;
}

function bytesOf(words: Int32Array, from: number, count: number): Uint8Array {
  const out = new Uint8Array(4 * count);
  wordsOut(words, from, count, out, 0);
  return out;
}

function plainOf(mesh: Mesh, words: Int32Array): Uint8Array {
  const out = new Uint8Array(PLAIN_BYTES);
  const route = mesh.routes.entries[words[W.route]!]!;
  const initiator = (words[W.flags]! & MeshFlag.initiator) !== 0;
  out[0] = 2;
  wordsOut(words, W.tunnelId, 4, out, 1);
  wordsOut(words, initiator ? W.selfId : W.peerId, 8, out, 17);
  wordsOut(words, initiator ? W.peerId : W.selfId, 8, out, 49);
  copy(out, 81, route.hash, 0, 32);
  out[113] = route.plan.qos;
  putU64(out, 114, route.plan.epoch);
  putU32(out, 122, words[W.decision]!);
  putU32(out, 126, words[W.establishedLow]!);
  putU32(out, 130, words[W.establishedHigh]!);
  return out;
}

function aadOf(words: Int32Array, version: number): Uint8Array {
  const number = new Uint8Array(4);
  putU32(number, 0, version);
  return concat([ascii(LABEL), bytesOf(words, W.tuplePointer, 4), number]);
}

/** Keyed with the tunnel's tuple key. */
function stateOf(words: Int32Array): Int32Array {
  const state = new Int32Array(AES_GCM_WORDS);
  const key = bytesOf(words, W.tupleKey, 8);
  aesGcmInit(state, key);
  wipe(key);
  return state;
}

export function putTuple(
  mesh: Mesh,
  slot: MeshSlot,
  store: TupleChainStore,
  random: Random,
  done: (why: MeshReject | null) => void,
): void {
  const { words } = slot;
  const version = words[W.tupleVersion]! + 1;
  const nonce = new Uint8Array(TUPLE_NONCE);
  random(nonce);
  const ciphertext = new Uint8Array(PLAIN_BYTES + AES_GCM_TAG_BYTES);
  ciphertext.set(plainOf(mesh, words));
  const aad = aadOf(words, version);
  const state = stateOf(words);
  aesGcmSeal(state, nonce, aad, aad.length, ciphertext, 0, PLAIN_BYTES);
  wipe(state);
  store.put({ version, nonce, ciphertext }, bytesOf(words, W.tuplePointer, 4), (outcome) => {
    if (outcome !== 'stored') {
      done(refusal(refuse(mesh, outcome === 'stale' ? Refusal.tupleRollback : Refusal.tupleStore)));
      return;
    }
    if (version > words[W.tupleVersion]!) words[W.tupleVersion] = version;
    words[W.flags]! |= MeshFlag.owesTuple;
    done(null);
  });
}

export function fetchTuple(
  mesh: Mesh,
  slot: MeshSlot,
  store: TupleChainStore,
  done: (found: TupleMetadata | MeshReject) => void,
): void {
  const { words } = slot;
  store.fetch(bytesOf(words, W.tuplePointer, 4), (outcome, record) => {
    if (outcome === 'failed') done(refusal(refuse(mesh, Refusal.tupleStore)));
    else if (record === null) done(refusal(refuse(mesh, Refusal.tupleMissing)));
    else {
      const found = openTuple(words, record);
      done(typeof found === 'number' ? refusal(refuse(mesh, found)) : found);
    }
  });
}

function openTuple(words: Int32Array, record: TupleRecord): TupleMetadata | number {
  const { version, nonce } = record;
  const data = copyOf(record.ciphertext);
  if (version < words[W.tupleVersion]!) return Refusal.tupleRollback;
  if (data.length !== PLAIN_BYTES + AES_GCM_TAG_BYTES || nonce.length !== TUPLE_NONCE)
    return Refusal.tupleUnauthentic;
  const aad = aadOf(words, version);
  const state = stateOf(words);
  const scratch = new Uint8Array(AES_GCM_TAG_BYTES);
  const good = aesGcmOpen(state, nonce, aad, aad.length, data, 0, PLAIN_BYTES, scratch);
  wipe(state);
  const own = bytesOf(words, W.tunnelId, 4);
  if (!good || data[0] !== 2 || !equalAt(data, 1, own, 0, 16)) return Refusal.tupleUnauthentic;
  words[W.tupleVersion] = version;
  const routeEpoch = { low: 0, high: 0 };
  const establishedAt = { low: 0, high: 0 };
  getU64(data, 114, routeEpoch);
  getU64(data, 126, establishedAt);
  return {
    version,
    tunnelId: own,
    initiator: copyOf(data, 17, 49),
    responder: copyOf(data, 49, 81),
    routeHash: copyOf(data, 81, 113),
    qos: data[113] as MeshQosClass,
    routeEpoch,
    decision: getU32(data, 122),
    establishedAt,
  };
}
