// X3: when the dialling end asks whether its peer is alive, as a function of the poll's period and phase, the
// last authenticated packet, what was asked, and now. No clock is read and no timer set here: the owner calls
// with its own milliseconds and is told what to do and when to come back (docs/keepalive.md).
//
// Times are unsigned 32-bit milliseconds of a clock that wraps and may jump. They are kept as they are and
// compared by their signed difference. A clock that is found to have gone back, or to be whole polls later than
// the wake-up that was asked for, moves every stored time along: what did not run does not count as silence.
//
// The state is KEEPALIVE_WORDS of an Int32Array of the owner's, from `at` on (88 bytes):
//
//    0   poll, ms                                11   application packet nearest to EXPECT in this cycle, as
//    1   missed polls until death                     its distance from it, ms; NONE if there was none
//    2   now of the last call                    12   1 if that packet came in, 0 if it went out
//    3   wake-up asked for                       13   boundaries without one that came in
//    4   last authenticated packet               14   id of the last request
//    5   EXPECT: next poll response is due       15   last id answered, or no longer waited for
//    6   mean deviation of responses, ms / 8     16   ids up to this give no RTT: the clock jumped
//    7   phase: 0 unknown, 1 of sends, 2 of      17   1 while the last request waits in its cycle
//        what comes in                           18   smoothed RTT, ms / 8; -1 before the first
//    8   requests since the last packet          19   RTT variation, ms / 4
//    9   last request, when it was sent          20   loss, permille / 16
//   10   last request, the boundary it stood at  21   1 once the peer is dead

import { QstpError } from '../error.ts';
import { getU32, putU32 } from '../bytes.ts';
import { WITH_ROUND_TRIPS } from '../features.ts';

const POLL = 0;
const MISSED = 1;
const SEEN = 2;
const WAKE = 3;
const RECEIVED = 4;
const EXPECT = 5;
const DEVIATION = 6;
const PHASE = 7;
const UNANSWERED = 8;
const ASKED = 9;
const ASKED_AT = 10;
const SAMPLE = 11;
const SAMPLE_IN = 12;
const OUT_ONLY = 13;
const ID = 14;
const ANSWERED = 15;
const JUMPED = 16;
const WAITING = 17;
const SRTT = 18;
const RTTVAR = 19;
const LOSS = 20;
const DEAD = 21;

export const KEEPALIVE_WORDS = 22;
/** Polls without a sign of life until the peer counts as dead, unless told otherwise. */
export const KEEPALIVE_MISSED = 3;
/** Shortest poll, milliseconds: below it the parts of a cycle are too few milliseconds to plan with. */
export const KEEPALIVE_POLL_MIN = 64;
export const KEEPALIVE_REQUEST_BYTES = 8;
export const KEEPALIVE_RESPONSE_BYTES = 12;

/** What {@link keepaliveDue} says. */
export const Due = {
  nothing: 0,
  /** Send a request: its body is {@link keepaliveRequest}. */
  request: 1,
  /** The peer is dead (keepalive_expired): close and reconnect. */
  dead: 2,
} as const;

const NONE = 0x7fffffff;
/** poll * (missed + 1) is below this, ms: eight times it fits an int32. */
const SPAN_MAX = 1 << 27;
/** Boundaries with no application packet coming in, after which the phase is learnt from those going out. */
const OUT_ONLY_AFTER = 4;

/** How long after the response is due a request goes out: 4 mean deviations, 1/64 to 1/4 of the poll. */
function margin(w: Int32Array, at: number): number {
  const poll = w[at + POLL]!;
  const wanted = w[at + DEVIATION]! >> 1;
  if (wanted < poll >> 6) return poll >> 6;
  return wanted > poll >> 2 ? poll >> 2 : wanted;
}

function boundary(w: Int32Array, at: number): number {
  return (w[at + EXPECT]! + margin(w, at)) | 0;
}

