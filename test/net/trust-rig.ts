// A client and a server of one root over a network in virtual time, both of which follow what the root says.
import { generateServerKey, signServerCertificate } from '../../src/cert/issue.ts';
import type { ServerKey } from '../../src/cert/key-file.ts';
import type { ServerCertificate } from '../../src/cert/certificate.ts';
import type { Reject } from '../../src/error.ts';
import { Link } from '../../src/link/driver.ts';
import type { LinkOptions, LinkState } from '../../src/link/driver.ts';
import { openRevocations } from '../../src/link/revocation-store.ts';
import { createServerLink } from '../../src/link/server.ts';
import type { Peer, ServerLink, ServerLinkOptions } from '../../src/link/server.ts';
import { createServerTrust } from '../../src/link/server-trust.ts';
import type { ServerTrust, ServerTrustOptions, TrustedRoot } from '../../src/link/server-trust.ts';
import { memoryStorage } from '../../src/link/storage-memory.ts';
import { createTickets, memoryTicketStore } from '../../src/link/ticket-store.ts';
import { openTrust } from '../../src/link/trust-store.ts';
import type { TrustStore } from '../../src/link/trust-store.ts';
import { openWallet } from '../../src/link/wallet.ts';
import type { Storage } from '../../src/platform.ts';
import { serverIdentity } from '../../src/session/server.ts';
import type { ServerIdentity } from '../../src/session/server.ts';
import { FROM, newWorld } from '../cert/trust.ts';
import type { World as Root } from '../cert/trust.ts';
import { Network, serveWire, World } from './virtual.ts';

const ZEROS = new Uint8Array(32);

/** A certificate of the gateway with its key, under a root. */
export function identityOf(
  root: Pick<Root, 'crypto' | 'random' | 'root' | 'rootKey'>,
  issuer = 'gateway.qrc',
  days = 100,
  from = FROM,
): ServerIdentity {
  const { crypto, random, rootKey } = root;
  const key: ServerKey = generateServerKey(crypto, issuer, days, from, random);
  const certificate: ServerCertificate = signServerCertificate(crypto, root.root, rootKey, key, ZEROS);
  return serverIdentity(crypto, root.root, certificate, key);
}

export interface TrustRig {
  root: Root;
  world: World;
  network: Network;
  server: ServerLink;
  trust: ServerTrust;
  peers: Peer[];
  refused: Reject[];
  received: string[];
  link: Link;
  held: TrustStore;
  /** Storage of the server's revocations and of the client's trust. */
  serverStorage: Storage;
  clientStorage: Storage;
  states: { state: LinkState; why: Reject | null }[];
  lines: string[];
  tickets: ReturnType<typeof createTickets>;
  /** The server ends and starts anew with these certificates. */
  serve(identities: readonly ServerIdentity[], roots?: readonly TrustedRoot[]): void;
  /** The client's process starts anew, over the same storage. */
  boot(options?: Partial<LinkOptions>): void;
}

export interface TrustRigOptions {
  root?: Root;
  identities?: readonly ServerIdentity[];
  trust?: Partial<ServerTrustOptions>;
  server?: Partial<ServerLinkOptions>;
  link?: Partial<LinkOptions>;
  /** The client's root certificate and the one it pins, where they are not those of the server. */
  pinned?: ServerCertificate;
}

export function trustRig(options: TrustRigOptions = {}): TrustRig {
  const root = options.root ?? newWorld();
  const world = new World();
  const { random, crypto } = root;
  const tickets = createTickets(memoryTicketStore(), new Uint8Array(32).fill(7), random);
  const made = {
    root,
    world,
    peers: [],
    refused: [],
    received: [],
    states: [],
    lines: [],
    tickets,
    serverStorage: memoryStorage(),
    clientStorage: memoryStorage(),
  } as unknown as TrustRig;
  const first = options.identities ?? [identityOf(root)];

  made.serve = (identities, roots) => {
    const storage = made.serverStorage;
    const known = roots ?? [{ crypto, revocations: openRevocations({ root: root.root, storage }) }];
    for (const wire of made.network?.wires ?? []) wire.lose('server restarted');
    made.trust = createServerTrust({ roots: known, ...options.trust }, identities);
    made.server = createServerLink(
      { identities, tickets, trust: made.trust, ...options.server },
      { random, timer: world.timer, clock: world.clock, execute: world.execute },
      {
        connected: (peer) => {
          made.peers.push(peer);
          return { message: (bytes) => made.received.push(new TextDecoder().decode(bytes)) };
        },
        refused: (_peer, why) => made.refused.push(why),
      },
    );
  };
  made.serve(first);
  made.network = new Network(world, [(wire) => void serveWire(made.server, wire)]);
  const pinned = options.pinned ?? first[0]!.certificate;
  const wallet = openWallet({ serial: pinned.serial });
  made.boot = (more = {}) => {
    const report = (line: string): void => void made.lines.push(line);
    made.held = openTrust({ root: root.root, server: pinned, storage: made.clientStorage, report });
    made.link = new Link(
      {
        crypto,
        root: root.root,
        server: pinned,
        random,
        endpoints: 1,
        pollMs: 20_000,
        wallet,
        trust: made.held,
        ...options.link,
        ...more,
      },
      {
        timer: world.timer,
        clock: world.clock,
        execute: world.execute,
        connector: made.network.connector,
        jitter: () => 0.5,
      },
      {
        state: (state, why) => made.states.push({ state, why }),
        trust: report,
      },
    );
    made.link.start();
  };
  made.boot();
  return made;
}

/** The client's identity as its link takes it. */
export function credentialOf(root: Root): { certificate: Root['client']; signing: Uint8Array } {
  return { certificate: root.client, signing: root.clientKey.signingKey };
}
