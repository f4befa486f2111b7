// Verification of a chain: every check the reference omits included. The two signature checks are slow,
// so they are jobs; everything else is in checkRoot, checkServer and checkClient.

import { DAY_SECONDS } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { equal } from '../bytes.ts';
import { runJob } from '../crypto/job.ts';
import type { Job } from '../crypto/job.ts';
import type { Hashing, SuiteCrypto } from '../crypto/provider.ts';
import { certificateHash } from './certificate.ts';
import type {
  Certificate,
  ChildCertificate,
  Identity,
  RootCertificate,
  ServerCertificate,
} from './certificate.ts';
import { isClientIssuer } from './issuer.ts';
import { formatTime } from './time.ts';

/** Where `now` (seconds) stands to a validity period, both ends included. */
export function expirationCheck(
  key: Pick<Identity, 'from' | 'to'>,
  now: number,
): 'valid' | 'expired' | 'not_yet_valid' {
  if (now > key.to) return 'expired';
  return now < key.from ? 'not_yet_valid' : 'valid';
}

/**
 * How soon a period ends: 60, 30 or 7 if at most so many days of it are left, -1 if none, 0 while there are more than
 * 60. Seconds, both.
 */
export function expiryWarning(to: number, now: number): 60 | 30 | 7 | 0 | -1 {
  if (now > to) return -1;
  const left = to - now;
  if (left <= 7 * DAY_SECONDS) return 7;
  if (left <= 30 * DAY_SECONDS) return 30;
  return left <= 60 * DAY_SECONDS ? 60 : 0;
}

/** All of a root certificate but its signature. Null if good. With an engine's hash it is checked by that. */
export function checkRoot(root: RootCertificate, now: number, by: Hashing | null = null): Reject | null {
  return checkPeriod(root, 'root', now) ?? checkHash(root, 'root', by);
}

/** The same for a server certificate, as this root's. */
export function checkServer(
  server: ChildCertificate,
  root: RootCertificate,
  now: number,
  by: Hashing | null = null,
): Reject | null {
  if (isClientIssuer(server.issuer)) {
    return reject(
      'certificate_kind',
      ErrorCode.authenticationFailure,
      'this is a client certificate (.qcc): a server needs one of its own (.qrc)',
    );
  }
  return checkChild(server, 'server', root, now, by);
}

/** All of a client certificate, as this root's, but its signature. Null if good. */
export function checkClient(client: ChildCertificate, root: RootCertificate, now: number): Reject | null {
  if (!isClientIssuer(client.issuer)) {
    return reject(
      'certificate_kind',
      ErrorCode.authenticationFailure,
      'this is no client certificate: a client needs one of its own (.qcc)',
    );
  }
  return checkChild(client, 'client', root, now, null);
}

function checkChild(
  child: ChildCertificate,
  what: 'server' | 'client',
  root: RootCertificate,
  now: number,
  by: Hashing | null,
): Reject | null {
  if (child.suite.id !== root.suite.id) {
    return reject(
      'certificate_suite',
      ErrorCode.unknownProtocol,
      `the ${what} certificate is of suite ${child.suite.id}, the root of ${root.suite.id}`,
    );
  }
  if (!equal(child.rootSerial, root.serial)) {
    return reject(
      'certificate_foreign_root',
      ErrorCode.keyUnrecognized,
      `the ${what} certificate names another root: use the root certificate it was signed with`,
    );
  }
  return checkPeriod(child, what, now) ?? checkHash(child, what, by);
}

/** The signature check of `certificate` under the root: a job whose verdict is the certificate's. */
export function signatureJob(certificate: Certificate, root: RootCertificate): Job {
  return {
    op: 'verify',
    signature: certificate.signature,
    message: certificate.hash,
    publicKey: root.verifyKey,
  };
}

/** The Reject of a failed {@link signatureJob}. */
export function badSignature(certificate: Certificate): Reject {
  return reject(
    'certificate_signature',
    ErrorCode.signatureFailure,
    `the signature of the ${certificate.kind} certificate is not that of the root: the file was altered or the root is another`,
  );
}

/** Every check of both certificates at once. Null if good. */
export function verifyChain(
  crypto: SuiteCrypto,
  root: RootCertificate,
  server: ServerCertificate,
  now: number,
): Reject | null {
  return verifyRoot(crypto, root, now) ?? verifyServer(crypto, server, root, now);
}

export function verifyRoot(crypto: SuiteCrypto, root: RootCertificate, now: number): Reject | null {
  return checkRoot(root, now) ?? (runJob(crypto, signatureJob(root, root)) ? null : badSignature(root));
}

export function verifyServer(
  crypto: SuiteCrypto,
  server: ChildCertificate,
  root: RootCertificate,
  now: number,
): Reject | null {
  const failed = checkServer(server, root, now);
  if (failed !== null) return failed;
  return runJob(crypto, signatureJob(server, root)) ? null : badSignature(server);
}

export function verifyClient(
  crypto: SuiteCrypto,
  client: ChildCertificate,
  root: RootCertificate,
  now: number,
): Reject | null {
  const failed = checkClient(client, root, now);
  if (failed !== null) return failed;
  return runJob(crypto, signatureJob(client, root)) ? null : badSignature(client);
}

/** True if the certificate's fields have the hash it states. */
export function hashMatches(certificate: Certificate, by: Hashing | null = null): boolean {
  return equal(certificateHash(certificate, by), certificate.hash);
}

function checkHash(certificate: Certificate, what: string, by: Hashing | null): Reject | null {
  if (hashMatches(certificate, by)) return null;
  return reject(
    'certificate_hash',
    ErrorCode.hashInvalid,
    `the ${what} certificate does not match its signed hash: the file was altered`,
  );
}

function checkPeriod(certificate: Certificate, what: string, now: number): Reject | null {
  const state = expirationCheck(certificate, now);
  if (state === 'valid' && certificate.from < certificate.to) return null;
  if (state === 'not_yet_valid') {
    return reject(
      'certificate_not_yet_valid',
      ErrorCode.keyExpired,
      `the ${what} certificate is valid from ${formatTime(certificate.from)} UTC: check the clock (now ${formatTime(now)} UTC)`,
    );
  }
  return reject(
    'certificate_expired',
    ErrorCode.keyExpired,
    `the ${what} certificate ended ${formatTime(certificate.to)} UTC: renew it`,
  );
}
