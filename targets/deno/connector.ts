// Opens TCP streams to the endpoints of a link.

import { SERVER_PORT } from '../../src/params.ts';
import type { Connector } from '../../src/platform.ts';
import { connTransport, denoTimer } from './platform.ts';

export interface Endpoint {
  /** Name or address. Default localhost. */
  readonly hostname?: string;
  /** Default 32119. */
  readonly port?: number;
}

/** A connector to `endpoints` that gives up after `timeoutMs`. */
export function denoConnector(endpoints: readonly Endpoint[], timeoutMs: number): Connector {
  return {
    open(index, done) {
      const { hostname = 'localhost', port = SERVER_PORT } = endpoints[index]!;
      let over = false;
      const end = (): boolean => {
        const first = !over;
        over = true;
        cancel();
        return first;
      };
      const give = (problem: string): void => {
        if (end()) done(null, `cannot connect to ${hostname} port ${port}: ${problem}`);
      };
      const cancel = denoTimer.set(() => give('no answer'), timeoutMs);
      Deno.connect({ hostname, port }).then(
        (conn) => {
          if (end()) done((events) => connTransport(conn, events), '');
          else conn.close();
        },
        (error: Error) => give(error.message),
      );
      return () => void end();
    },
  };
}
