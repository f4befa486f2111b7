import { Command } from 'commander';
import { connect } from 'node:net';
import { pipeline } from 'node:stream';
import { CONNECTIONS_MAX, SERVER_PORT } from '../../src/params.ts';
import { QstpError } from '../../src/error.ts';
import { createForwardServer } from '../../targets/node/forward/server.ts';
import { formatEndpoint, parseEndpoint } from '../../targets/node/forward/records.ts';
import { FILES } from '../../targets/node/files.ts';
import { loadIdentity } from '../../targets/node/identity.ts';
import { listen } from '../../targets/node/listen.ts';
import type { ListenOptions, Peer, QstpServer, ServerEvents } from '../../targets/node/listen.ts';
import { describeProvider, nodeProvider } from '../../targets/node/provider.ts';
import { Tunnel } from '../../targets/node/tunnel.ts';
import type { Extensions } from '../../src/session/edge.ts';
import { collect, extensionsOption, wholeNumber } from '../options.ts';
import { passphrase, passphraseOptions } from '../passphrase.ts';
import type { PassphraseOptions } from '../passphrase.ts';
import { note, UsageError } from '../ui.ts';

interface ServeOptions extends PassphraseOptions {
  root: string;
  cert?: string[];
  key?: string[];
  host?: string;
  port: number;
  max: number;
  maxHandshakes: number;
  idle: number;
  extensions: Extensions;
  tickets: string;
  ticketKey?: string;
  echo?: boolean;
  to?: string;
  allowConnect?: string[];
  allowListen?: string[];
}

type Handler = ServerEvents['connected'];

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('a tunnel server: to and from the terminal, or one of the modes below')
    .option('--root <file>', 'root certificate', FILES.rootCertificate)
    .option(
      '--cert <file>',
      `server certificate; again for another (default: ${FILES.serverCertificate})`,
      collect,
    )
    .option('--key <file>', `its secret key; one for each --cert (default: ${FILES.serverKey})`, collect)
    .option('--host <address>', 'address to listen on; default: all, IPv6 and IPv4')
    .option('--port <n>', 'port; 0 takes a free one', wholeNumber('--port', 0, 65535), SERVER_PORT)
    .option('--max <n>', 'connections at once', wholeNumber('--max', 1, 1e6), CONNECTIONS_MAX)
    .option(
      '--max-handshakes <n>',
      'unfinished handshakes at once, from all addresses; a fifth of them from one',
      wholeNumber('--max-handshakes', 5, 1e6),
      250,
    )
    .option(
      '--idle <seconds>',
      'close tunnels silent for so long; 0: never; clients refuse less than 4 times their --poll',
      wholeNumber('--idle', 0, 1e6),
      0,
    )
    .option(
      '--tickets <dir>',
      'keep tickets in this folder, so that clients resume after a restart; or `memory`, or `none`',
      'memory',
    )
    .option('--ticket-key <file>', 'the key that seals that folder (default: the folder and .key)')
    .option('--echo', 'send back what comes')
    .option('--to <host:port>', 'pass each tunnel on to a TCP server')
    .option('--allow-connect <host:port>', 'let `qstp forward -L` connect there; again for more', collect)
    .option('--allow-listen <[bind:]port>', 'let `qstp forward -R` listen there; again for more', collect);
  passphraseOptions(command);
  return extensionsOption(command, 'allow', 'clients')
    .addHelpText(
      'after',
      '\nA client that polls every 20 s (its default) refuses an --idle under 80, since it could not keep the tunnel.' +
        '\nSIGUSR2 pauses and resumes the acceptance of new clients; SIGINT and SIGTERM quit.',
    )
    .action(serve);
}

async function serve(options: ServeOptions): Promise<void> {
  const certificates = options.cert ?? [FILES.serverCertificate];
  const keys = options.key ?? [FILES.serverKey];
  if (certificates.length !== keys.length) {
    throw new UsageError(
      `there are ${certificates.length} --cert and ${keys.length} --key: give one key for each`,
    );
  }
  const tickets = ticketOptions(options);
  const connected = mode(options);
  const identities = [];
  for (let i = 0; i < keys.length; i++) {
    const files = { root: options.root, certificate: certificates[i]!, key: keys[i]! };
    const ask = (): Promise<Uint8Array> => passphrase(options, `passphrase of ${keys[i]}`);
    identities.push(await loadIdentity(files, { warn: note, passphrase: ask }));
  }
  const server = await listen(
    {
      identities,
      port: options.port,
      maxConnections: options.max,
      maxHandshakes: options.maxHandshakes,
      maxHandshakesPerAddress: Math.ceil(options.maxHandshakes / 5),
      idleTimeoutMs: options.idle * 1000,
      extensions: options.extensions,
      ...tickets,
      ...(options.host === undefined ? {} : { host: options.host }),
    },
    {
      connected(peer) {
        const from = formatEndpoint({ host: peer.address, port: peer.port });
        const how = peer.connection.session.fullHandshake ? 'full handshake' : 'resumed by ticket';
        note(`client ${peer.id}: connected from ${from}, ${how}`);
        return connected(peer);
      },
      refused: (peer, why) => note(`client ${peer.id}: refused from ${peer.address}: ${why.detail}`),
    },
  );
  obeySignals(server);
  note(describeProvider(nodeProvider()));
  note(`listening on ${formatEndpoint({ host: server.address, port: server.port })}`);
}

