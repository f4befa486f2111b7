// Client identities (docs/extensions.md, X6): after the hellos the client sends its certificate and a signature over
// this very connection. The server delivers nothing before both are verified.

import { ControlType, Feature, HASH_BYTES, SUITES } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { ascii, concat, copyOf } from '../bytes.ts';
import { signingJob } from '../crypto/signing.ts';
import type { SuiteCrypto } from '../crypto/provider.ts';
import { sha3_256 } from '../crypto/micro/sponge.ts';
import { parseCertificate, serverCertificateBytes } from '../cert/certificate.ts';
import type { ClientCertificate, RootCertificate } from '../cert/certificate.ts';
import { badSignature, checkClient, signatureJob } from '../cert/verify.ts';
import { takeFragment } from '../wire/edge.ts';
import { emitFragments } from './core.ts';
import type { IdentityWait, SessionCore } from './core.ts';
import type { ClientEdge, ClientName, ServerEdge } from './edge.ts';

/** FIPS 204 context of a client's signature. */
export const CLIENT_CONTEXT = 'QSTP-EDGE-1/client';

const MALFORMED = /* @__PURE__ */ reject(
  'identity_malformed',
  ErrorCode.identityRefused,
  "the client's identity is malformed or came out of turn",
  true,
);

const NOT_PROVED = /* @__PURE__ */ reject(
  'identity_signature',
  ErrorCode.identityRefused,
  'the client did not sign this connection with the key of its certificate',
  true,
);

const MISSING = /* @__PURE__ */ reject(
  'identity_required',
  ErrorCode.identityRequired,
  'the client has no identity, and this server wants one: make it one with `qstp client new`, signed by the root',
  true,
);

const SIGNING_FAILED = /* @__PURE__ */ reject(
  'signing',
  ErrorCode.identityRefused,
  "the client's key did not sign: it is damaged, or its signer does not answer",
  true,
);

/** T || H(certificate) || server nonce || client nonce. */
function identityMessage(
  transcript: Uint8Array,
  certificate: Uint8Array,
  serverNonce: Uint8Array,
  clientNonce: Uint8Array,
): Uint8Array {
  return concat([transcript.subarray(0, HASH_BYTES), sha3_256(certificate), serverNonce, clientNonce]);
}

// ---- The client -------------------------------------------------------------------------------------------

/** Sends the identity that was agreed on, then goes on. */
export function sendIdentity(
  core: SessionCore,
  transcript: Uint8Array,
  serverNonce: Uint8Array,
  clientNonce: Uint8Array,
  then: (now: number) => void,
): void {
  const edge = core.edge as ClientEdge;
  const { certificate, signing } = edge.identity!;
  const signature = new Uint8Array(certificate.suite.signatureBytes);
  const message = identityMessage(transcript, certificate.bytes, serverNonce, clientNonce);
  // A resumption has no algorithms of its own.
  if (core.crypto === null) core.crypto = edge.crypto ?? null;
  core.waiting = {
    job: signingJob(signing, message, signature, edge.random, ascii(CLIENT_CONTEXT)),
    then(good, later) {
      if (!good) {
        core.fail(SIGNING_FAILED, later);
        return;
      }
      emitFragments(core, ControlType.clientIdentity, concat([certificate.bytes, signature]), later);
      then(later);
    },
  };
}

// ---- The server -------------------------------------------------------------------------------------------

/** Why a client that is known by its ticket may not go on; null if it may. */
export function refusesClient(edge: ServerEdge, client: ClientName, now: number): Reject | null {
  const judge = edge.clients ?? edge.trust;
  const why = judge === undefined ? null : judge.refuses(client, now);
  return why === null ? null : refusal(why);
}

/** True if this end wants to know who the client is, and does not by its ticket. */
export function wantsIdentity(edge: ServerEdge, client: ClientName | null): boolean {
  return edge.clients !== undefined && client === null;
}

