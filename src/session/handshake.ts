// What the two handshake machines share. A machine never runs slow cryptography: it stops at `pending`,
// and goes on when the driver calls `resume` with the verdict (docs/protocol.md, "Handshake").

import { Flag } from '../params.ts';
import { ErrorCode, errorDescription, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { wipe } from '../bytes.ts';
import { wipeJob } from '../crypto/job.ts';
import type { Job } from '../crypto/job.ts';
import type { SuiteCrypto } from '../crypto/provider.ts';
import {
  headerFlag,
  headerLength,
  headerSequenceHigh,
  headerSequenceLow,
  headerTime,
  timeValid,
} from '../wire/header.ts';
import { decodeError, encodeError } from '../wire/messages.ts';
import type { ClientEdge, HandshakeKeys, ServerEdge } from './edge.ts';

/**
 * Where a handshake stands, named by the packet that comes next: S1 connect_request (or resume_request),
 * S2 connect_response, S3 exchange_request, S4 exchange_response, R2 resume_response.
 */
export type Step = 'start' | 'S1' | 'S2' | 'S3' | 'S4' | 'R2' | 'established' | 'failed';

export interface Handshake {
  readonly role: 'client' | 'server';
  readonly step: Step;
  /** The algorithms the pending operation needs; null until a server knows the client's choice. */
  readonly crypto: SuiteCrypto | null;
  /** What this end wants of the extensions; null for strict 1.4. */
  readonly edge: ClientEdge | ServerEdge | null;
  /** Set while the machine waits for an operation: run it, then call `resume`. */
  readonly pending: Job | null;
  /** Why the handshake failed. */
  readonly failure: Reject | null;
  /** Begins: a client sends its request once its certificates are checked. `now` in seconds. */
  start(now: number): void;
  /** The packet to send now, if any: taken once. */
  takeOutput(): Uint8Array | null;
  /** Checks the header of an incoming packet before its body is taken. False: it failed. */
  admit(header: Uint8Array, now: number): boolean;
  /** Takes an admitted packet. Its bytes must stay until `pending` is null again. */
  receive(packet: Uint8Array, now: number): void;
  /** Goes on with the verdict of the pending operation. Ignored after the handshake failed. */
  resume(good: boolean, now: number): void;
  /** What an established handshake led to: handed over once. */
  takeKeys(): HandshakeKeys;
  /** Fails the handshake (from outside: deadline, disconnect), wipes its secrets, tells the peer the code. */
  fail(why: Reject, now: number): void;
}

/** The packet a machine waits for. */
export interface Expected {
  readonly flag: number;
  /** Message length, bytes. */
  readonly length: number;
  readonly sequence: number;
  /** Whether the header's time counts: always, never, or unless it is 0 and a clock is not set (X1). */
  readonly time?: 'checked' | 'any' | 'zero_allowed';
}

/** What a role adds to the common machine. */
export interface Role {
  start(now: number): void;
  /** What may come at `step`, for a header of `flag` and `length`; null if nothing may. */
  expected(step: Step, flag: number, length: number): Expected | null;
  receive(step: Step, packet: Uint8Array, now: number): void;
  /** Wipes what the role holds of secrets. */
  wipe(): void;
}

/** A peer's error packet as a failure of ours: nothing authenticates it. */
export function peerError(code: number): Reject {
  return reject('peer_error', code, `the peer refused: ${errorDescription(code)} (unauthenticated)`);
}

export const TIME_OFF: Reject = /* @__PURE__ */ reject(
  'time',
  ErrorCode.messageTimeInvalid,
  'the packet time is off by more than 60 s: check both clocks',
);

export const CLOCK_NOT_SET: Reject = /* @__PURE__ */ reject(
  'clock_not_set',
  ErrorCode.messageTimeInvalid,
  'clock not set: strict QSTP 1.4 needs the time of day; use the extensions, or set the clock',
);

function timeAccepted(header: Uint8Array, now: number, { time }: Expected): boolean {
  if (time === 'any') return true;
  if (time === 'zero_allowed' && headerTime(header) === 0) return true;
  return timeValid(header, now);
}

/** Failure of a packet whose header is not the expected one; null if it is. In the reference's order. */
function checkHeader(header: Uint8Array, now: number, expected: Expected): Reject | null {
  const { flag, length, sequence } = expected;
  if (!timeAccepted(header, now, expected)) return TIME_OFF;
  if (headerLength(header) !== length) {
    return reject(
      'length',
      ErrorCode.invalidRequest,
      `a packet of ${headerLength(header)} bytes came where ${length} are due`,
    );
  }
  if (headerSequenceLow(header) !== sequence || headerSequenceHigh(header) !== 0) {
    return reject('sequence', ErrorCode.packetUnsequenced, 'a handshake packet is not the next in sequence');
  }
  if (headerFlag(header) !== flag) {
    return reject(
      'flag',
      ErrorCode.invalidRequest,
      `a packet of flag ${headerFlag(header)} came where ${flag} is due`,
    );
  }
  return null;
}

/** True for the peer's plain error packet, whose one byte is worth reading. */
function isError(header: Uint8Array): boolean {
  return headerFlag(header) === Flag.errorCondition && headerLength(header) === 1;
}

export function wipeKeys(keys: HandshakeKeys): void {
  if (keys.material !== null) wipe(keys.material);
  if (keys.ratchet !== null) wipe(keys.ratchet);
  if (keys.secrets !== null) wipe(keys.secrets);
}

/**
 * A machine that waits, fails and reports alike in both roles. Classes, for a device has one while its memory is
 * fullest: an object of closures takes ten times as much there.
 */
export abstract class Machine implements Handshake {
  readonly role: 'client' | 'server';
  step: Step = 'start';
  crypto: SuiteCrypto | null = null;
  output: Uint8Array | null = null;
  edge: ClientEdge | ServerEdge | null = null;
  keys: HandshakeKeys | null = null;
  pending: Job | null = null;
  failure: Reject | null = null;
  private next: ((good: boolean, now: number) => void) | null = null;

  constructor(role: 'client' | 'server') {
    this.role = role;
  }

  // What a role adds: see Role.
  protected abstract begin(now: number): void;
  protected abstract expected(flag: number, length: number): Expected | null;
  protected abstract take(packet: Uint8Array, now: number): void;
  protected abstract wipe(): void;

  start(now: number): void {
    // Strict code: what is called last takes the place of its caller on the engine's stack.
    if (this.step === 'start') return this.begin(now);
  }

  takeOutput(): Uint8Array | null {
    const packet = this.output;
    this.output = null;
    return packet;
  }

  admit(header: Uint8Array, now: number): boolean {
    const expected = this.expected(headerFlag(header), headerLength(header));
    if (expected === null) return false;
    if (isError(header)) return true;
    const bad = checkHeader(header, now, expected);
    if (bad !== null) this.fail(bad, now);
    return bad === null;
  }

  receive(packet: Uint8Array, now: number): void {
    if (!isError(packet)) return this.take(packet, now);
    this.fail(peerError(decodeError(packet)), now);
  }

  /** Stops at an operation and goes on with `then`. */
  wait(job: Job, then: (good: boolean, now: number) => void): void {
    this.pending = job;
    this.next = then;
  }

  resume(good: boolean, now: number): void {
    const then = this.next;
    this.pending = null;
    this.next = null;
    if (then !== null) return then(good, now);
  }

  takeKeys(): HandshakeKeys {
    const keys = this.keys!;
    this.keys = null;
    return keys;
  }

  fail(why: Reject, now: number): void {
    // Before S1 the peer knows nothing of us; and an error is never answered with an error.
    const silent = this.step === 'start' || why.reason === 'peer_error';
    this.output = silent ? null : encodeError(why.code, now);
    this.step = 'failed';
    this.failure = why;
    if (this.pending !== null) wipeJob(this.pending);
    if (this.keys !== null) wipeKeys(this.keys);
    this.keys = null;
    this.pending = null;
    this.next = null;
    this.wipe();
  }
}

class RoleMachine extends Machine {
  private readonly more: Role;

  constructor(name: 'client' | 'server', more: Role) {
    super(name);
    this.more = more;
  }

  protected begin(now: number): void {
    this.more.start(now);
  }

  protected expected(flag: number, length: number): Expected | null {
    return this.more.expected(this.step, flag, length);
  }

  protected take(packet: Uint8Array, now: number): void {
    this.more.receive(this.step, packet, now);
  }

  protected wipe(): void {
    this.more.wipe();
  }
}

/** A machine whose role is an object. */
export function createMachine(name: 'client' | 'server', role: Role): Machine {
  return new RoleMachine(name, role);
}
