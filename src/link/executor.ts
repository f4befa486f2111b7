// Runs slow operations one after the other, letting the engine's other work in between: one slow handshake
// delays another by a single operation only. What a suite does by itself, on another thread or in no time to speak of,
// waits for no turn.

import { runJob, runsJobs } from '../crypto/job.ts';
import type { Job } from '../crypto/job.ts';
import type { SuiteCrypto } from '../crypto/provider.ts';
import { WITH_CALLS } from '../features.ts';
import type { Executor } from '../platform.ts';

interface Task {
  readonly crypto: SuiteCrypto;
  readonly job: Job;
  readonly done: (good: boolean) => void;
  cancelled: boolean;
}

/** A store may answer later, and others need not wait for it. One that throws has answered no. */
function ask(task: Task, call: (done: (good: boolean) => void) => void): void {
  let answered = false;
  const answer = (good: boolean): void => {
    if (!answered && !task.cancelled) task.done(good);
    answered = true;
  };
  try {
    call(answer);
  } catch {
    answer(false);
  }
}

function verdict({ crypto, job }: Task): boolean {
  try {
    return WITH_CALLS && runJob(crypto, job);
  } catch {
    // A key that is damaged in memory, or no memory: this connection's handshake fails, others go on.
    return false;
  }
}

function run(task: Task): void {
  const { job } = task;
  if (task.cancelled) return;
  if (job.op === 'call') ask(task, (done) => job.call(done));
  else task.done(verdict(task));
}

/** `defer` calls back after everything that is due now, as setImmediate does. */
export function createExecutor(defer: (callback: () => void) => void): Executor {
  const queue: Task[] = [];
  let scheduled = false;
  const turn = (): void => {
    const next = queue.shift();
    scheduled = queue.length > 0;
    if (scheduled) defer(turn);
    if (next !== undefined) run(next);
  };
  return (crypto, job, done) => {
    const cancelStarted = job.op !== 'call' && runsJobs(crypto) ? crypto.start(job, done) : null;
    if (cancelStarted !== null) return cancelStarted;
    const task = { crypto, job, done, cancelled: false };
    queue.push(task);
    if (!scheduled) {
      scheduled = true;
      defer(turn);
    }
    return () => {
      task.cancelled = true;
    };
  };
}
