// Deno's side of src/platform.ts: connections, timers, clock, random source.

import type { Random } from '../../src/crypto/provider.ts';
import { createExecutor } from '../../src/link/executor.ts';
import type { Clock, Timer, Transport, TransportEvents } from '../../src/platform.ts';

const READ_BYTES = 16384;
/** Above this many queued bytes `write` asks the sender to wait. */
const QUEUE_BYTES = 65536;
/** Most bytes one getRandomValues call gives. */
const RANDOM_BYTES = 65536;

export const denoTimer: Timer = {
  schedule: (waker, ms) => setTimeout(() => waker.wake(), ms),
  cancel: (handle) => clearTimeout(handle as number),
  set(callback, ms) {
    const handle = setTimeout(callback, ms);
    return () => clearTimeout(handle);
  },
  now: () => Math.floor(performance.now()) % 4294967296,
};

export const denoClock: Clock = { now: () => Math.floor(Date.now() / 1000) };

export const denoRandom: Random = (out) => {
  for (let at = 0; at < out.length; at += RANDOM_BYTES) {
    crypto.getRandomValues(out.subarray(at, at + RANDOM_BYTES) as Uint8Array<ArrayBuffer>);
  }
};

/** Calls back after everything that is due now. */
export function defer(callback: () => void): void {
  setTimeout(callback, 0);
}

/** One for all clients of the process: slow operations take turns. */
export const denoExecutor = /* @__PURE__ */ createExecutor(defer);

/** A TCP connection as a transport. Reading begins in the next turn. */
export function connTransport(conn: Deno.TcpConn, events: TransportEvents): Transport {
  const queue: Uint8Array[] = [];
  let queued = 0;
  let writing = false;
  let ending: (() => void) | null = null;
  let gone = false;
  let wake: (() => void) | null = null;
  let paused = false;

  const close = (error: string | null): void => {
    if (gone) return;
    gone = true;
    try {
      conn.close();
    } catch {
      // It was closed by the other end.
    }
    wake?.();
    events.gone(error);
  };

  const read = async (): Promise<void> => {
    try {
      while (!gone) {
        if (paused) {
          await new Promise<void>((resolve) => (wake = resolve));
          wake = null;
          continue;
        }
        const chunk = new Uint8Array(READ_BYTES);
        const count = await conn.read(chunk);
        if (count === null) break;
        if (!gone) events.data(chunk.subarray(0, count));
      }
      close(null);
    } catch (error) {
      close((error as Error).message);
    }
  };

  const write = async (): Promise<void> => {
    if (writing) return;
    writing = true;
    try {
      for (let bytes = queue.shift(); bytes !== undefined && !gone; bytes = queue.shift()) {
        for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
        const full = queued >= QUEUE_BYTES;
        queued -= bytes.length;
        if (full && queued < QUEUE_BYTES && !gone) events.drain();
      }
      if (ending !== null && !gone) {
        await conn.closeWrite();
        ending();
      }
    } catch (error) {
      close((error as Error).message);
    }
    writing = false;
  };

  conn.setNoDelay(true);
  conn.setKeepAlive(true);
  defer(() => void read());
  return {
    write(bytes, length) {
      if (gone || ending !== null) return false;
      queue.push(bytes.subarray(0, length));
      queued += length;
      void write();
      return queued < QUEUE_BYTES;
    },
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
      wake?.();
    },
    end(sent) {
      ending = sent;
      void write();
    },
    destroy: () => close(null),
  };
}
