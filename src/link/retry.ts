// Tries again, with the pauses of reconnect.ts.

import type { Timer } from '../platform.ts';
import type { Backoff } from './reconnect.ts';

export interface Retry {
  /** It failed, or what it had made ended: `open` is called after a pause. */
  failed(): void;
  /** It worked: the next pause is short again. */
  succeeded(): void;
  stop(): void;
}

/** Calls `open` now, and after each {@link Retry.failed}. `jitter` gives a number in [0, 1). */
export function createRetry(timer: Timer, backoff: Backoff, jitter: () => number, open: () => void): Retry {
  let cancel: (() => void) | null = null;
  const stop = (): void => {
    if (cancel !== null) cancel();
    cancel = null;
  };
  // Not at once: who opens has not been given this yet.
  cancel = timer.set(open, 0);
  return {
    failed() {
      stop();
      cancel = timer.set(open, backoff.next(jitter()));
    },
    succeeded: () => backoff.succeeded(),
    stop,
  };
}
