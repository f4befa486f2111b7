// The handshake of mesh/2 (docs/mesh.md), the side that begins. Every step computes at once.
//
//   I -> R  init      2 | 1 | suite | flags | random[32] | stamp u64 | profile[32] | responder's id[32]
//                     | credential | ephemeral key | route | data | signature
//   R -> I  response  2 | 2 | suite | 0 | random[32] | profile[32] | credential | ciphertext to the initiator's key
//                     | ephemeral key | data | signature
//   I -> R  confirm   2 | 3 | suite | 0 | ciphertext to the responder's key | mac[32]
//
// Without a width: u16 length, then the bytes. The responder's first frame in the tunnel confirms to the initiator.

import { ascii, copyOf, equal, wipe } from '../bytes.ts';
import { QstpError } from '../error.ts';
import type { Random, SuiteCrypto } from '../crypto/provider.ts';
import { credentialBytesMax } from './identity.ts';
import type { MeshIdentity, MeshTrust } from './identity.ts';
import { HANDSHAKE_DATA_MAX, MESH_RANDOM_BYTES, MESH_VERSION } from './params.ts';
import { Refusal, refusal } from './reject.ts';
import type { MeshReject } from './reject.ts';
import { checkRoute, routeHash } from './routes.ts';
import { FieldReader, FieldWriter, meshHash, roomFor, wipeAll } from './transcript.ts';
import { createFrame, FrameKind, TUNNEL_ID_BYTES } from './types.ts';
import type { MeshPeerId, MeshRoutePlan, QstpFrame, TunnelId } from './types.ts';
import { u64 } from './u64.ts';
import type { U64 } from './u64.ts';

/** FIPS 204 contexts of the signatures. */
export const INIT_CONTEXT = 'QSTP-MESH-2/init';
export const RESPONSE_CONTEXT = 'QSTP-MESH-2/response';

export const PROFILE_BYTES = 32;
/** Of init: the responder decides on routes. */
export const FLAG_RESPONDER_DECIDES = 1;

/** What a handshake yields: a tunnel takes it, once. */
export interface MeshKeys {
  readonly initiator: boolean;
  readonly decider: boolean;
  readonly tunnelId: TunnelId;
  readonly selfId: MeshPeerId;
  readonly peerId: MeshPeerId;
  /** Of the program the peer runs, as it says; zeros: it does not say. */
  readonly peerProfile: Uint8Array;
  readonly route: MeshRoutePlan;
  /** What the peer's application sent along. */
  readonly data: Uint8Array;
  /** 32 bytes each; the secret is wiped when a tunnel takes it. */
  readonly secret: Uint8Array;
  readonly transcript: Uint8Array;
}

/** What both sides of a handshake have. */
export interface HandshakeParty {
  readonly crypto: SuiteCrypto;
  readonly identity: MeshIdentity;
  readonly trust: MeshTrust;
  readonly random: Random;
  /** The hash of the program this end runs, {@link PROFILE_BYTES}; without it zeros. */
  readonly profileHash?: Uint8Array;
  /** What the peer's must be. */
  readonly expectProfile?: Uint8Array;
}

export interface InitiatorOptions extends HandshakeParty {
  /** The id of the end that is to answer. */
  readonly peerId: MeshPeerId;
  readonly route: MeshRoutePlan;
  /** For the peer's application, at most {@link HANDSHAKE_DATA_MAX} bytes; whoever sees the message can read it. */
  readonly data?: Uint8Array;
  /** Higher in each handshake: the time, or a count that outlives a restart. Without it the peer cannot tell an old one. */
  readonly stamp?: U64;
  /** Which end decides on routes; by default the initiator. */
  readonly decider?: 'initiator' | 'responder';
}

export interface InitiatorState {
  readonly options: InitiatorOptions;
  /** init, to be sent again until there is an answer. */
  readonly frame: QstpFrame;
  readonly transcript: Uint8Array;
  readonly signature: Uint8Array;
  readonly secretKey: Uint8Array;
  done: boolean;
}

/** A frame that carries a message of a handshake. */
export function messageFrame(
  kind: number,
  tunnelId: Uint8Array,
  route: MeshRoutePlan,
  message: Uint8Array,
): QstpFrame {
  const frame = createFrame(message.length);
  frame.kind = kind;
  frame.tunnelId.set(tunnelId);
  frame.topic = route.topic;
  frame.routeHash.set(routeHash(route));
  frame.routeEpoch.low = route.epoch.low;
  frame.routeEpoch.high = route.epoch.high;
  frame.ciphertext.set(message);
  frame.ciphertextBytes = message.length;
  return frame;
}

/** The writer of a message: its head is written, `room` bytes are to follow. */
export function messageWriter(kind: number, suite: number, flags: number, room: number): FieldWriter {
  const writer = new FieldWriter(4 + room);
  writer.byte(MESH_VERSION);
  writer.byte(kind);
  writer.byte(suite);
  writer.byte(flags);
  return writer;
}

/** The flags of an init. */
export function flagsOf(decider: 'initiator' | 'responder' | undefined): number {
  return decider === 'responder' ? FLAG_RESPONDER_DECIDES : 0;
}

