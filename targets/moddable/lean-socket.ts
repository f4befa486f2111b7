// The tunnel of a lean client as an ECMA-419 socket, in the place of TLSSocket: one connection, which does not come back by
// itself. In format `buffer` only.

import Timer from 'timer';
import type { TimerId } from 'timer';
import { problem } from '../../src/lean/problem.ts';
import type { LeanClient, Problem } from '../../src/lean/types.ts';
import type { ConnectOptions } from './lean-device.ts';

export interface SocketOptions extends ConnectOptions {
  readonly format?: 'buffer';
  readonly target?: unknown;
  onReadable?(count: number): void;
  onWritable?(count: number): void;
  onError?(error?: Error): void;
}

/** Header and tag of a record. */
const OVERHEAD = 37;

export class QSTPSocket {
  target: unknown;
  #options: SocketOptions;
  #client: LeanClient | null = null;
  /** Messages that came and were not read, and how much of the first one was. */
  #unread: Uint8Array[] = [];
  #at = 0;
  /** Why it has ended, until what came before is read. */
  #why: Problem | null = null;
  /** Longest message the server takes, bytes. */
  #most = 0;
  #soon: TimerId | null = null;

  /** Connects; `onWritable` tells when it is done, `onError` why it is not, with the reason as `code`. */
  constructor(options: SocketOptions) {
    this.#options = options;
    this.target = options.target;
    this.#later(() => this.#begin());
  }

  get format(): 'buffer' {
    return 'buffer';
  }
  set format(format: 'buffer') {
    if (format !== 'buffer') throw new RangeError('the format is "buffer"');
  }

  /** The next `count` bytes of a message, or what is left of it. Undefined if there is nothing to read. */
  read(count?: number): ArrayBuffer | undefined {
    const first = this.#unread[0];
    if (first === undefined) return undefined;
    const there = first.length - this.#at;
    const length = count ?? there;
    if (!(length >= 0 && length <= there)) throw new RangeError('there are ' + there + ' bytes to read');
    const result = first.slice(this.#at, this.#at + length).buffer as ArrayBuffer;
    this.#at += length;
    if (length === there) {
      this.#unread.shift();
      this.#at = 0;
      this.#later(() => this.#tell());
    }
    return result;
  }

  /** Writes bytes, and returns how many more can be written. Throws `would_block` for more than that. */
  write(data: ArrayBuffer | ArrayBufferView): number {
    const client = this.#client;
    if (client === null || !client.connected()) throw problem('not_connected');
    const bytes = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data);
    if (bytes.length > this.#room) throw problem('would_block');
    client.write(bytes);
    return this.#room;
  }

  /** Closes with a notice to the peer. Nothing is called back after that. */
  close(): void {
    const client = this.#client;
    this.#client = null;
    this.#options = { ...this.#options, onReadable() {}, onWritable() {}, onError() {} };
    if (this.#soon !== null) Timer.clear(this.#soon);
    this.#soon = null;
    if (client !== null) client.end();
  }

  get #room(): number {
    const room = this.#options.qstp.stream().writable() - OVERHEAD;
    return room < 0 ? 0 : room < this.#most ? room : this.#most;
  }

  #begin(): void {
    const { qstp } = this.#options;
    try {
      this.#client = qstp.connect({ ...this.#options, reconnect: false }, (event, argument) => {
        if (event === 'connect') this.#most = argument as number;
        if (event === 'connect' || event === 'drain') this.#drain();
        else if (event === 'data') {
          this.#unread.push(argument as Uint8Array);
          // The peer waits until this is read.
          qstp.stream().hold(true);
          if (this.#unread.length === 1) this.#later(() => this.#tell());
        } else if (event === 'error') this.#why = argument as Problem;
        else if (event === 'close') {
          if (this.#why === null) this.#why = problem('peer_closed');
          this.#later(() => this.#tell());
        }
      });
    } catch (error) {
      this.#why = error as Problem;
      this.#tell();
    }
  }

  /** With a stack that is short again: an ESP32 has 384 slots of it. */
  #later(then: () => void): void {
    if (this.#soon !== null) Timer.clear(this.#soon);
    this.#soon = Timer.set(() => {
      this.#soon = null;
      then();
    }, 0);
  }

  #drain(): void {
    const { onWritable } = this.#options;
    const room = this.#client!.connected() ? this.#room : 0;
    if (room > 0 && onWritable !== undefined) onWritable.call(this, room);
  }

  #tell(): void {
    const { qstp, onReadable, onError } = this.#options;
    const first = this.#unread[0];
    if (first !== undefined) {
      if (onReadable !== undefined) onReadable.call(this, first.length - this.#at);
    } else if (this.#why !== null) {
      const why = this.#why;
      this.close();
      if (onError !== undefined) onError.call(this, why);
    } else qstp.stream().hold(false);
  }
}
