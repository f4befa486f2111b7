// What the platform gives: interfaces only. Adapters are in targets/.

import type { Job } from './crypto/job.ts';
import type { SuiteCrypto } from './crypto/provider.ts';

/** An ordered byte stream, as a TCP socket is. */
export interface Transport {
  /** Queues bytes, which the transport keeps. False: its queue is full, wait for `drain`. */
  write(bytes: Uint8Array): boolean;
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

export interface Timer {
  /** Calls back once after `ms` milliseconds. Returns what cancels it. */
  set(callback: () => void, ms: number): () => void;
}

export interface Clock {
  /** Seconds since 1970 UTC, whole; 0 if the time of day is not known. */
  now(): number;
}

/** Runs slow cryptography: at once, in steps, in a worker or natively. Returns what cancels it. */
export type Executor = (crypto: SuiteCrypto, job: Job, done: (good: boolean) => void) => () => void;
