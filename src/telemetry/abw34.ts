// Telemetry lines with the fields of ABW34, one JSON object a line, without secrets: the seed's field is empty, and a
// commitment stands beside it. Latencies are summed up, not kept.

import { toHex } from '../bytes.ts';
import { entropyTupleId, seedCommitment } from './entropy.ts';
import type { QrngSample } from './entropy.ts';

/** Count, least, mean and most of values, in constant memory. */
export interface Summary {
  count: number;
  min: number;
  mean: number;
  max: number;
}

export function createSummary(): Summary {
  return { count: 0, min: 0, mean: 0, max: 0 };
}

/** Takes a value in. One that is not a number is left out. */
export function summarise(summary: Summary, value: number): void {
  if (!(value - value === 0)) return;
  summary.min = summary.count === 0 || value < summary.min ? value : summary.min;
  summary.max = summary.count === 0 || value > summary.max ? value : summary.max;
  summary.count++;
  summary.mean += (value - summary.mean) / summary.count;
}

/** Measured values of a Bell test, as a feed's second file has them. */
export interface ChshResults {
  readonly twoQubitExact?: number;
  readonly twoQubitSampled?: number;
  readonly fiveDExact?: number;
  readonly fiveDSampled?: number;
  readonly shots?: number;
  readonly depolarizing?: number;
}

export interface Abw34 {
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
  readonly qrng: QrngSample;
  readonly shardCount: number;
  readonly noiseRatio: number;
  readonly qaceReroutes: number;
  readonly tpsPerShard: number;
  readonly tpsGlobal: number;
  /** 32 bytes each. */
  readonly kemKeyId: Uint8Array;
  readonly signingKeyId: Uint8Array;
  /** Milliseconds since 1970. */
  readonly kemCreatedAt: number;
  readonly kemExpiresAt: number;
  readonly chsh?: ChshResults;
  /** Ours from here on: the runtime profile's hash and name, and the tunnel's. */
  readonly profileHash: Uint8Array;
  readonly profile: string;
  readonly tunnelId: Uint8Array;
  readonly latencyMs: Readonly<Summary>;
}

/** A line, without its end. What is not there is left out. */
export function abw34Line(record: Abw34): string {
  const { qrng, chsh = {}, latencyMs } = record;
  return JSON.stringify({
    timestamp_ms: record.timestampMs,
    qrng_source: qrng.source,
    qrng_epoch: qrng.epoch,
    qrng_tuple_id: toHex(entropyTupleId(qrng)),
    // Nobody is to take a commitment for a seed.
    qrng_seed_hex: '',
    qrng_bits: qrng.bits,
    qrng_shard_id: qrng.shard,
    shard_count: record.shardCount,
    noise_ratio: record.noiseRatio,
    qace_reroutes: record.qaceReroutes,
    observed_tps_per_shard: record.tpsPerShard,
    observed_tps_global: record.tpsGlobal,
    kem_key_id: toHex(record.kemKeyId),
    signing_key_id: toHex(record.signingKeyId),
    kem_created_at: record.kemCreatedAt,
    kem_expires_at: record.kemExpiresAt,
    chsh_two_qubit_exact: chsh.twoQubitExact,
    chsh_two_qubit_sampled: chsh.twoQubitSampled,
    chsh_five_d_exact: chsh.fiveDExact,
    chsh_five_d_sampled: chsh.fiveDSampled,
    chsh_shots: chsh.shots,
    chsh_depolarizing: chsh.depolarizing,
    qrng_seed_commitment: toHex(seedCommitment(qrng.seed)),
    qrng_health: qrng.health,
    awre_profile_hash: toHex(record.profileHash),
    runtime_profile: record.profile,
    tunnel_id: toHex(record.tunnelId),
    tunnel_latency_ms: latencyMs.mean,
    tunnel_latency_min_ms: latencyMs.min,
    tunnel_latency_max_ms: latencyMs.max,
    tunnel_latency_count: latencyMs.count,
  });
}
