// The smallest client: it connects with the credential it was provisioned with, and has no handshake besides.

import { createClient } from './client.ts';
import type { Client, Options } from './client.ts';
import { startDevice } from './device.ts';
import type { Device } from './device.ts';
import type { EspruinoNet, EspruinoStorage } from './espruino.ts';
import { hooks } from './keccak.ts';

let device: Device | null = null;

/**
 * Connects, and stays connected. Throws, with the reason as `code`, unless the device was provisioned: `qstp.cred_missing`,
 * `qstp.boot_missing`, the same with `_damaged`, `boot_counter`.
 */
export function connect(options: Options, connected?: (client: Client) => void): Client {
  if (device === null) device = startDevice(require('Storage') as EspruinoStorage);
  return createClient(options, require('net') as EspruinoNet, device, null, connected);
}

/** Native code in the place of ours. */
export { hooks };
