// How long the way to each of a link's endpoints takes, while one of them is in use: now and then a stream is opened to
// each, and closed again, so that a path chooser knows those that are not in use too. Of the one in use its keep-alives
// tell more, where there are any: a busy tunnel sends none.

import type { Connector, Timer, TransportEvents } from '../platform.ts';
import type { PathChooser } from './endpoints.ts';

/** An endpoint that has not answered a probe by then has missed it, milliseconds. */
export const PROBE_MS = 5000;

/** Owns a stream that nobody wants, or wants any more. */
export const NOBODY: TransportEvents = {
  data: () => undefined,
  drain: () => undefined,
  gone: () => undefined,
};

export interface ProbeOptions {
  readonly connector: Connector;
  readonly timer: Timer;
  readonly chooser: PathChooser;
  readonly endpoints: number;
  /** From the end of one round to the beginning of the next, milliseconds. */
  readonly everyMs: number;
  /** A round is over, and the chooser has heard of each endpoint. */
  readonly done: () => void;
}

export class Probes {
  private readonly options: ProbeOptions;
  /** What undoes the round under way, or the wait for the next; empty when stopped. */
  private undo: (() => void)[] = [];
  private waiting = 0;
  /** The endpoint whose tunnel answered a keep-alive since the last round, which tells more; -1: none. */
  private known = -1;

  constructor(options: ProbeOptions) {
    this.options = options;
  }

  /** Begins with a wait, unless it has begun. */
  start(): void {
    if (this.undo.length > 0) return;
    this.undo.push(this.options.timer.set(() => this.round(), this.options.everyMs));
  }

  stop(): void {
    const { undo } = this;
    this.undo = [];
    this.known = -1;
    for (let i = 0; i < undo.length; i++) undo[i]!();
  }

  /** The next round needs no stream to this endpoint. */
  answered(index: number): void {
    this.known = index;
  }

  private round(): void {
    const { endpoints } = this.options;
    const { known } = this;
    const undo: (() => void)[] = [];
    this.undo = undo;
    this.known = -1;
    this.waiting = known === -1 ? endpoints : endpoints - 1;
    for (let i = 0; i < endpoints && this.undo === undo; i++) if (i !== known) this.probe(i, undo);
  }

  private probe(index: number, undo: (() => void)[]): void {
    const { connector, timer, chooser } = this.options;
    const began = timer.now();
    let over = false;
    let giveUp: (() => void) | null = null;
    const end = (tripMs: number): void => {
      over = true;
      if (this.undo !== undo) return;
      if (tripMs < 0) chooser.missed?.(index);
      else chooser.answered?.(index, tripMs);
      if (--this.waiting > 0) return;
      this.undo = [];
      this.start();
      this.options.done();
    };
    const cancelLate = timer.set(() => {
      if (giveUp !== null) giveUp();
      end(-1);
    }, PROBE_MS);
    undo.push(() => {
      cancelLate();
      if (!over && giveUp !== null) giveUp();
      over = true;
    });
    const cancel = connector.open(index, (bind) => {
      if (bind !== null) bind(NOBODY).destroy();
      if (over) return;
      cancelLate();
      end(bind === null ? -1 : (timer.now() - began) | 0);
    });
    if (!over) giveUp = cancel;
  }
}
