// A link that stays, over TCP: src/link/driver.ts with Node's sockets, timers and clock.

import { HANDSHAKE_DEADLINE_MS } from '../../src/params.ts';
import { Link } from '../../src/link/driver.ts';
import type { LinkEvents } from '../../src/link/driver.ts';
import type { PathChooser } from '../../src/link/endpoints.ts';
import { openStanding, reportTrust } from '../../src/link/standing.ts';
import type { StandingOptions } from '../../src/link/standing.ts';
import type { Clock } from '../../src/platform.ts';
import { createPool } from '../../src/pool/pool.ts';
import { choosing } from '../../src/qace/chooser.ts';
import { profileLimits } from '../../src/profile.ts';
import { nodeConnector, parseServer } from './connector.ts';
import { nodeClock, nodeExecutor, nodeRandom, nodeRoom, nodeTimer } from './platform.ts';
import { nodeProvider } from './provider.ts';
import { nodeRecords } from './records.ts';
import { noteVerified, verifiedBefore } from './verified.ts';

export interface LinkOptions extends StandingOptions {
  /**
   * The server, as `host`, `host:port`, `[IPv6]` or `[IPv6]:port` (default port 32119); or several that hold the
   * same certificate, the preferred one first.
   */
  readonly endpoints: string | readonly string[];
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
  readonly clock?: Clock;
}

/** An attempt may begin before the slot of the one before is free. */
const CLIENT_SLOTS = 4;

/**
 * Opens a link: it connects, resumes by ticket where it can, asks an idle server whether it lives, and comes back
 * by itself until `stop()`. The first event comes after this returns. Throws `endpoint_invalid`, and
 * `invalid_input` for a queue that is too small, or besides a storage.
 */
export function openLink(options: LinkOptions, events: LinkEvents = {}): Link {
  const { root, server } = options;
  const list = typeof options.endpoints === 'string' ? [options.endpoints] : options.endpoints;
  const endpoints = list.map(parseServer);
  const standing = openStanding(options, endpoints.length);
  const link = new Link(
    {
      ...profileLimits(),
      ...options,
      crypto: (options.provider ?? nodeProvider()).suite(root.suite.id),
      random: nodeRandom,
      pool: createPool({ slots: 1, maxSlots: CLIENT_SLOTS, engine: nodeRecords }),
      endpoints: endpoints.length,
      ...standing,
      ...choosing(options, endpoints.length),
      verified: options.verified ?? verifiedBefore(root, server),
    },
    {
      timer: nodeTimer,
      clock: options.clock ?? nodeClock,
      execute: nodeExecutor,
      room: nodeRoom,
      connector: nodeConnector(endpoints, options.connectTimeoutMs ?? HANDSHAKE_DEADLINE_MS),
      jitter: Math.random,
    },
    {
      ...reportTrust(options, events),
      state(state, why, waitMs) {
        if (state === 'connected' && link.connection!.session.fullHandshake) {
          noteVerified(link.certificates.root, link.certificates.server);
        }
        events.state?.(state, why, waitMs);
      },
    },
  );
  setImmediate(() => {
    if (link.state !== 'stopped') link.start();
  });
  return link;
}
