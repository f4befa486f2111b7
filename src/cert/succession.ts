// Succession (docs/extensions.md, X8): the certificate that follows a server's, and the root that follows a root.
// Signatures are checked by jobs; everything else here is quick.
//
//   new root  new root certificate | number u32 | signature
//
// The signature is the old root's (context "QSTP-EDGE-1/succession"), over
// H(old root certificate) || new root certificate || number.

import { CERTIFICATE_VERSION, HASH_BYTES } from '../params.ts';
import type { Suite } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { ascii, concat, equal, getU32, putU32 } from '../bytes.ts';
import type { Job } from '../crypto/job.ts';
import { sha3_256 } from '../crypto/micro/sponge.ts';
import { certificateHash, decodeRootCertificate, rootCertificateBytes } from './certificate.ts';
import type { ChildCertificate, RootCertificate, ServerCertificate } from './certificate.ts';
import { ISSUER_SUFFIX } from './issuer.ts';
import { isRevoked } from './revocation.ts';
import type { RevocationList, SignWith } from './revocation.ts';
import { expirationCheck, hashMatches } from './verify.ts';

export const SUCCESSION_CONTEXT = 'QSTP-EDGE-1/succession';

// ---- Server certificates -----------------------------------------------------------------------------------

/**
 * All of a certificate that is to follow the pinned one, but its signature (signatureJob of verify.ts). Null if it
 * may follow. `root` is the one it must be signed by: the client's, or the one that follows that. `heldList`: the
 * revocation list of that root, null if none is held.
 */
export function checkSuccessor(
  next: ChildCertificate,
  pinned: ServerCertificate,
  root: RootCertificate,
  heldList: RevocationList | null,
  now: number,
): Reject | null {
  if (next.suite.id !== root.suite.id) {
    return reject(
      'successor_suite',
      ErrorCode.unknownProtocol,
      `the successor is of suite ${next.suite.id}, the root of ${root.suite.id}`,
      true,
    );
  }
  if (!equal(next.rootSerial, root.serial)) {
    return reject(
      'successor_foreign_root',
      ErrorCode.keyUnrecognized,
      'the successor names another root: have it signed by the root that clients hold',
      true,
    );
  }
  if (next.issuer.slice(-ISSUER_SUFFIX.server.length) !== ISSUER_SUFFIX.server) {
    return reject(
      'successor_kind',
      ErrorCode.authenticationFailure,
      'the successor is no server certificate (.qrc)',
      true,
    );
  }
  if (next.issuer !== pinned.issuer) {
    return reject(
      'successor_issuer',
      ErrorCode.authenticationFailure,
      'the successor has another issuer than the pinned certificate: renew under the same one',
      true,
    );
  }
  if (next.to <= pinned.to) {
    return reject(
      'successor_older',
      ErrorCode.invalidInput,
      'the successor does not last longer than the pinned certificate',
      true,
    );
  }
  if (isRevoked(heldList, next.serial)) {
    return reject(
      'successor_revoked',
      ErrorCode.keyUnrecognized,
      'the successor was revoked by its root: renew again',
      true,
    );
  }
  if (expirationCheck(next, now) !== 'valid') {
    return reject(
      'successor_period',
      ErrorCode.keyExpired,
      'the successor is outside its validity period: check the clock',
      true,
    );
  }
  if (!hashMatches(next)) {
    return reject(
      'successor_hash',
      ErrorCode.hashInvalid,
      'the successor does not match its signed hash: it was altered',
      true,
    );
  }
  return null;
}

/** The Reject of a successor whose signature is not the root's. */
export function badSuccessorSignature(): Reject {
  return reject(
    'successor_signature',
    ErrorCode.signatureFailure,
    'the successor is not signed by the root: it was altered, or another root signed it',
    true,
  );
}

// ---- Roots -------------------------------------------------------------------------------------------------

export interface Succession {
  /** The whole statement. The arrays below are views of it. */
  readonly bytes: Uint8Array;
  readonly certificate: RootCertificate;
  /** 1 to 2^32 - 1; grows with each statement of the old root. */
  readonly number: number;
  readonly signature: Uint8Array;
}

export function successionBytes(suite: Suite): number {
  return rootCertificateBytes(suite) + 4 + suite.signatureBytes;
}

function successionMessage(oldRoot: RootCertificate, statement: Uint8Array): Uint8Array {
  return concat([certificateHash(oldRoot), statement]);
}

/** Lays out the statement of a new root and has the old one sign it. Both are of one suite. */
export function encodeSuccession(
  oldRoot: RootCertificate,
  certificate: RootCertificate,
  number: number,
  sign: SignWith,
): Uint8Array {
  const body = new Uint8Array(certificate.bytes.length + 4);
  body.set(certificate.bytes);
  putU32(body, certificate.bytes.length, number);
  return concat([body, sign(successionMessage(oldRoot, body), ascii(SUCCESSION_CONTEXT))]);
}

