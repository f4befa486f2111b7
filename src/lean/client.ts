// A client in few bytes of code: one tunnel at a time to one server, resumed with what the device holds (X4), under
// AES-256-GCM (X10), kept alive (X3), and made anew when it breaks. It says and takes what the link of src/link does,
// for a server that offers these; docs/espruino.md says what it leaves out.
//
// Long work is cut into steps with a timer between them. What arrives meanwhile waits.

import { getI32, getTime, putTime } from '../bytes.ts';
import { ErrorCode } from '../error.ts';
import { WITH_FULL_HANDSHAKE, WITH_RESUMPTION } from '../features.ts';
import {
  keepaliveDue,
  keepaliveReceived,
  keepaliveRequest,
  keepaliveSent,
  keepaliveStart,
  keepaliveWake,
} from '../link/keepalive.ts';
import { gcmRun } from './gcm.ts';
import { answerHello, HELLO_REFUSALS, KEEPALIVE, mostOf, SERVER_HELLO, SERVER_HELLO_BYTES } from './hello.ts';
import { createInbound } from './inbound.ts';
import {
  CONTROL,
  CONTROL_RCS,
  ERROR,
  HEADER,
  header,
  MESSAGE,
  REQUEST,
  RESPONSE,
  room,
  SEALED,
  TAG,
  TERMINATE,
} from './packets.ts';
import { problem } from './problem.ts';
import { deriveKeys, EXPORT, RX, TX } from './records.ts';
import type { Keys } from './records.ts';
import { resume } from './resume.ts';
import type { Device, Emit, Host, LeanClient, LeanOptions, More, Steps, Stream, Tools } from './types.ts';

/** In builds for devices that connect by their credential alone, there is nothing more. */
const MORE: boolean = WITH_FULL_HANDSHAKE || WITH_RESUMPTION;

const FIRST_PAUSE = 500;
const LAST_PAUSE = 60000;
const PROVED_MS = 10000;
/** Before a key has sealed 2^24 packets, or is a day old, the connection is made anew: there are no key updates here. */
const PACKETS_MAX = 16777216;
const AGE_MAX = 86400000;

// Ends that are no failures: this end closed, the server closed.
const CLOSED = '';
const END = 'end';

/** Of an error, or the end, that anybody could send. */
function isPlain(flag: number, length: number): boolean {
  return (flag === ERROR && length === 1) || (flag === TERMINATE && (length === 0 || length === 1));
}

