// X3: the keep-alive schedule, as properties of runs in virtual time.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { readFileSync } from 'node:fs';
import { runKeepalive } from '../../bench/keepalive-run.ts';
import { timeline } from '../../bench/keepalive-timeline.ts';
import type { RunEvent, Scenario } from '../../bench/keepalive-run.ts';
import {
  Due,
  KEEPALIVE_WORDS,
  keepaliveAnswer,
  keepaliveAnswered,
  keepaliveDue,
  keepaliveIdleMin,
  keepaliveInit,
  keepaliveJitterMs,
  keepaliveLossPermille,
  keepaliveReceived,
  keepaliveRequest,
  keepaliveResponse,
  keepaliveRttMs,
  keepaliveSent,
  keepaliveUnanswered,
  keepaliveWake,
} from '../../src/link/keepalive.ts';
import { toHex } from '../../src/bytes.ts';
import { CASES, draws } from '../random.ts';
import type { Draw } from '../random.ts';

const TRAFFIC = ['asks', 'answers', 'reports', 'none'] as const;
const POLLS = [64, 250, 1000, 5000, 60000];

interface Shape {
  readonly scenario: Scenario;
  /** Bound of the delays drawn for it, ms. */
  readonly rtt: number;
  readonly jitter: number;
  readonly late: number;
}

/** A random schedule: period, phase, traffic, delays, a clock that may wrap within the run. */
function drawShape(draw: Draw, cycles: number): Shape {
  const pollMs = POLLS[draw.below(POLLS.length)]!;
  const missed = 2 + draw.below(4);
  const rtt = 1 + draw.below(pollMs >> 3);
  const jitter = 1 + draw.below(pollMs >> 4);
  const late = 1 + draw.below(3);
  const seed = draw.below(1 << 20);
  const noise = (n: number, salt: number, limit: number): number =>
    ((((n + 1) * 7919 + salt * 104729 + seed) * 2654435761) >>> 8) % limit;
  const until = cycles * pollMs;
  return {
    rtt,
    jitter,
    late,
    scenario: {
      pollMs,
      missed,
      until,
      clock: draw.below(2) === 0 ? draw.below(1 << 23) : (2 ** 32 - draw.below(until)) >>> 0,
      phase: draw.below(pollMs),
      traffic: TRAFFIC[draw.below(TRAFFIC.length)]!,
      rtt: (n) => 1 + noise(n, 1, rtt),
      jitter: (n) => noise(n, 2, jitter),
      lateness: (n) => noise(n, 3, late),
      held: (n) => noise(n, 4, 5),
    },
  };
}

const times = (events: readonly RunEvent[], kind: RunEvent['kind']): number[] =>
  events.filter((event) => event.kind === kind).map((event) => event.time);

/** The last authenticated packet before the last event of a time and kind. */
function lastLife(events: readonly RunEvent[], time: number, kind: RunEvent['kind']): number {
  let at = events.length - 1;
  while (at >= 0 && (events[at]!.time !== time || events[at]!.kind !== kind)) at--;
  for (; at >= 0; at--) {
    const event = events[at]!;
    if (event.kind === 'receive' || event.kind === 'response') return event.time;
  }
  return 0;
}

function checkRequests(t: ExecutionContext, shape: Shape, events: readonly RunEvent[]): void {
  const { pollMs } = shape.scenario;
  const requests = times(events, 'request');
  requests.forEach((time, i) => {
    t.true(time - lastLife(events, time, 'request') >= pollMs - shape.late, 'a whole poll brought nothing');
    if (i > 0) t.true(time - requests[i - 1]! >= pollMs - shape.late, 'two requests in one cycle');
  });
}

test('X3: a request goes out only after a whole cycle without a packet, and never two in a cycle', (t) => {
  const draw = draws(t);
  let requests = 0;
  for (let n = 0; n < CASES; n++) {
    const shape = drawShape(draw, 60);
    const { pollMs } = shape.scenario;
    const from = (10 + draw.below(20)) * pollMs;
    const seed = draw.below(8);
    const scenario: Scenario = {
      ...shape.scenario,
      quiet: [from, from + draw.below(20) * pollMs],
      // With missed = 2 a single answer that is lost may be the one that counts.
      lost: (n) => shape.scenario.missed > 2 && (n + seed) % 8 === 0,
    };
    const { events } = runKeepalive(scenario);
    requests += times(events, 'request').length;
    checkRequests(t, shape, events);
    t.deepEqual(times(events, 'dead'), [], 'a peer that answers lives');
  }
  t.true(requests > CASES);
});

