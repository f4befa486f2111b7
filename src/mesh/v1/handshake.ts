// The handshake helpers of the original. Their keys are a schedule of their own: no tunnel is made of them there.
// An init that is replayed yields the same keys again (docs/mesh.md).

import { concat, equal } from '../../bytes.ts';
import { blake2s, failure, kdf, utf8, VERIFY_FAILED } from './parts.ts';
import type { PqcFailure } from './parts.ts';
import type { LegacyKem, LegacySigner } from './runtime.ts';

/** A signing key and the id its owner gave it. */
export interface LegacyIdentity {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
  /** 32 bytes; nothing ties it to the key. */
  readonly keyId: Uint8Array;
}

export interface LegacyInit {
  routeHash: Uint8Array;
  ciphertext: Uint8Array;
  initiatorNonce: Uint8Array;
  clientSignature: Uint8Array;
  clientSigningKeyId: Uint8Array;
  clientSigningKey: Uint8Array;
  serverSigningKeyId: Uint8Array;
  applicationData: Uint8Array;
}

export interface LegacyResponse {
  routeHash: Uint8Array;
  sessionId: Uint8Array;
  responderNonce: Uint8Array;
  responderSignature: Uint8Array;
  serverSigningKeyId: Uint8Array;
  serverSigningKey: Uint8Array;
  serverKemKeyId: Uint8Array;
  serverKemKey: Uint8Array;
}

export interface LegacyInitiatorState {
  readonly secret: Uint8Array;
  readonly routeHash: Uint8Array;
  readonly initiatorNonce: Uint8Array;
  readonly clientKeyId: Uint8Array;
  readonly serverKeyId: Uint8Array;
  readonly serverSigningKey: Uint8Array;
}

export interface LegacyResponderState {
  readonly secret: Uint8Array;
  readonly routeHash: Uint8Array;
  readonly initiatorNonce: Uint8Array;
  readonly responderNonce: Uint8Array;
  readonly sessionId: Uint8Array;
}

export interface LegacySessionKeys {
  readonly sessionId: Uint8Array;
  readonly sendKey: Uint8Array;
  readonly sendNonce: Uint8Array;
  readonly recvKey: Uint8Array;
  readonly recvNonce: Uint8Array;
  readonly tupleKey: Uint8Array;
}

interface Server {
  readonly kemPublicKey: Uint8Array;
  readonly signingPublicKey: Uint8Array;
  readonly signingKeyId: Uint8Array;
}

type Fields = Pick<
  LegacyInit,
  'routeHash' | 'ciphertext' | 'clientSigningKeyId' | 'serverSigningKeyId' | 'applicationData'
>;

function initiatorNonceOf(m: Fields): Uint8Array {
  return blake2s([
    utf8('qstp:init-nonce'),
    m.routeHash,
    m.ciphertext,
    m.applicationData,
    m.clientSigningKeyId,
    m.serverSigningKeyId,
  ]);
}

/** What the client signs: here the application data come before the ciphertext. */
export function legacyClientTranscript(m: Fields & Pick<LegacyInit, 'initiatorNonce'>): Uint8Array {
  return concat([
    utf8('qstp:client-transcript'),
    m.routeHash,
    m.applicationData,
    m.ciphertext,
    m.initiatorNonce,
    m.clientSigningKeyId,
    m.serverSigningKeyId,
  ]);
}

export function legacyServerTranscript(
  state: Omit<LegacyResponderState, 'secret'>,
  serverKeyId: Uint8Array,
  clientKeyId: Uint8Array,
): Uint8Array {
  return concat([
    utf8('qstp:server-transcript'),
    state.routeHash,
    state.initiatorNonce,
    state.responderNonce,
    state.sessionId,
    serverKeyId,
    clientKeyId,
  ]);
}

function responderNonceOf(
  secret: Uint8Array,
  routeHash: Uint8Array,
  initiatorNonce: Uint8Array,
  serverKeyId: Uint8Array,
  kemKeyId: Uint8Array,
): Uint8Array {
  return blake2s([utf8('qstp:resp-nonce'), secret, routeHash, initiatorNonce, serverKeyId, kemKeyId]);
}

function sessionIdOf(
  secret: Uint8Array,
  routeHash: Uint8Array,
  initiatorNonce: Uint8Array,
  responderNonce: Uint8Array,
): Uint8Array {
  return blake2s([utf8('qstp:session-id'), secret, routeHash, initiatorNonce, responderNonce]);
}

