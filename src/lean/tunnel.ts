// What handshakes and established connections do with a client's tunnel: packets out, steps, and the end.
//
// Plain functions over one object: engines give a closure room for every variable it knows of.

import { putTime } from '../bytes.ts';
import { randomBytes } from './device.ts';
import { gcmRun } from './gcm.ts';
import { failed, waitMs } from './more.ts';
import { ERROR, HEADER, header, room } from './packets.ts';
import { problem } from './problem.ts';
import { TX } from './records.ts';
import { MORE } from './suite.ts';
import type { Client } from './types.ts';

export const FIRST_PAUSE = 500;
const LAST_PAUSE = 60000;
const PROVED_MS = 10000;

// Ends that are no failures: this end closed, the server closed.
export const CLOSED = '';
export const END = 'end';

/** Sets the one timer of a client. */
export function wake(c: Client, ms: number, then: (c: Client) => void): void {
  c.platform.clearLater(c.alarm);
  c.alarm = c.platform.later(then, ms, c);
}

/** Seals a packet and sends it. False: the stream's queue is full. */
export function seal(c: Client, flag: number, p: Uint8Array): boolean {
  header(p, flag, p.length - HEADER, ++c.txSequence);
  putTime(p, 13, (c.platform.nowMs() + c.skew) / 1000);
  gcmRun(c.keyed[TX] as Int32Array, c.txSequence, p, false);
  return c.pipe!.send(p);
}

/** The one packet that may come next: its flag, message length and low sequence number. */
export function expectPacket(
  c: Client,
  flag: number,
  length: number,
  sequence: number,
  take: (packet: Uint8Array) => void,
): void {
  c.dueFlag = flag;
  c.dueLength = length;
  c.dueSequence = sequence;
  c.take = take;
}

/** Runs steps in order, with the device's other work in between; the last may begin others. */
export function steps(c: Client, list: readonly (() => void)[]): void {
  const { pipe, platform } = c;
  let at = 0;
  const next = (): void => {
    const was = c.up;
    if (pipe !== c.pipe) return;
    list[at++]!();
    if (pipe !== c.pipe) return;
    if (!MORE || !was) c.emit('progress', at, list.length);
    if (at < list.length) platform.later(next, 1, c);
    else if (c.running === list) {
      c.running = null;
      c.resumed(c);
    }
  };
  c.running = list;
  platform.later(next, 1, c);
}

/** Ends the attempt or the connection. `code` goes to the server; -1: it knows, or is not to be told. `from`: its own. */
export function down(c: Client, why: string, code: number, from = 0): void {
  const was = c.up;
  const { pipe, platform, keyed } = c;
  if (pipe === null) return;
  if (keyed.length > 0 && code >= 0) {
    const p = room(1);
    p[HEADER] = code;
    seal(c, ERROR, p);
  }
  c.pipe = c.take = c.running = null;
  c.up = false;
  c.schedule[0] = 0;
  platform.clearLater(c.alarm);
  while (keyed.length > 0) keyed.pop()!.fill(0);
  pipe.close();
  const again = MORE && !was && failed(c.beyond!, from);
  if (!c.stopped) {
    if (was && platform.nowMs() - c.upSince >= PROVED_MS) c.bound = FIRST_PAUSE;
    let pause = again ? 0 : 100 + ((c.bound - 100) * randomBytes(c.device, 1)[0]!) / 256;
    if (!again && c.bound < LAST_PAUSE) c.bound += c.bound;
    if (MORE) pause = Math.max(pause, waitMs(c.beyond!, platform.nowMs()));
    wake(c, pause, c.open);
  }
  const failure = why !== CLOSED && why !== END;
  if (failure) c.emit('error', problem(why));
  else if (why === END) c.emit(END);
  c.emit('close', failure);
}