/** When the peer is dead if nothing comes: half a poll after `missed` polls, a quarter after the last request. */
function deathAt(w: Int32Array, at: number): number {
  const poll = w[at + POLL]!;
  const silent = (w[at + RECEIVED]! + w[at + MISSED]! * poll + (poll >> 1)) | 0;
  const asked = (w[at + ASKED]! + (poll >> 2)) | 0;
  return ((asked - silent) | 0) > 0 ? asked : silent;
}

function mayDie(w: Int32Array, at: number): boolean {
  return w[at + UNANSWERED]! >= w[at + MISSED]! - 1;
}

function shift(w: Int32Array, at: number, by: number): void {
  w[at + WAKE]! += by;
  w[at + RECEIVED]! += by;
  w[at + EXPECT]! += by;
  w[at + ASKED]! += by;
  w[at + ASKED_AT]! += by;
  if (WITH_ROUND_TRIPS) w[at + JUMPED] = w[at + ID]!;
}

/** Takes the clock's new reading. Afterwards `now` is less than a poll later than the wake-up asked for. */
function observe(w: Int32Array, at: number, now: number): void {
  const passed = (now - w[at + SEEN]!) | 0;
  if (passed < 0) shift(w, at, passed);
  else {
    const poll = w[at + POLL]!;
    const late = (now - w[at + WAKE]!) | 0;
    if (late >= poll) shift(w, at, late - (late % poll));
  }
  w[at + SEEN] = now | 0;
}

function plan(w: Int32Array, at: number): void {
  let wake = boundary(w, at);
  if (mayDie(w, at)) {
    const death = deathAt(w, at);
    if (((wake - death) | 0) > 0) wake = death;
  }
  w[at + WAKE] = wake;
}

/**
 * Starts the schedule of a connection that has just been confirmed by an authenticated packet. `pollMs` is the
 * period of the application's traffic, at least 64; `missed` 2 to 255; `now` ms, modulo 2^32. Throws
 * `invalid_input` for others, and if `pollMs * (missed + 1)` is over 37 hours.
 */
export function keepaliveInit(w: Int32Array, at: number, pollMs: number, missed: number, now: number): void {
  keepaliveCheck(pollMs, missed);
  keepaliveStart(w, at, pollMs, missed, now);
}

/** Throws `invalid_input` as {@link keepaliveInit} does. */
export function keepaliveCheck(pollMs: number, missed: number): void {
  if (!(pollMs >= KEEPALIVE_POLL_MIN) || pollMs % 1 !== 0 || !(missed >= 2 && missed <= 255)) {
    throw new QstpError(
      'invalid_input',
      'pollMs is a whole number of at least 64 milliseconds, missed one from 2 to 255',
    );
  }
  if (pollMs * (missed + 1) > SPAN_MAX) {
    throw new QstpError('invalid_input', 'pollMs times missed is over 37 hours: take a shorter poll');
  }
}

/** {@link keepaliveInit} with numbers that were checked before. */
export function keepaliveStart(w: Int32Array, at: number, pollMs: number, missed: number, now: number): void {
  for (let i = 0; i < KEEPALIVE_WORDS; i++) w[at + i] = 0;
  w[at + POLL] = pollMs;
  w[at + MISSED] = missed;
  w[at + SEEN] = now;
  w[at + RECEIVED] = now;
  // A guess until the traffic shows better: a poll from now, an eighth of it as margin.
  w[at + EXPECT] = (now + pollMs) | 0;
  w[at + DEVIATION] = pollMs >> 2;
  w[at + ASKED] = now;
  w[at + ASKED_AT] = (now - pollMs) | 0;
  w[at + SAMPLE] = NONE;
  if (WITH_ROUND_TRIPS) w[at + SRTT] = -1;
  plan(w, at);
}

/** What a server's maxIdle must reach, ms: else its hello is refused (X3). */
export function keepaliveIdleMin(pollMs: number, missed: number): number {
  return pollMs * (missed + 1);
}

