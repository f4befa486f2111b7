// Certificates of roots, servers and clients in their binary form (docs/protocol.md, "Certificates").
//
//   signature[SIG] | hash[32] | verifyKey[VK] | issuer[32] | serial[16] | rootSerial[16] (not a root's)
//   | from u64 | to u64 | algorithm u8 | version u8
//
// The hash is SHA3-256 over everything after it; the signature, of the root key, is over the hash. A server's and
// a client's differ in their issuer only: a client's ends in .qcc.

import { CERTIFICATE_VERSION, HASH_BYTES, ISSUER_BYTES, SERIAL_BYTES, SUITES } from '../params.ts';
import type { Suite } from '../params.ts';
import { QstpError } from '../error.ts';
import { ascii, fromAscii, getTime, putTime } from '../bytes.ts';
import { WITH_ENGINE } from '../features.ts';
import { sha3_256 } from '../crypto/micro/sponge.ts';
import type { Hashing } from '../crypto/provider.ts';
import { isClientIssuer, ISSUER_SUFFIX } from './issuer.ts';

/** What keys and certificates have in common. Times are seconds since 1970, UTC. */
export interface Identity {
  readonly suite: Suite;
  /** At most 31 ASCII characters. */
  readonly issuer: string;
  /** 16 bytes. */
  readonly serial: Uint8Array;
  /** First and last second of validity. */
  readonly from: number;
  readonly to: number;
  readonly version: number;
}

export interface Certificate extends Identity {
  readonly kind: 'root' | 'server' | 'client';
  /** The whole file. The arrays below are views of it. */
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
  /** The signed hash, 32 bytes, as the file states it. */
  readonly hash: Uint8Array;
  readonly verifyKey: Uint8Array;
}

export interface RootCertificate extends Certificate {
  readonly kind: 'root';
}

export interface ServerCertificate extends Certificate {
  readonly kind: 'server';
  /** 16 bytes: the serial of the root that signed it. */
  readonly rootSerial: Uint8Array;
}

export interface ClientCertificate extends Certificate {
  readonly kind: 'client';
  /** 16 bytes: the serial of the root that signed it. */
  readonly rootSerial: Uint8Array;
}

/** What a root signs: both have one layout. */
export type ChildCertificate = ServerCertificate | ClientCertificate;
export type AnyCertificate = RootCertificate | ChildCertificate;

const TAIL_BYTES = ISSUER_BYTES + SERIAL_BYTES + 8 + 8 + 1 + 1;

export function rootCertificateBytes(suite: Suite): number {
  return suite.signatureBytes + HASH_BYTES + suite.verifyKeyBytes + TAIL_BYTES;
}

/** A server's or a client's. */
export function serverCertificateBytes(suite: Suite): number {
  return rootCertificateBytes(suite) + SERIAL_BYTES;
}

/** SHA3-256 over the certificate's fields: what `hash` must be, and what the session cookie holds. */
export function certificateHash(certificate: Certificate, by: Hashing | null = null): Uint8Array {
  const fields = certificate.bytes.subarray(certificate.suite.signatureBytes + HASH_BYTES);
  return WITH_ENGINE && by !== null ? by.sha3(fields) : sha3_256(fields);
}

/**
 * Decodes a certificate: a root's by its length, a client's by its issuer. Throws `certificate_malformed`.
 * Verifies nothing.
 */
export function decodeCertificate(bytes: Uint8Array): AnyCertificate {
  for (const suite of SUITES) {
    const root = bytes.length === rootCertificateBytes(suite);
    if (!root && bytes.length !== serverCertificateBytes(suite)) continue;
    const reader = new Reader(bytes);
    const signature = reader.take(suite.signatureBytes);
    const hash = reader.take(HASH_BYTES);
    const verifyKey = reader.take(suite.verifyKeyBytes);
    const issuer = fromAscii(reader.take(ISSUER_BYTES));
    const serial = reader.take(SERIAL_BYTES);
    const rootSerial = root ? serial : reader.take(SERIAL_BYTES);
    const tail = readTail(reader, suite, 'certificate');
    const fields = { suite, bytes, signature, hash, verifyKey, issuer, serial, ...tail };
    if (root) return { kind: 'root', ...fields };
    return isClientIssuer(issuer)
      ? { kind: 'client', rootSerial, ...fields }
      : { kind: 'server', rootSerial, ...fields };
  }
  throw new QstpError(
    'certificate_malformed',
    `${bytes.length} bytes are no certificate of this build: a root has ${sizes(rootCertificateBytes)}, ` +
      `a server or client ${sizes(serverCertificateBytes)}; a text certificate begins with "------BEGIN QSTP"`,
  );
}

