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

/**
 * Opens a TCP stream, or gives up after `timeoutMs`. `done` is called once, and never from within this call: with the
 * stream, or with null and what is wrong. Calls nothing back any more once what it returns was called.
 */
export function openStream(
  { host, address, port = SERVER_PORT }: Endpoint,
  tcp: TcpOptions,
  dns: DnsOptions | undefined,
  timeoutMs: number,
  done: (transport: TcpTransport | null, problem: string) => void,
): () => void {
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
  const giveLater = (problem: string): void => void moddableTimer.set(() => give(problem), 0);
  const cancel = moddableTimer.set(() => give('no answer'), timeoutMs);
  const open = (to: string): void => {
    if (over) return;
    try {
      const made = new TcpTransport(tcp, to, port, (problem) => {
        if (problem !== null) give(problem);
        else if (end()) done(made, '');
      });
      transport = made;
    } catch (error) {
      giveLater((error as Error).message);
    }
  };
  if (address !== undefined) open(address);
  else if (dns === undefined || host === undefined) giveLater('give it an address, or a host and "dns"');
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
}

/** A connector to `endpoints` that gives up after `timeoutMs`. */
export class ModdableConnector implements Connector {
  private readonly endpoints: readonly Endpoint[];
  private readonly tcp: TcpOptions;
  private readonly dns: DnsOptions | undefined;
  private readonly timeoutMs: number;

  constructor(
    endpoints: readonly Endpoint[],
    tcp: TcpOptions,
    dns: DnsOptions | undefined,
    timeoutMs: number,
  ) {
    this.endpoints = endpoints;
    this.tcp = tcp;
    this.dns = dns;
    this.timeoutMs = timeoutMs;
  }

  open(index: number, done: Parameters<Connector['open']>[1]): () => void {
    return openStream(this.endpoints[index]!, this.tcp, this.dns, this.timeoutMs, (transport, problem) =>
      done(transport === null ? null : (events) => transport.bind(events), problem),
    );
  }
}
