// A client in few bytes of code: one tunnel at a time to one server, resumed with what the device holds (X4), under
// AES-256-GCM (X10), kept alive (X3), and made anew when it breaks. It says and takes what the link of src/link does,
// for a server that offers these; docs/espruino.md says what it leaves out.
//
// Long work is cut into steps with a timer between them. What arrives meanwhile waits.

import { equalAt, getI32, getTime, getU32, putTime, putU32 } from '../../src/bytes.ts';
import { ErrorCode } from '../../src/error.ts';
import { WITH_FULL_HANDSHAKE, WITH_RESUMPTION } from '../../src/features.ts';
import { bundleProfileHash } from '../../src/profile.ts';
import {
  keepaliveDue,
  keepaliveStart,
  keepaliveReceived,
  keepaliveRequest,
  keepaliveSent,
  keepaliveWake,
} from '../../src/link/keepalive.ts';
import { problem } from './device.ts';
import type { Credential, Device } from './device.ts';
import { GCM_SALT, gcmKey, gcmOpen, gcmSeal } from './gcm.ts';
import { kmac, lab, sha3 } from './hash.ts';
import { fromBinary, toBinary } from './text.ts';

export interface Options {
  readonly host: string;
  /** Default 32119. */
  readonly port?: number;
  /** Period of the application's traffic, which keep-alives align with, ms; 0: none. Default 20,000. */
  readonly pollMs?: number;
  /** Polls without a sign of life until the server counts as dead. Default 3. */
  readonly missed?: number;
  /** Longest message taken, bytes: 79 at least, 512 with full handshakes. Default 256, or 512. */
  readonly receive?: number;
  /** From the attempt to the connection, ms. Default 120,000. */
  readonly deadlineMs?: number;
  /** Least time between two full handshakes, ms. Default 300,000. */
  readonly fullHandshakeMinMs?: number;
  /** False: a connection that ends is not made again. */
  readonly reconnect?: boolean;
}

type Listener = (argument: unknown, more?: unknown) => void;

export interface Client {
  /**
   * `connect`; `data` (a binary string: one message); `drain`; `progress` (steps done, steps in all); `time` (the
   * server's, ms since 1970); `error` ({code}); `end` (the server closed in order); `close` (true: by a failure).
   */
  on(event: string, listener: Listener): Client;
  /** Sends a binary string, a message for each part of the size the server takes. False: wait for `drain`. */
  write(data: string): boolean;
  /** Closes, and stays closed. */
  end(): void;
  /** True between `connect` and `close`. */
  connected(): boolean;
  /** Milliseconds until the client needs the processor again if nothing comes in; -1: not by itself. */
  wakeIn(): number;
}

/** Runs steps in order, with the board's other work in between. */
export type Steps = (list: readonly (() => void)[]) => void;

/** What a build has beside the resumption with the device's credential. */
export interface More {
  /** Bits of `Feature` besides keep-alive. */
  readonly features: number;
  /** What to resume with now; null: a full handshake is due. */
  credential(): Credential | null;
  /** How long to wait before the next attempt, ms. */
  waitMs(): number;
  /** Begins a full handshake: sends S1. */
  full(tools: Tools): void;
  /** A control message before the hello (a fragment of the freshness signature). False: it has no place here. */
  early(body: Uint8Array): boolean;
  /** The server's hello opened: goes on with `accept`, or fails. */
  hello(body: Uint8Array, tools: Tools, accept: () => void): void;
  /** A control message of an established connection. False: not one that was agreed on. */
  control(body: Uint8Array, exportSecret: Uint8Array, now: number): boolean;
  /** The attempt failed before it was connected, with the server's code, if it sent one. True: try again at once. */
  failed(why: string, code: number): boolean;
}

