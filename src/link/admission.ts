// Who may begin a handshake: a limit on all connections, and one on unfinished handshakes an address, so
// that a flood of silent clients cannot hold every place. Entries exist only for live handshakes.

import { CONNECTIONS_MAX } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';

export interface AdmissionOptions {
  /** Connections at once, unfinished handshakes included. Default 1,000. */
  readonly maxConnections?: number;
  /** Unfinished handshakes at once from one address. Default 100. */
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

const HANDSHAKES_PER_ADDRESS = 100;

export function createAdmission(options: AdmissionOptions = {}): Admission {
  const maxConnections = options.maxConnections ?? CONNECTIONS_MAX;
  const perAddress = options.maxHandshakesPerAddress ?? HANDSHAKES_PER_ADDRESS;
  const handshakes: Record<string, number> = Object.create(null) as Record<string, number>;
  let connections = 0;
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
      const here = handshakes[address] ?? 0;
      if (here >= perAddress) {
        return reject(
          'address_limit',
          ErrorCode.hostsExceeded,
          `${here} handshakes of ${address} are unfinished`,
        );
      }
      handshakes[address] = here + 1;
      connections++;
      return null;
    },
    handshakeOver(address) {
      const left = (handshakes[address] ?? 0) - 1;
      if (left > 0) handshakes[address] = left;
      else delete handshakes[address];
    },
    leave() {
      connections--;
    },
  };
}