test('X3: a peer whose polls arrive is not asked', (t) => {
  const draw = draws(t);
  for (let n = 0; n < CASES; n++) {
    const { scenario, rtt } = drawShape(draw, 60);
    // Delays that vary by less than the least margin, 1/64 poll.
    const steady = { ...scenario, rtt: () => rtt, jitter: () => 0, lateness: () => 0 };
    for (const traffic of ['asks', 'answers'] as const) {
      const { events } = runKeepalive({ ...steady, traffic });
      // The very first poll may come later than a cycle after the start.
      const asked = times(events, 'request').filter((time) => time > 3 * scenario.pollMs);
      t.deepEqual(asked, [], `${traffic} ${JSON.stringify(steady)}`);
    }
  }
});

test('X3: a dead peer is found within missed polls and three quarters of one, not before missed polls', (t) => {
  const draw = draws(t);
  for (let n = 0; n < CASES; n++) {
    const shape = drawShape(draw, 60);
    const { pollMs, missed } = shape.scenario;
    const dies = draw.below(40 * pollMs);
    const { events } = runKeepalive({ ...shape.scenario, dies });
    const found = times(events, 'dead');
    t.is(found.length, 1);
    const silence = found[0]! - lastLife(events, found[0]!, 'dead');
    const slack = (pollMs * 3) / 4 + 2 * shape.late;
    t.true(silence >= missed * pollMs, `${silence} of ${missed} x ${pollMs}`);
    t.true(silence <= missed * pollMs + slack, `${silence} of ${missed} x ${pollMs} + ${slack}`);
    t.true(silence < keepaliveIdleMin(pollMs, missed) + 2 * shape.late);
    const asked = times(events, 'request').filter((time) => time > lastLife(events, found[0]!, 'dead'));
    t.true(asked.length >= missed - 1, 'it was asked before it was given up');
    checkRequests(t, shape, events);
  }
});

test('X3: requests follow the poll: just after its response is due, inside the same radio window', (t) => {
  const draw = draws(t);
  let requests = 0;
  for (let n = 0; n < CASES; n++) {
    const shape = drawShape(draw, 100);
    const { pollMs, phase } = shape.scenario;
    const traffic = draw.below(2) === 0 ? 'asks' : 'answers';
    // 40 cycles to learn from, then the application falls silent.
    const quietFrom = 40 * pollMs + phase!;
    const { events } = runKeepalive({ ...shape.scenario, traffic, quiet: [quietFrom, Infinity] });
    const earliest = traffic === 'asks' ? 1 : 0;
    const spread = shape.jitter + (traffic === 'asks' ? shape.rtt : 0);
    for (const time of times(events, 'request').filter((time) => time > quietFrom)) {
      requests++;
      const after = (time - phase!) % pollMs;
      t.true(after >= earliest, `${after}`);
      t.true(after <= earliest + spread + pollMs / 4 + shape.late, `${after} of ${pollMs}`);
    }
    checkRequests(t, shape, events);
  }
  t.true(requests > CASES);
});

test('X3: a device that only reports is asked in the windows of its reports', (t) => {
  const draw = draws(t);
  for (let n = 0; n < CASES; n++) {
    const { scenario } = drawShape(draw, 80);
    const { pollMs, phase } = scenario;
    const steady = { ...scenario, traffic: 'reports', jitter: () => 0 } as const;
    const requests = times(runKeepalive(steady).events, 'request').filter((time) => time > 60 * pollMs);
    t.true(requests.length >= 5);
    for (const time of requests) t.true((time - phase! + pollMs) % pollMs <= pollMs / 4 + 3);
  }
});

test('X3: packets besides the poll do not pull the phase away', (t) => {
  const draw = draws(t);
  const w = new Int32Array(KEEPALIVE_WORDS);
  keepaliveInit(w, 0, 1000, 3, 0);
  let asked = 0;
  for (let cycle = 1; cycle <= 2000; cycle++) {
    const at = cycle * 1000;
    const extra = at + 50 + draw.below(900);
    keepaliveReceived(w, 0, at + draw.below(10), true);
    for (const now of [at + 40, extra, at + 999]) {
      if (now === extra) keepaliveReceived(w, 0, now, true);
      if (keepaliveDue(w, 0, now) === Due.request) asked++;
    }
  }
  t.is(asked, 0);
  keepaliveDue(w, 0, 2_001_000);
  const next = 2_001_000 + keepaliveWake(w, 0, 2_001_000);
  t.true(next % 1000 <= 60, `${next}`);
});

