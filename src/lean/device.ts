// What a device keeps in flash, and what follows from it at a start: its random generator and its credential
// (docs/device-state.md; the formats are those of src/link/boot.ts and src/link/provisioned.ts).
//
// Randomness that counts comes from the device's seed, or from a generator in hardware that is approved of and passes
// its health tests. What one gives that is not approved of is mixed in all the same. There is one write to flash a start.

import { getU32, part, putU32 } from '../bytes.ts';
import { WITH_FULL_HANDSHAKE } from '../features.ts';
import { kmac, lab, SHAKE, sponge } from './hash.ts';
import { isHealthy, SAMPLES } from './health.ts';
import { problem } from './problem.ts';
import { BOOT_KIND, CREDENTIAL_KIND, readStored, writeStored } from './stored.ts';
import type { Credential, Device, Files } from './types.ts';

const BOOT = 'qstp.boot';
const CREDENTIAL = 'qstp.cred';

/** What the device was provisioned with. Throws if it is missing or damaged. */
function readCredential(files: Files): Credential {
  const b = readStored(files, CREDENTIAL, CREDENTIAL_KIND, 64);
  const id = part(b, 0, 16);
  const secret = lab(part(b, 16, 48), 'provisioned', [id, part(b, 48)], 32);
  b.fill(0, 16, 48);
  return { id, secret, counts: true };
}

/**
 * Starts the device. Throws, with what is missing or damaged as the code, unless it was provisioned; `boot_counter`
 * if the flash does not keep that it was started: then nothing may be sent, as it might repeat. Where there are other
 * handshakes, a generator that is approved of does in the place of a seed; `entropy_failed` if it is none.
 */
export function startDevice(files: Files, approved: boolean, fill: (out: Uint8Array) => void): Device {
  const samples = new Uint8Array(WITH_FULL_HANDSHAKE ? SAMPLES : 128);
  const next = new Uint8Array(36);
  let seed: Uint8Array;
  let credential: Credential | null = null;
  let boots = 0;
  fill(samples);
  if (WITH_FULL_HANDSHAKE && files.load(BOOT) === null && approved) {
    if (!isHealthy(samples)) throw problem('entropy_failed');
    seed = sponge(SHAKE, [samples], 64);
  } else {
    const boot = readStored(files, BOOT, BOOT_KIND, 36);
    const pool = part(boot, 4);
    boots = getU32(boot, 0) + 1;
    const input = [part(boot, 0, 4), samples];
    seed = kmac(pool, 'boot seed', input, 64);
    putU32(next, 0, boots);
    next.set(kmac(pool, 'boot pool', input, 32), 4);
    // Before anything is given out: a cut from here on repeats nothing.
    if (boots > 0xffffffff || !writeStored(files, BOOT, BOOT_KIND, next)) {
      throw problem('boot_counter');
    }
    boot.fill(0);
    next.fill(0, 4);
    // Its nonces count the starts: without a seed nobody does.
    if (!WITH_FULL_HANDSHAKE || files.load(CREDENTIAL) !== null) credential = readCredential(files);
  }
  samples.fill(0);
  return {
    files,
    ownCredential: credential,
    seed,
    boot: next,
    uses: 0,
  };
}

/** `length` random bytes, 72 at the most. */
export function randomBytes(device: Device, length: number): Uint8Array {
  const { seed } = device;
  const b = sponge(SHAKE, [seed, [2, length, 0, 0, 0]], 64 + length);
  seed.set(part(b, 0, 64));
  return part(b, 64);
}

/** A nonce of 32 bytes, of so many random ones, that no start of this device has used or will use. */
export function nonce(device: Device, random: Uint8Array): Uint8Array {
  random.set(part(device.boot, 0, 4));
  putU32(random, 4, device.uses++);
  return random;
}