/** Decodes a statement of a suite; null if it is none. Verifies nothing. */
export function decodeSuccession(bytes: Uint8Array, suite: Suite): Succession | null {
  const end = rootCertificateBytes(suite);
  if (bytes.length !== successionBytes(suite)) return null;
  if (bytes[end - 2] !== suite.id || bytes[end - 1] !== CERTIFICATE_VERSION) return null;
  return {
    bytes,
    certificate: decodeRootCertificate(bytes.subarray(0, end)),
    number: getU32(bytes, end),
    signature: bytes.subarray(end + 4),
  };
}

/** The check of the old root's signature. That of the new root's own is `signatureJob(certificate, certificate)`. */
export function successionJob(statement: Succession, oldRoot: RootCertificate): Job {
  const body = statement.bytes.subarray(0, statement.bytes.length - statement.signature.length);
  return {
    op: 'verify',
    signature: statement.signature,
    message: successionMessage(oldRoot, body),
    publicKey: oldRoot.verifyKey,
    context: ascii(SUCCESSION_CONTEXT),
  };
}

/** The Reject of a failed {@link successionJob}, or of a new root that did not sign itself. */
export function badSuccessionSignature(): Reject {
  return reject(
    'succession_signature',
    ErrorCode.signatureFailure,
    'the new root is not signed by the old one: it was altered, or another root signed it',
    true,
  );
}

/** What a profile may state of the root to come: SHA3-256 of its verification key, 32 bytes. */
export function rootKeyHash(root: RootCertificate): Uint8Array {
  return sha3_256(root.verifyKey);
}

/**
 * All of a new root's statement but the signatures. Null if it may be stored beside the old root.
 * `heldNumber`: the last number accepted, 0 if none was. `expectedNextHash`: {@link rootKeyHash} of the next root as
 * it was provisioned; with it the old root may have ended meanwhile, for then its signature is not all there is.
 */
export function checkSuccession(
  statement: Succession,
  oldRoot: RootCertificate,
  heldNumber: number,
  expectedNextHash: Uint8Array | null,
  now: number,
): Reject | null {
  const next = statement.certificate;
  if (next.suite.id !== oldRoot.suite.id) {
    return reject(
      'succession_suite',
      ErrorCode.unknownProtocol,
      `the new root is of suite ${next.suite.id}, the old one of ${oldRoot.suite.id}`,
      true,
    );
  }
  if (statement.number < heldNumber) {
    return reject(
      'succession_older',
      ErrorCode.invalidInput,
      `the new root has number ${statement.number}, and ${heldNumber} was accepted: an old statement was replayed`,
      true,
    );
  }
  if (statement.number === heldNumber) {
    return reject(
      'succession_held',
      ErrorCode.invalidInput,
      `the new root with number ${heldNumber} was accepted already`,
      true,
    );
  }
  if (equal(next.serial, oldRoot.serial) || equal(next.verifyKey, oldRoot.verifyKey)) {
    return reject(
      'succession_same_root',
      ErrorCode.invalidInput,
      'the new root has the serial or the key of the old one: make a new key',
      true,
    );
  }
  if (expectedNextHash !== null && !expects(expectedNextHash, next)) {
    return reject(
      'succession_unexpected',
      ErrorCode.keyUnrecognized,
      'the new root is not the one that was provisioned as the next: its key has another hash',
      true,
    );
  }
  if (expectedNextHash === null && expirationCheck(oldRoot, now) !== 'valid') {
    return reject(
      'succession_root_expired',
      ErrorCode.keyExpired,
      'the old root is outside its validity period and names no successor any more: provision the new root anew',
      true,
    );
  }
  if (next.to <= oldRoot.to) {
    return reject(
      'succession_shorter',
      ErrorCode.invalidInput,
      'the new root does not last longer than the old one',
      true,
    );
  }
  if (expirationCheck(next, now) !== 'valid') {
    return reject(
      'succession_period',
      ErrorCode.keyExpired,
      'the new root is outside its validity period: check the clock',
      true,
    );
  }
  if (!hashMatches(next)) {
    return reject(
      'succession_hash',
      ErrorCode.hashInvalid,
      'the new root does not match its signed hash: it was altered',
      true,
    );
  }
  return null;
}

function expects(expectedNextHash: Uint8Array, next: RootCertificate): boolean {
  return expectedNextHash.length === HASH_BYTES && equal(rootKeyHash(next), expectedNextHash);
}
