// QSTP for Espruino: `require("qstp").connect(options, callback)`.

import { createClient, end, wakeIn, write } from '../../src/lean/client.ts';
import { startDevice } from '../../src/lean/device.ts';
import { createMore } from '../../src/lean/more.ts';
import { MORE } from '../../src/lean/suite.ts';
import type { Device, LeanOptions } from '../../src/lean/types.ts';
import { boardFiles, boardHost, fillFromBoard, isRandomBoard } from './host.ts';
import type { Address } from './host.ts';
import { hooks } from './hooks.ts';
import { fromBinary, toBinary } from './text.ts';

/** Least time between two full handshakes, ms. */
const FULL_MIN_MS = 300000;

export type Options = Address & LeanOptions;

export type Listener = (argument: unknown, more?: unknown) => void;

export interface Client {
  /** As `Emit` of src/lean/types.ts, but that data are binary strings. */
  on(event: string, listener: Listener): Client;
  /** Sends a binary string, a message for each part of the size the server takes. False: wait for `drain`. */
  write(data: string): boolean;
  /** Closes, and stays closed. */
  end(): void;
  /** True between `connect` and `close`. */
  connected(): boolean;
  /** Milliseconds until the client needs the processor again if nothing comes in; -1: not by itself. */
  wakeIn(): number;
}

let device: Device | null = null;

/**
 * Connects, and stays connected; `connected` is called each time it is. Throws, with the reason as `code`, unless the device
 * was provisioned (docs/espruino.md).
 */
export function connect(options: Options, connected?: (client: Client) => void): Client {
  if (device === null) {
    const files = boardFiles(require('Storage') as EspruinoStorage);
    device = startDevice(files, isRandomBoard(), fillFromBoard);
  }
  const host = boardHost(require('net') as EspruinoNet, options);
  const listeners: Record<string, Listener[]> = {};
  const core = createClient(
    options,
    host,
    device,
    MORE ? createMore(device, options.fullHandshakeMinMs ?? FULL_MIN_MS) : null,
    (event, argument, other) => {
      const list = listeners[event];
      if (list === undefined) return;
      if (event === 'data') argument = toBinary(argument as Uint8Array);
      for (let i = 0; i < list.length; i++) list[i]!(argument, other);
    },
  );
  const client: Client = {
    on(event, listener) {
      (listeners[event] ||= []).push(listener);
      return client;
    },
    write: (data) => write(core, fromBinary(data)),
    end: () => end(core),
    connected: () => core.up,
    wakeIn: () => wakeIn(core),
  };
  if (connected !== undefined) {
    client.on('connect', () => {
      connected(client);
    });
  }
  return client;
}

/** Native code in the place of ours. */
export { hooks };