export function legacyInitHandshake(
  kem: LegacyKem,
  signer: LegacySigner,
  server: Server,
  client: LegacyIdentity,
  routeHash: Uint8Array,
  applicationData: Uint8Array,
): { init: LegacyInit; state: LegacyInitiatorState } {
  const { ciphertext, sharedSecret } = kem.encapsulate(server.kemPublicKey);
  const fields: Fields = {
    routeHash,
    ciphertext,
    clientSigningKeyId: client.keyId,
    serverSigningKeyId: server.signingKeyId,
    applicationData,
  };
  const initiatorNonce = initiatorNonceOf(fields);
  const transcript = legacyClientTranscript({ ...fields, initiatorNonce });
  const init = {
    ...fields,
    initiatorNonce,
    clientSignature: signer.sign(transcript, client.secretKey),
    clientSigningKey: client.publicKey,
  };
  const state = {
    secret: sharedSecret,
    routeHash,
    initiatorNonce,
    clientKeyId: client.keyId,
    serverKeyId: server.signingKeyId,
    serverSigningKey: server.signingPublicKey,
  };
  return { init, state };
}

export function legacyRespondHandshake(
  kem: LegacyKem,
  signer: LegacySigner,
  server: LegacyIdentity,
  kemKey: { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array; readonly keyId: Uint8Array },
  init: LegacyInit,
): { response: LegacyResponse; state: LegacyResponderState } | PqcFailure {
  if (!equal(init.serverSigningKeyId, server.keyId))
    return failure('InvalidInput', 'server signing key mismatch');
  if (!equal(initiatorNonceOf(init), init.initiatorNonce)) return VERIFY_FAILED;
  // By the key in the same message: whoever sent it is good.
  if (!signer.verify(init.clientSignature, legacyClientTranscript(init), init.clientSigningKey))
    return VERIFY_FAILED;
  const secret = kem.decapsulate(init.ciphertext, kemKey.secretKey);
  const { routeHash, initiatorNonce } = init;
  const responderNonce = responderNonceOf(secret, routeHash, initiatorNonce, server.keyId, kemKey.keyId);
  const sessionId = sessionIdOf(secret, routeHash, initiatorNonce, responderNonce);
  const state = { secret, routeHash, initiatorNonce, responderNonce, sessionId };
  const transcript = legacyServerTranscript(state, server.keyId, init.clientSigningKeyId);
  const response = {
    routeHash,
    sessionId,
    responderNonce,
    responderSignature: signer.sign(transcript, server.secretKey),
    serverSigningKeyId: server.keyId,
    serverSigningKey: server.publicKey,
    serverKemKeyId: kemKey.keyId,
    serverKemKey: kemKey.publicKey,
  };
  return { response, state };
}

function sessionKeys(
  secret: Uint8Array,
  state: Omit<LegacyResponderState, 'secret'>,
  initiator: boolean,
): LegacySessionKeys {
  const context = concat([state.routeHash, state.initiatorNonce, state.responderNonce]);
  const forth = kdf(secret, 'qstp:dir:init->resp', context, 44);
  const back = kdf(secret, 'qstp:dir:resp->init', context, 44);
  const [send, recv] = initiator ? [forth, back] : [back, forth];
  return {
    sessionId: state.sessionId,
    sendKey: send.subarray(0, 32),
    sendNonce: send.subarray(32, 44),
    recvKey: recv.subarray(0, 32),
    recvNonce: recv.subarray(32, 44),
    tupleKey: kdf(secret, 'qstp:tuple-key', context, 32),
  };
}

export function legacyInitiatorKeys(
  signer: LegacySigner,
  state: LegacyInitiatorState,
  response: LegacyResponse,
): LegacySessionKeys | PqcFailure {
  const { secret, routeHash, initiatorNonce, serverKeyId, clientKeyId } = state;
  if (!equal(response.routeHash, routeHash)) return failure('InvalidInput', 'route hash mismatch');
  if (!equal(response.serverSigningKeyId, serverKeyId))
    return failure('InvalidInput', 'signing key mismatch');
  const { responderNonce, sessionId } = response;
  const nonce = responderNonceOf(secret, routeHash, initiatorNonce, serverKeyId, response.serverKemKeyId);
  if (!equal(nonce, responderNonce)) return VERIFY_FAILED;
  if (!equal(sessionIdOf(secret, routeHash, initiatorNonce, responderNonce), sessionId)) return VERIFY_FAILED;
  const agreed = { routeHash, initiatorNonce, responderNonce, sessionId };
  const transcript = legacyServerTranscript(agreed, serverKeyId, clientKeyId);
  if (!signer.verify(response.responderSignature, transcript, state.serverSigningKey)) return VERIFY_FAILED;
  return sessionKeys(secret, agreed, true);
}

export function legacyResponderKeys(state: LegacyResponderState): LegacySessionKeys {
  return sessionKeys(state.secret, state, false);
}
