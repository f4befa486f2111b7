// What this target uses of a `Deno.Kv`. Deno knows that type with --unstable-kv only, so it is not named here: a
// program passes what `await Deno.openKv()` gave it.

export type KvKey = readonly (string | Uint8Array)[];

export interface KvEntry {
  readonly key: readonly unknown[];
  readonly value: unknown;
  /** Null if there is nothing under the key. */
  readonly versionstamp: string | null;
}

/** Changes that are made together, or not at all if a check fails. */
export interface KvChanges {
  check(entry: { key: KvKey; versionstamp: string | null }): KvChanges;
  set(key: KvKey, value: unknown, options?: { expireIn?: number }): KvChanges;
  delete(key: KvKey): KvChanges;
  commit(): Promise<{ readonly ok: boolean; readonly versionstamp?: string }>;
}

/** A `Deno.Kv`. */
export interface KeyValue {
  get(key: KvKey): Promise<KvEntry>;
  list(of: { prefix: KvKey }): AsyncIterable<KvEntry>;
  atomic(): KvChanges;
}

/** The bytes of an entry as an array of its own; null for nothing, and for a value of another kind. */
export function bytesOf(entry: KvEntry): Uint8Array | null {
  return entry.value instanceof Uint8Array ? entry.value : null;
}
