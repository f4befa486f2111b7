// Runs slow operations one after the other, letting the engine's other work in between: one slow handshake
// delays another by a single operation only. What a suite does by itself, on another thread or in no time to speak of,
// waits for no turn.

import { runJob, runsJobs } from '../crypto/job.ts';
import { WITH_CALLS } from '../features.ts';
import type { Executor } from '../platform.ts';

/** `defer` calls back after everything that is due now, as setImmediate does. */
export function createExecutor(defer: (callback: () => void) => void): Executor {
  const queue: (() => void)[] = [];
  let scheduled = false;
  const turn = (): void => {
    const next = queue.shift();
    scheduled = queue.length > 0;
    if (scheduled) defer(turn);
    if (next !== undefined) next();
  };
  return (crypto, job, done) => {
    const cancelStarted = job.op !== 'call' && runsJobs(crypto) ? crypto.start(job, done) : null;
    if (cancelStarted !== null) return cancelStarted;
    let cancelled = false;
    queue.push(() => {
      if (cancelled) return;
      if (job.op === 'call') {
        // A store may answer later, and others need not wait for it. One that throws has answered no.
        let answered = false;
        const answer = (good: boolean): void => {
          if (!answered && !cancelled) done(good);
          answered = true;
        };
        try {
          job.call(answer);
        } catch {
          answer(false);
        }
        return;
      }
      let good = false;
      try {
        good = WITH_CALLS && runJob(crypto, job);
      } catch {
        // A key that is damaged in memory, or no memory: this connection's handshake fails, others go on.
      }
      done(good);
    });
    if (!scheduled) {
      scheduled = true;
      defer(turn);
    }
    return () => {
      cancelled = true;
    };
  };
}
