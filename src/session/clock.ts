// The time of day on a device that may start without one.
//
//   none    nothing is known
//   floor   it is not earlier than the floor: the latest of the firmware's build, the time stored last, and the
//           beginning of a pinned certificate. The header's window is not checked, the sequence always is.
//   synced  known: from the caller's clock, or from a server that proved freshness (X2)
//
// The floor never passes the end of the pinned certificate that lasts longest: a time
// that was wrong must not lock the device out for good. Nothing is clamped and every degradation is reported.
// `seconds` is a source that only counts up from boot; where it goes back, the time stands still.

import { TIME_WINDOW } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { getTime, putTime } from '../bytes.ts';
import type { Clock, Storage } from '../platform.ts';
import { formatTime } from '../cert/time.ts';
import { packStored, Stored, unpackStored } from './stored.ts';

/** As in the client's hello (X2). */
export const ClockState = { none: 0, floor: 1, synced: 2 } as const;

export interface ClockReport {
  /** `refused`: a time was not taken; `degraded`: synced no longer; `expired`: no pinned certificate is valid. */
  readonly event: 'synced' | 'refused' | 'degraded' | 'expired' | 'store_failed' | 'store_corrupt';
  /** One sentence for people. */
  readonly detail: string;
}

export interface ClockOptions {
  /** When the firmware was built, seconds since 1970; 0 if not known. */
  readonly built?: number;
  /** Where the time is kept over a restart; null: nowhere. */
  readonly storage?: Storage | null;
  readonly report?: (report: ClockReport) => void;
}

/** One a device. Plain data: use the functions below. */
export interface DeviceClock {
  state: number;
  /** The latest time known to have passed, seconds since 1970. */
  passed: number;
  /** That time or `ceiling`, the earlier one. */
  floor: number;
  /** End of the pinned certificate that lasts longest, seconds; 0 while none is pinned. */
  ceiling: number;
  /** Time of day less the counter, seconds. */
  offset: number;
  /** True if the caller's own clock gave the time: a server's does not replace it. */
  own: boolean;
  /** False while nobody but the platform said this time: then it is not stored. */
  proved: boolean;
  /** Latest reading of the counter, seconds. */
  seen: number;
  /** The time in storage, seconds; 0 if there is none. */
  stored: number;
  readonly storage: Storage | null;
  readonly report: ((report: ClockReport) => void) | null;
}

/** A packet's time out of the window, and by how much. */
export interface ClockSkew extends Reject {
  /** The peer's clock less ours, seconds. */
  readonly offset: number;
}

export const CLOCK_KEY = 'qstp.clock';
/** The time is stored when it is this much later than what is stored, seconds. */
export const CLOCK_STORE_EVERY = 3600;
/** At a clean close this much is worth a write, seconds. */
const STORE_AT_CLOSE = 60;
const VERSION = 1;
const BODY_BYTES = 8;

function tell(c: DeviceClock, event: ClockReport['event'], detail: string): void {
  if (c.report !== null) c.report({ event, detail });
}

function when(seconds: number): string {
  return formatTime(Math.floor(seconds)) + ' UTC';
}

function bounded(c: DeviceClock, seconds: number): number {
  return c.ceiling !== 0 && seconds > c.ceiling ? c.ceiling : seconds;
}

function raise(c: DeviceClock, seconds: number): void {
  if (seconds > c.passed) c.passed = seconds;
  c.floor = bounded(c, c.passed);
  if (c.floor > 0 && c.state === ClockState.none) c.state = ClockState.floor;
}

/** A time that is known to have passed, seconds since 1970, such as what was kept over a deep sleep. */
export function notePassed(c: DeviceClock, seconds: number): void {
  raise(c, seconds);
}

function readStored(c: DeviceClock): void {
  if (c.storage === null) return;
  let value: Uint8Array | null = null;
  try {
    value = c.storage.get(CLOCK_KEY);
  } catch {
    tell(c, 'store_failed', 'the stored time cannot be read: the clock starts without it');
    return;
  }
  if (value === null) return;
  const body = unpackStored(Stored.clock, VERSION, value, BODY_BYTES);
  if (body === null) tell(c, 'store_corrupt', 'the stored time is damaged: the clock starts without it');
  else c.stored = getTime(body, 0);
}

function store(c: DeviceClock, now: number): void {
  const time = bounded(c, now);
  if (c.storage === null || time <= c.stored) return;
  const body = new Uint8Array(BODY_BYTES);
  putTime(body, 0, time);
  // Said before it is known: a storage that fails is not asked again every second.
  c.stored = time;
  try {
    c.storage.set(CLOCK_KEY, packStored(Stored.clock, VERSION, body));
  } catch {
    tell(c, 'store_failed', 'the time could not be stored: after a restart the clock may start earlier');
  }
  raise(c, time);
}

/** The counter, never backwards. */
function count(c: DeviceClock, seconds: number): number {
  if (seconds < c.seen) c.offset += c.seen - seconds;
  c.seen = seconds;
  return seconds;
}

/** A clock in state `none` or `floor`. `seconds` is the counter's reading, as in all functions here. */
export function createClock(options: ClockOptions, seconds: number): DeviceClock {
  const c: DeviceClock = {
    state: ClockState.none,
    passed: 0,
    floor: 0,
    ceiling: 0,
    offset: 0,
    own: false,
    proved: true,
    seen: seconds,
    stored: 0,
    storage: options.storage ?? null,
    report: options.report ?? null,
  };
  readStored(c);
  raise(c, options.built ?? 0);
  raise(c, c.stored);
  return c;
}

