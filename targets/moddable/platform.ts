// Moddable's side of src/platform.ts: sockets (ECMA-419), timers, the counter of time.

import Timer from 'timer';
import type { TimerId } from 'timer';
import Time from 'time';
import { createExecutor } from '../../src/link/executor.ts';
import type { Executor, Timer as PlatformTimer, Transport, TransportEvents } from '../../src/platform.ts';

/** Most bytes of one read: what it brings is garbage at once. */
const READ_BYTES = 1024;
const TICKS = 0x100000000;

function wake(id: TimerId): void {
  id.waker!.wake();
}

function ticks(): number {
  return Time.ticks >>> 0;
}

export const moddableTimer: PlatformTimer = {
  schedule(waker, ms) {
    const id = Timer.set(wake, ms);
    id.waker = waker;
    return id;
  },
  cancel: (handle) => Timer.clear(handle as TimerId),
  set(callback, ms) {
    const id = Timer.set(callback, ms);
    return () => Timer.clear(id);
  },
  now: ticks,
};

/** Slow operations take turns, and the engine's other work comes in between. One for all that share a device. */
export function moddableExecutor(): Executor {
  return createExecutor((callback) => void Timer.set(callback, 0));
}

/** Seconds since the first call, which no one sets. To be asked once in 49 days at least: the ticks wrap. */
export function createCounter(): () => number {
  let last = ticks();
  let ms = 0;
  return () => {
    const now = ticks();
    ms += (now - last + TICKS) % TICKS;
    last = now;
    return ms / 1000;
  };
}

/** An ECMA-419 TCP socket, as far as it is used here. */
export interface TcpSocket {
  read(count: number): ArrayBuffer | number | undefined;
  /** How much more can be written, bytes. */
  write(bytes: Uint8Array): number | undefined;
  close(): void;
}

export interface TcpCallbacks {
  onReadable(count: number): void;
  onWritable(count: number): void;
  onError(): void;
}

/** What is injected: `{io: TCP}`, with options of its own. */
export interface TcpOptions {
  readonly io: new (options: TcpCallbacks & { address: string; port: number; nodelay: boolean }) => TcpSocket;
  readonly [option: string]: unknown;
}

/** A TCP connection as a transport; before it is connected too. */
export class TcpTransport implements Transport {
  /** Bytes that the socket takes now. */
  writable = 0;
  private socket: TcpSocket | null;
  private events: TransportEvents | null = null;
  private opened: ((error: string | null) => void) | null;
  private readable = 0;
  private paused = false;
  private reading = false;
  private again: TimerId | null = null;
  private queue: Uint8Array[] | null = null;
  private ending: (() => void) | null = null;
  private ended = false;

  /** `opened` is called once: with null when it is connected, else with the problem. */
  constructor(tcp: TcpOptions, address: string, port: number, opened: (error: string | null) => void) {
    this.opened = opened;
    this.socket = new tcp.io({
      nodelay: true,
      ...tcp,
      address,
      port,
      onReadable: (count) => {
        this.readable = count;
        this.readSoon();
      },
      onWritable: (count) => this.drained(count),
      onError: () => this.failed(),
    });
  }

  /** From now on its events go there. */
  bind(events: TransportEvents): this {
    this.events = events;
    if (this.readable > 0) this.readSoon();
    return this;
  }

  write(bytes: Uint8Array, length: number): boolean {
    if (this.socket === null || this.ended) return false;
    let at = 0;
    if (this.queue === null) at = this.put(bytes, 0, length);
    if (at < length) {
      // The array is lent for the call.
      if (this.queue === null) this.queue = [];
      this.queue.push(bytes.slice(at, length));
    }
    return this.queue === null;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    if (this.readable > 0 && !this.reading) this.readSoon();
  }

  /** There is no half of a socket to close: the peer, who is told, closes. */
  end(sent: () => void): void {
    this.ending = sent;
    this.ended = true;
    this.flush();
  }

  destroy(): void {
    this.close(null);
  }

  /** Writes what the socket takes of `bytes[from .. to)`. Returns where it stopped. */
  private put(bytes: Uint8Array, from: number, to: number): number {
    const count = to - from < this.writable ? to - from : this.writable;
    if (count <= 0) return from;
    try {
      const left = this.socket!.write(bytes.subarray(from, from + count));
      this.writable = left === undefined ? this.writable - count : left;
    } catch (error) {
      this.close((error as Error).message);
    }
    return from + count;
  }

  private flush(): void {
    while (this.queue !== null && this.socket !== null) {
      const bytes = this.queue[0]!;
      const at = this.put(bytes, 0, bytes.length);
      if (at < bytes.length) {
        this.queue[0] = bytes.subarray(at);
        return;
      }
      this.queue.shift();
      if (this.queue.length === 0) this.queue = null;
    }
    const sent = this.ending;
    this.ending = null;
    if (sent !== null && this.socket !== null) sent();
  }

  /**
   * Reads in a turn of its own, and in one function: what a record sets off needs the engine's stack, which has
   * 384 slots on an ESP32.
   */
  private readSoon(): void {
    if (this.again !== null) return;
    this.again = Timer.set(() => {
      this.again = null;
      const events = this.events;
      if (events === null) return;
      this.reading = true;
      while (this.readable > 0 && !this.paused && this.socket !== null) {
        const count = this.readable < READ_BYTES ? this.readable : READ_BYTES;
        const bytes = this.socket.read(count);
        this.readable -= count;
        if (bytes instanceof ArrayBuffer) events.data(new Uint8Array(bytes));
      }
      this.reading = false;
    }, 0);
  }

  private drained(count: number): void {
    this.writable = count;
    if (this.opened !== null) {
      const opened = this.opened;
      this.opened = null;
      opened(null);
      return;
    }
    this.flush();
    if (this.queue === null && this.events !== null && this.socket !== null) this.events.drain();
  }

  private failed(): void {
    if (this.opened !== null) {
      const opened = this.opened;
      this.opened = null;
      this.close(null);
      opened('it is refused, or there is no way to it');
      return;
    }
    this.close(null);
  }

  private close(error: string | null): void {
    const socket = this.socket;
    if (socket === null) return;
    this.socket = null;
    this.queue = null;
    this.opened = null;
    this.writable = 0;
    if (this.again !== null) Timer.clear(this.again);
    socket.close();
    if (this.events !== null) this.events.gone(error);
  }
}