/** 10^6 cycles without the simulator: polls at phase + n * period, each with jitter; `probe` sees boundaries. */
function longRun(
  t: ExecutionContext,
  pollMs: number,
  period: number,
  jitter: number,
  learnt: number,
): { worst: number; requests: number; cycles: number } {
  const draw = draws(t);
  const noise = Array.from({ length: 997 }, () => (jitter === 0 ? 0 : draw.below(jitter)));
  const w = new Int32Array(KEEPALIVE_WORDS);
  const start = 2 ** 32 - 12345;
  let now = start;
  keepaliveInit(w, 0, pollMs, 3, now % 2 ** 32);
  let [worst, requests] = [0, 0];
  const cycles = 1_000_000;
  let arrival = start + 77;
  let n = 0;
  while (n < cycles) {
    const wake = now + keepaliveWake(w, 0, now % 2 ** 32);
    const due = arrival + noise[n % 997]!;
    if (due <= wake) {
      now = Math.max(now, due);
      if (n < learnt) keepaliveReceived(w, 0, now % 2 ** 32, true);
      arrival += period;
      n++;
    } else {
      now = wake;
      const what = keepaliveDue(w, 0, now % 2 ** 32);
      if (what === Due.dead) throw new Error(`dead after ${n} cycles`);
      if (what === Due.request) {
        requests++;
        // Answered at once: an idle but living peer.
        keepaliveReceived(w, 0, now % 2 ** 32, false);
      }
      const off = (now - start - 77) % period;
      if (n > 100) worst = Math.max(worst, off > period / 2 ? period - off : off);
    }
  }
  return { worst, requests, cycles };
}

test('X3: no drift over 10^6 cycles, the clock wrapping on the way: steady, jittered, slow, idle', (t) => {
  t.timeout(120_000);
  // Learnt from 50 polls, then 10^6 cycles alone: the phase stays where it was.
  const idle = longRun(t, 10007, 10007, 0, 50);
  t.true(idle.worst <= 10007 / 8, `${idle.worst}`);
  t.true(idle.requests > 990_000);
  const steady = longRun(t, 10007, 10007, 0, Infinity);
  t.deepEqual([steady.requests, steady.worst <= 10007 / 60], [0, true]);
  const jittered = longRun(t, 10007, 10007, 600, Infinity);
  t.true(jittered.worst <= 10007 / 4 + 600, `${jittered.worst}`);
  // A poll late by more than a cycle allows is asked for; by this jitter that is rare, yet some draws have it.
  t.true(jittered.requests <= jittered.cycles / 100, `${jittered.requests}`);
  // The application's timer is 0.1 % slow: its phase runs round the cycle a thousand times.
  const slow = longRun(t, 10000, 10010, 0, Infinity);
  t.deepEqual([slow.requests, slow.worst <= 10000 / 16], [0, true], `${slow.worst}`);
});

test('X3: one clock step of any size, either way, kills no living peer', (t) => {
  const draw = draws(t);
  for (let n = 0; n < 4 * CASES; n++) {
    const shape = drawShape(draw, 60);
    const { pollMs } = shape.scenario;
    const size = [draw.below(pollMs), draw.below(6 * pollMs), draw.below(1 << 23) * 200][draw.below(3)]!;
    const by = draw.below(2) === 0 ? size : -size;
    const when = draw.below(50 * pollMs);
    const { events } = runKeepalive({ ...shape.scenario, steps: [[when, by]] });
    t.deepEqual(times(events, 'dead'), [], `${by} at ${when}`);
    // In all it may cost one request that was not needed.
    const requests = times(events, 'request');
    requests.forEach((time, i) => {
      if (i > 1) t.true(time - requests[i - 2]! >= pollMs - shape.late);
    });
    const rtt = events.filter((event) => event.kind === 'response').map((event) => event.value);
    for (const value of rtt)
      t.true(value >= -1 && value <= pollMs, `${value} of ${JSON.stringify(shape.scenario)} ${by} ${when}`);
  }
});

test('X3: clock steps do not hide a dead peer: each costs a poll at most', (t) => {
  const draw = draws(t);
  for (let n = 0; n < CASES; n++) {
    const shape = drawShape(draw, 120);
    const { pollMs, missed } = shape.scenario;
    const dies = draw.below(40 * pollMs);
    const steps = Array.from({ length: 5 }, (): readonly [number, number] => [
      dies + draw.below(5 * pollMs),
      (draw.below(2) === 0 ? 1 : -1) * draw.below(1 << 23) * 50,
    ]);
    steps.sort((a, b) => a[0] - b[0]);
    const { events } = runKeepalive({ ...shape.scenario, dies, steps });
    const found = times(events, 'dead');
    t.is(found.length, 1);
    t.true(found[0]! - dies <= (missed + 0.75 + steps.length) * pollMs + 12 * shape.late);
  }
});

