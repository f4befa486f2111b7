// The server's side of the handshake (docs/protocol.md, S1 to S4).

import { WITH_ENGINE, WITH_IDENTITY, WITH_REVOCATION } from '../features.ts';
import {
  CONFIG_BYTES,
  CONFIG_COMPARED,
  Discovery,
  EdgeFlag,
  Flag,
  HASH_BYTES,
  SIGN_RANDOM_BYTES,
} from '../params.ts';
import { ErrorCode, QstpError, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { ascii, copyOf, equal, equalAt, isZero, putTime, wipe } from '../bytes.ts';
import type { Hashing, Random, SuiteCrypto } from '../crypto/provider.ts';
import { signingJob } from '../crypto/signing.ts';
import type { ExternalSigner, SigningKey } from '../crypto/signing.ts';
import { certificateHash } from '../cert/certificate.ts';
import type { RootCertificate, ServerCertificate } from '../cert/certificate.ts';
import { sessionCookie } from '../cert/cookie.ts';
import type { ServerKey } from '../cert/key-file.ts';
import { expirationCheck } from '../cert/verify.ts';
import {
  CONNECT_REQUEST_BYTES,
  connectResponseHeader,
  decodeConnectRequest,
  decodeExchangeRequest,
  encodeConnectResponse,
  encodeExchangeResponse,
} from '../wire/messages.ts';
import { headerFlag, headerTime } from '../wire/header.ts';
import { decodeResumeRequest, RESUME_REQUEST_BYTES } from '../wire/edge.ts';
import { FRESH_CONTEXT, wantsFreshness } from './edge.ts';
import type { FoundTicket, HandshakeKeys, ServerEdge } from './edge.ts';
import { createMachine, TIME_OFF } from './handshake.ts';
import type { Expected, Handshake } from './handshake.ts';
import { refusesClient } from './identity.ts';
import { expectedRevocation, receivePlainRevocation } from './plain-revocation.ts';
import { acceptResumption } from './resume.ts';
import { connectionSecrets } from './secrets.ts';
import { nextCookie, responseHash, sessionKeys } from './transcript.ts';

/** d || z of ML-KEM.KeyGen (FIPS 203 §7.1). */
const KEM_SEED_BYTES = 64;

const UNKNOWN_SERIAL = /* @__PURE__ */ reject(
  'serial',
  ErrorCode.keyUnrecognized,
  'the client asks for a certificate this server does not hold',
);

const KEYGEN_FAILED = /* @__PURE__ */ reject(
  'keygen',
  ErrorCode.memoryAllocation,
  'no KEM key could be made',
);

const SIGNING_FAILED = /* @__PURE__ */ reject(
  'signing',
  ErrorCode.keychainFail,
  "this server's signing key failed: load it anew",
);

const EXTENSIONS_REQUIRED = /* @__PURE__ */ reject(
  'extensions_required',
  ErrorCode.extensionsRequired,
  'the client speaks strict QSTP 1.4, and this server requires the extensions',
);

/** One certificate a server answers for, with all that is needed to do so. */
export interface ServerIdentity {
  readonly crypto: SuiteCrypto;
  readonly certificate: ServerCertificate;
  /** The validity of its key, which may end before the certificate's. */
  readonly key: Pick<ServerKey, 'from' | 'to'>;
  readonly signing: SigningKey;
  /** sch0 of the chain, 32 bytes. */
  readonly cookie: Uint8Array;
}

/** One signature made and verified: a damaged key would otherwise be noticed by the clients only. */
function signsFor(crypto: SuiteCrypto, certificate: ServerCertificate, key: ServerKey): boolean {
  const signature = new Uint8Array(crypto.suite.signatureBytes);
  try {
    crypto.signer.signInto(certificate.hash, key.signingKey, new Uint8Array(SIGN_RANDOM_BYTES), signature);
  } catch {
    return false;
  }
  return crypto.signer.verify(signature, certificate.hash, certificate.verifyKey);
}

/**
 * Throws unless the key is the certificate's, signs for it, and the key file's cookie, if it is of this certificate and
 * set, is the chain's.
 */
export function serverIdentity(
  crypto: SuiteCrypto,
  root: RootCertificate,
  certificate: ServerCertificate,
  key: ServerKey,
): ServerIdentity {
  if (!equal(key.verifyKey, certificate.verifyKey)) {
    throw new QstpError(
      'key_mismatch',
      'the server key does not belong to the server certificate: use the pair made together',
    );
  }
  const cookie = sessionCookie(certificateHash(root), certificateHash(certificate));
  // A new root signs the same key again under another serial: then the key file speaks of the chain before.
  const signedAgain = !equal(key.serial, certificate.serial);
  if (!signedAgain && !isZero(key.cookie) && !equal(key.cookie, cookie)) {
    throw new QstpError(
      'key_mismatch',
      'the server key was bound to other certificates: use the root and server certificate it was signed with',
    );
  }
  if (!signsFor(crypto, certificate, key)) {
    throw new QstpError(
      'key_malformed',
      'the server key is damaged: it does not sign for its own certificate',
    );
  }
  const period = signedAgain ? certificate : key;
  return { crypto, certificate, key: period, signing: key.signingKey, cookie };
}

/**
 * An identity whose key is elsewhere. Calls back with it once the signer has signed for the certificate, else with
 * null: then it does not hold the certificate's key, or does not work.
 */
export function externalIdentity(
  crypto: SuiteCrypto,
  root: RootCertificate,
  certificate: ServerCertificate,
  signer: ExternalSigner,
  done: (identity: ServerIdentity | null) => void,
): void {
  const signature = new Uint8Array(crypto.suite.signatureBytes);
  const cookie = sessionCookie(certificateHash(root), certificateHash(certificate));
  const { hash, verifyKey } = certificate;
  signer.sign(hash, new Uint8Array(0), signature, (good) => {
    const signs = good && crypto.signer.verify(signature, hash, verifyKey);
    done(signs ? { crypto, certificate, key: certificate, signing: signer, cookie } : null);
  });
}

export interface ServerOptions {
  /** The identity with this serial (16 bytes), or null. Must not depend in time on secrets. */
  readonly identify: (serial: Uint8Array) => ServerIdentity | null;
  /** Drawn twice a handshake: the KEM seed (64 bytes), then 32 bytes to hedge the signature. */
  readonly random: Random;
  /** Signs without random bytes, for known answers. Default false. */
  readonly deterministicSigning?: boolean;
  /** The extensions offered. Absent: strict 1.4. */
  readonly edge?: ServerEdge | undefined;
  /** Hashes in the place of the kernel. Default: the kernel. */
  readonly hash?: Hashing | null | undefined;
}

/** The checks of S1, in the reference's order: serial, validity, configuration. */
function checkRequest(chosen: ServerIdentity | null, configuration: Uint8Array, now: number): Reject | null {
  if (chosen === null) return UNKNOWN_SERIAL;
  const { crypto, certificate, key } = chosen;
  if (expirationCheck(certificate, now) !== 'valid' || expirationCheck(key, now) !== 'valid') {
    return reject(
      'key_expired',
      ErrorCode.keyExpired,
      "this server's key is outside its validity period: renew it",
    );
  }
  const name = ascii(crypto.suite.name, CONFIG_COMPARED);
  if (equalAt(configuration, 0, name, 0, CONFIG_COMPARED)) return null;
  return reject(
    'suite',
    ErrorCode.unknownProtocol,
    `the client speaks another suite than ${crypto.suite.name}`,
  );
}

function requiresClients({ clients }: ServerEdge): boolean {
  return WITH_IDENTITY && clients !== undefined && clients.required;
}

export function createServer(options: ServerOptions): Handshake {
  const edge = options.edge === undefined || options.edge.extensions === 'never' ? null : options.edge;
  const by = WITH_ENGINE ? (options.hash ?? null) : null;
  let identity: ServerIdentity | null = null;
  /** Byte 41 of the client's request; 0 if it, or this server, speaks strict 1.4 (X1). */
  let discovery = 0;
  let cookie: Uint8Array = new Uint8Array(0);
  let secretKey: Uint8Array = new Uint8Array(0);

  const signingRandom = options.deterministicSigning === true ? null : options.random;

  // S2: sign the fresh KEM key together with the header it travels under and sch0.
  const sendConnectResponse = (chosen: ServerIdentity, publicKey: Uint8Array, now: number): void => {
    const header = connectResponseHeader(chosen.crypto.suite, now);
    const hash = responseHash(header, chosen.cookie, publicKey, by);
    const signature = new Uint8Array(chosen.crypto.suite.signatureBytes);
    machine.wait(signingJob(chosen.signing, hash, signature, signingRandom), (good, later) => {
      if (!good) {
        machine.fail(SIGNING_FAILED, later);
        return;
      }
      cookie = nextCookie(chosen.cookie, hash, by);
      machine.output = encodeConnectResponse(header, signature, hash, publicKey);
      machine.step = 'S3';
    });
  };

  // S1: the client names a certificate and a suite.
  const receiveConnectRequest = (packet: Uint8Array, now: number): void => {
    const { serial, configuration } = decodeConnectRequest(packet);
    const asked = configuration[CONFIG_BYTES - 1]!;
    if (edge !== null && (asked & Discovery.edge) !== 0) discovery = asked;
    const chosen = options.identify(serial);
    const clockless = headerTime(packet) === 0;
    const late = clockless && (discovery & Discovery.clockNotSet) === 0 ? TIME_OFF : null;
    // Strict 1.4 has no identities: where they are required it would be a way around them.
    const insists = edge !== null && (edge.extensions === 'require' || requiresClients(edge));
    const strict = insists && discovery === 0;
    const bad = late ?? checkRequest(chosen, configuration, now) ?? (strict ? EXTENSIONS_REQUIRED : null);
    if (chosen === null || bad !== null) {
      machine.fail(bad ?? UNKNOWN_SERIAL, now);
      return;
    }
    identity = chosen;
    machine.crypto = chosen.crypto;
    const seed = new Uint8Array(KEM_SEED_BYTES);
    options.random(seed);
    const publicKey = new Uint8Array(chosen.crypto.suite.kemPublicKeyBytes);
    secretKey = new Uint8Array(chosen.crypto.suite.kemSecretKeyBytes);
    machine.wait({ op: 'keygen', seed, publicKey, secretKey }, (good, later) => {
      if (good) sendConnectResponse(chosen, publicKey, later);
      else machine.fail(KEYGEN_FAILED, later);
    });
  };

  // S3: decapsulate and derive; S4: echo sch2.
  const receiveExchangeRequest = (packet: Uint8Array): void => {
    const ciphertext = decodeExchangeRequest(packet);
    const sharedSecret = new Uint8Array(32);
    machine.wait({ op: 'decapsulate', ciphertext, secretKey, sharedSecret }, (good, now) => {
      wipe(secretKey);
      if (!good) {
        machine.fail(
          reject('decapsulation', ErrorCode.decapsulationFailure, 'the decapsulation failed'),
          now,
        );
        return;
      }
      cookie = nextCookie(cookie, ciphertext, by);
      const keys: HandshakeKeys = {
        ...sessionKeys(sharedSecret, cookie, by),
        kind: 0,
        discovery,
        transcript: cookie,
        secrets: discovery === 0 ? null : connectionSecrets(0, sharedSecret, cookie, by),
        freshness: null,
        serverTime: now * 1000,
        ticketId: null,
        ticket: null,
        from: 0,
        to: 0,
        verifyKey: null,
      };
      wipe(sharedSecret);
      machine.keys = keys;
      if (wantsFreshness(discovery)) signFreshness(keys);
      else sendExchangeResponse(now);
    });
  };

  const sendExchangeResponse = (now: number): void => {
    machine.output = encodeExchangeResponse(cookie, now);
    machine.step = 'established';
  };

  // X2, type 04: the 1.4 signature covers nothing of the client's; this one does.
  const signFreshness = (keys: HandshakeKeys): void => {
    const message = new Uint8Array(HASH_BYTES + 8);
    message.set(keys.transcript);
    putTime(message, HASH_BYTES, keys.serverTime);
    const { crypto, signing } = identity!;
    const signature = new Uint8Array(crypto.suite.signatureBytes);
    const job = signingJob(signing, message, signature, signingRandom, ascii(FRESH_CONTEXT));
    machine.wait(job, (good, later) => {
      if (!good) {
        machine.fail(SIGNING_FAILED, later);
        return;
      }
      machine.keys = { ...keys, freshness: signature };
      sendExchangeResponse(later);
    });
  };

  // X4: a ticket's proof takes the place of the whole handshake.
  const receiveResumeRequest = (packet: Uint8Array, now: number): void => {
    const r1 = copyOf(packet);
    const { ticketId } = decodeResumeRequest(r1);
    let found: FoundTicket | null = null;
    const find = (done: (good: boolean) => void): void => {
      if (edge!.tickets === null) {
        done(true);
        return;
      }
      edge!.tickets.find(ticketId, now, (ticket) => {
        const client = ticket === null ? null : ticket.identity;
        const refused = WITH_IDENTITY && client !== null && refusesClient(edge!, client, now) !== null;
        if (refused) wipe(ticket!.secret);
        found = refused ? null : ticket;
        done(true);
      });
    };
    machine.wait({ op: 'call', call: find }, (_good, later) => {
      const result = acceptResumption(r1, found, options.random, later);
      if ('reason' in result) {
        machine.fail(result, later);
        return;
      }
      machine.keys = result.keys;
      machine.output = result.response;
      machine.step = 'established';
    });
  };

  const machine = createMachine('server', {
    start() {
      machine.step = 'S1';
    },
    expected(step, flag, length): Expected | null {
      const time = edge === null ? 'checked' : 'zero_allowed';
      if (step === 'S1') {
        if (flag === EdgeFlag.resumeRequest && edge !== null) {
          return { flag, length: RESUME_REQUEST_BYTES, sequence: 0, time };
        }
        const trusts = WITH_REVOCATION && edge !== null && edge.trust !== undefined;
        const revocation = trusts && flag === Flag.certificateRevoke ? expectedRevocation(length) : null;
        if (revocation !== null) return revocation;
        return { flag: Flag.connectRequest, length: CONNECT_REQUEST_BYTES, sequence: 0, time };
      }
      if (step !== 'S3') return null;
      const clockless = (discovery & Discovery.clockNotSet) !== 0;
      return {
        flag: Flag.exchangeRequest,
        length: identity!.crypto.suite.ciphertextBytes,
        sequence: 1,
        time: clockless ? 'zero_allowed' : 'checked',
      };
    },
    receive(step, packet, now) {
      if (step === 'S3') receiveExchangeRequest(packet);
      else if (headerFlag(packet) === EdgeFlag.resumeRequest) receiveResumeRequest(packet, now);
      else if (WITH_REVOCATION && headerFlag(packet) === Flag.certificateRevoke) {
        receivePlainRevocation(machine, edge!.trust!, packet, now);
      } else receiveConnectRequest(packet, now);
    },
    wipe() {
      wipe(secretKey);
    },
  });
  machine.edge = edge;
  return machine;
}
