import { Command } from 'commander';
import { forwardLocal, forwardRemote } from '../../targets/node/forward/client.ts';
import type { Forward } from '../../targets/node/forward/client.ts';
import { formatEndpoint, parseForward } from '../../targets/node/forward/records.ts';
import { readRootCertificate, readServerCertificate } from '../../targets/node/files.ts';
import { collect, serverAddress, trustOptions } from '../options.ts';
import type { TrustOptions } from '../options.ts';
import { note, UsageError } from '../ui.ts';

interface ForwardOptions extends TrustOptions {
  L?: string[];
  R?: string[];
}

export function forwardCommand(): Command {
  const command = new Command('forward')
    .description('carry TCP connections through tunnels, like ssh -L and -R')
    .argument('[server]', 'host, host:port or [IPv6]:port', 'localhost')
    .option('-L <[bind:]port:host:port>', 'listen here, connect there; again for more', collect)
    .option('-R <[bind:]port:host:port>', 'listen at the server, connect here; again for more', collect);
  return trustOptions(command)
    .addHelpText(
      'after',
      '\nThe server must allow it: `qstp serve --allow-connect host:port` for -L, `--allow-listen [bind:]port` for -R.' +
        '\nAn RTU dials out and is polled: qstp forward master.example -R 1502:127.0.0.1:502',
    )
    .action(run);
}

async function run(address: string, options: ForwardOptions): Promise<void> {
  const local = (options.L ?? []).map(parseForward);
  const remote = (options.R ?? []).map(parseForward);
  if (local.length + remote.length === 0) throw new UsageError('nothing to forward: give -L or -R');
  const dialOptions = {
    ...serverAddress(address),
    root: readRootCertificate(options.root),
    server: readServerCertificate(options.cert),
  };
  const forwards: Forward[] = [];
  const quit = (): void => {
    for (const forward of forwards) forward.close();
  };
  try {
    for (const { listen, target } of local) {
      const forward = await forwardLocal(dialOptions, listen, target, note);
      note(`listening on ${formatEndpoint(forward.listening!)} for ${formatEndpoint(target)} at the server`);
      forwards.push(forward);
    }
  } catch (error) {
    quit();
    throw error;
  }
  for (const { listen, target } of remote) {
    forwards.push(
      forwardRemote(dialOptions, listen, target, note, {
        waiting: (at) => note(`the server listens on ${at} for ${formatEndpoint(target)} here`),
        lost: (_why, retryMs) => note(`next try in ${(retryMs / 1000).toFixed(1)} s`),
      }),
    );
  }
  process.once('SIGINT', quit);
  process.once('SIGTERM', quit);
}
