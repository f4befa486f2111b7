// Secret key files of roots and servers (docs/protocol.md, "Key files"): plain bytes, as the reference has
// them. Sealing them with a passphrase is the platform's work (targets/node/files.ts).
//
//   root    issuer[32] | serial[16] | signingKey[SK] | verifyKey[VK] | from | to | algorithm | version
//   server  issuer[32] | cookie[32] | serial[16] | signingKey[SK] | ... as above

import { HASH_BYTES, ISSUER_BYTES, SERIAL_BYTES, SUITES } from '../params.ts';
import type { Suite } from '../params.ts';
import { QstpError } from '../error.ts';
import { ascii, fromAscii } from '../bytes.ts';
import { Reader, readTail, writeTail } from './certificate.ts';
import type { Identity } from './certificate.ts';

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

const TAIL_BYTES = 8 + 8 + 1 + 1;

export function rootKeyBytes(suite: Suite): number {
  return ISSUER_BYTES + SERIAL_BYTES + suite.signingKeyBytes + suite.verifyKeyBytes + TAIL_BYTES;
}

export function serverKeyBytes(suite: Suite): number {
  return rootKeyBytes(suite) + HASH_BYTES;
}

/** The file form of either key. It is secret: wipe it after writing. */
export function encodeKey(key: RootKey | ServerKey): Uint8Array {
  const { suite } = key;
  const bytes = new Uint8Array(key.kind === 'root' ? rootKeyBytes(suite) : serverKeyBytes(suite));
  bytes.set(ascii(key.issuer, ISSUER_BYTES - 1), 0);
  let at = ISSUER_BYTES;
  if (key.kind === 'server') {
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

/** Decodes either kind by its length, copying. Throws `key_malformed`. */
export function decodeKey(file: Uint8Array): RootKey | ServerKey {
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
    return root ? { kind: 'root', ...fields } : { kind: 'server', cookie, ...fields };
  }
  throw new QstpError(
    'key_malformed',
    `${file.length} bytes are no key file of this build: a root key has ${SUITES.map(rootKeyBytes).join(', ')}, ` +
      `a server key ${SUITES.map(serverKeyBytes).join(', ')}`,
  );
}