export function profileOf(profile: Uint8Array | undefined): Uint8Array {
  const out = new Uint8Array(PROFILE_BYTES);
  if (profile === undefined) return out;
  if (profile.length !== PROFILE_BYTES)
    throw new QstpError('invalid_length', `mesh: a profile hash has ${PROFILE_BYTES} bytes`);
  out.set(profile);
  return out;
}

export function checkData(data: Uint8Array | undefined): Uint8Array {
  if (data === undefined) return new Uint8Array(0);
  if (data.length <= HANDSHAKE_DATA_MAX) return data;
  throw new QstpError(
    'invalid_length',
    `mesh: the data of a handshake have at most ${HANDSHAKE_DATA_MAX} bytes`,
  );
}

export function randomBytes(random: Random, length: number): Uint8Array {
  const out = new Uint8Array(length);
  random(out);
  return out;
}

export function signTranscript(party: HandshakeParty, transcript: Uint8Array, context: string): Uint8Array {
  const { signer } = party.crypto;
  const signature = new Uint8Array(signer.signatureBytes);
  const random = randomBytes(party.random, 32);
  signer.signInto(transcript, party.identity.secretKey, random, signature, ascii(context));
  wipe(random);
  return signature;
}

/** A fresh ephemeral key. */
export function ephemeral(party: HandshakeParty): { publicKey: Uint8Array; secretKey: Uint8Array } {
  const { kem } = party.crypto;
  const publicKey = new Uint8Array(kem.publicKeyBytes);
  const secretKey = new Uint8Array(kem.secretKeyBytes);
  const seed = randomBytes(party.random, 64);
  kem.keygenInto(seed, publicKey, secretKey);
  wipe(seed);
  return { publicKey, secretKey };
}

/** To an ephemeral key of the peer; null if that is malformed. */
export function sendSecret(
  party: HandshakeParty,
  publicKey: Uint8Array,
): { ciphertext: Uint8Array; secret: Uint8Array } | null {
  const { kem } = party.crypto;
  const ciphertext = new Uint8Array(kem.ciphertextBytes);
  const secret = new Uint8Array(32);
  const coins = randomBytes(party.random, 32);
  const good = kem.encapsulateInto(publicKey, coins, ciphertext, secret);
  wipe(coins);
  return good ? { ciphertext, secret } : null;
}

export function takeSecret(party: HandshakeParty, ciphertext: Uint8Array, secretKey: Uint8Array): Uint8Array {
  const secret = new Uint8Array(32);
  party.crypto.kem.decapsulateInto(ciphertext, secretKey, secret);
  return secret;
}

/** The name of a handshake before there is a tunnel: of its first message. */
export function handshakeId(transcript: Uint8Array): Uint8Array {
  return copyOf(meshHash('mesh/2 handshake id', [transcript]), 0, TUNNEL_ID_BYTES);
}

/** Hash of init: what its signature is over. */
export function initTranscript(body: Uint8Array): Uint8Array {
  return meshHash('mesh/2 init', [body]);
}

/** Hash of init, its signature and the response: what that one's signature is over. */
export function responseTranscript(before: Uint8Array, signature: Uint8Array, body: Uint8Array): Uint8Array {
  return meshHash('mesh/2 response', [before, signature, body]);
}

/** Public, and different for each handshake. */
export function tunnelIdOf(transcript: Uint8Array, signature: Uint8Array): TunnelId {
  return copyOf(meshHash('mesh/2 tunnel id', [transcript, signature]), 0, TUNNEL_ID_BYTES);
}

export function confirmTranscript(before: Uint8Array, signature: Uint8Array, body: Uint8Array): Uint8Array {
  return meshHash('mesh/2 confirm', [before, signature, body]);
}

/** The secret of the tunnel, of both shared secrets and all that was said. */
export function tunnelSecret(
  toInitiator: Uint8Array,
  toResponder: Uint8Array,
  transcript: Uint8Array,
): Uint8Array {
  return meshHash('mesh/2 secret', [toInitiator, toResponder, transcript]);
}

export function confirmMac(secret: Uint8Array, transcript: Uint8Array): Uint8Array {
  return meshHash('mesh/2 confirmation', [transcript], secret);
}

/**
 * Begins a handshake: publish `state.frame`, again and again until there is an answer. Throws for options that cannot
 * be: `invalid_input`, `invalid_length`.
 */
