// The tunnel of a lean client as an ECMA-419 socket, in the place of TLSSocket: one connection, which does not come back by
// itself.

import Timer from 'timer';
import type { TimerId } from 'timer';
import { problem } from '../../src/lean/problem.ts';
import type { Problem } from '../../src/lean/types.ts';
import type { ConnectOptions, LeanClient } from './lean-device.ts';
import { viewOf } from './views.ts';

export interface SocketOptions extends ConnectOptions {
  readonly format?: 'buffer' | 'number';
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
  #format: 'buffer' | 'number' = 'buffer';
  #client: LeanClient | null = null;
  /** Messages that came and were not read, and how much of the first one was. */
  #unread: Uint8Array[] = [];
  #at = 0;
  /** What is written and waits for more. */
  #held = new Uint8Array(0);
  /** Why it has ended, until what came before is read. */
  #why: Problem | null = null;
  /** Longest message the server takes, bytes. */
  #most = 0;
  #soon: TimerId | undefined;

  /** Connects; `onWritable` tells when it is done, `onError` why it is not, with the reason as `code`. */
  constructor(options: SocketOptions) {
    this.#options = options;
    this.target = options.target;
    this.format = options.format ?? 'buffer';
    this.#soon = Timer.set(() => this.#begin(), 0);
  }

  get format(): 'buffer' | 'number' {
    return this.#format;
  }
  set format(format: 'buffer' | 'number') {
    if (format !== 'buffer' && format !== 'number') throw new RangeError('either "buffer" or "number"');
    this.#format = format;
  }

  /**
   * In format `number` the next byte; else the next `count` bytes of a message, what is left of it, or as many as fit the
   * given buffer, and then their number. Undefined if there are none. Throws RangeError for more than there are.
   */
  read(count?: number | ArrayBuffer | ArrayBufferView): ArrayBuffer | number | undefined {
    const first = this.#unread[0];
    if (first === undefined) return undefined;
    const there = first.length - this.#at;
    const number = this.#format === 'number';
    const into = typeof count === 'object' ? viewOf(count) : null;
    const most = into === null ? (count as number | undefined) : Math.min(into.length, there);
    const length = number ? 1 : (most ?? there);
    if (!(length >= 0 && length <= there)) throw new RangeError('there are ' + there);
    const bytes = first.slice(this.#at, (this.#at += length));
    if (length === there) {
      this.#unread.shift();
      this.#at = 0;
      this.#tellLater();
    }
    into?.set(bytes);
    return number ? bytes[0] : into === null ? bytes.buffer : length;
  }

  /**
   * Writes a byte or a buffer, and returns how many more bytes can be written. With `more` they are kept, so that one
   * record carries them and what is written next. Throws `would_block` for more than there is room for.
   */
  write(data: number | ArrayBuffer | ArrayBufferView, options?: { readonly more?: boolean }): number {
    const client = this.#client;
    if (!client?.connected()) throw problem('not_connected');
    const bytes = typeof data === 'number' ? [data] : viewOf(data);
    if (bytes.length > this.#room) throw problem('would_block');
    const held = this.#held;
    const all = new Uint8Array(held.length + bytes.length);
    all.set(held);
    all.set(bytes, held.length);
    if (!options?.more) client.write(all);
    this.#held = options?.more ? all : new Uint8Array(0);
    return this.#room;
  }

  /** Closes with a notice to the peer. Nothing is called back after that. */
  close(): void {
    const client = this.#client;
    this.#client = null;
    this.#options = { qstp: this.#options.qstp } as SocketOptions;
    Timer.clear(this.#soon);
    client?.end();
  }

  get #room(): number {
    const room = Math.min(this.#options.qstp.stream().writable() - OVERHEAD, this.#most) - this.#held.length;
    return room < 0 ? 0 : room;
  }

  #begin(): void {
    const { qstp } = this.#options;
    // A timer that is over is not to be cleared.
    this.#soon = undefined;
    try {
      this.#client = qstp.connect({ ...this.#options, reconnect: false }, (event, argument) => {
        if (event === 'error') this.#why = argument as Problem;
        else if (event === 'data') {
          // The peer waits until this is read.
          qstp.stream().hold(true);
          if (this.#unread.push(argument as Uint8Array) === 1) this.#tellLater();
        } else if (event === 'close') {
          this.#why ??= problem('peer_closed');
          this.#tellLater();
        } else {
          if (event === 'connect') this.#most = argument as number;
          if (event === 'connect' || event === 'drain') this.#drain();
        }
      });
    } catch (error) {
      this.#why = error as Problem;
      this.#tell();
    }
  }

  /** With a stack that is short again: an ESP32 has 384 slots of it. */
  #tellLater(): void {
    Timer.clear(this.#soon);
    this.#soon = Timer.set(() => this.#tell(), 0);
  }

  #drain(): void {
    const room = this.#client!.connected() ? this.#room : 0;
    if (room > 0) this.#options.onWritable?.call(this, room);
  }

  #tell(): void {
    const { qstp, onReadable, onError } = this.#options;
    const first = this.#unread[0];
    const why = this.#why;
    this.#soon = undefined;
    if (first !== undefined) onReadable?.call(this, first.length - this.#at);
    else if (why !== null) {
      this.close();
      onError?.call(this, why);
    } else qstp.stream().hold(false);
  }
}
