// Opens TCP streams to the endpoints of a link.

import { connect } from 'node:net';
import { SERVER_PORT } from '../../src/params.ts';
import { QstpError } from '../../src/error.ts';
import type { Connector } from '../../src/platform.ts';
import { parseEndpoint } from './forward/records.ts';
import type { Endpoint } from './forward/records.ts';
import { nodeTimer, socketTransport } from './platform.ts';

/**
 * Of a name with several addresses, how long one is tried before the next, milliseconds. Node's 250 are less than
 * a round trip over a satellite or a slow radio.
 */
const ADDRESS_MS = 1500;

/** `host`, `host:port`, `[IPv6]` or `[IPv6]:port`; the default port is 32119. Throws `endpoint_invalid`. */
export function parseServer(text: string): Endpoint {
  const bare = /^[^:]+$/.test(text) || /^\[[^\]]+\]$/.test(text);
  return parseEndpoint(bare ? `${text}:${SERVER_PORT}` : text);
}

/** Throws `endpoint_invalid`. */
export function checkPort(port: number): void {
  if (!(Number.isInteger(port) && port >= 0 && port <= 65535)) {
    throw new QstpError('endpoint_invalid', `there is no port ${port}: give 0 to 65535`);
  }
}

/** A connector to `endpoints` that gives up after `timeoutMs`. */
export function nodeConnector(endpoints: readonly Endpoint[], timeoutMs: number): Connector {
  return {
    open(index, done) {
      const { host, port } = endpoints[index]!;
      const socket = connect({ host, port, autoSelectFamilyAttemptTimeout: ADDRESS_MS });
      const give = (problem: string): void => {
        cancel();
        socket.destroy();
        done(null, `cannot connect to ${host} port ${port}: ${problem}`);
      };
      const cancel = nodeTimer.set(() => give('no answer'), timeoutMs);
      const failed = (error: Error): void => give(describe(error));
      socket.on('error', failed);
      socket.once('connect', () => {
        cancel();
        socket.off('error', failed);
        done((events) => socketTransport(socket, events), '');
      });
      return () => {
        cancel();
        socket.off('error', failed);
        socket.on('error', () => undefined);
        socket.destroy();
      };
    },
  };
}

/** The text of a connect error; an attempt at several addresses fails with one error for each. */
function describe(error: Error & { errors?: Error[] }): string {
  const inner = error.errors ?? [error];
  return inner.map((e) => e.message).join('; ');
}
