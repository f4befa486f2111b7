import { Command } from 'commander';
import { connect } from 'node:net';
import { pipeline } from 'node:stream';
import { CONNECTIONS_MAX, SERVER_PORT } from '../../src/params.ts';
import { QstpError } from '../../src/error.ts';
import { toHex } from '../../src/bytes.ts';
import { readAuthorisation } from '../../targets/node/authorisation.ts';
import type { Authorisation } from '../../targets/node/authorisation.ts';
import type { ForwardPolicy } from '../../targets/node/forward/server.ts';
import { createForwardServer } from '../../targets/node/forward/server.ts';
import { formatEndpoint, parseEndpoint } from '../../targets/node/forward/records.ts';
import { FILES } from '../../targets/node/files.ts';
import { loadIdentity } from '../../targets/node/identity.ts';
import { listen } from '../../targets/node/listen.ts';
import type { ListenOptions, Peer, QstpServer, ServerEvents } from '../../targets/node/listen.ts';
import { gatewayMetrics, serveMetrics } from '../../targets/node/metrics.ts';
import { describeProvider, nodeProvider } from '../../targets/node/provider.ts';
import { Tunnel } from '../../targets/node/tunnel.ts';
import { readConfig } from '../config-file.ts';
import { collect, extensionsOption, oneOf, wholeNumber } from '../options.ts';
import { passphrase, passphraseOptions } from '../passphrase.ts';
import type { PassphraseOptions } from '../passphrase.ts';
import { loadLists, rootFileOf, serverTrust, warnExpiry } from '../server-trust.ts';
import type { TrustChoices } from '../server-trust.ts';
import { note, UsageError } from '../ui.ts';

/** Deadlines for clients that derive keys for seconds and verify signatures for minutes. */
const PATIENT = { handshakeDeadlineMs: 600000, halfOpenMs: 60000 };

interface ServeOptions extends PassphraseOptions, TrustChoices {
  config?: string;
  root?: string[];
  cert?: string[];
  key?: string[];
  host?: string;
  port: number;
  max: number;
  maxHandshakes: number;
  idle: number;
  authorise?: string;
  crl?: string[];
  tickets: string;
  ticketKey?: string;
  patient?: boolean;
  echo?: boolean;
  to?: string;
  allowConnect?: string[];
  allowListen?: string[];
  metrics?: string;
}

type Handler = ServerEvents['connected'];

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('a tunnel server: to and from the terminal, or one of the modes below')
    .option('--config <file>', 'these options from JSON, by their long names; files are relative to it')
    .option(
      '--root <file>',
      `root certificate; again for the one that follows (default: ${FILES.rootCertificate})`,
      collect,
    )
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
    .option(
      '--clients <policy>',
      'none, optional or required: whether clients show an identity (.qcc); default: required with --authorise',
      oneOf('--clients', ['none', 'optional', 'required']),
    )
    .option('--authorise <file>', 'JSON: which client may use which forwards and topics; others are refused')
    .option('--crl <file>', 'revocation list of a root; again for more; SIGHUP loads them anew', collect)
    .option('--require-crl', 'let clients in only under a revocation list that is not stale')
    .option('--statement <file>', 'statement of the root that follows, for clients; again for more', collect)
    .option('--trust <dir>', 'keep revocations in this folder over restarts; default: until the server ends')
    .option(
      '--patient',
      'for devices that interpret source text: 10 minutes for a handshake, one for a resumption',
    )
    .option(
      '--metrics <[host:]port>',
      'figures for Prometheus at http://host:port/metrics; default: this machine only',
    )
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

/** Options that name files, and what else they may say. */
const FILE_OPTIONS = {
  root: [],
  cert: [],
  key: [],
  tickets: ['memory', 'none'],
  'ticket-key': [],
  authorise: [],
  crl: [],
  statement: [],
  trust: [],
};