/** A packet of the application, in or out: what the phase is learnt from. */
function learn(w: Int32Array, at: number, now: number, phase: number): void {
  const poll = w[at + POLL]!;
  if (w[at + PHASE]! < phase) {
    w[at + PHASE] = phase;
    w[at + EXPECT] = now | 0;
    w[at + SAMPLE] = NONE;
    return;
  }
  let distance = (now - w[at + EXPECT]!) | 0;
  while (distance > poll >> 1) distance -= poll;
  while (distance < -(poll >> 1)) distance += poll;
  const incoming = phase - 1;
  const best = w[at + SAMPLE]!;
  // What comes in outdoes what goes out; then the nearer one counts, so that extra traffic does not pull.
  if (
    best === NONE ||
    incoming > w[at + SAMPLE_IN]! ||
    (incoming === w[at + SAMPLE_IN]! && Math.abs(distance) < Math.abs(best))
  ) {
    w[at + SAMPLE] = distance;
    w[at + SAMPLE_IN] = incoming;
  }
}

/** An authenticated packet came in; `application`: it is a message, not one of the tunnel's own. */
export function keepaliveReceived(w: Int32Array, at: number, now: number, application: boolean): void {
  observe(w, at, now);
  w[at + RECEIVED] = now | 0;
  w[at + UNANSWERED] = 0;
  if (application) learn(w, at, now, 2);
  plan(w, at);
}

/** A packet was sent. Never counts as life; teaches the phase where nothing comes in. */
export function keepaliveSent(w: Int32Array, at: number, now: number, application: boolean): void {
  observe(w, at, now);
  if (application && w[at + UNANSWERED] === 0) learn(w, at, now, 1);
  plan(w, at);
}

/** Moves EXPECT a quarter of the way to this cycle's packet, at most 1/32 poll, and forgets the packet. */
function follow(w: Int32Array, at: number): void {
  const poll = w[at + POLL]!;
  const sample = w[at + SAMPLE]!;
  const incoming = sample !== NONE && w[at + SAMPLE_IN] === 1;
  if (incoming) w[at + OUT_ONLY] = 0;
  else if (w[at + OUT_ONLY]! < OUT_ONLY_AFTER) w[at + OUT_ONLY]! += 1;
  if (incoming || (sample !== NONE && w[at + OUT_ONLY] === OUT_ONLY_AFTER)) {
    const most = poll >> 5;
    let step = (sample / 4) | 0;
    if (step === 0 && sample !== 0) step = sample > 0 ? 1 : -1;
    if (step > most) step = most;
    if (step < -most) step = -most;
    w[at + EXPECT]! += step;
    let off = Math.abs(sample);
    if (off > poll >> 3) off = poll >> 3;
    w[at + DEVIATION]! += off - (w[at + DEVIATION]! >> 3);
  }
  w[at + SAMPLE] = NONE;
  w[at + SAMPLE_IN] = 0;
}

/** What is to be done now, one of {@link Due}. Call at the wake-up, and as often besides as is convenient. */
export function keepaliveDue(w: Int32Array, at: number, now: number): number {
  observe(w, at, now);
  if (w[at + DEAD] === 1) return Due.dead;
  const poll = w[at + POLL]!;
  const here = boundary(w, at);
  let due: number = Due.nothing;
  if (((now - here) | 0) >= 0) {
    if (WITH_ROUND_TRIPS && w[at + WAITING] === 1) {
      w[at + WAITING] = 0;
      countLoss(w, at, 1000);
    }
    w[at + EXPECT]! += poll;
    const silent = ((here - w[at + RECEIVED]!) | 0) >= poll;
    if (silent && ((here - w[at + ASKED_AT]!) | 0) >= poll) {
      due = Due.request;
      w[at + UNANSWERED]! += 1;
      w[at + ASKED] = now | 0;
      w[at + ASKED_AT] = here;
    } else if (!silent) follow(w, at);
  } else if (mayDie(w, at) && ((now - deathAt(w, at)) | 0) >= 0) {
    w[at + DEAD] = 1;
    return Due.dead;
  }
  plan(w, at);
  return due;
}

/** Milliseconds until {@link keepaliveDue} has something to say, if nothing happens before; 0 if it has now. */
export function keepaliveWake(w: Int32Array, at: number, now: number): number {
  const left = (w[at + WAKE]! - now) | 0;
  return left > 0 && w[at + DEAD] === 0 ? left : 0;
}

