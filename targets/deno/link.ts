// A link that stays, over TCP: src/link/driver.ts with Deno's connections, timers and clock.

import { WITH_PATHS } from '../../src/features.ts';
import { HANDSHAKE_DEADLINE_MS } from '../../src/params.ts';
import { Link } from '../../src/link/driver.ts';
import type { LinkEvents } from '../../src/link/driver.ts';
import type { PathChooser } from '../../src/link/endpoints.ts';
import { openStanding, reportTrust } from '../../src/link/standing.ts';
import type { StandingOptions } from '../../src/link/standing.ts';
import { choosing, inOrder } from '../../src/qace/chooser.ts';
import { profileLimits } from '../../src/profile.ts';
import { denoConnector } from './connector.ts';
import type { Endpoint } from './connector.ts';
import { denoClock, denoExecutor, denoRandom, denoTimer } from './platform.ts';
import { denoProvider } from './provider.ts';
import { clientPool } from './records.ts';

export interface LinkOptions extends StandingOptions {
  /** The server, or several that hold the same certificate, the preferred one first. */
  readonly endpoints: Endpoint | readonly Endpoint[];
  /**
   * Chooses among several endpoints, after a cut and while connected: `qace` by how each answers, null: in order, or a
   * chooser of your own. Default with several endpoints: `qace`.
   */
  readonly chooser?: PathChooser | 'qace' | null;
  /**
   * With a chooser: how often a stream is opened to each endpoint and closed again, to know how long each takes and move
   * to a better one, milliseconds; 0: never. Default 30,000 with `qace`, else 0.
   */
  readonly probeMs?: number;
  /** Stops the link. */
  readonly signal?: AbortSignal;
}

/** A link; disposing of it stops it. */
export type DenoLink = Link & Disposable;

/**
 * Opens a link: it connects, resumes by ticket where it can, asks an idle server whether it lives, and comes back
 * by itself until `stop()`. The first event comes after this returns. Throws `endpoint_invalid`, and
 * `invalid_input` for a queue that is too small, or besides a storage.
 */
export function openLink(options: LinkOptions, events: LinkEvents = {}): DenoLink {
  const { root, signal } = options;
  const list: readonly Endpoint[] = 'length' in options.endpoints ? options.endpoints : [options.endpoints];
  const standing = openStanding(options, list.length);
  const link = new Link(
    {
      ...profileLimits(),
      ...options,
      crypto: (options.provider ?? denoProvider()).suite(root.suite.id),
      random: denoRandom,
      pool: clientPool(),
      endpoints: list.length,
      ...standing,
      ...(WITH_PATHS ? choosing(options, list.length) : inOrder(options)),
    },
    {
      timer: denoTimer,
      clock: denoClock,
      execute: denoExecutor,
      connector: denoConnector(list, options.connectTimeoutMs ?? HANDSHAKE_DEADLINE_MS),
      jitter: Math.random,
    },
    {
      ...reportTrust(options, events),
      state(state, why, waitMs) {
        if (state === 'stopped') signal?.removeEventListener('abort', stop);
        events.state?.(state, why, waitMs);
      },
    },
  );
  const stop = (): void => link.stop();
  signal?.addEventListener('abort', stop);
  if (signal?.aborted === true) link.stop();
  queueMicrotask(() => {
    if (link.state !== 'stopped') link.start();
  });
  return Object.assign(link, { [Symbol.dispose]: stop });
}
