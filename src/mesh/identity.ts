// Who the ends of a handshake are. A credential says it, and a trust anchors it: in key ids that are pinned, or in a
// root whose certificates both ends hold.
//
//   credential   0 | key id[32]   or   1 | certificate

import { equal } from '../bytes.ts';
import { QstpError } from '../error.ts';
import { runJob } from '../crypto/job.ts';
import type { SuiteCrypto } from '../crypto/provider.ts';
import { parseCertificate, serverCertificateBytes } from '../cert/certificate.ts';
import type { ChildCertificate, RootCertificate } from '../cert/certificate.ts';
import { checkClient, checkServer, signatureJob } from '../cert/verify.ts';
import { Refusal } from './reject.ts';
import { meshHash } from './transcript.ts';
import { PEER_ID_BYTES } from './types.ts';
import type { MeshPeerId } from './types.ts';

const PINNED = 0;
const CERTIFIED = 1;

/** The id of a verification key of a suite, by which its owner is known: 32 bytes. */
export function meshPeerId(suite: number, verifyKey: Uint8Array): MeshPeerId {
  return meshHash('mesh/2 peer', [new Uint8Array([suite]), verifyKey]);
}

/** An end that can sign. */
export interface MeshIdentity {
  readonly peerId: MeshPeerId;
  readonly credential: Uint8Array;
  readonly secretKey: Uint8Array;
}

export interface MeshKey {
  readonly peerId: MeshPeerId;
  readonly verifyKey: Uint8Array;
}

/** Answers who a credential belongs to: its key, or a number of {@link Refusal}. */
export interface MeshTrust {
  check(credential: Uint8Array, crypto: SuiteCrypto): MeshKey | number;
}

/** Longest credential of a suite, bytes. */
export function credentialBytesMax(crypto: SuiteCrypto): number {
  return 1 + serverCertificateBytes(crypto.suite);
}

function tagged(kind: number, bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(1 + bytes.length);
  out[0] = kind;
  out.set(bytes, 1);
  return out;
}

/** An end known by the id of its key, which its peers have pinned. */
export function pinnedIdentity(
  crypto: SuiteCrypto,
  key: { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array },
): MeshIdentity {
  const peerId = meshPeerId(crypto.suite.id, key.publicKey);
  return { peerId, credential: tagged(PINNED, peerId), secretKey: key.secretKey };
}

/** An end known by its certificate. */
export function certifiedIdentity(certificate: ChildCertificate, secretKey: Uint8Array): MeshIdentity {
  return {
    peerId: meshPeerId(certificate.suite.id, certificate.verifyKey),
    credential: tagged(CERTIFIED, certificate.bytes),
    secretKey,
  };
}

/** Trusts the keys in `verifyKeys`, all of the suite of `crypto`, and no other. */
export function pinnedTrust(crypto: SuiteCrypto, verifyKeys: readonly Uint8Array[]): MeshTrust {
  const keys = verifyKeys.map((verifyKey): MeshKey => {
    if (verifyKey.length !== crypto.signer.publicKeyBytes)
      throw new QstpError(
        'invalid_length',
        `mesh: a key of this suite has ${crypto.signer.publicKeyBytes} bytes`,
      );
    return { peerId: meshPeerId(crypto.suite.id, verifyKey), verifyKey };
  });
  return {
    check(credential, by) {
      if (credential.length !== 1 + PEER_ID_BYTES || credential[0] !== PINNED) return Refusal.unknownPeer;
      if (by.suite.id !== crypto.suite.id) return Refusal.suite;
      const id = credential.subarray(1);
      for (const key of keys) if (equal(key.peerId, id)) return key;
      return Refusal.unknownPeer;
    },
  };
}

export interface CertifiedTrustOptions {
  readonly root: RootCertificate;
  /** Seconds since 1970. */
  now(): number;
  /** True for a certificate that was revoked; without it none is. */
  isRevoked?(certificate: ChildCertificate): boolean;
}

/** Trusts the owners of certificates, servers' and clients', that `root` signed. */
export function certifiedTrust(options: CertifiedTrustOptions): MeshTrust {
  const { root } = options;
  return {
    check(credential, crypto) {
      if (credential[0] !== CERTIFIED) return Refusal.unknownPeer;
      if (root.suite.id !== crypto.suite.id) return Refusal.suite;
      const certificate = parseCertificate(credential.slice(1), crypto.suite);
      if (certificate === null || certificate.kind === 'root') return Refusal.credential;
      const checked = certificate.kind === 'client' ? checkClient : checkServer;
      if (checked(certificate, root, options.now()) !== null) return Refusal.credential;
      if (options.isRevoked?.(certificate) === true) return Refusal.credential;
      if (!runJob(crypto, signatureJob(certificate, root))) return Refusal.credential;
      const { verifyKey } = certificate;
      return { peerId: meshPeerId(crypto.suite.id, verifyKey), verifyKey };
    },
  };
}
