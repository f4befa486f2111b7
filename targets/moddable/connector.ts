// Opens TCP streams to the endpoints of a link.

import { SERVER_PORT } from '../../src/params.ts';
import type { Connector } from '../../src/platform.ts';
import { moddableTimer, TcpTransport } from './platform.ts';
import type { TcpOptions } from './platform.ts';

/** A resolver as Moddable's network clients take it: `{io: Resolver, ...}`. */
export interface DnsOptions {
  readonly io: new (options: object) => {
    resolve(options: {
      host: string;
      onResolved(host: string, address: string): void;
      onError(error?: unknown): void;
    }): void;
  };
  readonly [option: string]: unknown;
}

export interface Endpoint {
  /** A name, which needs `dns`; or an address, which does not. */
  readonly host?: string;
  readonly address?: string;
  /** Default 32119. */
  readonly port?: number;
}

/** A connector to `endpoints` that gives up after `timeoutMs`. */
export function moddableConnector(
  endpoints: readonly Endpoint[],
  tcp: TcpOptions,
  dns: DnsOptions | undefined,
  timeoutMs: number,
): Connector {
  return {
    open(index, done) {
      const { host, address, port = SERVER_PORT } = endpoints[index]!;
      let over = false;
      let transport: TcpTransport | null = null;
      const end = (): boolean => {
        const first = !over;
        over = true;
        cancel();
        return first;
      };
      const give = (problem: string): void => {
        if (!end()) return;
        if (transport !== null) transport.destroy();
        done(null, `cannot connect to ${host ?? address} port ${port}: ${problem}`);
      };
      const cancel = moddableTimer.set(() => give('no answer'), timeoutMs);
      const open = (to: string): void => {
        if (over) return;
        try {
          const made = new TcpTransport(tcp, to, port, (problem) => {
            if (problem !== null) give(problem);
            else if (end()) done((events) => made.bind(events), '');
          });
          transport = made;
        } catch (error) {
          give((error as Error).message);
        }
      };
      if (address !== undefined) open(address);
      else if (dns === undefined || host === undefined) give('give it an address, or a host and "dns"');
      else {
        new dns.io(dns).resolve({
          host,
          onResolved: (_host, found) => open(found),
          onError: () => give('the name cannot be resolved'),
        });
      }
      return () => {
        if (end() && transport !== null) transport.destroy();
      };
    },
  };
}
