import { Command } from 'commander';
import { formatEndpoint } from '../../targets/node/forward/records.ts';
import { readRootCertificate, readServerCertificate } from '../../targets/node/files.ts';
import { connectQstp } from '../../targets/node/tunnel.ts';
import type { Tunnel } from '../../targets/node/tunnel.ts';
import { serverAddress, trustOptions, wholeNumber } from '../options.ts';
import type { TrustOptions } from '../options.ts';
import { note } from '../ui.ts';

interface ConnectOptions extends TrustOptions {
  wait: number;
}

export function connectCommand(): Command {
  const command = new Command('connect')
    .description('a tunnel between stdin/stdout and a server, like nc')
    .argument('[server]', 'host, host:port or [IPv6]:port', 'localhost');
  return trustOptions(command)
    .option(
      '--wait <seconds>',
      'after the end of stdin, go on receiving until nothing came for so long',
      wholeNumber('--wait', 0, 1e6),
      2,
    )
    .action(run);
}

async function run(address: string, options: ConnectOptions): Promise<void> {
  const server = serverAddress(address);
  const root = readRootCertificate(options.root);
  const certificate = readServerCertificate(options.cert);
  const tunnel = await connectQstp({ ...server, root, server: certificate });
  note(`connected to ${formatEndpoint(server)}, ${root.suite.name}`);
  tunnel.pipe(process.stdout, { end: false });
  process.stdin.pipe(tunnel, { end: false });
  process.stdin.once('end', () => closeWhenQuiet(tunnel, options.wait * 1000));
  process.once('SIGINT', () => tunnel.end());
  await new Promise<void>((resolve, reject) => {
    tunnel.once('error', reject);
    tunnel.once('close', resolve);
  });
  process.stdin.destroy();
  note(tunnel.reason?.detail ?? 'closed');
}

/** Ends the tunnel once nothing came for `quietMs`: QSTP has no half-close to wait for. */
function closeWhenQuiet(tunnel: Tunnel, quietMs: number): void {
  let timer = setTimeout(() => tunnel.end(), quietMs);
  tunnel.on('data', () => {
    clearTimeout(timer);
    timer = setTimeout(() => tunnel.end(), quietMs);
  });
  tunnel.once('close', () => clearTimeout(timer));
}
