// Which client may use which forwards and topics of a gateway: a JSON file that names clients by the issuer of their
// certificate (X6).
//
//   { "rtu-7.qcc": { "connect": ["127.0.0.1:502"], "listen": ["1502"], "topics": ["site/7/#"] }, "*.qcc": {} }
//
// A client that no entry names is refused. An entry's name is an issuer, or `*.qcc` for all others.

import { readFileSync } from 'node:fs';
import { ErrorCode, QstpError, reject } from '../../src/error.ts';
import type { Reject } from '../../src/error.ts';
import type { ClientName } from '../../src/session/edge.ts';
import type { ForwardPolicy } from './forward/server.ts';
import { parseEndpoint } from './forward/records.ts';

export interface Grant extends ForwardPolicy {
  /** MQTT topic filters of mesh tunnels. */
  readonly topics: readonly string[];
}

export interface Authorisation {
  /** What a client may do; null: it may not connect. */
  grant(client: ClientName): Grant | null;
  /** Why a client may not connect; null if it may. */
  refuses(client: ClientName): Reject | null;
}

const OTHERS = '*.qcc';
const FIELDS = ['connect', 'listen', 'topics'];

function broken(where: string, problem: string): QstpError {
  return new QstpError('authorisation_invalid', `${where}: ${problem}`);
}

function textsOf(value: unknown, where: string): string[] {
  if (value === undefined) return [];
  const texts = Array.isArray(value) && value.every((text) => typeof text === 'string');
  if (!texts) throw broken(where, 'it must be a list of texts, such as ["127.0.0.1:502"]');
  return value as string[];
}

function grantOf(value: unknown, where: string): Grant {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw broken(where, 'it must be an object with connect, listen and topics');
  }
  const entry = value as Record<string, unknown>;
  for (const name of Object.keys(entry)) {
    if (!FIELDS.includes(name)) throw broken(`${where}.${name}`, `it is not one of ${FIELDS.join(', ')}`);
  }
  const endpoints = (name: 'connect' | 'listen'): ForwardPolicy['connect'] =>
    textsOf(entry[name], `${where}.${name}`).map((text) => {
      try {
        return name === 'listen' ? parseEndpoint(text, '127.0.0.1') : parseEndpoint(text);
      } catch (error) {
        throw broken(`${where}.${name}`, (error as Error).message);
      }
    });
  const topics = textsOf(entry['topics'], `${where}.topics`);
  return { connect: endpoints('connect'), listen: endpoints('listen'), topics };
}

/** From the text of the file; `file` names it in errors. Throws `authorisation_invalid` with the place. */
export function parseAuthorisation(text: string, file: string): Authorisation {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw broken(file, `it is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw broken(file, 'it must be an object that names clients, such as {"rtu-7.qcc": {}}');
  }
  const grants = new Map<string, Grant>();
  for (const [issuer, entry] of Object.entries(value)) {
    if (!issuer.endsWith('.qcc')) {
      throw broken(`${file}: "${issuer}"`, 'a client is named by its issuer, which ends in .qcc');
    }
    grants.set(issuer, grantOf(entry, `${file}: "${issuer}"`));
  }
  const grant = (client: ClientName): Grant | null => grants.get(client.issuer) ?? grants.get(OTHERS) ?? null;
  return {
    grant,
    refuses(client) {
      if (grant(client) !== null) return null;
      return reject(
        'not_authorised',
        ErrorCode.identityRefused,
        `${file} has no entry for "${client.issuer}": add one`,
        true,
      );
    },
  };
}

export function readAuthorisation(file: string): Authorisation {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw broken(file, `cannot be read: ${(error as Error).message}`);
  }
  return parseAuthorisation(text, file);
}
