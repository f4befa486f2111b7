// Secret key files of roots, servers and clients (docs/protocol.md, "Key files"): plain bytes, as the reference has
// them. Sealing them with a passphrase is the platform's work (targets/node/files.ts).
//
//   root    issuer[32] | serial[16] | signingKey[SK] | verifyKey[VK] | from | to | algorithm | version
//   others  issuer[32] | cookie[32] | serial[16] | signingKey[SK] | ... as above

import { HASH_BYTES, ISSUER_BYTES, SERIAL_BYTES, SUITES } from '../params.ts';
import type { Suite } from '../params.ts';
import { QstpError } from '../error.ts';
import { ascii, fromAscii } from '../bytes.ts';
import { Reader, readTail, writeTail } from './certificate.ts';
import type { Identity } from './certificate.ts';
import { isClientIssuer } from './issuer.ts';

interface SecretKey extends Identity {
  readonly signingKey: Uint8Array;
  readonly verifyKey: Uint8Array;
}

export interface RootKey extends SecretKey {
  readonly kind: 'root';
}

export interface ServerKey extends SecretKey {
  readonly kind: 'server';
  /** H(root certificate hash || server certificate hash), 32 bytes; zero until the certificate is signed. */
  readonly cookie: Uint8Array;
}

export interface ClientKey extends SecretKey {
  readonly kind: 'client';
  /** As a server's; zeros. */
  readonly cookie: Uint8Array;
}

/** A key whose certificate a root signs. */
export type ChildKey = ServerKey | ClientKey;
export type AnyKey = RootKey | ChildKey;

const TAIL_BYTES = 8 + 8 + 1 + 1;

export function rootKeyBytes(suite: Suite): number {
  return ISSUER_BYTES + SERIAL_BYTES + suite.signingKeyBytes + suite.verifyKeyBytes + TAIL_BYTES;
}

/** A server's or a client's. */
export function serverKeyBytes(suite: Suite): number {
  return rootKeyBytes(suite) + HASH_BYTES;
}

/** The file form of a key. It is secret: wipe it after writing. */
export function encodeKey(key: AnyKey): Uint8Array {
  const { suite } = key;
  const bytes = new Uint8Array(key.kind === 'root' ? rootKeyBytes(suite) : serverKeyBytes(suite));
  bytes.set(ascii(key.issuer, ISSUER_BYTES - 1), 0);
  let at = ISSUER_BYTES;
  if (key.kind !== 'root') {
    bytes.set(key.cookie, at);
    at += HASH_BYTES;
  }
  bytes.set(key.serial, at);
  at += SERIAL_BYTES;
  bytes.set(key.signingKey, at);
  at += suite.signingKeyBytes;
  bytes.set(key.verifyKey, at);
  writeTail(bytes, at + suite.verifyKeyBytes, key);
  return bytes;
}

/** Decodes a key, copying: a root's by its length, a client's by its issuer. Throws `key_malformed`. */
export function decodeKey(file: Uint8Array): AnyKey {
  for (const suite of SUITES) {
    const root = file.length === rootKeyBytes(suite);
    if (!root && file.length !== serverKeyBytes(suite)) continue;
    const reader = new Reader(file.slice());
    const issuer = fromAscii(reader.take(ISSUER_BYTES));
    const cookie = root ? new Uint8Array(0) : reader.take(HASH_BYTES);
    const serial = reader.take(SERIAL_BYTES);
    const signingKey = reader.take(suite.signingKeyBytes);
    const verifyKey = reader.take(suite.verifyKeyBytes);
    const fields = { suite, issuer, serial, signingKey, verifyKey, ...readTail(reader, suite, 'key') };
    if (root) return { kind: 'root', ...fields };
    return { kind: isClientIssuer(issuer) ? 'client' : 'server', cookie, ...fields };
  }
  throw new QstpError(
    'key_malformed',
    `${file.length} bytes are no key file of this build: a root key has ${SUITES.map(rootKeyBytes).join(', ')}, ` +
      `a server or client key ${SUITES.map(serverKeyBytes).join(', ')}`,
  );
}
