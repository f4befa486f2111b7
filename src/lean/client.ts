// A client in few bytes of code: one tunnel at a time to one server, resumed with what the device holds (X4), under
// AES-256-GCM (X10), kept alive (X3), and made anew when it breaks. It says and takes what the link of src/link does,
// for a server that offers these; docs/espruino.md says what it leaves out.
//
// Long work is cut into steps with a timer between them. What arrives meanwhile waits.

import { getI32, getTime, part } from '../bytes.ts';
import { ErrorCode } from '../error.ts';
import { WITH_FULL_HANDSHAKE } from '../features.ts';
import {
  keepaliveDue,
  keepaliveReceived,
  keepaliveRequest,
  keepaliveSent,
  keepaliveStart,
  keepaliveWake,
} from '../link/keepalive.ts';
import { randomBytes } from './device.ts';
import { fullHandshake, verifyFresh } from './full.ts';
import { gcmRun } from './gcm.ts';
import { answerHello, HELLO_REFUSALS, KEEPALIVE, mostOf, SERVER_HELLO, SERVER_HELLO_BYTES } from './hello.ts';
import { chooseCredential, RESUMPTION, settle, takeFragment, takeTicket } from './more.ts';
import {
  CONTROL,
  CONTROL_RCS,
  ERROR,
  HEADER,
  MESSAGE,
  REQUEST,
  RESPONSE,
  room,
  SEALED,
  TAG,
  TERMINATE,
} from './packets.ts';
import { problem } from './problem.ts';
import { EXPORT, RX } from './records.ts';
import { resume } from './resume.ts';
import { MORE } from './suite.ts';
import { CLOSED, down, END, FIRST_PAUSE, seal, steps, wake } from './tunnel.ts';
import { DRAINED, OPENED, RECEIVED } from './types.ts';
import type { Client, Device, Emit, Host, LeanOptions, More } from './types.ts';

/** Before a key has sealed 2^24 packets, or is a day old, the connection is made anew: there are no key updates here. */
const PACKETS_MAX = 16777216;
const AGE_MAX = 86400000;
const TOO_LARGE = 'record_too_large';

/** Most that waits while steps run, bytes: more than any packet of a handshake, and what a server says after it. */
const WAITING_MAX = 8192;

/** Longest message taken, bytes. */
function receiveBytes(c: Client): number {
  return c.options.receive || (MORE ? 512 : 256);
}

/** Of an error, or the end, that anybody could send. */
function isPlain(flag: number, length: number): boolean {
  return (flag === ERROR && length === 1) || (flag === TERMINATE && (length === 0 || length === 1));
}

/** Sets the one wake-up of an established connection. */
function rearm(c: Client): void {
  if (c.schedule[0] !== 0) wake(c, keepaliveWake(c.schedule, 0, c.platform.nowMs()), tick);
}

function tick(c: Client): void {
  const now = c.platform.nowMs();
  const due = keepaliveDue(c.schedule, 0, now);
  if (due === 2) down(c, 'keepalive_expired', ErrorCode.keepaliveExpired);
  else if (now - c.upSince > AGE_MAX || c.txSequence > PACKETS_MAX) down(c, 'renewed', 0);
  else {
    if (due === 1) {
      const p = room(8);
      keepaliveRequest(c.schedule, 0, now, p, HEADER);
      seal(c, REQUEST, p);
    }
    rearm(c);
  }
}

function accept(c: Client, body: Uint8Array): void {
  const time = getTime(body, 8);
  const { pollMs = 20000 } = c.options;
  const missed = c.options.missed || 3;
  if (MORE && !settle(c.beyond!, time / 1000)) {
    down(c, 'server_time', ErrorCode.messageTimeInvalid);
    return;
  }
  const features = body[4]! & (KEEPALIVE | (MORE ? RESUMPTION : 0));
  const alive = features & KEEPALIVE ? pollMs : 0;
  const answer = answerHello(body, features, alive, missed, receiveBytes(c), part(c.draw!, 32));
  c.draw = null;
  if (typeof answer === 'number') {
    down(c, HELLO_REFUSALS[answer - ErrorCode.helloMismatch]!, answer);
    return;
  }
  c.upSince = c.platform.nowMs();
  c.skew = time - c.upSince;
  c.most = mostOf(body);
  seal(c, CONTROL, answer);
  c.up = true;
  c.emit('time', time);
  if (alive > 0) keepaliveStart(c.schedule, 0, alive, missed, c.upSince);
  c.platform.clearLater(c.alarm);
  rearm(c);
  c.emit('connect', c.most);
}

function control(c: Client, body: Uint8Array): void {
  if (c.up) {
    const taken = (): void => {
      if (!MORE || !takeTicket(c.beyond!, body, c.keyed[EXPORT] as Uint8Array, c.platform.nowMs() + c.skew)) {
        down(c, 'control', ErrorCode.invalidRequest);
      }
    };
    // In a turn of its own: to store a ticket takes the engine's stack.
    if (MORE) steps(c, [taken]);
    else taken();
  } else if (body[0] === SERVER_HELLO && body.length === SERVER_HELLO_BYTES) {
    const accepted = (): void => accept(c, body);
    if (WITH_FULL_HANDSHAKE && c.beyond!.using === null) verifyFresh(c, body, accepted);
    else steps(c, [accepted]);
  } else if (!WITH_FULL_HANDSHAKE || !takeFragment(c.beyond!, body)) {
    down(c, HELLO_REFUSALS[0]!, ErrorCode.helloMismatch);
  }
}