/** Waits for the identity the client agreed to send. Null if there is nothing to wait for, or the connection ended. */
export function awaitIdentity(
  core: SessionCore,
  features: number,
  clientNonce: Uint8Array,
  then: (now: number) => void,
  now: number,
): IdentityWait | null {
  const edge = core.edge as ServerEdge;
  // The bytes of the hello are overwritten by the packets that follow.
  if ((features & Feature.clientAuthentication) !== 0)
    return { assembly: null, clientNonce: copyOf(clientNonce), then };
  const known = core.phase!.keys.ticket === null ? null : core.phase!.keys.ticket.identity;
  if (edge.clients !== undefined && edge.clients.required && known === null) core.fail(MISSING, now);
  return null;
}

interface Proof {
  readonly certificate: ClientCertificate;
  readonly signature: Uint8Array;
}

/** Certificate and signature of a message of type 03; null if it is not that of any suite. */
function decodeIdentity(message: Uint8Array): Proof | Reject {
  for (const suite of SUITES) {
    const at = serverCertificateBytes(suite);
    if (message.length !== at + suite.signatureBytes) continue;
    const certificate = parseCertificate(message.subarray(0, at), suite);
    if (certificate === null || certificate.kind === 'root') return MALFORMED;
    if (certificate.kind === 'client') return { certificate, signature: message.subarray(at) };
    return reject(
      'identity_kind',
      ErrorCode.identityRefused,
      "the client showed a server's certificate (.qrc) as its own: it needs one that ends in .qcc",
      true,
    );
  }
  return MALFORMED;
}

/** The refusal as the peer is to hear of it: one code for all of them. */
function refusal(why: Reject): Reject {
  return reject(why.reason, ErrorCode.identityRefused, why.detail, true);
}

/** A fragment of the client's identity. */
export function receiveIdentity(core: SessionCore, body: Uint8Array, now: number): void {
  const edge = core.edge as ServerEdge;
  const wait = core.phase!.identity!;
  const largest = SUITES[SUITES.length - 1]!;
  const most = serverCertificateBytes(largest) + largest.signatureBytes;
  wait.assembly = takeFragment(wait.assembly, body, most);
  if (wait.assembly === null) {
    core.fail(MALFORMED, now);
    return;
  }
  const { bytes, fill } = wait.assembly;
  if (fill < bytes.length) return;
  const proof = decodeIdentity(bytes);
  if ('reason' in proof) {
    core.fail(proof, now);
    return;
  }
  const judged = edge.clients!.judge(proof.certificate, now);
  if ('reason' in judged) {
    core.fail(refusal(judged), now);
    return;
  }
  const bad = checkClient(proof.certificate, judged.root, now);
  if (bad !== null) core.fail(refusal(bad), now);
  else verifyCertificate(core, wait, proof, judged.root, judged.crypto);
}

function verifyCertificate(
  core: SessionCore,
  wait: IdentityWait,
  proof: Proof,
  root: RootCertificate,
  crypto: SuiteCrypto,
): void {
  const own = core.crypto;
  core.crypto = crypto;
  core.waiting = {
    job: signatureJob(proof.certificate, root),
    then(good, now) {
      if (good) verifyPossession(core, wait, proof, own);
      else core.fail(refusal(badSignature(proof.certificate)), now);
    },
  };
}

function verifyPossession(
  core: SessionCore,
  wait: IdentityWait,
  { certificate, signature }: Proof,
  own: SuiteCrypto | null,
): void {
  const phase = core.phase!;
  const message = identityMessage(
    phase.keys.transcript,
    certificate.bytes,
    phase.serverNonce!,
    wait.clientNonce,
  );
  core.waiting = {
    job: {
      op: 'verify',
      signature,
      message,
      publicKey: certificate.verifyKey,
      context: ascii(CLIENT_CONTEXT),
    },
    then(good, now) {
      core.crypto = own;
      if (!good) {
        core.fail(NOT_PROVED, now);
        return;
      }
      // It may have been revoked while its signatures were verified.
      const judged = (core.edge as ServerEdge).clients!.judge(certificate, now);
      if ('reason' in judged) {
        core.fail(refusal(judged), now);
        return;
      }
      const client = { serial: copyOf(certificate.serial), issuer: certificate.issuer, to: certificate.to };
      phase.identity = null;
      core.identify(client);
      wait.then(now);
    },
  };
}