test('X3: time in which the device did not run is not silence', (t) => {
  const w = new Int32Array(KEEPALIVE_WORDS);
  keepaliveInit(w, 0, 1000, 3, 0);
  keepaliveReceived(w, 0, 100, true);
  // An hour asleep: a request, not a funeral.
  const awake = 3_600_100;
  t.is(keepaliveDue(w, 0, awake), Due.nothing);
  const asked = awake + keepaliveWake(w, 0, awake);
  t.true(asked - awake <= 1000);
  t.is(keepaliveDue(w, 0, asked), Due.request);
  t.is(keepaliveUnanswered(w, 0), 1);
  keepaliveReceived(w, 0, asked + 30, false);
  t.is(keepaliveUnanswered(w, 0), 0);
});

test('X3: what is sent is no life', (t) => {
  const w = new Int32Array(KEEPALIVE_WORDS);
  keepaliveInit(w, 0, 1000, 2, 0);
  let now = 0;
  let found = 0;
  for (; now < 10000 && found === 0; now += 10) {
    keepaliveSent(w, 0, now, true);
    if (keepaliveDue(w, 0, now) === Due.dead) found = now;
  }
  t.true(found >= 2000 && found <= 2760, `${found}`);
  t.is(keepaliveDue(w, 0, found + 10), Due.dead);
  t.is(keepaliveWake(w, 0, found + 10), 0);
});

test('X3: bodies of request and response, byte for byte', (t) => {
  const w = new Int32Array(KEEPALIVE_WORDS);
  keepaliveInit(w, 0, 1000, 3, 0xfffffff0);
  const request = new Uint8Array(10);
  keepaliveRequest(w, 0, 0xfffffff8, request, 1);
  t.is(toHex(request), '00' + '01000000' + 'f8ffffff' + '00');
  const response = new Uint8Array(12);
  t.true(keepaliveAnswer(request, 1, 8, 0xfffffffe, 3, response, 0));
  t.is(toHex(response), '01000000' + 'f8ffffff' + '05000000');
  t.false(keepaliveAnswer(request, 1, 7, 0, 0, response, 0));
  t.false(keepaliveAnswer(request, 1, 9, 0, 0, response, 0));
  t.is(keepaliveAnswered(w, 0, response, 0, 11, 10), -2);
  t.is(keepaliveAnswered(w, 0, response, 0, 12, 10), 13, '18 ms over the wrap, 5 of them held');
  t.is(keepaliveAnswered(w, 0, response, 0, 12, 11), -2, 'once only');
  // The server's clock went back while it held the request.
  t.true(keepaliveAnswer(request, 1, 8, 500, 400, response, 0));
  t.is(toHex(response.subarray(8)), '00000000');
});

test('X3: held is clamped to the time that passed; ids never asked for tell nothing', (t) => {
  const w = new Int32Array(KEEPALIVE_WORDS);
  keepaliveInit(w, 0, 1000, 3, 0);
  const body = new Uint8Array(8);
  for (let i = 0; i < 3; i++) keepaliveRequest(w, 0, 100, body, 0);
  t.is(keepaliveResponse(w, 0, 0, 100, 0, 130), -2);
  t.is(keepaliveResponse(w, 0, 4, 100, 0, 130), -2);
  t.is(keepaliveResponse(w, 0, 0xffffffff, 100, 0, 130), -2);
  t.is(keepaliveRttMs(w, 0), -1);
  t.is(keepaliveResponse(w, 0, 2, 100, 0xffffffff, 130), 0);
  t.is(keepaliveResponse(w, 0, 1, 100, 0, 130), -2, 'one that a later answer overtook');
  t.is(keepaliveResponse(w, 0, 3, 5000, 0, 130), -1, 'sent in the future');
  t.is(keepaliveRttMs(w, 0), 0);
});

