// QSTP for Espruino: `require("qstp").connect(options, callback)`.

import { WITH_FULL_HANDSHAKE, WITH_RESUMPTION } from '../../src/features.ts';
import { createClient } from './client.ts';
import type { Client, Options } from './client.ts';
import { startDevice } from './device.ts';
import type { Device } from './device.ts';
import { createMore, startFull } from './full.ts';
import { hooks } from './keccak.ts';

const MORE: boolean = WITH_FULL_HANDSHAKE || WITH_RESUMPTION;
/** Least time between two full handshakes, ms. */
const FULL_MIN_MS = 300000;

let device: Device | null = null;

/**
 * Connects, and stays connected; `connected` is called each time it is. Throws, with the reason as `code`, unless the device
 * was provisioned (docs/espruino.md).
 */
export function connect(options: Options, connected?: (client: Client) => void): Client {
  const files = require('Storage') as EspruinoStorage;
  if (device === null) device = MORE ? startFull(files, process.env['BOARD']!) : startDevice(files);
  const more = MORE ? createMore(files, device, options.fullHandshakeMinMs ?? FULL_MIN_MS) : null;
  return createClient(options, require('net') as EspruinoNet, device, more, connected);
}

/** Native code in the place of ours. */
export { hooks };
