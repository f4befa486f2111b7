// Options that several commands share.

import { hostname } from 'node:os';
import type { Command } from 'commander';
import { equal } from '../src/bytes.ts';
import { QstpError } from '../src/error.ts';
import { ISSUER_SUFFIX } from '../src/cert/issuer.ts';
import { POLL_MS } from '../src/link/client.ts';
import type { ClientExtensions, ClientTrust } from '../src/link/client.ts';
import type { TrustEvents } from '../src/link/trust.ts';
import { openTrust } from '../src/link/trust-store.ts';
import { KEEPALIVE_POLL_MIN } from '../src/link/keepalive.ts';
import { openWallet } from '../src/link/wallet.ts';
import type { RootCertificate, ServerCertificate } from '../src/cert/certificate.ts';
import type { ClientCredential, Extensions } from '../src/session/edge.ts';
import {
  FILES,
  readClientCertificate,
  readClientKey,
  readRootCertificate,
  readServerCertificate,
} from '../targets/node/files.ts';
import { FORWARD_TICKETS } from '../targets/node/forward/client.ts';
import { fileStorage } from '../targets/node/storage.ts';
import { passphrase, passphraseOptions } from './passphrase.ts';
import type { PassphraseOptions } from './passphrase.ts';
import { note, UsageError } from './ui.ts';

/** A whole number from an option, or wrong use. */
export function wholeNumber(name: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new UsageError(`${name} takes a whole number from ${least} to ${most}, not "${text}"`);
  };
}

/** Appends each use of a repeatable option. */
export function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** One of several words from an option, or wrong use. */
export function oneOf<T extends string>(name: string, words: readonly T[]): (text: string) => T {
  return (text) => {
    const word = words.find((w) => w === text);
    if (word !== undefined) return word;
    throw new UsageError(`${name} takes ${words.join(', ')}, not "${text}"`);
  };
}

const EXTENSIONS: readonly Extensions[] = ['require', 'allow', 'never'];

/** `--extensions`, for an end whose default is `ownDefault`. */
export function extensionsOption(command: Command, ownDefault: Extensions, peers: string): Command {
  return command.option(
    '--extensions <policy>',
    `require, allow or never; ${peers} of strict QSTP 1.4 need allow or never`,
    oneOf('--extensions', EXTENSIONS),
    ownDefault,
  );
}

/** What a client needs: trust in its server, and what it wants of it. */
export function clientOptions(command: Command): Command {
  command
    .option('--root <file>', 'root certificate: the trust anchor', FILES.rootCertificate)
    .option('--cert <file>', "the server's certificate", FILES.serverCertificate);
  passphraseOptions(command);
  return extensionsOption(command, 'require', 'servers')
    .option(
      '--poll <ms>',
      'period of your traffic, which keep-alives align with; 3 polls without a sign of life end the tunnel; 0: none',
      pollMs,
      POLL_MS,
    )
    .option('--records <cipher>', 'gcm (AES-256-GCM) or rcs', oneOf('--records', ['gcm', 'rcs']), 'gcm')
    .option(
      '--state <dir>',
      'keep tickets and what is heard of trust there: the next start resumes without a full handshake (secret)',
    )
    .option('--identity <file>', "this client's certificate (.qcc), for servers that ask")
    .option('--identity-key <file>', `its secret key (default: ${FILES.clientKey})`);
}

function pollMs(text: string): number {
  const value = wholeNumber('--poll', 0, 33_000_000)(text);
  if (value === 0 || value >= KEEPALIVE_POLL_MIN) return value;
  throw new UsageError(`--poll takes 0, or at least ${KEEPALIVE_POLL_MIN} milliseconds`);
}

export interface ClientChoices extends PassphraseOptions {
  readonly root: string;
  readonly cert: string;
  readonly extensions: Extensions;
  readonly poll: number;
  readonly records: 'gcm' | 'rcs';
  readonly state?: string;
  readonly identity?: string;
  readonly identityKey?: string;
}