function ticketOptions({ tickets, ticketKey }: ServeOptions): Partial<ListenOptions> {
  const folder = tickets !== 'memory' && tickets !== 'none';
  if (ticketKey !== undefined && !folder) throw new UsageError('--ticket-key is for --tickets with a folder');
  if (!folder) return tickets === 'none' ? { tickets: null } : {};
  return {
    ticketFolder: tickets,
    report: note,
    ...(ticketKey === undefined ? {} : { ticketKeyFile: ticketKey }),
  };
}

function mode(options: ServeOptions): Handler {
  const forwards = options.allowConnect !== undefined || options.allowListen !== undefined;
  if ([options.echo === true, options.to !== undefined, forwards].filter(Boolean).length > 1) {
    throw new UsageError('--echo, --to and --allow-... exclude each other: choose one');
  }
  if (options.echo === true) return echo;
  if (options.to !== undefined) return passOn(options.to);
  if (!forwards) return terminal();
  if (options.allowListen !== undefined) {
    note('note: QSTP 1.4 does not authenticate clients: whoever reaches this server can offer itself on');
    note(`      ${options.allowListen.join(', ')}; restrict who can, with a firewall or a private network`);
  }
  const policy = {
    connect: (options.allowConnect ?? []).map((text) => parseEndpoint(text)),
    listen: (options.allowListen ?? []).map((text) => parseEndpoint(text, '127.0.0.1')),
  };
  const server = createForwardServer(policy, note);
  process.once('exit', () => server.close());
  return (peer) => server.accept(peer);
}

const echo: Handler = (peer) => {
  const tunnel = new Tunnel(peer.connection);
  pipeline(tunnel, tunnel, () => noteEnd(peer, tunnel));
  return tunnel.events;
};

function passOn(to: string): Handler {
  const target = parseEndpoint(to);
  return (peer) => {
    const tunnel = new Tunnel(peer.connection);
    const socket = connect({ ...target });
    pipeline(tunnel, socket, tunnel, (error) => {
      if (error !== null && error !== undefined && !(error instanceof QstpError)) {
        note(`client ${peer.id}: ${to}: ${error.message}`);
      }
      noteEnd(peer, tunnel);
    });
    return tunnel.events;
  };
}

/** What clients send goes to stdout; stdin goes to all of them. */
function terminal(): Handler {
  const tunnels = new Set<Tunnel>();
  process.stdin.on('data', (chunk) => {
    for (const tunnel of tunnels) {
      if (tunnel.write(chunk)) continue;
      process.stdin.pause();
      tunnel.once('drain', () => process.stdin.resume());
      tunnel.once('close', () => process.stdin.resume());
    }
  });
  return (peer) => {
    const tunnel = new Tunnel(peer.connection);
    tunnels.add(tunnel);
    tunnel.on('data', (chunk: Buffer) => {
      // A stranger's control characters do not belong on a terminal.
      const shown = process.stdout.isTTY ? printable(chunk) : chunk;
      if (process.stdout.write(shown)) return;
      tunnel.pause();
      process.stdout.once('drain', () => tunnel.resume());
    });
    tunnel.on('error', () => undefined);
    tunnel.on('close', () => {
      tunnels.delete(tunnel);
      noteEnd(peer, tunnel);
    });
    return tunnel.events;
  };
}

function printable(chunk: Buffer): string {
  return chunk.toString('utf8').replace(/[^\P{Cc}\n\t]/gu, '?');
}

function noteEnd(peer: Peer, tunnel: Tunnel): void {
  note(`client ${peer.id}: ${tunnel.reason?.detail ?? 'closed'}`);
}

function obeySignals(server: QstpServer): void {
  let paused = false;
  process.on('SIGUSR2', () => {
    paused = !paused;
    if (paused) server.pause();
    else server.resume();
    note(paused ? 'paused: new clients are refused' : 'resumed');
  });
  const quit = (): void => {
    note('quitting: telling the clients');
    server.quit().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once('SIGINT', quit);
  process.once('SIGTERM', quit);
}
