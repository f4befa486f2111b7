// The clock's states, and what it takes from a server (X2).
import test from 'ava';
import {
  acceptServerTime,
  checkHeaderTime,
  CLOCK_KEY,
  clockClose,
  clockProved,
  clockNow,
  clockOver,
  ClockState,
  clockTick,
  createClock,
  doubtClock,
  pinValidity,
  setClock,
  systemClock,
} from '../../src/session/clock.ts';
import type { ClockOptions, DeviceClock } from '../../src/session/clock.ts';
import { packStored, Stored, unpackStored } from '../../src/session/stored.ts';
import { CASES, draws } from '../random.ts';
import { testStorage } from '../storage.ts';

const DAY = 86400;
const BUILT = 1_790_000_000;
const FROM = BUILT + 10 * DAY;
const TO = FROM + 730 * DAY;

function clock(options: ClockOptions = {}): { c: DeviceClock; events: string[]; details: string[] } {
  const [events, details]: [string[], string[]] = [[], []];
  const c = createClock(
    {
      ...options,
      report: ({ event, detail }) => {
        events.push(event);
        details.push(detail);
      },
    },
    0,
  );
  return { c, events, details };
}

test('none, floor, synced', (t) => {
  const { c, events } = clock();
  t.is(c.state, ClockState.none);
  t.is(clockNow(c, 5), 0);
  pinValidity(c, FROM, TO);
  t.deepEqual([c.state, c.floor, clockNow(c, 5)], [ClockState.floor, FROM, 0]);
  t.is(acceptServerTime(c, (FROM + DAY) * 1000, FROM, TO, 10), null);
  t.deepEqual([c.state, clockNow(c, 10), clockNow(c, 25)], [ClockState.synced, FROM + DAY, FROM + DAY + 15]);
  t.deepEqual(events, ['synced']);
  let seconds = 30;
  t.is(clockOver(c, () => ++seconds).now(), FROM + DAY + 21);
});

test('the floor is the latest of build, stored time and beginning of the certificate', (t) => {
  for (const [built, stored, from] of [
    [1, 2, 3],
    [3, 1, 2],
    [2, 3, 1],
  ]) {
    const storage = testStorage();
    const before = createClock({ storage }, 0);
    setClock(before, BUILT + stored! * DAY, 0);
    clockProved(before, 0);
    clockClose(before, 0);
    const { c } = clock({ storage, built: BUILT + built! * DAY });
    pinValidity(c, BUILT + from! * DAY, TO);
    t.deepEqual([c.state, c.floor], [ClockState.floor, BUILT + 3 * DAY]);
  }
});

test('X2: a server time is taken within floor and certificate only, to the millisecond', (t) => {
  const cases: [ms: number, taken: boolean][] = [
    [FROM * 1000 - 1, false],
    [FROM * 1000, true],
    [TO * 1000, true],
    [TO * 1000 + 1, false],
    [0, false],
    [NaN, false],
    [2 ** 53, false],
  ];
  for (const [ms, taken] of cases) {
    const { c, events } = clock({ built: BUILT });
    pinValidity(c, FROM, TO);
    const why = acceptServerTime(c, ms, FROM, TO, 7);
    t.is(why === null, taken, String(ms));
    t.is(c.state, taken ? ClockState.synced : ClockState.floor);
    t.deepEqual(events, [taken ? 'synced' : 'refused']);
    if (!taken) {
      t.is(why!.reason, 'server_time');
      t.is(c.floor, FROM, 'the floor stays');
    }
  }
});

test('X2: a recorded hello from before the stored time is refused', (t) => {
  const storage = testStorage();
  const first = createClock({ storage }, 0);
  pinValidity(first, FROM, TO);
  acceptServerTime(first, (FROM + 100 * DAY) * 1000, FROM, TO, 0);
  const { c, details } = clock({ storage });
  pinValidity(c, FROM, TO);
  t.is(acceptServerTime(c, (FROM + 99 * DAY) * 1000, FROM, TO, 1)?.reason, 'server_time');
  t.regex(details.join(), /before the earliest possible time, .* UTC: it is a recording/);
  t.is(acceptServerTime(c, (FROM + 101 * DAY) * 1000, FROM, TO, 1), null);
});

