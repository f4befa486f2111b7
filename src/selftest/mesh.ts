// What the checkers of mesh/1 share: the algorithms of a vector, and fields that are too long to be written out.

import { toHex } from '../bytes.ts';
import { decapsulate, encapsulate, keygen, sign } from '../crypto/provider.ts';
import type { Provider } from '../crypto/provider.ts';
import type { LegacyKem, LegacySigner, Mesh1 } from '../mesh/v1/index.ts';
import { MeshQos } from '../mesh/types.ts';
import type { MeshQosClass, MeshRoutePlan } from '../mesh/types.ts';
import { u64 } from '../mesh/u64.ts';
import { createDemoKem, createDemoSigner } from './demo-adapters.ts';
import { difference, FormatError, has, hex, integer, object, text } from './fields.ts';
import type { Entry } from './fields.ts';

export interface MeshParts {
  readonly mesh: Mesh1;
  readonly provider: Provider;
}

export interface Algorithms {
  readonly kem: LegacyKem;
  readonly signer: LegacySigner;
}

/** Bytes `first`, `first` + 1, ... */
export function counted(first: number, length: number): Uint8Array {
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i++) out[i] = first + i;
  return out;
}

export const KEM_SEED = 0x01;
export const CLIENT_SEED = 0x41;
export const SERVER_SEED = 0x61;
const COINS = 0x81;

/** ML-KEM-768 and ML-DSA-65 with the seeds of the vectors; `signingSeeds`: of the keys in their order. */
export function realAlgorithms(provider: Provider, signingSeeds: readonly number[]): Algorithms {
  const { kem, signer } = provider.suite(2);
  let keys = 0;
  return {
    kem: {
      level: 2,
      keygen: () => keygen(kem, counted(KEM_SEED, 64)),
      encapsulate: (publicKey) => encapsulate(kem, publicKey, counted(COINS, 32))!,
      decapsulate: (ciphertext, secretKey) => decapsulate(kem, ciphertext, secretKey)!,
    },
    signer: {
      level: 2,
      keygen: () => keygen(signer, counted(signingSeeds[keys++]!, 32)),
      sign: (message, secretKey) => sign(signer, message, secretKey, new Uint8Array(32)),
      verify: (signature, message, publicKey) => signer.verify(signature, message, publicKey),
    },
  };
}

/** Those a vector was made with: real ciphertexts are too long to be written out. */
export function algorithmsOf(
  vector: Entry,
  { mesh, provider }: MeshParts,
  seeds: readonly number[],
): Algorithms {
  if (typeof vector.value['kem_ciphertext'] !== 'string') return realAlgorithms(provider, seeds);
  return { kem: createDemoKem(mesh.blake2s, 2), signer: createDemoSigner(mesh.blake2s, 2) };
}

/** Compares with a hexadecimal field, or with the length and the hash in its place. */
export function compare(mesh: Mesh1, entry: Entry, name: string, got: Uint8Array): string | null {
  let found: string | null;
  if (typeof entry.value[name] === 'string') {
    found = difference(got, hex(entry, name));
  } else {
    const { length } = got;
    const digest = object(entry, name);
    found =
      length === integer(digest, 'len')
        ? difference(mesh.blake2s([got]), hex(digest, 'blake2s', 32))
        : length + ' bytes instead of ' + integer(digest, 'len');
  }
  return found === null ? null : name + ': ' + found;
}

export function compareNumber(entry: Entry, name: string, got: number): string | null {
  return integer(entry, name) === got ? null : name + ' is ' + got;
}

/** The first that is not null. */
export function first(failures: readonly (string | null)[]): string | null {
  for (let i = 0; i < failures.length; i++) if (failures[i] !== null) return failures[i]!;
  return null;
}

const QOS: Readonly<Record<string, MeshQosClass>> = {
  gossip: MeshQos.gossip,
  lowLatency: MeshQos.lowLatency,
  control: MeshQos.control,
};

/** A route whose hops are given by labels, and whose ids, if there, must be those. */
export function readRoute(mesh: Mesh1, entry: Entry): MeshRoutePlan {
  const labels = entry.value['hops'];
  const qos = QOS[text(entry, 'qos')];
  if (!Array.isArray(labels)) throw new FormatError(entry.path + '.hops is no list');
  if (qos === undefined) throw new FormatError(entry.path + '.qos is no class');
  const hops = (labels as unknown[]).map((label) => {
    if (typeof label !== 'string') throw new FormatError(entry.path + '.hops is no list of strings');
    return mesh.derivePeerId(label);
  });
  if (has(entry, 'hop_ids')) {
    const ids = entry.value['hop_ids'];
    const wanted = Array.isArray(ids) ? ids.join() : '';
    if (hops.map(toHex).join() !== wanted)
      throw new FormatError(entry.path + '.hop_ids are not those of hops');
  }
  return { topic: text(entry, 'topic'), hops, qos, epoch: u64(integer(entry, 'epoch')) };
}