/** Connects, and stays connected until `end()`. */
export function createClient(
  options: LeanOptions,
  host: Host,
  device: Device,
  more: More | null,
  emit: Emit,
): LeanClient {
  const pollMs = options.pollMs === undefined ? 20000 : options.pollMs;
  const missed = options.missed || 3;
  const receive = options.receive || (MORE ? 512 : 256);
  const words = new Int32Array(22);
  const keys: Keys = [];
  let stopped = options.reconnect === false;
  let up = false;
  /** Counts attempts: what belongs to an earlier one is not heard any more. */
  let attempt = 0;
  let stream: Stream | null = null;
  let timer: unknown = 0;
  let bound = FIRST_PAUSE;
  let since = 0;
  /** Time of day less the clock, ms. */
  let skew = 0;
  let busy = false;
  let pump: (bytes: Uint8Array | null) => void;
  /** Of the packet that comes next. */
  let dueSequence = 0;
  // While there are no keys, the one that may come.
  let dueFlag = 0;
  let dueLength = 0;
  let take: ((packet: Uint8Array) => void) | null = null;
  let txSequence = 0;
  /** Longest message that the server takes. */
  let most = 0;
  let draw: Uint8Array;

  const wake = (ms: number, then: () => void): void => {
    host.clearLater(timer);
    timer = host.later(then, ms);
  };

  const send = (p: Uint8Array): boolean => stream!.write(p);

  const seal = (flag: number, p: Uint8Array): boolean => {
    header(p, flag, p.length - HEADER, ++txSequence);
    putTime(p, 13, (host.nowMs() + skew) / 1000);
    gcmRun(keys[TX] as Int32Array, txSequence, p, false);
    return send(p);
  };

  /** Ends the attempt or the connection. `code` goes to the server; -1: it knows, or is not to be told. */
  const down = (why: string, code: number, from = 0): void => {
    const was = up;
    const at = stream;
    if (at === null) return;
    attempt++;
    if (keys.length > 0 && code >= 0) {
      const p = room(1);
      p[HEADER] = code;
      seal(ERROR, p);
    }
    stream = take = null;
    up = false;
    words[0] = 0;
    host.clearLater(timer);
    while (keys.length > 0) keys.pop()!.fill(0);
    busy = false;
    at.end();
    const again = MORE && !was && more!.failed(from);
    if (!stopped) {
      if (was && host.nowMs() - since >= PROVED_MS) bound = FIRST_PAUSE;
      let pause = again ? 0 : 100 + ((bound - 100) * device.randomBytes(1)[0]!) / 256;
      if (!again && bound < LAST_PAUSE) bound += bound;
      if (MORE) pause = Math.max(pause, more!.waitMs());
      wake(pause, open);
    }
    const failed = why !== CLOSED && why !== END;
    if (failed) emit('error', problem(why));
    else if (why === END) emit(END);
    emit('close', failed);
  };

  const steps: Steps = (list) => {
    const mine = attempt;
    let at = 0;
    const next = (): void => {
      const was = up;
      if (mine !== attempt) return;
      list[at++]!();
      if (mine !== attempt) return;
      if (!MORE || !was) emit('progress', at, list.length);
      if (at < list.length) host.later(next, 1);
      else {
        busy = false;
        pump(null);
      }
    };
    busy = true;
    host.later(next, 1);
  };

  const expectPacket = (
    flag: number,
    length: number,
    sequence: number,
    then: (packet: Uint8Array) => void,
  ): void => {
    dueFlag = flag;
    dueLength = length;
    dueSequence = sequence;
    take = then;
  };

  const derive = (kind: number, z: Uint8Array, transcript: () => Uint8Array): (() => void)[] =>
    deriveKeys(keys, kind, z, transcript, () => {
      txSequence = 2;
      dueSequence = 3;
      take = null;
    });

  const tools: Tools = { device, steps, send, expectPacket, deriveKeys: derive, fail: down };

  const begin = (): void => {
    const credential = MORE ? more!.credential() : device.ownCredential;
    draw = device.randomBytes(48);
    if (MORE && credential === null) more!.full(tools);
    else resume(tools, credential!, draw.subarray(0, 32));
  };

  const open = (): void => {
    const mine = ++attempt;
    const live =
      (then: (argument: any) => void) =>
      (argument?: unknown): void => {
        if (mine === attempt) then(argument);
      };
    pump = createInbound(() => busy || mine !== attempt, admit, whole);
    stream = host.openStream({
      opened: live(begin),
      received: live(pump),
      drained: live(() => emit('drain')),
      gone: live((why) => down(why, -1)),
    });
    wake(options.deadlineMs || 120000, () => down('handshake_timeout', ErrorCode.connectionFailure));
  };

  /** Sets the one wake-up of an established connection. */
  const rearm = (): void => {
    if (words[0] !== 0) wake(keepaliveWake(words, 0, host.nowMs()), tick);
  };

  const tick = (): void => {
    const now = host.nowMs();
    const due = keepaliveDue(words, 0, now);
    if (due === 2) down('keepalive_expired', ErrorCode.keepaliveExpired);
    else if (now - since > AGE_MAX || txSequence > PACKETS_MAX) down('renewed', 0);
    else {
      if (due === 1) {
        const p = room(8);
        keepaliveRequest(words, 0, now, p, HEADER);
        seal(REQUEST, p);
      }
      rearm();
    }
  };

  /** Checks a header; how many bytes follow it, or -1: the attempt has failed. */
  const admit = (head: Uint8Array): number => {
    const flag = head[0]!;
    const length = getI32(head, 1);
    // Whoever sent them: nothing vouches for them.
    if (isPlain(flag, length)) return length;
    let why = '';
    if (getI32(head, 5) !== dueSequence || getI32(head, 9) !== 0) why = 'sequence';
    else if (take !== null) {
      if (flag !== dueFlag || length !== dueLength) why = 'flag';
    } else if (flag === CONTROL_RCS) why = 'cipher_unavailable';
    else if (flag !== CONTROL && flag !== ERROR && (!up || (flag !== MESSAGE && flag !== RESPONSE)))
      why = 'flag';
    else if (length <= TAG || length > receive + TAG) why = 'record_too_large';
    if (why === '') return length;
    down(
      why,
      take !== null ? -1 : why === 'sequence' ? ErrorCode.packetUnsequenced : ErrorCode.invalidRequest,
    );
    return -1;
  };

  const whole = (packet: Uint8Array): void => {
    const flag = packet[0]!;
    const length = packet.length - HEADER;
    if (isPlain(flag, length)) {
      if (take !== null) down(flag === ERROR ? 'peer_error' : 'peer_terminated', -1, packet[HEADER]!);
    } else if (take !== null) {
      take(packet);
    } else if (!gcmRun(keys[RX] as Int32Array, dueSequence++, packet, true)) {
      down('authentication', ErrorCode.authenticationFailure);
    } else {
      const body = packet.subarray(HEADER, packet.length - TAG);
      if (words[0] !== 0) keepaliveReceived(words, 0, host.nowMs(), flag === MESSAGE);
      if (flag === ERROR) down(body[0] === 0 ? END : 'peer_error', -1, SEALED + body[0]!);
      else if (flag === MESSAGE) emit('data', body);
      else if (flag === CONTROL) control(body);
      rearm();
    }
  };

  const control = (body: Uint8Array): void => {
    if (up) {
      const taken = (): void => {
        if (!MORE || !more!.control(body, keys[EXPORT] as Uint8Array, host.nowMs() + skew)) {
          down('control', ErrorCode.invalidRequest);
        }
      };
      // In a turn of its own: to store a ticket takes the engine's stack.
      if (MORE) steps([taken]);
      else taken();
    } else if (body[0] === SERVER_HELLO && body.length === SERVER_HELLO_BYTES) {
      const accepted = (): void => accept(body);
      if (MORE) more!.hello(body, tools, accepted);
      else steps([accepted]);
    } else if (!MORE || !more!.early(body)) {
      down(HELLO_REFUSALS[0]!, ErrorCode.helloMismatch);
    }
  };

  const accept = (body: Uint8Array): void => {
    const features = body[4]! & (KEEPALIVE | (MORE ? more!.features : 0));
    const alive = features & KEEPALIVE ? pollMs : 0;
    const answer = answerHello(body, features, alive, missed, receive, draw.subarray(32));
    if (typeof answer === 'number') {
      down(HELLO_REFUSALS[answer - ErrorCode.helloMismatch]!, answer);
      return;
    }
    const time = getTime(body, 8);
    since = host.nowMs();
    skew = time - since;
    most = mostOf(body);
    seal(CONTROL, answer);
    up = true;
    emit('time', time);
    if (alive > 0) keepaliveStart(words, 0, alive, missed, since);
    host.clearLater(timer);
    rearm();
    emit('connect', most);
  };

  open();
  return {
    write(data) {
      if (!up) throw problem('not_connected');
      let free = true;
      for (let at = 0; at < data.length; at += most) {
        const part = data.subarray(at, at + most < data.length ? at + most : data.length);
        const p = room(part.length);
        p.set(part, HEADER);
        free = seal(MESSAGE, p);
      }
      if (words[0] !== 0) keepaliveSent(words, 0, host.nowMs(), true);
      rearm();
      return free;
    },
    end() {
      stopped = true;
      host.clearLater(timer);
      down(CLOSED, 0);
    },
    connected: () => up,
    wakeIn: () => (words[0] !== 0 ? keepaliveWake(words, 0, host.nowMs()) : -1),
  };
}