/** The certificates and extensions that a client's options ask for. */
export async function clientChoices(options: ClientChoices): Promise<
  ClientExtensions &
    ClientTrust & {
      root: RootCertificate;
      server: ServerCertificate;
    }
> {
  const root = readRootCertificate(options.root);
  const server = readServerCertificate(options.cert);
  const identity = await clientIdentity(options);
  const storage = options.state === undefined ? null : fileStorage(options.state);
  const strict = options.extensions === 'never';
  if (strict && identity !== null) {
    throw new UsageError('--identity needs the extensions: leave --extensions never out');
  }
  return {
    root,
    server,
    ...(identity === null ? {} : { identity }),
    ...(strict
      ? {}
      : { trust: openTrust({ root, server, storage, report: note }), trustEvents: TRUST_EVENTS }),
    extensions: options.extensions,
    pollMs: options.poll,
    gcm: options.records === 'gcm',
    wallet: openWallet({ serial: server.serial, storage, max: FORWARD_TICKETS, report: note }),
  };
}

const TRUST_EVENTS: TrustEvents = {
  kept: (what) => note(`trust: a ${what} was taken`),
  refused: (why) => note(`trust: refused, ${why.reason}: ${why.detail}`),
};

/** The identity that `--identity` names, with its key; null without. */
export async function clientIdentity(
  options: Pick<ClientChoices, 'identity' | 'identityKey' | keyof PassphraseOptions>,
): Promise<ClientCredential | null> {
  if (options.identity === undefined) {
    if (options.identityKey === undefined) return null;
    throw new UsageError('--identity-key is for --identity: name the certificate (.qcc) too');
  }
  const certificate = readClientCertificate(options.identity);
  const file = options.identityKey ?? FILES.clientKey;
  const ask = (): Promise<Uint8Array> => passphrase(options, `passphrase of ${file}`);
  const key = await readClientKey(file, { warn: note, passphrase: ask });
  if (!equal(key.verifyKey, certificate.verifyKey)) {
    throw new QstpError(
      'key_mismatch',
      `${file} is not the key of ${options.identity}: name the pair made together with --identity-key`,
    );
  }
  return { certificate, signing: key.signingKey };
}

const HINTS: Record<string, string> = {
  extensions_missing: '--extensions allow, or never',
  idle_too_short: 'serve with a longer --idle, or connect with a shorter --poll',
  identity_required: '--identity with the certificate, --identity-key with its key',
  handshake_timeout: 'is a QSTP server at that address?',
  time: 'or what answers there is no QSTP server',
  revoked: 'get the certificate that is in use now for --cert',
};

/** The same for what a peer said, by the words for its code. */
const PEER_HINTS: readonly (readonly [words: string, hint: string])[] = [
  ['serial number is not known', 'this certificate is not in use there: get the current one for --cert'],
  ['identity_required', HINTS['identity_required']!],
  ['identity_refused', "the server's log says why it refused this --identity"],
  ['certificate_revoked', 'the root revoked this --identity: a new one is needed'],
];

/** What to do about the end of a connection, as the command's options have it; empty if its text says all. */
export function hint(reason: string, detail: string): string {
  const said = reason === 'peer_error' ? PEER_HINTS.find(([words]) => detail.includes(words)) : undefined;
  const text = said === undefined ? HINTS[reason] : said[1];
  return text === undefined ? '' : ` (${text})`;
}

/** `<domain>_<host>` with the kind's suffix, as the reference names issuers; domain fallback QSTP. */
export function defaultIssuer(kind: 'root' | 'server' | 'client'): string {
  const [host, ...domain] = hostname().split('.');
  const name = `${domain.join('.') || 'QSTP'}_${host || 'host'}`.replace(/[^\x21-\x7e]/g, '-');
  return name.slice(0, 31 - ISSUER_SUFFIX[kind].length) + ISSUER_SUFFIX[kind];
}