function otherKind(is: AnyCertificate, needed: 'root' | 'server' | 'client'): QstpError {
  return new QstpError(
    'certificate_kind',
    `this is a ${is.kind} certificate; a ${needed} certificate (${ISSUER_SUFFIX[needed]}) is needed`,
  );
}

/** {@link decodeCertificate}, refusing all but a root's. */
export function decodeRootCertificate(bytes: Uint8Array): RootCertificate {
  const certificate = decodeCertificate(bytes);
  if (certificate.kind === 'root') return certificate;
  throw otherKind(certificate, 'root');
}

/** {@link decodeCertificate}, refusing all but a server's. */
export function decodeServerCertificate(bytes: Uint8Array): ServerCertificate {
  const certificate = decodeCertificate(bytes);
  if (certificate.kind === 'server') return certificate;
  throw otherKind(certificate, 'server');
}

/** {@link decodeCertificate}, refusing all but a client's. */
export function decodeClientCertificate(bytes: Uint8Array): ClientCertificate {
  const certificate = decodeCertificate(bytes);
  if (certificate.kind === 'client') return certificate;
  throw otherKind(certificate, 'client');
}

/** {@link decodeCertificate} for what a peer sent: null unless it is one of this suite and version. */
export function parseCertificate(bytes: Uint8Array, suite: Suite): AnyCertificate | null {
  const { length } = bytes;
  if (length !== rootCertificateBytes(suite) && length !== serverCertificateBytes(suite)) return null;
  if (bytes[length - 2] !== suite.id || bytes[length - 1] !== CERTIFICATE_VERSION) return null;
  return decodeCertificate(bytes);
}

/**
 * Lays out a certificate with its hash and the signature that `signHash` makes of the hash.
 * With `rootSerial` it is a server's or a client's, without a root's.
 */
export function encodeCertificate(
  identity: Identity,
  verifyKey: Uint8Array,
  rootSerial: Uint8Array | null,
  signHash: (hash: Uint8Array) => Uint8Array,
): Uint8Array {
  const { suite } = identity;
  const bytes = new Uint8Array(
    rootSerial === null ? rootCertificateBytes(suite) : serverCertificateBytes(suite),
  );
  const body = suite.signatureBytes + HASH_BYTES;
  let at = body;
  bytes.set(verifyKey, at);
  at += suite.verifyKeyBytes;
  bytes.set(ascii(identity.issuer, ISSUER_BYTES - 1), at);
  at += ISSUER_BYTES;
  bytes.set(identity.serial, at);
  at += SERIAL_BYTES;
  if (rootSerial !== null) {
    bytes.set(rootSerial, at);
    at += SERIAL_BYTES;
  }
  writeTail(bytes, at, identity);
  const hash = sha3_256(bytes.subarray(body));
  bytes.set(signHash(hash), 0);
  bytes.set(hash, suite.signatureBytes);
  return bytes;
}

/** Reads fields one after the other; the caller has checked the total length. */
export class Reader {
  private at = 0;
  private readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
  take(length: number): Uint8Array {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

/** from, to, algorithm, version: how every certificate and key file ends. */
export function readTail(
  reader: Reader,
  suite: Suite,
  what: string,
): { from: number; to: number; version: number } {
  const from = getTime(reader.take(8), 0);
  const to = getTime(reader.take(8), 0);
  const algorithm = reader.take(1)[0]!;
  const version = reader.take(1)[0]!;
  if (algorithm !== suite.id || version !== CERTIFICATE_VERSION) {
    throw new QstpError(
      `${what}_malformed`,
      `the ${what}'s length is that of suite ${suite.id}, version ${CERTIFICATE_VERSION}, ` +
        `but it states suite ${algorithm}, version ${version}`,
    );
  }
  return { from, to, version };
}

export function writeTail(bytes: Uint8Array, at: number, identity: Identity): void {
  putTime(bytes, at, identity.from);
  putTime(bytes, at + 8, identity.to);
  bytes[at + 16] = identity.suite.id;
  bytes[at + 17] = identity.version;
}

function sizes(of: (suite: Suite) => number): string {
  return SUITES.map((suite) => of(suite)).join(', ');
}