/** The clock of a platform that knows the time of day: synced from the start. */
export function systemClock(now: number, seconds: number): DeviceClock {
  const c = createClock({}, seconds);
  setClock(c, now, seconds);
  return c;
}

/** Pins a certificate's validity, seconds since 1970: it raises the floor and bounds it. */
export function pinValidity(c: DeviceClock, from: number, to: number): void {
  if (to > c.ceiling) c.ceiling = to;
  raise(c, from);
  if (c.passed > c.ceiling) {
    tell(
      c,
      'expired',
      `the certificate ended ${when(c.ceiling)}, before ${when(c.passed)}: renew it, unless a stored time is wrong`,
    );
  }
}

/** Seconds since 1970, whole; 0 unless the clock is synced. */
export function clockNow(c: DeviceClock, seconds: number): number {
  count(c, seconds);
  return c.state === ClockState.synced ? Math.floor(seconds + c.offset) : 0;
}

class CountedClock implements Clock {
  private readonly clock: DeviceClock;
  private readonly counter: () => number;

  constructor(clock: DeviceClock, counter: () => number) {
    this.clock = clock;
    this.counter = counter;
  }

  now(): number {
    return clockNow(this.clock, this.counter());
  }
}

/** The same as {@link clockNow} for the rest of the package, over a platform's counter. */
export function clockOver(c: DeviceClock, counter: () => number): Clock {
  return new CountedClock(c, counter);
}

function sync(c: DeviceClock, time: number, seconds: number, own: boolean): void {
  count(c, seconds);
  const was = c.state;
  c.offset = time - seconds;
  c.own = own;
  c.proved = !own;
  c.state = ClockState.synced;
  if (was !== ClockState.synced) {
    tell(c, 'synced', `the time is ${when(time)}, from ${own ? 'the platform' : 'the server'}`);
  }
  clockTick(c, seconds);
}

/**
 * A server that proved who it is agreed with the platform's time, or the caller knows it to be right: it is stored. A
 * false one from an RTC or a time server would otherwise become a floor that no right time passes.
 */
export function clockProved(c: DeviceClock, seconds: number): void {
  if (c.proved) return;
  c.proved = true;
  clockTick(c, seconds);
}

/** Takes the time of the caller's own clock (RTC, SNTP, operating system). False, and reported, below the floor. */
export function setClock(c: DeviceClock, now: number, seconds: number): boolean {
  if (!(now > 0) || now < c.floor) {
    tell(
      c,
      'refused',
      `the platform's time, ${when(now > 0 ? now : 0)}, is before the floor, ${when(c.floor)}`,
    );
    return false;
  }
  sync(c, now, seconds, true);
  return true;
}

/**
 * Takes the time of a server's hello whose freshness is proven (X2), in milliseconds since 1970; `from` and
 * `to` are the validity of the certificate that proved it, seconds. Null: taken, or the caller's own clock
 * stays. Otherwise the connection must close, and the floor stays.
 */
export function acceptServerTime(
  c: DeviceClock,
  serverTimeMs: number,
  from: number,
  to: number,
  seconds: number,
): Reject | null {
  if (c.state === ClockState.synced && c.own) return null;
  const time = serverTimeMs / 1000;
  let why = '';
  if (!(time >= c.floor))
    why = `is before the earliest possible time, ${when(c.floor)}: it is a recording, or the server's clock is slow`;
  else if (time < from || time > to)
    why =
      "is outside its certificate's validity: the certificate has expired, or the server's clock is wrong";
  if (why !== '') {
    const detail = `the server's time, ${when(time >= 0 ? time : 0)}, ${why}`;
    tell(c, 'refused', detail);
    return reject('server_time', ErrorCode.messageTimeInvalid, detail, true);
  }
  sync(c, time, seconds, false);
  return null;
}

/** Checks the time of a handshake packet's header, seconds. Null if it is in the window, or ours is not known. */
export function checkHeaderTime(c: DeviceClock, time: number, seconds: number): ClockSkew | null {
  const now = clockNow(c, seconds);
  if (c.state !== ClockState.synced) return null;
  const offset = time - now;
  if (offset >= -TIME_WINDOW && offset <= TIME_WINDOW) return null;
  return {
    reason: 'clock_skew',
    code: ErrorCode.messageTimeInvalid,
    detail: `the peer's clock is ${Math.abs(offset)} s ${offset > 0 ? 'ahead of' : 'behind'} ours: set the one that is wrong`,
    authenticated: false,
    offset,
  };
}

/**
 * Gives up a time that came from a server, after `clock_skew`: back to the floor, so that the next handshake
 * asks for the time again. False if the time is the caller's own, which stays.
 */
export function doubtClock(c: DeviceClock, why: string): boolean {
  if (c.state !== ClockState.synced || c.own) return false;
  c.state = c.floor > 0 ? ClockState.floor : ClockState.none;
  tell(c, 'degraded', `the clock is no longer trusted: ${why}`);
  return true;
}

/** Stores the time if an hour has passed since what is stored. Call whenever convenient. */
export function clockTick(c: DeviceClock, seconds: number): void {
  const now = clockNow(c, seconds);
  if (now !== 0 && c.proved && now - c.stored >= CLOCK_STORE_EVERY) store(c, now);
}

/** Stores the time at a clean close, before sleep or before a restart that is meant. */
export function clockClose(c: DeviceClock, seconds: number): void {
  const now = clockNow(c, seconds);
  if (now !== 0 && c.proved && now - c.stored >= STORE_AT_CLOSE) store(c, now);
}
