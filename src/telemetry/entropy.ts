// Entropy that can be told of without telling it: a sample of a source is known by the id of its tuple, which commits
// to the seed. And a feed of quantum random numbers, as the guide's qrng_feed has it, as one more source of a
// generator.

import { ascii, fromHex, wipe } from '../bytes.ts';
import { QstpError } from '../error.ts';
import { drbgMix } from '../crypto/micro/drbg.ts';
import { hashOf, plainHash } from './canonical.ts';

/** What a source's own tests said of it. */
export const EntropyHealth = { unknown: 0, good: 1, failed: 2 } as const;

export interface EntropySample {
  /** ASCII. */
  readonly source: string;
  /** A whole number below 2^53 that counts up. */
  readonly epoch: number;
  /** Of {@link EntropyHealth}. */
  readonly health: number;
  /** Secret; 32 bytes or more. */
  readonly seed: Uint8Array;
}

const TWO_32 = 4294967296;

/** The id of the sample's tuple, 32 bytes: H over its label, source, epoch and health, and H(seed). */
export function entropyTupleId({ source, epoch, health, seed }: EntropySample): Uint8Array {
  return hashOf(['qrng-tuple', source, epoch % TWO_32, Math.floor(epoch / TWO_32), health, plainHash(seed)]);
}

/** A commitment to the seed alone, 32 bytes: what a log has in its place. */
export function seedCommitment(seed: Uint8Array): Uint8Array {
  return hashOf(['qrng-seed', plainHash(seed)]);
}

export interface QrngSample extends EntropySample {
  /** Bits the source says it measured. */
  readonly bits: number;
  /** The tuple and shard its receipt names. */
  readonly receipt: string;
  readonly shard: number;
}

const SEED_DIGITS = 64;

function refuse(what: string): QstpError {
  return new QstpError('feed_invalid', 'the QRNG feed is not used: ' + what);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 9007199254740991 && Math.floor(value) === value;
}

/**
 * Reads a feed: JSON with `qrng_epoch`, `qrng_seed_hex` (at least 64 digits, of which the first 64 count), `qrng_bits`
 * and `tuple_receipt`. Throws `feed_invalid` for anything else. A feed is a file that nobody signed: what it says counts
 * for nothing but being mixed in.
 */
export function readQrngFeed(text: string, source = 'sandbox'): QrngSample {
  let feed: unknown;
  try {
    feed = JSON.parse(text);
  } catch {
    throw refuse('it is not JSON');
  }
  if (typeof feed !== 'object' || feed === null) throw refuse('it is no JSON object');
  const fields = feed as Record<string, unknown>;
  const { qrng_epoch: epoch, qrng_seed_hex: digits, qrng_bits: bits, tuple_receipt: receipt } = fields;
  if (!isCount(epoch)) throw refuse('qrng_epoch is not a whole number');
  if (typeof digits !== 'string' || digits.length < SEED_DIGITS) {
    throw refuse('qrng_seed_hex has not 64 hexadecimal digits');
  }
  const seed = fromHex(digits.substring(0, SEED_DIGITS));
  if (seed === null) throw refuse('qrng_seed_hex is not hexadecimal');
  const given = (typeof receipt === 'object' && receipt !== null ? receipt : {}) as Record<string, unknown>;
  const { tuple_id: tuple, shard_id: shard } = given;
  return {
    source,
    epoch,
    health: EntropyHealth.unknown,
    seed,
    bits: isCount(bits) ? bits : 0,
    receipt: typeof tuple === 'string' ? tuple : 'tuple/unknown',
    shard: isCount(shard) ? shard : 0,
  };
}

/** Mixes samples of a feed into a generator, each epoch once. */
export interface FeedMixer {
  /** The epoch mixed in last; -1: none yet. */
  readonly epoch: number;
  /**
   * Mixes a sample in, and wipes its seed. False: its health failed, or its epoch is not later than the last one, and
   * nothing is mixed in. It counts for no entropy: a generator that lacks its own goes on refusing.
   */
  mix(sample: EntropySample): boolean;
}

/** A mixer into the state of a generator (src/crypto/micro/drbg.ts). */
export function createFeedMixer(drbg: Int32Array): FeedMixer {
  let last = -1;
  return {
    get epoch() {
      return last;
    },
    mix(sample) {
      const { epoch, health, seed, source } = sample;
      const taken = epoch > last && health !== EntropyHealth.failed;
      if (taken) {
        last = epoch;
        drbgMix(drbg, ascii(source));
        drbgMix(drbg, seed);
      }
      wipe(seed);
      return taken;
    },
  };
}