/** What a full handshake works with. */
export interface Tools {
  readonly device: Device;
  readonly steps: Steps;
  send(packet: Uint8Array): void;
  /** The one packet that may come next: its flag, message length and low sequence number. */
  expect(flag: number, length: number, sequence: number, take: (packet: Uint8Array) => void): void;
  /** The steps that derive the connection's keys from Z and T (X0); then the hello is waited for. */
  keying(kind: number, z: Uint8Array, transcript: () => Uint8Array): (() => void)[];
  fail(why: string, code: number): void;
}

/** In builds for devices that connect by their credential alone, there is nothing more. */
const MORE: boolean = WITH_FULL_HANDSHAKE || WITH_RESUMPTION;

const HEADER = 21;
const TAG = 16;
const FIRST_PAUSE = 500;
const LAST_PAUSE = 60000;
const PROVED_MS = 10000;
/** Before a key has sealed 2^24 packets, or is a day old, the connection is made anew: there are no key updates here. */
const PACKETS_MAX = 16777216;
const AGE_MAX = 86400000;

const TERMINATE = 3;
const MESSAGE = 4;
const ERROR = 0x13;
const REQUEST = 0x14;
const RESPONSE = 0x15;
const R1 = 0x17;
const R2 = 0x18;
const CONTROL_RCS = 0x16;
const CONTROL = 0x19;

/** edge/1, clock not set, AES-256-GCM (X1). */
export const DISCOVERY = 7;
const KEEPALIVE = 1;
const SERVER_HELLO = 1;
const SERVER_HELLO_BYTES = 78;
const CLIENT_HELLO = 11;
const CLIENT_HELLO_BYTES = 70;

/** Added to a code that came sealed: the server itself said it. */
export const SEALED = 256;

const WAITING = 0;
const KEYING = 1;
const HELLO = 2;
const UP = 3;

function or(value: number | undefined, otherwise: number): number {
  return value === undefined ? otherwise : value;
}

/** A clear header. */
export function clear(flag: number, length: number, sequence: number): Uint8Array {
  const p = new Uint8Array(HEADER + length);
  p[0] = flag;
  putU32(p, 1, length);
  putU32(p, 5, sequence);
  return p;
}

