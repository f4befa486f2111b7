// A link and a server over a network in virtual time.
import { createServerLink } from '../../src/link/server.ts';
import type { Peer, ServerLink, ServerLinkOptions } from '../../src/link/server.ts';
import { Link } from '../../src/link/driver.ts';
import type { LinkEvents, LinkOptions, LinkState } from '../../src/link/driver.ts';
import { createTickets, memoryTicketStore } from '../../src/link/ticket-store.ts';
import { openWallet } from '../../src/link/wallet.ts';
import { serverIdentity } from '../../src/session/server.ts';
import { Network, serveWire, World } from './virtual.ts';
import { newChain } from '../session/pair.ts';
import type { Clock } from '../../src/platform.ts';
import type { Reject } from '../../src/error.ts';

export const chain = newChain(1, 'driver');
const { crypto, root, server } = chain;
export const certificate = server;
const identities = [serverIdentity(crypto, root, certificate, chain.key)];

export interface Rig {
  world: World;
  network: Network;
  link: Link;
  server: ServerLink;
  peers: Peer[];
  states: { state: LinkState; why: Reject | null; at: number }[];
  received: string[];
  restart(keepTickets: boolean): void;
}

export const text = (s: string): Uint8Array => new TextEncoder().encode(s);

export function rig(
  options: Partial<LinkOptions> = {},
  serverOptions: Partial<ServerLinkOptions> = {},
  events: LinkEvents = {},
  echo = true,
  clock?: Clock,
  /** Told of each client, with the number of those before. */
  onPeer?: (peer: Peer, before: number) => void,
): Rig {
  const world = new World();
  const random = chain.random('driver');
  const key = new Uint8Array(32).fill(7);
  let store = memoryTicketStore();
  const made: Rig = {
    world,
    peers: [],
    states: [],
    received: [],
  } as unknown as Rig;
  const serve = (): ServerLink =>
    createServerLink(
      { identities, tickets: createTickets(store, key, random), ...serverOptions },
      { random, timer: world.timer, clock: world.clock, execute: world.execute },
      {
        connected: (peer) => {
          made.peers.push(peer);
          onPeer?.(peer, made.peers.length - 1);
          return {
            message: (bytes) => {
              made.received.push(new TextDecoder().decode(bytes));
              if (echo) peer.send(bytes.slice());
            },
          };
        },
      },
    );
  made.server = serve();
  made.network = new Network(world, [(wire) => void serveWire(made.server, wire)]);
  made.restart = (keepTickets) => {
    for (const wire of made.network.wires) wire.lose('server restarted');
    if (!keepTickets) store = memoryTicketStore();
    made.server = serve();
  };
  let seed = 1;
  made.link = new Link(
    {
      crypto,
      root,
      server: certificate,
      random,
      endpoints: 1,
      pollMs: 1000,
      verified: 'chain',
      wallet: openWallet({ serial: certificate.serial }),
      ...options,
    },
    {
      timer: world.timer,
      clock: clock ?? world.clock,
      execute: world.execute,
      connector: made.network.connector,
      jitter: () => (seed = (seed * 16807) % 2147483647) / 2147483647,
    },
    {
      ...events,
      state: (state, why, wait) => {
        made.states.push({ state, why, at: world.ms });
        events.state?.(state, why, wait);
      },
    },
  );
  return made;
}

/** Another link of the same device, with an empty wallet. */
export function again(r: Rig): { link: Link } {
  const options: LinkOptions = {
    crypto,
    root,
    server: certificate,
    random: chain.random('again'),
    endpoints: 1,
    pollMs: 1000,
    verified: 'chain',
    wallet: openWallet({ serial: certificate.serial }),
  };
  const { timer, clock, execute } = r.world;
  const platform = { timer, clock, execute, connector: r.network.connector, jitter: () => 0.5 };
  return { link: new Link(options, platform, {}) };
}
