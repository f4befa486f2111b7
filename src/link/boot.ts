// Entropy at boot: which sources the profile names, whether they suffice, and a generator fed from them all.
//
// Approved sources are of two kinds. Live ones (webcrypto, a hardware generator, an external feed) deliver
// samples that must pass the health tests. The device seed is a secret of 256 bits in storage, with a counter
// that is stored, read back and compared before anything is given out; both are replaced at every boot:
//
//   input  = counter u32 || samples of every live source, approved or not
//   seed   = KMAC256(pool, input, 64 bytes, "QSTP-EDGE-1 boot seed")     into the generator
//   pool'  = KMAC256(pool, input, 32 bytes, "QSTP-EDGE-1 boot pool")     stored, with counter + 1
//
// So a boot that starts from the same stored state as one before repeats nothing if any source differs, and
// the stored pool tells nothing of what earlier boots gave out. Where an old copy of the whole storage is put
// back and no live source exists, output repeats: no program can notice that. What is in no source (the name
// of the device, the time) may be mixed in with drbgMix.

import { WITH_TEXTS } from '../features.ts';
import { QstpError } from '../error.ts';
import { copy, equal, getU32, putU32, wipe } from '../bytes.ts';
import { kmacInit, kmacPad, RATE_256, SPONGE_WORDS, absorb, squeeze } from '../crypto/micro/sponge.ts';
import {
  DRBG_STARTUP_SAMPLES,
  DRBG_WORDS,
  drbgFeed,
  drbgInit,
  drbgMix,
  drbgRandom,
  drbgRefusal,
  drbgSeed,
} from '../crypto/micro/drbg.ts';
import type { Random } from '../crypto/provider.ts';
import { packStored, Stored, unpackStored } from '../session/stored.ts';
import type { Storage } from '../platform.ts';

export interface EntropySource {
  /** As the profile calls it: webcrypto, hwrng, feed ... */
  readonly name: string;
  /** False: mixed in, but counted for nothing. */
  readonly approved: boolean;
  /** Entropy of a byte of it, 0.1 to 8 bits, by a careful estimate. */
  readonly bits: number;
  /** Fills `out`. False, or an exception, if it cannot, as with the radio off. */
  fill(out: Uint8Array): boolean;
}

export interface BootOptions {
  readonly sources: readonly EntropySource[];
  /** Holds what {@link provisionSeed} wrote. */
  readonly storage?: Storage | null;
  /** The profile approves of the device seed as a source. It is mixed in whether or not. */
  readonly seedApproved?: boolean;
  /** Told of every source that could not be used, in one line. */
  readonly report?: (line: string) => void;
}

export interface Entropy {
  /** The generator's state. */
  readonly drbg: Int32Array;
  readonly random: Random;
  /** Names of the approved sources it was fed from. */
  readonly sources: readonly string[];
  /** Boots and refreshes so far, this one included; 0 if the counter could not be stored. */
  readonly boots: number;
}

export const BOOT_KEY = 'qstp.boot';
export const SEED_BYTES = 32;
const VERSION = 1;
const BODY_BYTES = 4 + SEED_BYTES;

interface StoredSeed {
  readonly counter: number;
  readonly pool: Uint8Array;
}

function seedRecord(counter: number, pool: Uint8Array): Uint8Array {
  const body = new Uint8Array(BODY_BYTES);
  putU32(body, 0, counter);
  copy(body, 4, pool, 0, SEED_BYTES);
  const value = packStored(Stored.boot, VERSION, body);
  wipe(body);
  return value;
}

function writeSeed(storage: Storage, counter: number, pool: Uint8Array): void {
  const value = seedRecord(counter, pool);
  storage.set(BOOT_KEY, value);
  const there = storage.get(BOOT_KEY);
  const kept = there !== null && equal(there, value);
  if (there !== null) wipe(there);
  wipe(value);
  if (!kept) throw new QstpError('boot_counter', 'the storage does not keep what is written to it');
}

/** Gives a device its seed: 32 bytes of a good generator, that no other device has and nothing else uses. */
export function provisionSeed(storage: Storage, seed: Uint8Array): void {
  if (seed.length !== SEED_BYTES) throw new QstpError('invalid_input', 'a device seed has 32 bytes');
  writeSeed(storage, 0, seed);
}

function readSeed(storage: Storage | null, report: (line: string) => void): StoredSeed | null {
  if (storage === null) return null;
  let value: Uint8Array | null;
  try {
    value = storage.get(BOOT_KEY);
  } catch {
    report('deviceSeed: the storage cannot be read');
    return null;
  }
  if (value === null) {
    report('deviceSeed: none was provisioned');
    return null;
  }
  const body = unpackStored(Stored.boot, VERSION, value, BODY_BYTES);
  wipe(value);
  if (body === null) {
    // Beginning again from 0 might repeat what an earlier boot gave out.
    report('deviceSeed: its record is damaged; provision a new one');
    return null;
  }
  const counter = getU32(body, 0);
  if (counter === 0xffffffff) {
    report('deviceSeed: its counter is used up; provision a new one');
    return null;
  }
  const pool = new Uint8Array(SEED_BYTES);
  copy(pool, 0, body, 4, SEED_BYTES);
  wipe(body);
  return { counter, pool };
}

const SEED_LABEL = 'QSTP-EDGE-1 boot seed';
const POOL_LABEL = 'QSTP-EDGE-1 boot pool';

