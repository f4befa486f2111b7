// The part of a link that goes from endpoint to endpoint: it tells a chooser of paths how each does, asks those that are
// not in use now and then, and leaves a connection for a better one.

import { WITH_FAILOVER, WITH_KEEPALIVE, WITH_PATHS } from '../features.ts';
import { ErrorCode, missing, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { Word } from '../pool/slot.ts';
import { attemptSucceeded, createEndpoints, noteMetrics, preferred } from './endpoints.ts';
import type { Endpoints, PathChooser } from './endpoints.ts';
import { keepaliveJitterMs, keepaliveLossPermille, keepaliveRttMs } from './keepalive.ts';
import type { LinkEvents, LinkMetrics, LinkOptions, LinkPlatform, LinkState } from './link-settings.ts';
import { Probes } from './probes.ts';
import { TrustingLink } from './trusting.ts';

/** A connection that lived so long proves its endpoint good, milliseconds. */
const PROVED_MS = 10000;

const MOVED = /* @__PURE__ */ reject('moved', ErrorCode.none, 'another endpoint answers better', true);

export abstract class MovingLink extends TrustingLink {
  state: LinkState = 'waiting';
  protected readonly endpoints: Endpoints;
  /** Of these, the one of the attempt or the connection. */
  protected index = 0;
  protected connectedAt = 0;
  /** Of the endpoints, for the chooser; null without. */
  protected readonly probes: Probes | null;

  constructor(options: LinkOptions, platform: LinkPlatform, events: LinkEvents) {
    super(options, platform, events);
    const { chooser, endpoints, probeMs = 0 } = options;
    if (!WITH_FAILOVER && endpoints !== 1) throw missing('failover');
    if (!WITH_PATHS && (chooser ?? null) !== null) throw missing('paths');
    const more = chooser === undefined ? {} : { chooser };
    this.endpoints = createEndpoints({ ...options, count: endpoints, ...more }, platform.timer.now());
    this.probes =
      WITH_PATHS && probeMs > 0 && endpoints > 1 && chooser !== undefined && chooser !== null
        ? new Probes({ ...platform, chooser, endpoints, everyMs: probeMs, done: () => this.reconsider() })
        : null;
  }

  /** Plans the next attempt. */
  protected abstract schedule(why: Reject | null): void;

  /** Tells the chooser of paths, if there is one, how an endpoint does. */
  protected tell(what: (chooser: PathChooser) => void): void {
    const { chooser } = this.options;
    if (WITH_PATHS && chooser !== undefined && chooser !== null) what(chooser);
  }

  /** A keep-alive of the connection was answered after so many milliseconds, or was not: -1. */
  protected answered(tripMs: number): void {
    if (!WITH_PATHS || tripMs < 0) return;
    if (this.probes !== null) this.probes.answered(this.index);
    this.tell((chooser) => chooser.answered?.(this.index, tripMs));
  }

  /** The chooser has heard of every endpoint: goes on by ticket through another if that is better now. */
  private reconsider(): void {
    if (!WITH_PATHS) return;
    const { connection, endpoints } = this;
    const ms = this.platform.timer.now();
    const index = preferred(endpoints, ms);
    if (index === -1 || index === this.index || connection === null || this.state !== 'connected') return;
    this.noteProved(ms);
    this.leave();
    this.metrics.moved++;
    connection.close();
    this.schedule(MOVED);
  }

  /** A connection ends that lasted for a while: its endpoint is good. */
  protected noteProved(ms: number): void {
    if (((ms - this.connectedAt) | 0) >= PROVED_MS) attemptSucceeded(this.endpoints, this.index);
  }

  /** The connection is no longer this link's. */
  protected leave(): void {
    if (this.probes !== null) this.probes.stop();
    this.connection = null;
    this.agreed = false;
  }

  /** Reads the figures of the keep-alive, for metrics and the choice of paths. */
  updateMetrics(): LinkMetrics {
    const { metrics, connection } = this;
    const ticket = this.options.chain!.ticket;
    // After a KEM rekey the chain begins there.
    if (ticket !== null && ticket.resumptions < 0) metrics.forwardSecrecySince = ticket.since;
    if (WITH_KEEPALIVE && connection !== null && this.state === 'connected' && connection.keepsAlive) {
      const { words } = connection.session.slot;
      metrics.rttMs = keepaliveRttMs(words, Word.keepalive);
      metrics.jitterMs = keepaliveJitterMs(words, Word.keepalive);
      metrics.lossPermille = keepaliveLossPermille(words, Word.keepalive);
      if (WITH_PATHS)
        noteMetrics(this.endpoints, this.index, metrics.rttMs, metrics.jitterMs, metrics.lossPermille);
    }
    return metrics;
  }
}
