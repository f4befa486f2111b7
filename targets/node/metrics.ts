// Figures for Prometheus over HTTP. They name no client and hold no secret, and there is no authentication: they are
// for this machine, or for a network that only the monitoring is on.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { QstpError } from '../../src/error.ts';
import { prometheusText } from '../../src/telemetry/prometheus.ts';
import type { MetricGroup } from '../../src/telemetry/prometheus.ts';

export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface MetricsOptions {
  /** Default: this machine only. */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** Serves `/metrics`; `collect` is called at each request. Rejects with `listen_failed`. */
export async function serveMetrics(
  options: MetricsOptions,
  collect: () => readonly MetricGroup[],
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const asked = request.url?.split('?')[0] === '/metrics';
    if (!asked || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(asked ? 405 : 404).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.end(request.method === 'HEAD' ? undefined : prometheusText(collect()));
  });
  server.requestTimeout = 10_000;
  server.maxConnections = 16;
  await new Promise<void>((done, fail) => {
    server.once('error', (error) => {
      fail(new QstpError('listen_failed', `cannot serve metrics: ${error.message}: choose another address`));
    });
    server.listen(options.port, options.host ?? '127.0.0.1', done);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}

/** What a server has to tell: see `QstpServer`. */
interface Counted {
  readonly connections: number;
  readonly counters: Readonly<Record<string, number>>;
}

/** The figures of a server and of this process. */
export function gatewayMetrics(server: Counted): MetricGroup[] {
  const { rss, heapUsed } = process.memoryUsage();
  return [
    { prefix: 'qstp_server', values: server.counters },
    { prefix: 'qstp_server', values: { connections: server.connections }, gauges: ['connections'] },
    {
      prefix: 'qstp_process',
      values: { residentBytes: rss, heapBytes: heapUsed, uptimeSeconds: Math.floor(process.uptime()) },
      gauges: ['residentBytes', 'heapBytes', 'uptimeSeconds'],
    },
  ];
}