async function serve(given: ServeOptions, command: Command): Promise<void> {
  if (given.config !== undefined) readConfig(command, given.config, FILE_OPTIONS);
  const options = command.opts<ServeOptions>();
  const certificates = options.cert ?? [FILES.serverCertificate];
  const keys = options.key ?? [FILES.serverKey];
  if (certificates.length !== keys.length) {
    throw new UsageError(
      `there are ${certificates.length} --cert and ${keys.length} --key: give one key for each`,
    );
  }
  const tickets = ticketOptions(options);
  const authorisation = options.authorise === undefined ? null : readAuthorisation(options.authorise);
  const metrics = options.metrics === undefined ? null : parseEndpoint(options.metrics, '127.0.0.1');
  const connected = mode(options, authorisation);
  const identities = [];
  const roots = options.root ?? [FILES.rootCertificate];
  for (let i = 0; i < keys.length; i++) {
    const certificate = certificates[i]!;
    const files = { root: rootFileOf(roots, certificate), certificate, key: keys[i]! };
    const ask = (): Promise<Uint8Array> => passphrase(options, `passphrase of ${keys[i]}`);
    identities.push(await loadIdentity(files, { warn: note, passphrase: ask }));
  }
  const trust = serverTrust(roots, identities, options, authorisation);
  await loadLists(trust, options.crl ?? [], true);
  for (const { certificate } of identities) warnExpiry(certificate);
  const server = await listen(
    {
      identities,
      trust,
      port: options.port,
      maxConnections: options.max,
      maxHandshakes: options.maxHandshakes,
      maxHandshakesPerAddress: Math.ceil(options.maxHandshakes / 5),
      idleTimeoutMs: options.idle * 1000,
      ...(options.patient === true ? PATIENT : {}),
      extensions: options.extensions,
      ...tickets,
      ...(options.host === undefined ? {} : { host: options.host }),
    },
    {
      connected(peer) {
        const from = formatEndpoint({ host: peer.address, port: peer.port });
        const how = peer.connection.session.fullHandshake ? 'full handshake' : 'resumed by ticket';
        const who =
          peer.client === null ? '' : `, ${peer.client.issuer} (serial ${toHex(peer.client.serial)})`;
        note(`client ${peer.id}: connected from ${from}${who}, ${how}`);
        return connected(peer);
      },
      refused: (peer, why) => note(`client ${peer.id}: refused from ${peer.address}: ${why.detail}`),
    },
  );
  if (metrics !== null) {
    await serveMetrics(metrics, () => gatewayMetrics(server));
    note(`metrics at http://${formatEndpoint(metrics)}/metrics`);
  }
  obeySignals(server);
  process.on('SIGHUP', () => void loadLists(trust, options.crl ?? [], false));
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

function mode(options: ServeOptions, authorisation: Authorisation | null): Handler {
  const allows = options.allowConnect !== undefined || options.allowListen !== undefined;
  const forwards = allows || (authorisation !== null && options.echo !== true && options.to === undefined);
  if ([options.echo === true, options.to !== undefined, forwards].filter(Boolean).length > 1) {
    throw new UsageError('--echo, --to and --allow-... exclude each other: choose one');
  }
  if (options.echo === true) return echo;
  if (options.to !== undefined) return passOn(options.to);
  if (!forwards) return terminal();
  if (options.allowListen !== undefined && authorisation === null) {
    note('note: QSTP 1.4 does not authenticate clients: whoever reaches this server can offer itself on');
    note(`      ${options.allowListen.join(', ')}; restrict who can, with a firewall or a private network`);
  }
  const policy = {
    connect: (options.allowConnect ?? []).map((text) => parseEndpoint(text)),
    listen: (options.allowListen ?? []).map((text) => parseEndpoint(text, '127.0.0.1')),
  };
  const server = createForwardServer((peer) => policyOf(policy, authorisation, peer), note);
  process.once('exit', () => server.close());
  return (peer) => server.accept(peer);
}

/** What the options allow to all, and the file to this client. */
function policyOf(all: ForwardPolicy, authorisation: Authorisation | null, peer: Peer): ForwardPolicy {
  const own = authorisation === null || peer.client === null ? null : authorisation.grant(peer.client);
  if (own === null) return authorisation === null ? all : { connect: [], listen: [] };
  return { connect: [...all.connect, ...own.connect], listen: [...all.listen, ...own.listen] };
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
