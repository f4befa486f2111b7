// What a device keeps in flash, and what follows from it at a start: its random generator and its credential
// (docs/device-state.md; the formats are those of src/link/boot.ts and src/link/provisioned.ts).
//
// The only source of randomness that counts here is the device's seed: `E.hwRand` is a generator with a constant seed on
// some boards. What it gives is mixed in all the same. There is one write to flash a start.

import { getI32, putU32, wipe } from '../../src/bytes.ts';
import { kmac, lab, sha3, shake } from './hash.ts';
import { fromBinary, toBinary } from './text.ts';

/** Words of the board's generator that are mixed into the seed. */
const BOARD_WORDS = 32;

export interface Credential {
  /** 16 bytes. */
  readonly id: Uint8Array;
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** Its nonces begin with the number of starts and of uses since; those of a ticket are random. */
  readonly counts: boolean;
}

export interface Device {
  /** Null only where there are other handshakes. */
  readonly credential: Credential | null;
  /** `length` random bytes, 72 at the most. */
  random(length: number): Uint8Array;
  /** A nonce of 32 bytes that no start of this device has used or will use. */
  nonce(random: Uint8Array): Uint8Array;
}

/** Thrown, or given to listeners of `error`. `code` is one word for programs. */
export function problem(code: string): Error & { code: string } {
  const error = new Error('qstp: ' + code) as Error & { code: string };
  error.code = code;
  return error;
}

/** The body of a stored value of `kind`, if its checksum is right and it has `length` bytes. */
export function stored(storage: EspruinoStorage, name: string, kind: number, length: number): Uint8Array {
  const text = storage.read(name);
  if (text !== undefined && text.length === length + 6) {
    const b = fromBinary(text);
    const sum = sha3([b.subarray(0, length + 2)]);
    if (b[0] === kind && b[1] === 1 && getI32(sum, 0) === getI32(b, length + 2)) {
      return b.subarray(2, length + 2);
    }
  }
  throw problem(name + (text === undefined ? '_missing' : '_damaged'));
}

/** What the device was provisioned with. Throws if it is missing or damaged. */
export function credentialOf(storage: EspruinoStorage): Credential {
  const b = stored(storage, 'qstp.cred', 8, 64);
  const id = b.subarray(0, 16);
  const secret = lab(b.subarray(16, 48), 'provisioned', [id, b.subarray(48)], 32);
  b.fill(0, 16, 48);
  return { id, secret, counts: true };
}

/**
 * Starts the device. Throws, with what is missing or damaged as the code, unless it was provisioned, and `boot_counter`
 * if the flash does not keep that it was started: then nothing may be sent, as it might repeat.
 */
export function startDevice(storage: EspruinoStorage): Device {
  const credential = credentialOf(storage);
  const boot = stored(storage, 'qstp.boot', 2, 36);
  const pool = boot.subarray(4);
  const input = new Uint8Array(4 + 4 * BOARD_WORDS);
  for (let i = 0; i < BOARD_WORDS; i++) putU32(input, 4 + 4 * i, E.hwRand());
  const boots = getI32(boot, 0);
  putU32(input, 0, boots);
  const key = kmac(pool, 'boot seed', [input], 64);
  const next = new Uint8Array(42);
  next[0] = 2;
  next[1] = 1;
  putU32(next, 2, boots + 1);
  next.set(kmac(pool, 'boot pool', [input], 32), 6);
  next.set(sha3([next.subarray(0, 38)]).subarray(0, 4), 38);
  const text = toBinary(next, 0, 42);
  // Before anything is given out: a cut from here on repeats nothing.
  if (boots === -1 || !storage.write('qstp.boot', text) || storage.read('qstp.boot') !== text) {
    throw problem('boot_counter');
  }
  wipe(boot);
  wipe(next);
  let uses = 0;
  return {
    credential,
    random(length) {
      const b = shake([key, [2, length, 0, 0, 0]], 64 + length);
      key.set(b.subarray(0, 64));
      return b.subarray(64);
    },
    nonce(random) {
      putU32(random, 0, boots + 1);
      putU32(random, 4, uses++);
      return random;
    },
  };
}