export function createClient(
  o: Options,
  net: EspruinoNet,
  device: Device,
  more: More | null,
  connected?: (client: Client) => void,
): Client {
  const listeners: Record<string, Listener[]> = {};
  const pollMs = or(o.pollMs, 20000);
  const missed = or(o.missed, 3);
  const receive = HEADER + TAG + or(o.receive, MORE ? 512 : 256);
  const words = new Int32Array(22);
  let stopped = false;
  let state = WAITING;
  /** Counts attempts: what belongs to an earlier one is not heard any more. */
  let attempt = 0;
  let socket: EspruinoSocket | null = null;
  // Espruino throws for an undefined id, and takes one that is over.
  let timer: ReturnType<typeof setTimeout> | number = 0;
  let bound = FIRST_PAUSE;
  let since = 0;
  /** Time of day less the board's clock, ms. */
  let skew = 0;
  // Receiving: what has come and is not taken, the packet that is collected, and what it may be.
  let pending = '';
  let busy = false;
  let packet: Uint8Array = new Uint8Array(0);
  let fill = 0;
  let need = HEADER;
  let ignore = false;
  let dueFlag = 0;
  let dueLength = 0;
  let dueSequence = 0;
  let take: ((packet: Uint8Array) => void) | null = null;
  // The channel
  let rx: Int32Array | null = null;
  let tx: Int32Array | null = null;
  let rxSequence = 2;
  let txSequence = 2;
  let most = 0;
  let draw: Uint8Array = new Uint8Array(0);
  let exportSecret: Uint8Array = new Uint8Array(0);

  const emit = (event: string, argument?: unknown, other?: unknown): void => {
    const list = listeners[event];
    if (list !== undefined) for (let i = 0; i < list.length; i++) list[i]!(argument, other);
  };

  const wake = (ms: number, then: () => void): void => {
    clearTimeout(timer);
    timer = setTimeout(then, ms);
  };

  const send = (p: Uint8Array): boolean => socket!.write(toBinary(p, 0, p.length));

  const seal = (flag: number, p: Uint8Array): boolean => {
    const length = p.length - HEADER - TAG;
    const head = clear(flag, length + TAG, ++txSequence);
    p.set(head.subarray(0, HEADER));
    putTime(p, 13, Math.floor((Date.now() + skew) / 1000));
    gcmSeal(tx!, txSequence, p, length);
    return send(p);
  };

  const room = (length: number): Uint8Array => new Uint8Array(HEADER + length + TAG);

  /** Ends the attempt or the connection. `code` goes to the server; -1: it knows, or is not to be told. */
  const down = (why: string, code: number, from = 0): void => {
    const was = state;
    const at = socket;
    if (at === null) return;
    attempt++;
    if (tx !== null && code >= 0) {
      const p = room(1);
      p[HEADER] = code;
      seal(ERROR, p);
    }
    socket = null;
    state = WAITING;
    clearTimeout(timer);
    if (rx !== null) rx.fill(0);
    if (tx !== null) tx.fill(0);
    if (MORE) exportSecret.fill(0);
    packet.fill(0);
    rx = tx = take = null;
    pending = '';
    busy = false;
    at.end();
    const again = MORE && was !== UP && more!.failed(why, from);
    if (o.reconnect === false) stopped = true;
    if (!stopped) {
      if (was === UP && Date.now() - since >= PROVED_MS) bound = FIRST_PAUSE;
      const pause = again ? 0 : 100 + ((bound - 100) * device.random(1)[0]!) / 256;
      if (!again && bound < LAST_PAUSE) bound += bound;
      const least = MORE ? more!.waitMs() : 0;
      wake(pause < least ? least : pause, open);
    }
    if (why === 'peer_closed') emit('end');
    else if (why !== 'closed') emit('error', problem(why));
    emit('close', why !== 'closed' && why !== 'peer_closed');
  };

  const steps: Steps = (list) => {
    const mine = attempt;
    let at = 0;
    const next = (): void => {
      if (mine !== attempt) return;
      list[at++]!();
      if (mine !== attempt) return;
      emit('progress', at, list.length);
      if (at < list.length) setTimeout(next, 1);
      else {
        busy = false;
        pump();
      }
    };
    busy = true;
    setTimeout(next, 1);
  };

  const expect: Tools['expect'] = (flag, length, sequence, then) => {
    dueFlag = flag;
    dueLength = length;
    dueSequence = sequence;
    take = then;
  };

  const keying: Tools['keying'] = (kind, z, transcript) => {
    let t: Uint8Array;
    let secrets: Uint8Array;
    const key = (direction: number): Int32Array => {
      const chain = secrets.subarray(32 * direction, 32 * direction + 32);
      const keys = lab(chain, 'traffic', [[2, direction, 0, 0, 0, 0]], 36);
      const g = gcmKey(keys.subarray(0, 32));
      g[GCM_SALT] = getI32(keys, 32);
      keys.fill(0);
      return g;
    };
    return [
      () => (t = transcript()),
      () => (secrets = lab(z, 'secrets', [[kind], t], 96)),
      () => (tx = key(0)),
      () => {
        rx = key(1);
        if (MORE) exportSecret = secrets.subarray(64);
        else secrets.fill(0);
        secrets.fill(0, 0, 64);
        rxSequence = txSequence = 2;
        take = null;
        state = HELLO;
      },
    ];
  };

  const tools: Tools = { device, steps, send, expect, keying, fail: down };

  const resume = (credential: Credential): void => {
    const r1 = clear(R1, 81, 0);
    r1.set(credential.id, HEADER);
    r1.set(credential.counts ? device.nonce(draw.subarray(0, 32)) : draw.subarray(0, 32), 37);
    r1[69] = DISCOVERY;
    const proof = (name: string, parts: Uint8Array[]): Uint8Array => kmac(credential.secret, name, parts, 32);
    r1.set(proof('R1', [r1.subarray(0, 70)]), 70);
    send(r1);
    expect(R2, 64, 0, (r2) => {
      const check = (): void => {
        const mine = proof('R2', [r2.subarray(0, HEADER), r1.subarray(70), r2.subarray(HEADER, 53)]);
        if (!equalAt(mine, 0, r2, 53, 32)) down('resume_proof', -1);
      };
      steps([check].concat(keying(1, credential.secret, () => sha3([r1, r2]))));
    });
  };

  const begin = (): void => {
    if (socket === null) return;
    const credential = MORE ? more!.credential() : device.credential;
    state = KEYING;
    draw = device.random(48);
    if (MORE && credential === null) more!.full(tools);
    else resume(credential!);
  };

  const open = (): void => {
    const mine = ++attempt;
    fill = 0;
    need = HEADER;
    packet = new Uint8Array(receive);
    const live = (then: () => void) => (): void => {
      if (mine === attempt) then();
    };
    const at = net.connect({ host: o.host, port: or(o.port, 32119) }, live(begin));
    socket = at;
    at.on('data', (data) => {
      if (mine !== attempt) return;
      pending += data;
      pump();
    });
    at.on(
      'drain',
      live(() => emit('drain')),
    );
    at.on(
      'error',
      live(() => down('connect_failed', -1)),
    );
    at.on(
      'close',
      live(() => down('disconnected', -1)),
    );
    wake(or(o.deadlineMs, 120000), () => down('handshake_timeout', ErrorCode.connectionFailure));
  };

  const accept = (body: Uint8Array): void => {
    const features = body[4]! & (KEEPALIVE | (MORE ? more!.features : 0));
    const alive = (features & KEEPALIVE) !== 0 && pollMs > 0;
    const idle = getU32(body, 16);
    most = body[20]! | (body[21]! << 8);
    if (most > 65519) most = 65519;
    if (body[1] !== 1 || body[2] !== DISCOVERY || body[3]! > 1 || most < 64) {
      down('hello_mismatch', ErrorCode.helloMismatch);
    } else if (body[3] === 1) {
      down('identity_required', ErrorCode.identityRequired);
    } else if (alive && idle > 0 && idle < pollMs * (missed + 1)) {
      down('idle_too_short', ErrorCode.idleTooShort);
    } else {
      const p = room(CLIENT_HELLO_BYTES);
      const time = getTime(body, 8);
      const measured = bundleProfileHash();
      since = Date.now();
      skew = time - since;
      p[HEADER] = CLIENT_HELLO;
      p[22] = 1;
      p[23] = 2;
      p[24] = missed;
      p[25] = features;
      putU32(p, 29, alive ? pollMs : 0);
      putU32(p, 33, packet.length - HEADER - TAG);
      if (measured !== undefined) p.set(measured, HEADER + 22);
      p.set(draw.subarray(32), HEADER + 54);
      seal(CONTROL, p);
      state = UP;
      emit('time', time);
      if (alive) keepaliveStart(words, 0, pollMs, missed, since);
      else words[0] = 0;
      clearTimeout(timer);
      rearm();
      emit('connect');
    }
  };

  /** Sets the one wake-up of an established connection. */
  const rearm = (): void => {
    if (state === UP && words[0] !== 0) wake(keepaliveWake(words, 0, Date.now()), tick);
  };

  const tick = (): void => {
    const now = Date.now();
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
  const admit = (): number => {
    const flag = packet[0]!;
    const length = getI32(packet, 1);
    const sequence = getI32(packet, 5);
    const high = getI32(packet, 9);
    ignore = (flag === ERROR && length === 1) || (flag === TERMINATE && (length === 0 || length === 1));
    // Whoever sent them: nothing vouches for them.
    if (ignore) return length;
    if (take !== null) {
      if (flag === dueFlag && length === dueLength && sequence === dueSequence && high === 0) return length;
      down('flag', -1);
      return -1;
    }
    let why = '';
    if (sequence !== rxSequence + 1 || high !== 0) why = 'sequence';
    else if (flag === CONTROL_RCS) why = 'cipher_unavailable';
    else if (flag !== CONTROL && flag !== ERROR && (state !== UP || (flag !== MESSAGE && flag !== RESPONSE)))
      why = 'flag';
    else if (length <= TAG || length > packet.length - HEADER) why = 'record_too_large';
    if (why === '') return length;
    down(why, why === 'sequence' ? ErrorCode.packetUnsequenced : ErrorCode.invalidRequest);
    return -1;
  };

  const process = (): void => {
    const flag = packet[0]!;
    const end = need - TAG;
    if (ignore) {
      if (take !== null) down(flag === ERROR ? 'peer_error' : 'peer_terminated', -1, packet[HEADER]!);
      return;
    }
    if (take !== null) {
      const then = take;
      const p = packet.subarray(0, need);
      packet = new Uint8Array(receive);
      then(p);
      return;
    }
    if (!gcmOpen(rx!, ++rxSequence, packet, end - HEADER)) {
      down('authentication', ErrorCode.authenticationFailure);
      return;
    }
    const body = packet.subarray(HEADER, end);
    if (state === UP && words[0] !== 0) keepaliveReceived(words, 0, Date.now(), flag === MESSAGE);
    if (flag === ERROR) {
      down(body[0] === 0 ? 'peer_closed' : 'peer_error', -1, SEALED + body[0]!);
    } else if (flag === MESSAGE) {
      emit('data', toBinary(packet, HEADER, end));
    } else if (flag === CONTROL) {
      if (state === UP) {
        if (!MORE || !more!.control(body, exportSecret, Date.now() + skew)) {
          down('control', ErrorCode.invalidRequest);
        }
      } else if (body[0] === SERVER_HELLO && body.length === SERVER_HELLO_BYTES) {
        const copy = new Uint8Array(body);
        if (MORE) more!.hello(copy, tools, () => accept(copy));
        else steps([() => accept(copy)]);
      } else if (!MORE || !more!.early(body)) {
        down('hello_mismatch', ErrorCode.helloMismatch);
      }
    }
    rearm();
  };

  /** Takes packets out of what has come, until there is none, or work is to be done first. */
  const pump = (): void => {
    let at = 0;
    const mine = attempt;
    while (mine === attempt && !busy && at < pending.length) {
      packet[fill++] = pending.charCodeAt(at++);
      if (fill === HEADER && need === HEADER) {
        const length = admit();
        if (length < 0) return;
        need += length;
        if (MORE && need > packet.length) {
          const larger = new Uint8Array(need);
          larger.set(packet.subarray(0, HEADER));
          packet = larger;
        }
      }
      if (fill === need && (need > HEADER || ignore)) {
        process();
        fill = 0;
        need = HEADER;
        ignore = false;
      }
    }
    if (mine === attempt) pending = pending.substr(at);
  };

  const client: Client = {
    on(event, listener) {
      if (listeners[event] === undefined) listeners[event] = [];
      listeners[event]!.push(listener);
      return client;
    },
    write(data) {
      if (state !== UP) throw problem('not_connected');
      let free = true;
      for (let at = 0; at < data.length; at += most) {
        const part = fromBinary(data.substr(at, most));
        const p = room(part.length);
        p.set(part, HEADER);
        free = seal(MESSAGE, p);
      }
      if (words[0] !== 0) keepaliveSent(words, 0, Date.now(), true);
      rearm();
      return free;
    },
    end() {
      stopped = true;
      clearTimeout(timer);
      down('closed', 0);
    },
    connected: () => state === UP,
    wakeIn: () => (state === UP && words[0] !== 0 ? keepaliveWake(words, 0, Date.now()) : -1),
  };
  if (connected !== undefined) client.on('connect', () => connected(client));
  open();
  return client;
}