export function initHandshake(options: InitiatorOptions): InitiatorState {
  const { crypto, identity, route, peerId } = options;
  checkRoute(route);
  if (peerId.length !== 32) throw new QstpError('invalid_length', 'mesh: the id of a peer has 32 bytes');
  const data = checkData(options.data);
  const { publicKey, secretKey } = ephemeral(options);
  const { signatureBytes } = crypto.signer;
  const room = roomFor(route, [identity.credential.length, publicKey.length, data.length, signatureBytes]);
  const writer = messageWriter(
    FrameKind.handshakeInit,
    crypto.suite.id,
    flagsOf(options.decider),
    MESH_RANDOM_BYTES + 8 + PROFILE_BYTES + 32 + room,
  );
  writer.fixed(randomBytes(options.random, MESH_RANDOM_BYTES));
  writer.number(options.stamp ?? u64(0));
  writer.fixed(profileOf(options.profileHash));
  writer.fixed(peerId);
  writer.part(identity.credential);
  writer.part(publicKey);
  writer.route(route);
  writer.part(data);
  const transcript = initTranscript(writer.done());
  const signature = signTranscript(options, transcript, INIT_CONTEXT);
  writer.part(signature);
  const frame = messageFrame(FrameKind.handshakeInit, handshakeId(transcript), route, writer.done());
  return { options, frame, transcript, signature, secretKey, done: false };
}

/** Gives a handshake up: its secret is wiped. */
export function abandonHandshake(state: InitiatorState): void {
  wipe(state.secretKey);
  state.done = true;
}

/** The fields in front of a message: its version and type; 0, or a refusal. */
export function checkMessage(frame: QstpFrame, reader: FieldReader, kind: number, suite: number): number {
  if (frame.version === 1) return Refusal.legacy;
  if (frame.version !== MESH_VERSION) return Refusal.version;
  if (frame.kind !== kind || frame.tunnelId.length !== TUNNEL_ID_BYTES) return Refusal.malformed;
  const version = reader.byte();
  const type = reader.byte();
  const ours = reader.byte();
  if (!reader.good || version !== MESH_VERSION || type !== kind) return Refusal.malformed;
  return ours === suite ? 0 : Refusal.suite;
}

export function readerOf(frame: QstpFrame): FieldReader {
  const { ciphertext, ciphertextAt, ciphertextBytes } = frame;
  const left = ciphertext.length - ciphertextAt;
  return new FieldReader(ciphertext, ciphertextAt, ciphertextBytes < left ? ciphertextBytes : left);
}

/**
 * Takes the response: the keys of the tunnel, and confirm, to be published until a frame of the tunnel opens. What is
 * refused leaves the handshake as it is: the true response may still come. Throws `handshake_done` for a second one.
 */
export function deriveSessionKeys(
  state: InitiatorState,
  frame: QstpFrame,
): { readonly keys: MeshKeys; readonly frame: QstpFrame } | MeshReject {
  const { options } = state;
  const { crypto } = options;
  if (state.done) throw new QstpError('handshake_done', 'mesh: this handshake is over: begin another');
  const reader = readerOf(frame);
  const why = checkMessage(frame, reader, FrameKind.handshakeResponse, crypto.suite.id);
  if (why !== 0) return refusal(why);
  const flags = reader.byte();
  reader.fixed(MESH_RANDOM_BYTES);
  const peerProfile = reader.fixed(PROFILE_BYTES);
  const credential = reader.part(credentialBytesMax(crypto));
  const ciphertext = reader.sized(crypto.kem.ciphertextBytes);
  const publicKey = reader.sized(crypto.kem.publicKeyBytes);
  const data = reader.data();
  const body = copyOf(frame.ciphertext, frame.ciphertextAt, reader.at);
  const signature = reader.sized(crypto.signer.signatureBytes);
  if (!reader.ended() || flags !== 0) return refusal(Refusal.malformed);
  if (!equal(frame.tunnelId, state.frame.tunnelId)) return refusal(Refusal.handshakeUnknown);
  const key = options.trust.check(credential, crypto);
  if (typeof key === 'number') return refusal(key);
  if (!equal(key.peerId, options.peerId)) return refusal(Refusal.wrongPeer);
  const transcript = responseTranscript(state.transcript, state.signature, body);
  if (!crypto.signer.verify(signature, transcript, key.verifyKey, ascii(RESPONSE_CONTEXT)))
    return refusal(Refusal.signature);
  if (options.expectProfile !== undefined && !equal(options.expectProfile, peerProfile))
    return refusal(Refusal.profile);
  const sent = sendSecret(options, publicKey);
  if (sent === null) return refusal(Refusal.publicKey);
  const received = takeSecret(options, ciphertext, state.secretKey);
  const tunnelId = tunnelIdOf(transcript, signature);
  const writer = messageWriter(
    FrameKind.handshakeConfirm,
    crypto.suite.id,
    0,
    2 + sent.ciphertext.length + 32,
  );
  writer.part(sent.ciphertext);
  const agreed = confirmTranscript(transcript, signature, writer.done());
  const secret = tunnelSecret(received, sent.secret, agreed);
  writer.fixed(confirmMac(secret, agreed));
  wipeAll([received, sent.secret]);
  abandonHandshake(state);
  const keys: MeshKeys = {
    initiator: true,
    decider: options.decider !== 'responder',
    tunnelId,
    selfId: options.identity.peerId,
    peerId: options.peerId,
    peerProfile: copyOf(peerProfile),
    route: options.route,
    data: copyOf(data),
    secret,
    transcript: agreed,
  };
  return { keys, frame: messageFrame(FrameKind.handshakeConfirm, tunnelId, options.route, writer.done()) };
}
