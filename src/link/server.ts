// A server without its sockets: admits clients, picks the certificate they ask for, keeps count of them.

import { FEATURES_OF_THIS_BUILD } from '../session/edge.ts';
import type { ClientName, ServerEdge } from '../session/edge.ts';
import { WITH_IDENTITY, WITH_REVOCATION, WITH_SUCCESSION } from '../features.ts';
import { CONNECTIONS_MAX, DAY_SECONDS, TICKET_LIFETIME } from '../params.ts';
import { ErrorCode, QstpError, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { equal } from '../bytes.ts';
import { createPool, slotAvailable } from '../pool/pool.ts';
import type { Random } from '../crypto/provider.ts';
import { createServer } from '../session/server.ts';
import type { ServerIdentity } from '../session/server.ts';
import { createSession } from '../session/session.ts';
import { sendStatement } from '../session/trust.ts';
import { encodeError } from '../wire/messages.ts';
import { createAdmission } from './admission.ts';
import { ticketDesk } from './desk.ts';
import { createChains } from './exactly-once.ts';
import { Served } from './served.ts';
import type { Serving } from './served.ts';
import type {
  Admitted,
  Peer,
  ServerEvents,
  ServerLink,
  ServerLinkOptions,
  ServerPlatform,
} from './server-settings.ts';
import type { TrustChange } from './server-trust.ts';

export type * from './server-settings.ts';

const SLAB_SLOTS = 64;

const NO_SLOT = /* @__PURE__ */ reject(
  'no_slot',
  ErrorCode.hostsExceeded,
  'all connection slots of the pool are taken',
);

/** What a client is told whose tunnel ends for its certificate. */
function endCode(why: Reject): number {
  return why.reason === 'revoked' ? ErrorCode.certificateRevoked : ErrorCode.identityRefused;
}

/** A resumption names no suite: its KEM rekey needs there to be one only. */
function sameSuite(identities: readonly ServerIdentity[]): boolean {
  return identities.every(({ crypto }) => crypto.suite.id === identities[0]!.crypto.suite.id);
}

/** True if clients without an identity are refused. */
function asksAll({ trust }: ServerLinkOptions): boolean {
  return WITH_IDENTITY && trust !== undefined && trust.clients !== null && trust.clients.required;
}

function edgeOf(options: ServerLinkOptions, random: Random): ServerEdge {
  return {
    extensions: options.extensions ?? (asksAll(options) ? 'require' : 'allow'),
    features: options.features ?? FEATURES_OF_THIS_BUILD,
    gcm: options.gcm ?? true,
    random,
    crypto: sameSuite(options.identities) ? options.identities[0]!.crypto : undefined,
    // A ticket goes on under the certificate that follows; its client does not go beyond the one it pins.
    notAfter: options.identities.reduce((most, { certificate: { to } }) => (to > most ? to : most), 0),
    ...(WITH_IDENTITY && options.trust !== undefined && options.trust.clients !== null
      ? { clients: options.trust.clients }
      : {}),
    ...((WITH_REVOCATION || WITH_SUCCESSION) && options.trust !== undefined ? { trust: options.trust } : {}),
    profileHash: options.profileHash,
    acceptProfile: options.acceptProfile,
    maxIdle: options.idleTimeoutMs ?? 0,
    tickets: options.tickets === undefined || options.tickets === null ? null : ticketDesk(options.tickets),
    ticketLifetime: options.ticketLifetime,
  };
}

export function createServerLink(
  options: ServerLinkOptions,
  platform: ServerPlatform,
  events: ServerEvents,
): ServerLink {
  if (options.identities.length === 0) {
    throw new QstpError('no_identity', 'a server needs at least one certificate with its key');
  }
  if (asksAll(options) && options.extensions === 'never') {
    throw new QstpError('invalid_input', 'strict QSTP 1.4 has no identities to require of clients');
  }
  const { random, clock } = platform;
  const admission = createAdmission(options);
  const edge = edgeOf(options, random);
  const maxSlots = options.maxConnections ?? CONNECTIONS_MAX;
  const pool =
    options.pool ??
    createPool({
      slots: SLAB_SLOTS < maxSlots ? SLAB_SLOTS : maxSlots,
      maxSlots,
      engine: platform.engine ?? null,
    });
  const hash = pool.engine === null ? null : pool.engine.hash;
  const settings = { ...options, ...platform, transmit: pool.transmit };
  const sessionOptions =
    options.recordLimit === undefined ? { pool } : { pool, recordLimit: options.recordLimit };
  const peers = new Set<Peer>();
  const live = new Set<Served>();
  const counters: Record<string, number> = { connected: 0, refused: 0 };
  let lastId = 0;
  /** When the first certificate of a connected client ends, seconds; 0: none is watched. */
  let endsAt = 0;
  let cancelWatch = (): void => undefined;
  const waitingForEnd: (() => void)[] = [];

  const count = (name: string): void => {
    counters[name] = (counters[name] ?? 0) + 1;
  };

  const identify = (serial: Uint8Array): ServerIdentity | null => {
    let found: ServerIdentity | null = null;
    for (const identity of options.identities) {
      if (equal(identity.certificate.serial, serial)) found = identity;
    }
    const { trust } = options;
    if (!WITH_REVOCATION || found === null || trust === undefined) return found;
    const { certificate } = found;
    if (!trust.revoked(certificate.rootSerial, certificate.serial)) return found;
    // Who pins it and was away can hear of that, and of what follows, nowhere else.
    return trust.followed(certificate, clock.now()) ? found : null;
  };

  const admit = (id: number, address: string, port: number): Admitted => {
    const session = createSession(createServer({ identify, random, edge, hash }), sessionOptions);
    return new Served(serving, session, id, address, port);
  };

  /** Ends tunnels with the certificates of their clients: one timer, set to the first that ends. */
  const watchEnd = (to: number): void => {
    if (options.trust === undefined || (endsAt !== 0 && endsAt <= to)) return;
    cancelWatch();
    endsAt = to;
    const seconds = to + 1 - clock.now();
    const next = seconds < DAY_SECONDS ? seconds : DAY_SECONDS;
    cancelWatch = platform.timer.set(
      () => {
        endsAt = 0;
        trustChanged({ list: null, serials: [] });
        live.forEach((served) => {
          const client = served.client();
          if (client !== null) watchEnd(client.to);
        });
      },
      1000 * (next > 0 ? next : 1),
    );
  };

  /** Ends what a revocation forbids, and tells the clients that stay. */
  const trustChanged = ({ list, serials }: TrustChange): void => {
    const now = clock.now();
    const gone: ClientName[] = [];
    live.forEach((served) => {
      const { connection, held } = served;
      const client = served.client();
      const why = client === null ? null : options.trust!.refuses(client, now);
      if (why !== null) {
        gone.push(client!);
        connection.fail(reject(why.reason, endCode(why), why.detail, true));
      } else if (list !== null && held !== null) {
        // Who has not said what it holds hears of it when it does: a day later at the most.
        connection.control((at) => {
          for (const { type, message } of options.trust!.newer(held, at)) {
            sendStatement(connection.session, type, message, at);
          }
        });
      }
    });
    const { tickets } = options;
    if (tickets === undefined || tickets === null) return;
    const end = (revoked: Uint8Array): void => tickets.revoke(revoked, () => undefined);
    serials.forEach(end);
    for (const client of gone) end(client.serial);
  };
  const unlisten =
    WITH_REVOCATION && options.trust !== undefined
      ? options.trust.listen(trustChanged)
      : (): void => undefined;

  const refused = (id: number, address: string, port: number, why: Reject): void => {
    count('refused');
    count(why.reason);
    events.refused?.({ id, address, port }, why);
  };

  const serving: Serving = {
    settings,
    ticketLifetime: options.ticketLifetime ?? TICKET_LIFETIME,
    events,
    admission,
    chains: createChains(options.queue),
    peers,
    live,
    halfOpen: Object.create(null) as Serving['halfOpen'],
    count,
    refused,
    watchEnd,
    nobodyLeft() {
      cancelWatch();
      if (endsAt > 0) endsAt = 0;
      for (const done of waitingForEnd.splice(0)) done();
    },
  };

  return {
    get connections() {
      return admission.connections;
    },
    peers,
    counters,
    pause: () => admission.pause(),
    resume: () => admission.resume(),
    accept(address, port) {
      const id = ++lastId;
      // Slots can be fewer than places: a pool that is shared, or connections cut off whose owners do not read.
      let full = admission.enter(address);
      if (full === null && !slotAvailable(pool)) {
        admission.handshakeOver(address);
        admission.leave();
        full = NO_SLOT;
      }
      if (full === null) return admit(id, address, port);
      refused(id, address, port, full);
      return encodeError(full.code, clock.now());
    },
    close(done) {
      admission.pause();
      cancelWatch();
      // What is identified from here on is closed anyway.
      endsAt = -1;
      if (live.size === 0) {
        unlisten();
        done();
        return;
      }
      waitingForEnd.push(done);
      unlisten();
      live.forEach(({ connection }) => connection.close());
    },
  };
}
