// The network between RTU and master: a relay that counts bytes, and can be cut or hang.

import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface Wire {
  readonly port: number;
  /** Bytes passed so far, both directions. */
  readonly bytes: number;
  /** Breaks every connection, as a lost link does. */
  cut(): void;
  /** From now on every connection of this moment loses what is sent, without a word, as a router that forgot it. */
  hang(): void;
  stop(): Promise<void>;
}

export async function startWire(to: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  const hung = new Set<Socket>();
  let bytes = 0;
  const relay = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port: to });
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (chunk) => {
        if (hung.has(from)) return;
        bytes += chunk.length;
        into.write(chunk);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        if (!hung.delete(from)) into.destroySoon();
      });
    }
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  return {
    port: (relay.address() as AddressInfo).port,
    get bytes() {
      return bytes;
    },
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    hang() {
      for (const socket of sockets) hung.add(socket);
    },
    stop() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => relay.close(() => resolve()));
    },
  };
}