/** Checks a header; how many bytes follow it, or -1: the attempt has failed. */
function admit(c: Client, head: Uint8Array): number {
  const flag = head[0]!;
  const length = getI32(head, 1);
  // Whoever sent them: nothing vouches for them.
  if (isPlain(flag, length)) return length;
  let why = '';
  if (getI32(head, 5) !== c.dueSequence || getI32(head, 9) !== 0) why = 'sequence';
  else if (c.take !== null) {
    if (flag !== c.dueFlag || length !== c.dueLength) why = 'flag';
  } else if (flag === CONTROL_RCS) why = 'cipher_unavailable';
  else if (flag !== CONTROL && flag !== ERROR && (!c.up || (flag !== MESSAGE && flag !== RESPONSE)))
    why = 'flag';
  else if (length <= TAG || length > receiveBytes(c) + TAG) why = TOO_LARGE;
  if (why === '') return length;
  down(
    c,
    why,
    c.take !== null ? -1 : why === 'sequence' ? ErrorCode.packetUnsequenced : ErrorCode.invalidRequest,
  );
  return -1;
}

function whole(c: Client, packet: Uint8Array): void {
  const flag = packet[0]!;
  const length = packet.length - HEADER;
  if (isPlain(flag, length)) {
    if (c.take !== null) down(c, flag === ERROR ? 'peer_error' : 'peer_terminated', -1, packet[HEADER]!);
  } else if (c.take !== null) {
    c.take(packet);
  } else if (!gcmRun(c.keyed[RX] as Int32Array, c.dueSequence++, packet, true)) {
    down(c, 'authentication', ErrorCode.authenticationFailure);
  } else {
    const body = part(packet, HEADER, packet.length - TAG);
    if (c.schedule[0] !== 0) keepaliveReceived(c.schedule, 0, c.platform.nowMs(), flag === MESSAGE);
    if (flag === ERROR) down(c, body[0] === 0 ? END : 'peer_error', -1, SEALED + body[0]!);
    else if (flag === MESSAGE) c.emit('data', body);
    else if (flag === CONTROL) control(c, body);
    rearm(c);
  }
}

/** Takes what came, as far as it is whole packets: a header is judged before what it announces is taken. */
function pump(c: Client, bytes: Uint8Array): void {
  const { waiting } = c;
  let rest: Uint8Array | null = bytes;
  if (waiting !== null) {
    rest = new Uint8Array(waiting.length + bytes.length);
    rest.set(waiting);
    rest.set(bytes, waiting.length);
  }
  while (c.running === null && c.pipe !== null && rest !== null && rest.length >= HEADER) {
    const length = admit(c, rest);
    const end = HEADER + length;
    if (length < 0 || end > rest.length) break;
    const packet = part(rest, 0, end);
    rest = end < rest.length ? part(rest, end) : null;
    whole(c, packet);
  }
  c.waiting = rest;
  if (WITH_FULL_HANDSHAKE && rest !== null && rest.length > WAITING_MAX)
    down(c, TOO_LARGE, ErrorCode.invalidRequest);
}

function resumed(c: Client): void {
  const { waiting } = c;
  c.waiting = null;
  if (waiting !== null) pump(c, waiting);
}

function begin(c: Client): void {
  const credential = MORE ? chooseCredential(c.beyond!) : c.device.ownCredential;
  c.draw = randomBytes(c.device, 48);
  if (WITH_FULL_HANDSHAKE && credential === null) fullHandshake(c);
  else resume(c, credential!);
}

function late(c: Client): void {
  down(c, 'handshake_timeout', ErrorCode.connectionFailure);
}

function open(c: Client): void {
  const pipe = c.platform.openStream((what, argument) => {
    if (pipe !== c.pipe) return;
    if (what === OPENED) begin(c);
    else if (what === RECEIVED) pump(c, argument as Uint8Array);
    else if (what === DRAINED) c.emit('drain');
    else down(c, argument as string, -1);
  });
  c.pipe = pipe;
  c.waiting = null;
  wake(c, c.options.deadlineMs || 120000, late);
}

/** Connects, and stays connected until {@link end}. */
export function createClient(
  options: LeanOptions,
  platform: Host,
  device: Device,
  more: More | null,
  emit: Emit,
): Client {
  const c: Client = {
    options,
    platform,
    device,
    beyond: more,
    emit,
    resumed,
    open,
    schedule: new Int32Array(22),
    keyed: [],
    stopped: options.reconnect === false,
    up: false,
    running: null,
    pipe: null,
    alarm: 0,
    bound: FIRST_PAUSE,
    upSince: 0,
    skew: 0,
    waiting: null,
    dueSequence: 0,
    dueFlag: 0,
    dueLength: 0,
    take: null,
    txSequence: 0,
    most: 0,
    draw: null,
  };
  open(c);
  return c;
}

/** Sends bytes, a message for each part of the size the server takes. False: wait for `drain`. Throws `not_connected`. */
export function write(c: Client, data: Uint8Array): boolean {
  const { most } = c;
  let free = true;
  if (!c.up) throw problem('not_connected');
  for (let at = 0; at < data.length; at += most) {
    const piece = part(data, at, at + most < data.length ? at + most : data.length);
    const p = room(piece.length);
    p.set(piece, HEADER);
    free = seal(c, MESSAGE, p);
  }
  if (c.schedule[0] !== 0) keepaliveSent(c.schedule, 0, c.platform.nowMs(), true);
  rearm(c);
  return free;
}

/** Closes, and stays closed. */
export function end(c: Client): void {
  c.stopped = true;
  c.platform.clearLater(c.alarm);
  down(c, CLOSED, 0);
}

/** Milliseconds until the client needs the processor again if nothing comes in; -1: not by itself. */
export function wakeIn(c: Client): number {
  return c.schedule[0] !== 0 ? keepaliveWake(c.schedule, 0, c.platform.nowMs()) : -1;
}
