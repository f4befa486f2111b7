// Which server is tried next, and when.
import test from 'ava';
import {
  attemptFailed,
  attemptSucceeded,
  createEndpoints,
  nextAttempt,
  noteMetrics,
} from '../../src/link/endpoints.ts';
import type { PathState } from '../../src/link/endpoints.ts';
import { CASES, draws } from '../random.ts';

test('in their order: the first that may be tried now, else the one that may be soonest', (t) => {
  const e = createEndpoints({ count: 3 }, 0);
  t.deepEqual(nextAttempt(e, 0), { index: 0, waitMs: 0 });
  attemptFailed(e, 0, 0, 0.9);
  t.deepEqual(nextAttempt(e, 1), { index: 1, waitMs: 0 });
  attemptFailed(e, 1, 1, 0.1);
  t.deepEqual(nextAttempt(e, 2), { index: 2, waitMs: 0 });
  attemptFailed(e, 2, 2, 0.5);
  t.deepEqual(nextAttempt(e, 3), { index: 1, waitMs: 100 + 40 - 2 });
  t.deepEqual(nextAttempt(e, 300), { index: 1, waitMs: 0 });
  t.deepEqual(nextAttempt(e, 5000), { index: 0, waitMs: 0 }, 'the preferred one, once its pause is over');
});

test('pauses double to the cap, are drawn over the whole width, and are short again after a success', (t) => {
  const draw = draws(t);
  const e = createEndpoints({ count: 1, firstMs: 1000, maxMs: 8000 }, 0);
  for (const bound of [1000, 2000, 4000, 8000, 8000, 8000]) {
    attemptFailed(e, 0, 0, 1 - 1e-9);
    t.is(nextAttempt(e, 0).waitMs, bound - 1);
  }
  attemptSucceeded(e, 0);
  attemptFailed(e, 0, 0, 0);
  t.is(nextAttempt(e, 0).waitMs, 100);
  let [low, high] = [Infinity, 0];
  for (let n = 0; n < 200; n++) {
    attemptFailed(e, 0, 0, draw.below(1000) / 1000);
    if (n < 5) continue;
    const { waitMs } = nextAttempt(e, 0);
    low = Math.min(low, waitMs);
    high = Math.max(high, waitMs);
  }
  t.true(low < 1500 && high > 6500 && high < 8000, `${low} to ${high}`);
});

test('each endpoint has pauses of its own', (t) => {
  const e = createEndpoints({ count: 2 }, 0);
  for (let n = 0; n < 10; n++) attemptFailed(e, 0, 0, 0.999);
  attemptFailed(e, 1, 0, 0.999);
  t.is(nextAttempt(e, 0).index, 1);
  t.true(nextAttempt(e, 0).waitMs < 500);
});

test('a clock that wraps, jumps, or runs for months between failures delays nobody', (t) => {
  const draw = draws(t);
  for (let n = 0; n < CASES; n++) {
    const start = (2 ** 32 - draw.below(1000)) >>> 0;
    const e = createEndpoints({ count: 2, maxMs: 60000 }, start);
    attemptFailed(e, 0, start, 0.5);
    attemptFailed(e, 1, start, 0.5);
    const first = nextAttempt(e, (start + 10) >>> 0);
    t.is(first.waitMs, 300 - 10);
    const later = (start + 60001 + draw.below(1 << 23) * 500) >>> 0;
    t.true(nextAttempt(e, later).waitMs <= 60000);
    t.is(nextAttempt(e, (start + 2 ** 31 + 100000) >>> 0).waitMs, 0);
    t.is(nextAttempt(e, (start - 100000) >>> 0).waitMs, 0);
  }
});

test('a chooser may prefer another endpoint, sees their figures, and cannot shorten a pause', (t) => {
  let seen: readonly PathState[] = [];
  let want = 1;
  const chooser = {
    choose(paths: readonly PathState[]) {
      seen = paths;
      return want;
    },
  };
  const e = createEndpoints({ count: 2, chooser }, 0);
  t.deepEqual(nextAttempt(e, 0), { index: 1, waitMs: 0 });
  noteMetrics(e, 0, 40, 5, 20);
  attemptFailed(e, 1, 0, 0.5);
  t.deepEqual(nextAttempt(e, 10), { index: 1, waitMs: 290 });
  t.deepEqual(seen, [
    { index: 0, waitMs: 0, failures: 0, rttMs: 40, jitterMs: 5, lossPermille: 20 },
    { index: 1, waitMs: 290, failures: 1, rttMs: -1, jitterMs: -1, lossPermille: -1 },
  ]);
  for (want of [-1, 2, NaN]) t.is(nextAttempt(e, 10).index, 0, 'no opinion: the configured order');
  t.throws(() => createEndpoints({ count: 0 }, 0), { code: 'invalid_input' });
});
