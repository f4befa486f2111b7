// What a tunnel takes as an ECMA-419 socket.

import type { Device, DeviceOptions } from './device.ts';
import type { TcpOptions } from './platform.ts';

/** What ECMA-419 sockets take to write. */
export type Writable = ArrayBuffer | ArrayBufferView | number;

export interface SocketOptions {
  /** The server's address. Network clients that resolve names give it. */
  readonly address: string;
  /** Default 32119. */
  readonly port?: number;
  /** What the tunnel runs over: `{io: TCP}`. */
  readonly TCP: TcpOptions;
  /** The device's end; or what makes one, if this is its only connection. */
  readonly qstp: Device | DeviceOptions;
  readonly format?: 'buffer' | 'number';
  readonly target?: unknown;
  onReadable?(count: number): void;
  onWritable?(count: number): void;
  onError?(error?: Error): void;
}

export interface WriteOptions {
  /** More of the same follows: it goes out together. */
  readonly more?: boolean;
  /** How much in all, if `more`. */
  readonly byteLength?: number;
}