test("the caller's own clock makes it synced, and no server moves it", (t) => {
  const c = systemClock(FROM, 50);
  t.deepEqual([c.state, clockNow(c, 60)], [ClockState.synced, FROM + 10]);
  t.is(acceptServerTime(c, (FROM + DAY) * 1000, FROM, TO, 60), null);
  t.is(clockNow(c, 60), FROM + 10);
  t.false(doubtClock(c, 'test'));
  t.is(c.state, ClockState.synced);
});

test('a false time of the platform is not stored, and locks nobody out; one that a server agreed with is', (t) => {
  const storage = testStorage();
  const wrong = createClock({ storage }, 0);
  pinValidity(wrong, FROM, TO);
  t.true(setClock(wrong, FROM + 400 * DAY, 0));
  clockTick(wrong, 10_000);
  clockClose(wrong, 20_000);
  t.is(storage.writes, 0);
  const next = createClock({ storage }, 0);
  pinValidity(next, FROM, TO);
  t.is(acceptServerTime(next, (FROM + DAY) * 1000, FROM, TO, 0), null);
  const right = createClock({ storage }, 0);
  t.true(setClock(right, FROM + 2 * DAY, 0));
  clockProved(right, 10);
  t.is(createClock({ storage }, 0).floor, FROM + 2 * DAY + 10);
});

test('a platform clock before the floor is not believed', (t) => {
  const { c, events } = clock({ built: BUILT });
  for (const now of [0, -1, NaN, 1000, BUILT - 1]) t.false(setClock(c, now, 0));
  t.is(c.state, ClockState.floor);
  t.deepEqual(events, Array(5).fill('refused'));
  t.true(setClock(c, BUILT, 0));
});

test('header times: the window is checked when synced only, and a skew says by how much', (t) => {
  const { c } = clock({ built: BUILT });
  t.is(checkHeaderTime(c, 0, 0), null);
  setClock(c, FROM, 0);
  for (const offset of [-61, -60, 0, 60, 61]) {
    const skew = checkHeaderTime(c, FROM + 5 + offset, 5);
    t.is(skew === null, Math.abs(offset) <= 60);
    if (skew !== null) {
      t.is(skew.reason, 'clock_skew');
      t.is(skew.offset, offset);
      t.regex(skew.detail, offset > 0 ? /61 s ahead of ours/ : /61 s behind ours/);
    }
  }
  t.is(checkHeaderTime(c, 0, 5)?.offset, -(FROM + 5));
  t.is(checkHeaderTime(c, 2 ** 64, 5)?.reason, 'clock_skew');
});

test('a time from a server can be doubted, and is then asked for again', (t) => {
  const { c, events } = clock({ built: BUILT });
  pinValidity(c, FROM, TO);
  acceptServerTime(c, (FROM + DAY) * 1000, FROM, TO, 0);
  t.true(doubtClock(c, 'the server is 70 s ahead'));
  t.deepEqual([c.state, clockNow(c, 1)], [ClockState.floor, 0]);
  t.false(doubtClock(c, 'again'));
  t.deepEqual(events, ['synced', 'degraded']);
  t.is(acceptServerTime(c, (FROM + DAY + 70) * 1000, FROM, TO, 0), null);
  t.is(clockNow(c, 0), FROM + DAY + 70);
});

test('the floor never passes the end of the certificate that lasts longest', (t) => {
  const storage = testStorage();
  const wrong = createClock({ storage }, 0);
  setClock(wrong, TO + 1000 * DAY, 0);
  clockProved(wrong, 0);
  clockClose(wrong, 0);
  const { c, events } = clock({ storage });
  pinValidity(c, FROM, TO);
  t.is(c.floor, TO);
  t.deepEqual(events, ['expired']);
  // A successor that lasts longer: the floor is what has passed, again bounded.
  pinValidity(c, FROM, TO + 700 * DAY);
  t.is(c.floor, TO + 700 * DAY);
  pinValidity(c, FROM, TO + 2000 * DAY);
  t.is(c.floor, TO + 1000 * DAY);
  // A certificate of earlier end does not lower the bound.
  pinValidity(c, FROM, TO);
  t.is(c.floor, TO + 1000 * DAY);
});

