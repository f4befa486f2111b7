// The lean client, connected by its credential over a platform in which nothing happens: what it keeps is measured.

import { createClient } from '../src/lean/client.ts';
import { createMore } from '../src/lean/more.ts';
import { ANCHOR_KIND, packStored } from '../src/lean/stored.ts';
import { DSA } from '../src/lean/suite.ts';
import type { Client, Device, Host, More, Tell } from '../src/lean/types.ts';
import { OPENED, RECEIVED } from '../src/lean/types.ts';
import { fixture, SEEDS } from './fixture.ts';

/** Of the server's certificate: always valid. */
const ANCHOR_BYTES = 64 + DSA.publicKeyBytes;
const VALID_UNTIL_AT = 24;

const NO_OPTIONS = {};
const ignore = (): void => undefined;

export interface LeanDevice {
  readonly device: Device;
  readonly more: More;
  readonly platform: Platform;
}

/** A platform in which nothing happens, and its one stream. */
interface Platform {
  readonly host: Host;
  /** Timers of 1 ms, in order: steps. Deadlines never come. */
  readonly queue: ((c: Client) => void)[];
  /** What streams tell to, the last one's last: as long as they are open. */
  readonly tells: Tell[];
  /** What was sent first. */
  first: Uint8Array | null;
}

function idlePlatform(): Platform {
  const queue: Platform['queue'] = [];
  const stream = {
    send(bytes: Uint8Array) {
      platform.first ??= bytes;
      return true;
    },
    close: () => undefined,
  };
  const platform: Platform = {
    host: {
      openStream(tell) {
        platform.tells.push(tell);
        return stream;
      },
      // A timer that is set keeps what it calls.
      later: (then, ms) => (ms <= 1 ? queue.push(then) : then),
      clearLater: () => undefined,
      nowMs: () => 0,
    },
    queue,
    tells: [],
    first: null,
  };
  return platform;
}

/** What a device is started with, over `inputs`: its credential's id and secret. */
export function leanDevice(inputs: readonly Uint8Array[]): LeanDevice {
  const anchor = new Uint8Array(ANCHOR_BYTES);
  anchor.fill(255, VALID_UNTIL_AT, VALID_UNTIL_AT + 6);
  const stored = packStored(ANCHOR_KIND, anchor);
  const device: Device = {
    files: { load: (name) => (name === 'qstp.anchor' ? stored : null), save: () => true },
    ownCredential: { id: inputs[0]!, secret: inputs[1]!, counts: false },
    seed: new Uint8Array(64),
    boot: new Uint8Array(4),
    uses: 0,
  };
  return { device, more: createMore(device, 0), platform: idlePlatform() };
}

/** A client that is given `answer` to its first packet, and what that was; connected if the answer is right. */
export function leanClient(shared: LeanDevice, answer: (r1: Uint8Array) => Uint8Array): Client {
  const { device, more, platform } = shared;
  // All of them draw the same.
  device.seed.set(fixture(64, SEEDS.nonce));
  platform.first = null;
  const client = createClient(NO_OPTIONS, platform.host, device, more, ignore);
  const tell = platform.tells[platform.tells.length - 1]!;
  tell(OPENED);
  tell(RECEIVED, answer(platform.first!));
  while (platform.queue.length > 0) platform.queue.shift()!(client);
  return client;
}