function countLoss(w: Int32Array, at: number, permille: number): void {
  const loss = w[at + LOSS]!;
  w[at + LOSS] = loss + permille - (loss >> 4);
}

/** Writes the body of the request that is due: `id u32 | sent u32`. */
export function keepaliveRequest(
  w: Int32Array,
  at: number,
  now: number,
  out: Uint8Array,
  outAt: number,
): void {
  observe(w, at, now);
  const id = (w[at + ID]! + 1) | 0;
  w[at + ID] = id;
  if (WITH_ROUND_TRIPS) w[at + WAITING] = 1;
  putU32(out, outAt, id);
  putU32(out, outAt + 4, now);
}

/**
 * Writes the body of the answer to a request of `length` bytes at `body[from]`, held since `received`:
 * `id | sent | held u32`, ms. False if it is no request. This is all a server does.
 */
export function keepaliveAnswer(
  body: Uint8Array,
  from: number,
  length: number,
  received: number,
  now: number,
  out: Uint8Array,
  outAt: number,
): boolean {
  if (length !== KEEPALIVE_REQUEST_BYTES) return false;
  const held = (now - received) | 0;
  for (let i = 0; i < KEEPALIVE_REQUEST_BYTES; i++) out[outAt + i] = body[from + i]!;
  putU32(out, outAt + 8, held > 0 ? held : 0);
  return true;
}

/** {@link keepaliveResponse} of a body of `length` bytes at `body[from]`; -2 if it is none. */
export function keepaliveAnswered(
  w: Int32Array,
  at: number,
  body: Uint8Array,
  from: number,
  length: number,
  now: number,
): number {
  if (length !== KEEPALIVE_RESPONSE_BYTES) return -2;
  return keepaliveResponse(w, at, getU32(body, from), getU32(body, from + 4), getU32(body, from + 8), now);
}

/**
 * Takes a response: the RTT in ms, the time the peer held it taken off, -1 if it tells none (the clock jumped
 * meanwhile, or it took longer than a poll), -2 if it answers nothing that was asked and not yet answered. Call {@link keepaliveReceived}
 * for its packet too.
 */
export function keepaliveResponse(
  w: Int32Array,
  at: number,
  id: number,
  sent: number,
  held: number,
  now: number,
): number {
  observe(w, at, now);
  if (((id - w[at + ANSWERED]!) | 0) <= 0 || ((w[at + ID]! - id) | 0) < 0) return -2;
  w[at + ANSWERED] = id | 0;
  if (w[at + WAITING] === 1 && (id | 0) === w[at + ID]) {
    w[at + WAITING] = 0;
    countLoss(w, at, 0);
  }
  const whole = (now - sent) | 0;
  if (((id - w[at + JUMPED]!) | 0) <= 0 || whole < 0 || whole > w[at + POLL]!) return -1;
  const rtt = held < whole ? whole - held : 0;
  // RFC 6298 §2 in integers: the mean times 8, the variation times 4.
  if (w[at + SRTT]! < 0) {
    w[at + SRTT] = rtt << 3;
    w[at + RTTVAR] = rtt << 1;
  } else {
    const error = rtt - (w[at + SRTT]! >> 3);
    w[at + RTTVAR]! += Math.abs(error) - (w[at + RTTVAR]! >> 2);
    w[at + SRTT]! += error;
  }
  return rtt;
}

/** Smoothed round trip time, ms; -1 before the first response. */
export function keepaliveRttMs(w: Int32Array, at: number): number {
  return w[at + SRTT]! >> 3;
}

/** Smoothed variation of the round trip time, ms. */
export function keepaliveJitterMs(w: Int32Array, at: number): number {
  return w[at + RTTVAR]! >> 2;
}

/** Share of requests that no response followed within their cycle, smoothed over about 16, permille. */
export function keepaliveLossPermille(w: Int32Array, at: number): number {
  return w[at + LOSS]! >> 4;
}

/** Requests since the last authenticated packet. */
export function keepaliveUnanswered(w: Int32Array, at: number): number {
  return w[at + UNANSWERED]!;
}
