// Node's side of src/platform.ts: sockets, timers, clock, random source.

import { randomFillSync } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Random } from '../../src/crypto/provider.ts';
import { createExecutor } from '../../src/link/executor.ts';
import type { Clock, Timer, Transport, TransportEvents, Waker } from '../../src/platform.ts';

/** Idle time after which the kernel probes a silent peer, milliseconds. */
const PROBE_AFTER_MS = 30000;

const wake = (waker: Waker): void => waker.wake();

export const nodeTimer: Timer = {
  schedule: (waker, ms) => setTimeout(wake, ms, waker),
  cancel: (handle) => clearTimeout(handle as NodeJS.Timeout),
  set(callback, ms) {
    const handle = setTimeout(callback, ms);
    return () => clearTimeout(handle);
  },
  now: () => Math.floor(performance.now()) % 4294967296,
};

export const nodeClock: Clock = { now: () => Math.floor(Date.now() / 1000) };

export const nodeRandom: Random = (out) => {
  randomFillSync(out);
};

/** One for all clients of the process: slow operations take turns. */
export const nodeExecutor = /* @__PURE__ */ createExecutor(setImmediate);

/** Room for a packet, in one of a few large arrays: an array of its own for each would cost as much as its cipher. */
export const nodeRoom = (bytes: number): Uint8Array => Buffer.allocUnsafe(bytes);

/** Where a socket has its transport: a closure for each of its events would be most of what an idle connection takes. */
const TRANSPORT = Symbol('transport');

interface Held extends Socket {
  [TRANSPORT]: SocketTransport;
}

class SocketTransport implements Transport {
  readonly events: TransportEvents;
  error: string | null = null;
  private readonly socket: Socket;

  constructor(socket: Socket, events: TransportEvents) {
    this.socket = socket;
    this.events = events;
    (socket as Held)[TRANSPORT] = this;
  }

  write(bytes: Uint8Array, length: number): boolean {
    const { socket } = this;
    return !socket.destroyed && socket.write(length === bytes.length ? bytes : bytes.subarray(0, length));
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  end(sent: () => void): void {
    this.socket.end(sent);
  }

  destroy(): void {
    this.socket.destroy();
  }
}

function onData(this: Socket, bytes: Uint8Array): void {
  (this as Held)[TRANSPORT].events.data(bytes);
}

function onDrain(this: Socket): void {
  (this as Held)[TRANSPORT].events.drain();
}

function onError(this: Socket, error: Error): void {
  (this as Held)[TRANSPORT].error = error.message;
}

function onClose(this: Socket): void {
  const { events, error } = (this as Held)[TRANSPORT];
  events.gone(error);
}

/** A connected socket as a transport. */
export function socketTransport(socket: Socket, events: TransportEvents): Transport {
  const transport = new SocketTransport(socket, events);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, PROBE_AFTER_MS);
  socket.on('data', onData);
  socket.on('drain', onDrain);
  socket.on('error', onError);
  socket.on('close', onClose);
  return transport;
}
