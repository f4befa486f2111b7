// Options that several commands share.

import { hostname } from 'node:os';
import type { Command } from 'commander';
import { SERVER_PORT } from '../src/params.ts';
import { ISSUER_SUFFIX } from '../src/cert/issuer.ts';
import { parseEndpoint } from '../targets/node/forward/records.ts';
import type { Endpoint } from '../targets/node/forward/records.ts';
import { FILES } from '../targets/node/files.ts';
import { UsageError } from './ui.ts';

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

/** `host[:port]`, with 32119 as the default port. */
export function serverAddress(text: string): Endpoint {
  const bare = /^[^:]+$/.test(text) || /^\[[^\]]+\]$/.test(text);
  return parseEndpoint(bare ? `${text}:${SERVER_PORT}` : text);
}

/** What a client needs to trust its server. */
export function trustOptions(command: Command): Command {
  return command
    .option('--root <file>', 'root certificate: the trust anchor', FILES.rootCertificate)
    .option('--cert <file>', "the server's certificate", FILES.serverCertificate);
}

export interface TrustOptions {
  readonly root: string;
  readonly cert: string;
}

/** `<domain>_<host>` with the kind's suffix, as the reference names issuers; domain fallback QSTP. */
export function defaultIssuer(kind: 'root' | 'server'): string {
  const [host, ...domain] = hostname().split('.');
  const name = `${domain.join('.') || 'QSTP'}_${host || 'host'}`.replace(/[^\x21-\x7e]/g, '-');
  return name.slice(0, 31 - ISSUER_SUFFIX[kind].length) + ISSUER_SUFFIX[kind];
}