function derive(
  label: string,
  stored: StoredSeed,
  inputs: readonly Uint8Array[],
  length: number,
): Uint8Array {
  const custom = new Uint8Array(label.length);
  for (let i = 0; i < label.length; i++) custom[i] = label.charCodeAt(i);
  const counter = new Uint8Array(4);
  putU32(counter, 0, stored.counter);
  const s = new Int32Array(SPONGE_WORDS);
  const out = new Uint8Array(length);
  kmacInit(s, RATE_256, stored.pool, custom);
  absorb(s, counter);
  for (let i = 0; i < inputs.length; i++) absorb(s, inputs[i]!);
  kmacPad(s, length);
  squeeze(s, out);
  wipe(s);
  return out;
}

/** 1,024 samples of a source, or null if it has none. */
function sample(source: EntropySource): Uint8Array | null {
  const samples = new Uint8Array(DRBG_STARTUP_SAMPLES);
  try {
    return source.fill(samples) ? samples : null;
  } catch {
    return null;
  }
}

/** Runs the health tests on a state of its own, so that one source that fails leaves the others usable. */
function isHealthy(samples: Uint8Array, bits: number): boolean {
  const trial = new Int32Array(DRBG_WORDS);
  drbgInit(trial);
  const healthy = drbgFeed(trial, samples, bits);
  wipe(trial);
  return healthy;
}

function ignore(): void {}

/** What feeding a generator has come to. */
interface Feed {
  readonly report: (line: string) => void;
  /** Approved sources that were used. */
  readonly used: string[];
  /** What the live sources delivered. */
  readonly inputs: Uint8Array[];
  /** The profile approves of a source; one that it approves of failed its health test. */
  named: boolean;
  failed: boolean;
  /** A live source suffices. */
  live: boolean;
  /** See {@link Entropy.boots}. */
  boots: number;
  unsaved: boolean;
}

/** Feeds a generator from the live sources. */
function feedLive(d: Int32Array, options: BootOptions): Feed {
  const report = WITH_TEXTS ? (options.report ?? ignore) : ignore;
  const into: Feed = {
    report,
    used: [],
    inputs: [],
    named: options.seedApproved === true,
    failed: false,
    live: false,
    boots: 0,
    unsaved: false,
  };
  for (let i = 0; i < options.sources.length; i++) {
    const source = options.sources[i]!;
    if (source.approved) into.named = true;
    const samples = sample(source);
    if (samples === null) {
      report(source.name + ': it delivers nothing');
      continue;
    }
    into.inputs.push(samples);
    if (!isHealthy(samples, source.bits)) {
      report(source.name + ': it failed its health test');
      if (source.approved) into.failed = true;
      drbgMix(d, samples);
    } else if (source.approved) {
      drbgFeed(d, samples, source.bits);
      into.used.push(source.name);
    } else drbgMix(d, samples);
  }
  into.live = drbgRefusal(d) === null && into.used.length > 0;
  return into;
}

/** Stores the pool that follows, and counts the boot: before anything is given out, so a cut from here on repeats nothing. */
function keepPool(storage: Storage, stored: StoredSeed, into: Feed): void {
  const pool = derive(POOL_LABEL, stored, into.inputs, SEED_BYTES);
  try {
    writeSeed(storage, stored.counter + 1, pool);
    into.boots = stored.counter + 1;
  } catch {
    into.unsaved = true;
    into.report('deviceSeed: its counter could not be stored');
  }
  wipe(pool);
}

function feedSeed(d: Int32Array, stored: StoredSeed, into: Feed, approved: boolean): void {
  const seed = derive(SEED_LABEL, stored, into.inputs, 64);
  if (into.boots !== 0 && approved) {
    drbgSeed(d, seed);
    into.used.push('deviceSeed');
  } else drbgMix(d, seed);
  wipe(seed);
  wipe(stored.pool);
}

/** Why a generator that was fed so is not to be used. */
function refusal({ named, failed, unsaved }: Feed, approved: boolean): QstpError {
  if (unsaved && approved) {
    return new QstpError(
      'boot_counter',
      'the boot counter cannot be stored, and no other approved entropy source works: repair the storage',
    );
  }
  if (failed) {
    return new QstpError(
      'entropy_failed',
      'an approved entropy source failed its health test and no other one works: repair or replace it',
    );
  }
  return new QstpError(
    'entropy_missing',
    named
      ? 'no approved entropy source delivers: switch it on (a radio may have to be up) or provision a device seed'
      : 'the profile approves of no entropy source: name one (webcrypto, hwrng, feed) or provision a device seed and approve of it',
  );
}

/** Feeds a generator from everything there is. Throws as {@link boot}. */
function feed(drbg: Int32Array, random: Random, options: BootOptions): Entropy {
  const into = feedLive(drbg, options);
  const stored = readSeed(options.storage ?? null, into.report);
  if (stored !== null) {
    keepPool(options.storage!, stored, into);
    feedSeed(drbg, stored, into, options.seedApproved === true);
  }
  for (let i = 0; i < into.inputs.length; i++) wipe(into.inputs[i]!);
  const { used, live, boots } = into;
  const approved = options.seedApproved === true;
  if (!live && (boots === 0 || !approved)) throw refusal(into, approved);
  return { drbg, random, sources: used, boots };
}

/**
 * The generator of a device, fed from its profile's sources. Throws `entropy_missing`, `entropy_failed` or
 * `boot_counter` if no approved one suffices; the message says what to do. Without it there is no handshake.
 */
export function boot(options: BootOptions): Entropy {
  const d = new Int32Array(DRBG_WORDS);
  drbgInit(d);
  return feed(d, drbgRandom(d), options);
}

/** Feeds the generator anew, as every 2^20 requests at the latest, and counts as a boot. Throws as {@link boot}. */
export function refreshEntropy(entropy: Entropy, options: BootOptions): Entropy {
  return feed(entropy.drbg, entropy.random, options);
}
