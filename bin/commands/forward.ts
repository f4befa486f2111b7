import { Command } from 'commander';
import { forwardLocal, forwardRemote } from '../../targets/node/forward/client.ts';
import type { Forward } from '../../targets/node/forward/client.ts';
import { formatEndpoint, parseForward } from '../../targets/node/forward/records.ts';
import { parseServer } from '../../targets/node/connector.ts';
import type { ForwardLog } from '../../targets/node/forward/server.ts';
import { clientChoices, clientOptions, collect, hint } from '../options.ts';
import type { ClientChoices } from '../options.ts';
import { note, UsageError } from '../ui.ts';

interface ForwardOptions extends ClientChoices {
  L?: string[];
  R?: string[];
}

export function forwardCommand(): Command {
  const command = new Command('forward')
    .description('carry TCP connections through tunnels, like ssh -L and -R')
    .argument('[server]', 'host, host:port or [IPv6]:port', 'localhost')
    .option('-L <[bind:]port:host:port>', 'listen here, connect there; again for more', collect)
    .option('-R <[bind:]port:host:port>', 'listen at the server, connect here; again for more', collect);
  return clientOptions(command)
    .addHelpText(
      'after',
      '\nThe server must allow it: `qstp serve --allow-connect host:port` for -L, `--allow-listen [bind:]port` for -R.' +
        '\nAn RTU dials out and is polled: qstp forward master.example -R 1502:127.0.0.1:502' +
        '\n--poll is the period of that polling: keep-alives then travel beside the polls, and a dead link is noticed' +
        '\nafter 3 of them.',
    )
    .action(run);
}

async function run(address: string, options: ForwardOptions): Promise<void> {
  const local = (options.L ?? []).map(parseForward);
  const remote = (options.R ?? []).map(parseForward);
  if (local.length + remote.length === 0) throw new UsageError('nothing to forward: give -L or -R');
  const dialOptions = { ...parseServer(address), ...(await clientChoices(options)) };
  const log: ForwardLog = (line, why) => note(line + (why === undefined ? '' : hint(why.reason, why.detail)));
  const forwards: Forward[] = [];
  const quit = (): void => {
    for (const forward of forwards) forward.close();
  };
  try {
    for (const { listen, target } of local) {
      const forward = await forwardLocal(dialOptions, listen, target, log);
      note(`listening on ${formatEndpoint(forward.listening!)} for ${formatEndpoint(target)} at the server`);
      forwards.push(forward);
    }
  } catch (error) {
    quit();
    throw error;
  }
  for (const { listen, target } of remote) {
    forwards.push(
      forwardRemote(dialOptions, listen, target, log, {
        established: ({ session }) =>
          note(session.fullHandshake ? 'tunnel up, full handshake' : 'tunnel up, resumed by ticket'),
        waiting: (at) => note(`the server listens on ${at} for ${formatEndpoint(target)} here`),
        lost: (_why, retryMs) => note(`next try in ${(retryMs / 1000).toFixed(1)} s`),
      }),
    );
  }
  process.once('SIGINT', quit);
  process.once('SIGTERM', quit);
}
