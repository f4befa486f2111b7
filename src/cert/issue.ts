// Making keys and signing certificates: what a root does.

import { CERTIFICATE_VERSION, DAY_SECONDS, HASH_BYTES, SERIAL_BYTES, VALIDITY_DAYS_MAX } from '../params.ts';
import { QstpError } from '../error.ts';
import { equal, wipe } from '../bytes.ts';
import { keygen, sign } from '../crypto/provider.ts';
import type { Random, SuiteCrypto } from '../crypto/provider.ts';
import {
  certificateHash,
  decodeClientCertificate,
  decodeRootCertificate,
  decodeServerCertificate,
  encodeCertificate,
} from './certificate.ts';
import type { ClientCertificate, Identity, RootCertificate, ServerCertificate } from './certificate.ts';
import type { ClientKey, RootKey, ServerKey } from './key-file.ts';
import type { SignWith } from './revocation.ts';
import { checkIssuer } from './issuer.ts';
import { sessionCookie } from './cookie.ts';

/**
 * A new root key, valid from `now` (seconds) for `days` (1 to 730).
 * `random` is drawn twice: the serial (16 bytes), then the ML-DSA seed (32).
 */
export function generateRootKey(
  crypto: SuiteCrypto,
  issuer: string,
  days: number,
  now: number,
  random: Random,
): RootKey {
  return { kind: 'root', ...generate(crypto, issuer, 'root', days, now, random) };
}

/** A new server key, drawn like a root's. Its certificate has to be signed by a root before it serves. */
export function generateServerKey(
  crypto: SuiteCrypto,
  issuer: string,
  days: number,
  now: number,
  random: Random,
): ServerKey {
  const fields = generate(crypto, issuer, 'server', days, now, random);
  return { kind: 'server', ...fields, cookie: new Uint8Array(HASH_BYTES) };
}

/** A new client key, as a server's but for its issuer. */
export function generateClientKey(
  crypto: SuiteCrypto,
  issuer: string,
  days: number,
  now: number,
  random: Random,
): ClientKey {
  const fields = generate(crypto, issuer, 'client', days, now, random);
  return { kind: 'client', ...fields, cookie: new Uint8Array(HASH_BYTES) };
}

/** The self-signed certificate of a root key. `hedge`: 32 random bytes, zeros for the deterministic form. */
export function rootCertificate(crypto: SuiteCrypto, key: RootKey, hedge: Uint8Array): RootCertificate {
  const signHash = (hash: Uint8Array): Uint8Array => sign(crypto.signer, hash, key.signingKey, hedge);
  return decodeRootCertificate(encodeCertificate(key, key.verifyKey, null, signHash));
}

/** What a root signs for a server or a client: the public part of its key. */
export type ServerRequest = Identity & { readonly verifyKey: Uint8Array };

/**
 * Signs a server's certificate. It never outlives the root: `to` is cut to the root's.
 * Throws if the key is not the root certificate's, the suites differ, or nothing of the period is left.
 */
export function signServerCertificate(
  crypto: SuiteCrypto,
  root: RootCertificate,
  rootKey: RootKey,
  server: ServerRequest,
  hedge: Uint8Array,
): ServerCertificate {
  return decodeServerCertificate(signChild(crypto, root, rootKey, server, 'server', hedge));
}

/** {@link signServerCertificate} for a client. */
export function signClientCertificate(
  crypto: SuiteCrypto,
  root: RootCertificate,
  rootKey: RootKey,
  client: ServerRequest,
  hedge: Uint8Array,
): ClientCertificate {
  return decodeClientCertificate(signChild(crypto, root, rootKey, client, 'client', hedge));
}

/** Throws `key_mismatch` unless the key is the root certificate's. */
export function checkRootKey(root: RootCertificate, rootKey: RootKey): void {
  if (!equal(root.verifyKey, rootKey.verifyKey) || !equal(root.serial, rootKey.serial)) {
    throw new QstpError('key_mismatch', 'the root key does not belong to the root certificate: use its own');
  }
}

function signChild(
  crypto: SuiteCrypto,
  root: RootCertificate,
  rootKey: RootKey,
  child: ServerRequest,
  kind: 'server' | 'client',
  hedge: Uint8Array,
): Uint8Array {
  checkRootKey(root, rootKey);
  checkIssuer(child.issuer, kind);
  if (child.suite.id !== root.suite.id) {
    throw new QstpError(
      'suite_mismatch',
      `the ${kind} key is of suite ${child.suite.id}, the root of ${root.suite.id}: make both of one suite`,
    );
  }
  const to = child.to < root.to ? child.to : root.to;
  if (to <= child.from) {
    throw new QstpError(
      'root_expired',
      `the root certificate ends before the ${kind} key begins: renew the root`,
    );
  }
  const signHash = (hash: Uint8Array): Uint8Array => sign(crypto.signer, hash, rootKey.signingKey, hedge);
  return encodeCertificate({ ...child, to }, child.verifyKey, root.serial, signHash);
}

/** Signs with a root key, whose certificate it must be, under the context that the layouts ask for. */
export function rootSignature(
  crypto: SuiteCrypto,
  root: RootCertificate,
  rootKey: RootKey,
  hedge: Uint8Array,
): SignWith {
  checkRootKey(root, rootKey);
  return (message, context) => sign(crypto.signer, message, rootKey.signingKey, hedge, context);
}

/** The server key with the session cookie of its chain filled in, as the reference's server stores it. */
export function bindServerKey(key: ServerKey, root: RootCertificate, server: ServerCertificate): ServerKey {
  if (!equal(key.verifyKey, server.verifyKey) || !equal(key.serial, server.serial)) {
    throw new QstpError(
      'key_mismatch',
      'the server key does not belong to the server certificate: use the pair made together',
    );
  }
  return { ...key, cookie: sessionCookie(certificateHash(root), certificateHash(server)) };
}

function generate(
  crypto: SuiteCrypto,
  issuer: string,
  kind: 'root' | 'server' | 'client',
  days: number,
  now: number,
  random: Random,
): Identity & { signingKey: Uint8Array; verifyKey: Uint8Array } {
  checkIssuer(issuer, kind);
  if (!Number.isInteger(days) || days < 1 || days > VALIDITY_DAYS_MAX) {
    throw new QstpError('period_invalid', `a key is valid for 1 to ${VALIDITY_DAYS_MAX} days, not ${days}`);
  }
  const serial = new Uint8Array(SERIAL_BYTES);
  random(serial);
  const seed = new Uint8Array(32);
  random(seed);
  const pair = keygen(crypto.signer, seed);
  wipe(seed);
  return {
    suite: crypto.suite,
    issuer,
    serial,
    from: now,
    to: now + days * DAY_SECONDS,
    version: CERTIFICATE_VERSION,
    signingKey: pair.secretKey,
    verifyKey: pair.publicKey,
  };
}
