import { Command } from 'commander';
import { formatEndpoint } from '../../targets/node/forward/records.ts';
import { parseServer } from '../../targets/node/connector.ts';
import { connectQstp } from '../../targets/node/tunnel.ts';
import type { Tunnel } from '../../targets/node/tunnel.ts';
import { QstpError } from '../../src/error.ts';
import { clientChoices, clientOptions, hint, wholeNumber } from '../options.ts';
import type { ClientChoices } from '../options.ts';
import { note } from '../ui.ts';

interface ConnectOptions extends ClientChoices {
  wait: number;
}

export function connectCommand(): Command {
  const command = new Command('connect')
    .description('a tunnel between stdin/stdout and a server, like nc')
    .argument('[server]', 'host, host:port or [IPv6]:port', 'localhost');
  return clientOptions(command)
    .option(
      '--wait <seconds>',
      'after the end of stdin, go on receiving until nothing came for so long',
      wholeNumber('--wait', 0, 1e6),
      2,
    )
    .action(run);
}

async function run(address: string, options: ConnectOptions): Promise<void> {
  const server = parseServer(address);
  const choices = await clientChoices(options);
  const tunnel = await connectQstp({ ...server, ...choices }).catch(explained);
  const how = tunnel.connection.session.fullHandshake ? 'full handshake' : 'resumed by ticket';
  note(`connected to ${formatEndpoint(server)}, ${choices.root.suite.name}, ${how}`);
  tunnel.pipe(process.stdout, { end: false });
  process.stdin.pipe(tunnel, { end: false });
  process.stdin.once('end', () => closeWhenQuiet(tunnel, options.wait * 1000));
  process.once('SIGINT', () => tunnel.end());
  await new Promise<void>((resolve, reject) => {
    tunnel.once('error', reject);
    tunnel.once('close', resolve);
  }).catch(explained);
  process.stdin.destroy();
  note(tunnel.reason?.detail ?? 'closed');
}

function explained(error: unknown): never {
  if (error instanceof QstpError)
    throw new QstpError(error.code, error.message + hint(error.code, error.message));
  throw error;
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
