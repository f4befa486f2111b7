// Who may begin a handshake: a limit on all connections, and one on unfinished handshakes an address, so
// that a flood of silent clients cannot hold every place. Entries exist only for live handshakes.

import { CONNECTIONS_MAX } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';

export interface AdmissionOptions {
  /** Connections at once, unfinished handshakes included. Default 1,000. */
  readonly maxConnections?: number;
  /** Unfinished handshakes at once, from all addresses: each costs a signature. Default 250. */
  readonly maxHandshakes?: number;
  /** Unfinished handshakes at once from one address, or one /64 of IPv6. Default 50. */
  readonly maxHandshakesPerAddress?: number;
}

export interface Admission {
  readonly connections: number;
  readonly paused: boolean;
  /** While paused, new clients are refused; live ones go on. */
  pause(): void;
  resume(): void;
  /** Takes a place for a new client, or says why not. */
  enter(address: string): Reject | null;
  /** The handshake from this address is over, well or not. Call once for each that entered. */
  handshakeOver(address: string): void;
  /** The connection is gone: its place is free. */
  leave(): void;
}

const HANDSHAKES = 250;
const HANDSHAKES_PER_ADDRESS = 50;

/** What is counted as one client: an IPv4 address, or the first half of an IPv6 one. */
function network(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped !== null) return mapped[1]!;
  if (address.indexOf(':') < 0) return address;
  const [head, tail] = address.split('%')[0]!.split('::');
  const front = head === '' ? [] : head!.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = front;
  if (tail !== undefined) {
    for (let missing = 8 - front.length - back.length; missing > 0; missing--) groups.push('0');
  }
  for (const group of back) groups.push(group);
  return groups.slice(0, 4).join(':');
}

export function createAdmission(options: AdmissionOptions = {}): Admission {
  const maxConnections = options.maxConnections ?? CONNECTIONS_MAX;
  const maxHandshakes = options.maxHandshakes ?? HANDSHAKES;
  const perAddress = options.maxHandshakesPerAddress ?? HANDSHAKES_PER_ADDRESS;
  const handshakes: Record<string, number> = Object.create(null) as Record<string, number>;
  let connections = 0;
  let unfinished = 0;
  let paused = false;
  return {
    get connections() {
      return connections;
    },
    get paused() {
      return paused;
    },
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
    },
    enter(address) {
      if (paused) return reject('paused', ErrorCode.acceptFail, 'the server is paused: no new clients');
      if (connections >= maxConnections) {
        return reject('full', ErrorCode.hostsExceeded, `all ${maxConnections} connections are taken`);
      }
      if (unfinished >= maxHandshakes) {
        return reject('handshakes', ErrorCode.hostsExceeded, `${unfinished} handshakes are unfinished`);
      }
      const from = network(address);
      const here = handshakes[from] ?? 0;
      if (here >= perAddress) {
        return reject(
          'address_limit',
          ErrorCode.hostsExceeded,
          `${here} handshakes of ${address} are unfinished`,
        );
      }
      handshakes[from] = here + 1;
      unfinished++;
      connections++;
      return null;
    },
    handshakeOver(address) {
      const from = network(address);
      const left = (handshakes[from] ?? 0) - 1;
      if (left > 0) handshakes[from] = left;
      else delete handshakes[from];
      unfinished--;
    },
    leave() {
      connections--;
    },
  };
}