test('what is stored is bounded by the certificate too', (t) => {
  const storage = testStorage();
  const c = createClock({ storage }, 0);
  pinValidity(c, FROM, TO);
  setClock(c, TO - 10, 0);
  clockProved(c, 0);
  clockTick(c, 100 * DAY);
  clockClose(c, 100 * DAY);
  t.is(createClock({ storage }, 0).floor, TO);
});

test('the time is stored hourly and at a clean close: few writes', (t) => {
  const storage = testStorage();
  const c = createClock({ storage, built: BUILT }, 0);
  for (let second = 0; second < 100; second++) clockTick(c, second);
  t.is(storage.writes, 0, 'an unknown time is not stored');
  acceptServerTime(c, FROM * 1000, FROM, TO, 100);
  t.is(storage.writes, 1);
  for (let second = 100; second < 100 + 10 * 3600; second += 10) clockTick(c, second);
  t.is(storage.writes, 10);
  clockClose(c, 100 + 10 * 3600 + 30);
  t.is(storage.writes, 11);
  clockClose(c, 100 + 10 * 3600 + 60);
  t.is(storage.writes, 11, 'a minute is not worth a write');
  t.is(createClock({ storage }, 0).floor, FROM + 10 * 3600 + 30);
});

test('a storage that fails or rots is reported and costs only what it held', (t) => {
  const storage = testStorage();
  acceptServerTime(createClock({ storage }, 0), FROM * 1000, FROM, TO, 0);
  const good = storage.get(CLOCK_KEY)!;
  t.is(good.length, 14);
  for (let bit = 0; bit < good.length * 8; bit++) {
    const bad = new Uint8Array(good);
    bad[bit >> 3]! ^= 1 << (bit & 7);
    storage.set(CLOCK_KEY, bad);
    const { c, events } = clock({ storage, built: BUILT });
    t.is(c.floor, BUILT);
    t.deepEqual(events, ['store_corrupt']);
  }
  for (let length = 0; length < good.length; length++) {
    storage.set(CLOCK_KEY, good.slice(0, length));
    t.deepEqual(clock({ storage }).events, ['store_corrupt']);
  }
  const broken = { ...storage, set: fail };
  storage.remove(CLOCK_KEY);
  const { c, events } = clock({ storage: broken });
  acceptServerTime(c, FROM * 1000, FROM, TO, 0);
  for (let second = 0; second < 3599; second++) clockTick(c, second);
  t.deepEqual(events, ['synced', 'store_failed']);
  t.is(clockNow(c, 0), FROM + 3598, 'the counter stands still where it goes back');
  t.deepEqual(clock({ storage: { ...storage, get: fail } }).events, ['store_failed']);
});

function fail(): never {
  throw new Error('flash');
}

test('a counter that goes back does not take the time back', (t) => {
  const draw = draws(t);
  const c = systemClock(FROM, 1000);
  let last = clockNow(c, 1000);
  for (let n = 0; n < CASES * 10; n++) {
    const now = clockNow(c, draw.below(5000));
    t.true(now >= last);
    last = now;
  }
});

test('stored values: kind, version and length must fit', (t) => {
  const body = Uint8Array.of(1, 2, 3);
  const value = packStored(Stored.wallet, 1, body);
  t.is(value.length, 9);
  t.deepEqual(unpackStored(Stored.wallet, 1, value, 3), body);
  t.deepEqual(unpackStored(Stored.wallet, 1, value, -1), body);
  t.is(unpackStored(Stored.wallet, 2, value, 3), null);
  t.is(unpackStored(Stored.clock, 1, value, 3), null);
  t.is(unpackStored(Stored.wallet, 1, value, 4), null);
  t.is(unpackStored(Stored.wallet, 1, new Uint8Array(0), -1), null);
});
