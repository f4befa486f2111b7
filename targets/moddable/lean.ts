// qstp-edge for Moddable in few bytes: one tunnel to one server, as a client that stays connected or as a socket for
// Moddable's network clients.

import type { ConnectOptions, LeanClient } from './lean-device.ts';

export { openDevice } from './lean-device.ts';
export type { ConnectOptions, LeanClient, LeanDevice, LeanDeviceOptions } from './lean-device.ts';
export { QSTPSocket } from './lean-socket.ts';
export type { SocketOptions } from './lean-socket.ts';

/** What is told, if it is there. */
export interface ClientEvents {
  connect?(): void;
  /** One message. */
  data?(bytes: Uint8Array): void;
  drain?(): void;
  /** Steps of the handshake's cryptography: done, in all. */
  progress?(done: number, all: number): void;
  /** The server's time, milliseconds since 1970. */
  time?(ms: number): void;
  error?(error: Error & { code: string }): void;
  /** The server closed in order. */
  end?(): void;
  /** True: by a failure. */
  close?(failed: boolean): void;
}

/** Connects, and stays connected until `end()`. Throws, with the reason as `code`, unless the device was provisioned. */
export function connect(options: ConnectOptions, events: ClientEvents): LeanClient {
  return options.qstp.connect(options, (event, argument, more) => {
    (events as Record<string, (argument: unknown, more: unknown) => void>)[event]?.(argument, more);
  });
}
