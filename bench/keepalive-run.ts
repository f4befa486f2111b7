// Runs the keep-alive schedule in virtual time against a made-up application, network and peer.

import {
  Due,
  KEEPALIVE_WORDS,
  keepaliveAnswer,
  keepaliveAnswered,
  keepaliveDue,
  keepaliveInit,
  keepaliveReceived,
  keepaliveRequest,
  keepaliveSent,
  keepaliveWake,
} from '../src/link/keepalive.ts';

export interface Scenario {
  readonly pollMs: number;
  readonly missed: number;
  /** How long to run, ms. */
  readonly until: number;
  /** The device's clock at the start, ms modulo 2^32. */
  readonly clock?: number;
  /** First poll, ms after the start. */
  readonly phase?: number;
  /** Period of the application's own timer, ms; pollMs if not given. */
  readonly period?: number;
  /** Who polls: the device asks and is answered, is asked and answers, only reports, or nobody does. */
  readonly traffic: 'asks' | 'answers' | 'reports' | 'none';
  /** Polls between these times, ms, do not happen. */
  readonly quiet?: readonly [from: number, to: number];
  /** There and back, ms, for poll number n. */
  readonly rtt: (n: number) => number;
  /** How much later than planned poll n goes out, ms. */
  readonly jitter?: (n: number) => number;
  /** From then on nothing of the peer's arrives, ms. */
  readonly dies?: number;
  /** True if the peer's answer to request n (from 1) does not come. */
  readonly lost?: (n: number) => boolean;
  /** How long the peer holds request n before it answers, ms. */
  readonly held?: (n: number) => number;
  /** How late the device is at a wake-up, ms. */
  readonly lateness?: (wake: number) => number;
  /** The device's clock jumps: at a time, by so much, ms. */
  readonly steps?: readonly (readonly [when: number, by: number])[];
}

export type EventKind = 'send' | 'receive' | 'request' | 'response' | 'dead' | 'step';

export interface RunEvent {
  readonly time: number;
  readonly kind: EventKind;
  /** Of a response: the RTT measured, ms; of a step: by how much. */
  readonly value: number;
}

interface Pending {
  readonly time: number;
  readonly order: number;
  readonly what: () => void;
}

/** Everything that happened, in order, and the state at the end. The run ends early when the peer is found dead. */
export function runKeepalive(scenario: Scenario): { events: RunEvent[]; state: Int32Array } {
  const { pollMs, missed, until, traffic } = scenario;
  const w = new Int32Array(KEEPALIVE_WORDS);
  const events: RunEvent[] = [];
  const pending: Pending[] = [];
  let time = 0;
  let offset = scenario.clock ?? 0;
  let order = 0;
  let wakes = 0;
  let requests = 0;
  let dead = false;
  let wakeOrder = -1;
  /** The stream is ordered: no packet overtakes another. */
  let newest = 0;

  const now = (): number => Math.floor(time + offset) >>> 0;
  const later = (ms: number, what: () => void): void => {
    pending.push({ time: time + ms, order: order++, what });
  };
  const arrive = (ms: number, what: () => void): void => {
    newest = Math.max(newest, time + ms);
    later(newest - time, what);
  };
  const note = (kind: EventKind, value = 0): void => void events.push({ time, kind, value });
  const arrives = (): boolean => scenario.dies === undefined || time < scenario.dies;

  const look = (): void => {
    const due = keepaliveDue(w, 0, now());
    if (due === Due.dead) {
      dead = true;
      note('dead');
      return;
    }
    if (due === Due.request) ask();
    const latency = scenario.lateness === undefined ? 0 : scenario.lateness(wakes++);
    const mine = (wakeOrder = order);
    later(keepaliveWake(w, 0, now()) + latency, () => {
      if (mine === wakeOrder) look();
    });
  };

  const ask = (): void => {
    const body = new Uint8Array(8);
    const number = ++requests;
    keepaliveRequest(w, 0, now(), body, 0);
    keepaliveSent(w, 0, now(), false);
    note('request');
    if (scenario.lost !== undefined && scenario.lost(number)) return;
    const held = scenario.held === undefined ? 0 : scenario.held(number);
    const rtt = scenario.rtt(number);
    arrive(rtt + held, () => {
      if (!arrives()) return;
      const answer = new Uint8Array(12);
      keepaliveAnswer(body, 0, 8, 1000, 1000 + held, answer, 0);
      keepaliveReceived(w, 0, now(), false);
      note('response', keepaliveAnswered(w, 0, answer, 0, 12, now()));
      look();
    });
  };

  const send = (): void => {
    keepaliveSent(w, 0, now(), true);
    note('send');
    look();
  };
  const receive = (): void => {
    if (!arrives()) return;
    keepaliveReceived(w, 0, now(), true);
    note('receive');
    look();
    if (traffic === 'answers') later(2, send);
  };
  const poll = (n: number): void => {
    const planned = (scenario.phase ?? 0) + n * (scenario.period ?? pollMs);
    const jitter = scenario.jitter === undefined ? 0 : scenario.jitter(n);
    pending.push({
      time: planned,
      order: order++,
      what: () => {
        poll(n + 1);
        const quiet = scenario.quiet;
        if (quiet !== undefined && time >= quiet[0] && time < quiet[1]) return;
        later(jitter, () => {
          if (traffic === 'answers') return receive();
          send();
          if (traffic === 'asks') arrive(scenario.rtt(n), receive);
        });
      },
    });
  };

  keepaliveInit(w, 0, pollMs, missed, now());
  for (const [when, by] of scenario.steps ?? []) {
    pending.push({
      time: when,
      order: order++,
      what: () => {
        offset += by;
        note('step', by);
      },
    });
  }
  if (traffic !== 'none') poll(0);
  look();
  for (;;) {
    let next = -1;
    for (let i = 0; i < pending.length; i++) {
      const a = pending[i]!;
      const b = pending[next];
      if (b === undefined || a.time < b.time || (a.time === b.time && a.order < b.order)) next = i;
    }
    const event = pending[next];
    if (event === undefined || event.time > until || dead) break;
    pending.splice(next, 1);
    time = event.time;
    event.what();
  }
  return { events, state: w };
}

/** A device that polls every 10 s, pauses, goes on, has its clock set, and loses its peer at 140 s. */
export const EXAMPLE: Scenario = {
  pollMs: 10000,
  missed: 3,
  until: 300_000,
  clock: 4294872296,
  phase: 2500,
  traffic: 'asks',
  rtt: (n) => 60 + ((n * 37) % 50),
  quiet: [55_000, 105_000],
  steps: [[111_000, 86_400_000]],
  dies: 140_000,
};
