// Tunnels of mesh/1 between two ends, as the original's tests make them.
import { createDemoKem, createDemoSigner } from '../../src/selftest/demo-adapters.ts';
import { MeshQos } from '../../src/mesh/types.ts';
import type { MeshRoutePlan, TupleChainStore, TupleRecord } from '../../src/mesh/types.ts';
import { u64 } from '../../src/mesh/u64.ts';
import { isFailure, mesh1 } from '../../src/mesh/v1/index.ts';
import type { LegacyEstablished, LegacyTunnel, PqcFailure } from '../../src/mesh/v1/index.ts';
import { toHex } from '../../src/bytes.ts';

export const legacy = mesh1({ allowLegacy: true });

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function plan(
  topic: string,
  hops: readonly string[],
  more: Partial<MeshRoutePlan> = {},
): MeshRoutePlan {
  const ids = hops.map((hop) => legacy.derivePeerId(hop));
  return { topic, hops: ids, qos: MeshQos.lowLatency, epoch: u64(1), ...more };
}

/** A store that answers at once. */
export function memoryStore(): TupleChainStore & { readonly records: Map<string, TupleRecord> } {
  const records = new Map<string, TupleRecord>();
  return {
    records,
    put(record, given, done) {
      const pointer = given ?? legacy.blake2s([record.nonce, record.ciphertext]).slice(0, 16);
      const key = toHex(pointer);
      const kept = records.get(key);
      const stale = kept !== undefined && record.version !== 0 && kept.version >= record.version;
      if (!stale) records.set(key, record);
      done(stale ? 'stale' : 'stored', pointer);
    },
    fetch(pointer, done) {
      const record = records.get(toHex(pointer)) ?? null;
      done(record === null ? 'missing' : 'found', record);
    },
  };
}

export interface LegacyPair {
  readonly made: LegacyEstablished;
  readonly initiator: LegacyTunnel;
  readonly responder: LegacyTunnel;
  readonly store: ReturnType<typeof memoryStore>;
}

export function legacyPair(route: MeshRoutePlan, request = 'client=test&ts=42'): LegacyPair {
  const store = memoryStore();
  const runtime = legacy.createRuntime(createDemoKem(legacy.blake2s, 2), createDemoSigner(legacy.blake2s, 2));
  let result: LegacyEstablished | PqcFailure | null = null;
  legacy.establishRuntimeTunnel(
    runtime,
    bytes(request),
    legacy.derivePeerId('node-b'),
    route,
    store,
    (made) => (result = made),
  );
  const made = opened(result!);
  const responder = legacy.hydrateRemoteTunnel(
    made.sessionSecret,
    legacy.derivePeerId('node-a'),
    made.tunnel.route(),
    made.peerMetadata,
    'responder',
  );
  return { made, initiator: made.tunnel, responder, store };
}

/** What was asked for, or else an error. */
export function opened<T extends object>(result: T | PqcFailure): T {
  if (isFailure(result)) throw new Error(result.message);
  return result;
}

/** The error of what failed. */
export function failed(result: object): string {
  return isFailure(result) ? result.error : 'nothing failed';
}