/** RFC 6298 §2 in doubles. */
test('X3: smoothed RTT and variation follow RFC 6298', (t) => {
  const draw = draws(t);
  const w = new Int32Array(KEEPALIVE_WORDS);
  keepaliveInit(w, 0, 5000, 3, 0);
  const body = new Uint8Array(8);
  let [mean, variation] = [0, 0];
  for (let n = 1; n <= 300; n++) {
    const rtt = 200 + draw.below(400);
    const now = n * 2000;
    keepaliveReceived(w, 0, now, true);
    keepaliveRequest(w, 0, now, body, 0);
    t.is(keepaliveResponse(w, 0, n, now, 7, now + rtt + 7), rtt);
    if (n === 1) [mean, variation] = [rtt, rtt / 2];
    else {
      variation = 0.75 * variation + 0.25 * Math.abs(mean - rtt);
      mean = 0.875 * mean + 0.125 * rtt;
    }
    t.true(Math.abs(keepaliveRttMs(w, 0) - mean) <= 2, `${keepaliveRttMs(w, 0)} ${mean}`);
    t.true(Math.abs(keepaliveJitterMs(w, 0) - variation) <= 3, `${keepaliveJitterMs(w, 0)} ${variation}`);
  }
});

test('X3: loss is the share of requests without a response in their cycle', (t) => {
  const draw = draws(t);
  for (const share of [0, 4, 2]) {
    const seed = draw.below(4);
    const { events, state } = runKeepalive({
      pollMs: 1000,
      missed: 5,
      until: 2_000_000,
      traffic: 'none',
      rtt: () => 40,
      lost: (n) => share !== 0 && (n + seed) % share === 0,
    });
    t.deepEqual(times(events, 'dead'), []);
    const expected = share === 0 ? 0 : 1000 / share;
    t.true(Math.abs(keepaliveLossPermille(state, 0) - expected) <= 60, `${keepaliveLossPermille(state, 0)}`);
    t.is(keepaliveRttMs(state, 0), 40);
  }
});

test('X3: an idle link is asked every second poll; two states share an array', (t) => {
  const w = new Int32Array(3 * KEEPALIVE_WORDS);
  keepaliveInit(w, KEEPALIVE_WORDS, 1000, 3, 0);
  t.true(w.subarray(0, KEEPALIVE_WORDS).every((word) => word === 0));
  t.true(w.subarray(2 * KEEPALIVE_WORDS).every((word) => word === 0));
  const scenario = { pollMs: 1000, missed: 3, until: 100_000, traffic: 'none', rtt: () => 20 } as const;
  t.is(times(runKeepalive(scenario).events, 'request').length, 50);
});

test('X3: periods that cannot be kept are refused', (t) => {
  const w = new Int32Array(KEEPALIVE_WORDS);
  for (const [pollMs, missed] of [
    [63, 3],
    [1000.5, 3],
    [NaN, 3],
    [1000, 1],
    [1000, 256],
    [2 ** 26, 3],
  ]) {
    t.throws(() => keepaliveInit(w, 0, pollMs!, missed!, 0), { code: 'invalid_input' });
  }
  t.notThrows(() => keepaliveInit(w, 0, 2 ** 25, 3, 0));
  t.is(keepaliveIdleMin(60000, 3), 240000);
});

test('X3: the timeline in docs/keepalive.md is what the schedule does', (t) => {
  t.true(readFileSync('docs/keepalive.md', 'utf8').includes(timeline()));
});

test('X3: one packet out of place moves the phase by 1/32 poll at most', (t) => {
  const w = new Int32Array(KEEPALIVE_WORDS);
  keepaliveInit(w, 0, 1024, 3, 0);
  const cycle = (n: number, off: number): number => {
    const now = n * 1024 + off;
    keepaliveReceived(w, 0, now, true);
    for (const later of [now + 300, n * 1024 + 900]) {
      t.is(keepaliveDue(w, 0, later), Due.nothing);
    }
    const end = n * 1024 + 900;
    return (end + keepaliveWake(w, 0, end)) % 1024;
  };
  let before = 0;
  for (let n = 1; n <= 50; n++) before = cycle(n, 0);
  t.is(before, 1024 / 64, 'steady: the least margin');
  // The margin widens too, as the packets vary: by half of 1/8 poll at most.
  const after = cycle(51, 400);
  t.true(after > before && after <= before + 1024 / 32 + 1024 / 16, `${before} to ${after}`);
});

test('X3: a round trip in which the clock jumped, either way, is not measured', (t) => {
  const body = new Uint8Array(8);
  for (const [jump, rtt] of [
    [0, 30],
    [-20, -1],
    [-500000, -1],
    [5_000_000, -1],
  ]) {
    const w = new Int32Array(KEEPALIVE_WORDS);
    keepaliveInit(w, 0, 1000, 3, 10000);
    keepaliveRequest(w, 0, 10100, body, 0);
    keepaliveDue(w, 0, 10110 + jump!);
    // Sent just now by the new clock, so that the time alone looks well.
    t.is(keepaliveResponse(w, 0, 1, 10100 + jump!, 0, 10130 + jump!), rtt!);
  }
});
