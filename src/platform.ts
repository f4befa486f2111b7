// What the platform gives: interfaces only. Adapters are in targets/.

import type { Job } from './crypto/job.ts';
import type { SuiteCrypto } from './crypto/provider.ts';

/** An ordered byte stream, as a TCP socket is. */
export interface Transport {
  /**
   * Queues the first `length` bytes. The transport keeps the array, unless the connection's pool has a
   * transmit buffer: then it is lent for the call. False: the queue is full, wait for `drain`.
   */
  write(bytes: Uint8Array, length: number): boolean;
  /** Stops and goes on delivering incoming bytes. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes its side; calls back when all is sent. */
  end(sent: () => void): void;
  /** Closes at once. */
  destroy(): void;
}

/** What a transport tells its owner. */
export interface TransportEvents {
  data(bytes: Uint8Array): void;
  drain(): void;
  /** The stream is gone, with the reason if it is not an orderly end. Called once. */
  gone(error: string | null): void;
}

/** Opens byte streams to the endpoints of a link. */
export interface Connector {
  /**
   * Begins to connect to endpoint `index`; calls back once with what makes a transport of the stream for the
   * owner of its events, or with null and the problem. Returns what gives up.
   */
  open(
    index: number,
    done: (bind: ((events: TransportEvents) => Transport) | null, problem: string) => void,
  ): () => void;
}

/** Who is woken by a timer. */
export interface Waker {
  wake(): void;
}

/** What {@link Timer.schedule} gives; the timer's own. */
export type TimerHandle = object | number;

export interface Timer {
  /** Calls `waker.wake()` once after `ms` milliseconds: the same as `set`, without a closure made for it. */
  schedule(waker: Waker, ms: number): TimerHandle;
  /** Cancels what was scheduled; done or cancelled before is as good. */
  cancel(handle: TimerHandle): void;
  /** Calls back once after `ms` milliseconds. Returns what cancels it. */
  set(callback: () => void, ms: number): () => void;
  /** Milliseconds of a counter that no one sets, modulo 2^32. */
  now(): number;
}

export interface Clock {
  /** Seconds since 1970 UTC, whole; 0 if the time of day is not known. */
  now(): number;
}

/** Runs slow cryptography: at once, in steps, in a worker or natively. Returns what cancels it. */
export type Executor = (crypto: SuiteCrypto, job: Job, done: (good: boolean) => void) => () => void;

/**
 * Small values that outlive a restart. Keys have 1 to 15 characters of [a-z0-9.]. A value that was set is
 * durable when `set` returns, and whole: a cut leaves the old value or the new one.
 */
export interface Storage {
  /** The value, which is the caller's; null if there is none. Throws if it cannot be read. */
  get(key: string): Uint8Array | null;
  /** Keeps a copy. Throws if it could not be stored; then the old value may be there, or the new one. */
  set(key: string, value: Uint8Array): void;
  /** Throws if the value could not be removed. Not there is as good as removed. */
  remove(key: string): void;
}
