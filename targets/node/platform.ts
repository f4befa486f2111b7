// Node's side of src/platform.ts: sockets, timers, clock, random source.

import { randomFillSync } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Random } from '../../src/crypto/provider.ts';
import { createExecutor } from '../../src/link/executor.ts';
import type { Clock, Timer, Transport, TransportEvents } from '../../src/platform.ts';

/** Idle time after which the kernel probes a silent peer, milliseconds. */
const PROBE_AFTER_MS = 30000;

export const nodeTimer: Timer = {
  schedule: (waker, ms) => setTimeout(() => waker.wake(), ms),
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

/** A connected socket as a transport. */
export function socketTransport(socket: Socket, events: TransportEvents): Transport {
  let error: string | null = null;
  socket.setNoDelay(true);
  socket.setKeepAlive(true, PROBE_AFTER_MS);
  socket.on('data', (bytes) => events.data(bytes));
  socket.on('drain', () => events.drain());
  socket.on('error', (e) => {
    error = e.message;
  });
  socket.once('close', () => events.gone(error));
  return {
    write: (bytes, length) =>
      !socket.destroyed && socket.write(length === bytes.length ? bytes : bytes.subarray(0, length)),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    end: (sent) => void socket.end(sent),
    destroy: () => socket.destroy(),
  };
}
