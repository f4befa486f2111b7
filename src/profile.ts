// The firmware profile a bundle was built from. The build puts firmware-profiles/<name>.json in place of the
// value below (firmware-profiles/schema.json describes the fields). What a profile leaves out vanishes by
// features.ts; this is for what it says in numbers and names.

import { HEADER_BYTES } from './params.ts';

/** A source of randomness a profile names. `deviceSeed` is the seed in storage (src/link/boot.ts). */
export interface ProfileEntropy {
  readonly source: 'webcrypto' | 'hwrng' | 'espRandom' | 'feed' | 'deviceSeed';
  /** False: mixed in, but counted for nothing. */
  readonly approved: boolean;
  /** Entropy of a byte of it, bits; of no meaning for `deviceSeed`. */
  readonly bits: number;
}

export interface FirmwareProfile {
  readonly name: string;
  readonly target: 'moddable' | 'espruino' | 'deno' | 'node';
  /** The parameter set: 1, 2 or 3. */
  readonly suite: number;
  readonly role: 'client' | 'server' | 'both';
  readonly provider: 'micro' | 'native' | 'none';
  /** What serves where the engine has nothing. */
  readonly fallback?: 'micro';
  /** Most connections at a time. */
  readonly slots: number;
  readonly records: 'gcm' | 'rcs' | 'both';
  /** Bytes. 0: borrowed for as long as they are needed, by the packet. */
  readonly buffers: {
    /** The largest packet a connection takes: header, record and tag. */
    readonly receive: number;
    /** The buffer handshakes share for larger packets. */
    readonly handshake: number;
    /** The buffer outgoing records are sealed in. */
    readonly transmit: number;
  };
  readonly keepalive: {
    /** Period of the application's traffic, milliseconds; 0: no keep-alives. */
    readonly pollMs: number;
    readonly missed: number;
  };
  /** A handshake that takes longer is closed, milliseconds. */
  readonly handshakeDeadline: number;
  readonly entropy: readonly ProfileEntropy[];
  readonly clock: {
    /**
     * `system`: the platform's clock is right. Otherwise the clock of src/session/clock.ts, which `sntp` sets once
     * there is an answer, and `server` takes from the servers it proves fresh.
     */
    readonly source: 'system' | 'sntp' | 'server';
    /** The time is kept over a restart. */
    readonly persist: boolean;
  };
  readonly trust?: {
    /** Largest statement a connection takes, bytes (TrustOptions). */
    readonly bytesMax: number;
  };
}

/** Null outside a bundle. */
export const PROFILE: FirmwareProfile | null = null;

/** The runtime profile hash of a bundle, in hexadecimal: the build writes it here. Empty outside a bundle. */
export const PROFILE_HASH: string = '';

/** The same as the hello has it, 32 bytes; undefined outside a bundle. */
export function bundleProfileHash(): Uint8Array | undefined {
  if (PROFILE_HASH === '') return undefined;
  const hash = new Uint8Array(32);
  for (let i = 0; i < 32; i++) hash[i] = parseInt(PROFILE_HASH.substring(2 * i, 2 * i + 2), 16);
  return hash;
}

/** What the profile a bundle was built from says of its connections, as defaults; nothing outside a bundle. */
export function profileLimits(): {
  profileHash?: Uint8Array | undefined;
  maxConnections?: number;
  handshakeDeadlineMs?: number;
  recordLimit?: number;
} {
  if (PROFILE === null) return {};
  return {
    profileHash: bundleProfileHash(),
    maxConnections: PROFILE.slots,
    handshakeDeadlineMs: PROFILE.handshakeDeadline,
    recordLimit: PROFILE.buffers.receive - HEADER_BYTES,
  };
}

/** The pool of a device (src/pool) as its profile has it; one slot that borrows its buffers outside a bundle. */
export function profilePool(): {
  slots: number;
  cipher?: 'rcs' | 'gcm';
  receiveBytes?: number;
  handshakeBytes?: number;
  transmitBytes?: number;
} {
  if (PROFILE === null) return { slots: 1 };
  return {
    slots: PROFILE.slots,
    cipher: PROFILE.records === 'gcm' ? 'gcm' : 'rcs',
    receiveBytes: PROFILE.buffers.receive,
    handshakeBytes: PROFILE.buffers.handshake,
    transmitBytes: PROFILE.buffers.transmit,
  };
}
