// The lean client, connected by its credential over a platform in which nothing happens: what it keeps is measured.

import { createClient } from '../src/lean/client.ts';
import { createMore } from '../src/lean/more.ts';
import { ANCHOR_KIND, packStored } from '../src/lean/stored.ts';
import { DSA } from '../src/lean/suite.ts';
import type { Device, Host, LeanClient, More } from '../src/lean/types.ts';
import { fixture, SEEDS } from './fixture.ts';

/** Of the server's certificate: always valid. */
const ANCHOR_BYTES = 64 + DSA.publicKeyBytes;
const VALID_UNTIL_AT = 24;

export interface LeanDevice {
  readonly device: Device;
  readonly more: More;
}

/** What a device is started with, over `inputs`: its credential's id and secret. */
export function leanDevice(inputs: readonly Uint8Array[]): LeanDevice {
  const anchor = new Uint8Array(ANCHOR_BYTES);
  anchor.fill(255, VALID_UNTIL_AT, VALID_UNTIL_AT + 6);
  const stored = packStored(ANCHOR_KIND, anchor);
  const device: Device = {
    files: { read: (name) => (name === 'qstp.anchor' ? stored : null), write: () => true },
    ownCredential: { id: inputs[0]!, secret: inputs[1]!, counts: false },
    randomBytes: (length) => fixture(length, SEEDS.nonce),
    nonce: (random) => random,
  };
  return { device, more: createMore(device, () => 0, 0) };
}

/** A client that is given `answer` to its first packet, and what that was; connected if the answer is right. */
export function leanClient({ device, more }: LeanDevice, answer: (r1: Uint8Array) => Uint8Array): LeanClient {
  let queue: (() => void)[] = [];
  let first: Uint8Array | null = null;
  let take: (bytes: Uint8Array) => void = () => undefined;
  const host: Host = {
    openStream(events) {
      take = events.received;
      queue.push(events.opened);
      return {
        write(bytes) {
          first ??= bytes;
          return true;
        },
        end: () => undefined,
      };
    },
    // Deadlines do not come here; steps of 1 ms do.
    later: (then, ms) => (ms <= 1 ? queue.push(then) : 0),
    clearLater: () => undefined,
    nowMs: () => 0,
  };
  const client = createClient({}, host, device, more, () => undefined);
  queue.shift()!();
  take(answer(first!));
  while (queue.length > 0) queue.shift()!();
  queue = [];
  take = () => undefined;
  return client;
}
