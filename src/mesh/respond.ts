// The handshake of mesh/2, the side that answers: handshake.ts has the messages.

import { ascii, copyOf, equal, wipe } from '../bytes.ts';
import { credentialBytesMax } from './identity.ts';
import { createAnswering, refused, timeAt, whyUnwanted } from './answering.ts';
import type { Answering, AnswerOptions } from './answering.ts';
import {
  addHalfOpen,
  findByFirst,
  findByTunnel,
  hasRoom,
  isStale,
  noteStamp,
  removeHalfOpen,
} from './half-open.ts';
import type { HalfOpen } from './half-open.ts';
import {
  checkData,
  checkMessage,
  confirmMac,
  confirmTranscript,
  ephemeral,
  FLAG_RESPONDER_DECIDES,
  handshakeId,
  INIT_CONTEXT,
  initTranscript,
  messageFrame,
  messageWriter,
  PROFILE_BYTES,
  profileOf,
  randomBytes,
  readerOf,
  RESPONSE_CONTEXT,
  responseTranscript,
  sendSecret,
  signTranscript,
  takeSecret,
  tunnelIdOf,
  tunnelSecret,
} from './handshake.ts';
import type { HandshakeParty, MeshKeys } from './handshake.ts';
import { MESH_RANDOM_BYTES } from './params.ts';
import { Refusal } from './reject.ts';
import type { MeshReject } from './reject.ts';
import { roomFor, wipeAll } from './transcript.ts';
import { FrameKind } from './types.ts';
import type { MeshPeerId, MeshRoutePlan, QstpFrame } from './types.ts';
import { u64ToNumber } from './u64.ts';
import type { U64 } from './u64.ts';

export interface ResponderOptions extends HandshakeParty, AnswerOptions {
  /** An init whose stamp, as a time, is further from now is refused; 0, and by default: none is. */
  readonly maxInitAgeMs?: number;
}

interface Waiting extends HalfOpen {
  readonly initSignature: Uint8Array;
  readonly transcript: Uint8Array;
  readonly signature: Uint8Array;
  /** Sent with the response; to be received. */
  readonly secret: Uint8Array;
  readonly secretKey: Uint8Array;
  readonly stamp: U64;
  readonly keys: Pick<MeshKeys, 'decider' | 'peerProfile' | 'route' | 'data'>;
}

export type MeshResponder = Answering<ResponderOptions, Waiting>;

/** An end that answers handshakes. */
export function createResponder(options: ResponderOptions): MeshResponder {
  return createAnswering<ResponderOptions, Waiting>(options);
}

/** init as it came. */
interface Init {
  readonly responderDecides: boolean;
  readonly stamp: U64;
  readonly profile: Uint8Array;
  readonly responder: Uint8Array;
  readonly credential: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly route: MeshRoutePlan;
  readonly data: Uint8Array;
  readonly signature: Uint8Array;
  readonly transcript: Uint8Array;
}

function readInit(r: MeshResponder, frame: QstpFrame): Init | number {
  const { crypto } = r.options;
  const reader = readerOf(frame);
  const why = checkMessage(frame, reader, FrameKind.handshakeInit, crypto.suite.id);
  if (why !== 0) return why;
  const flags = reader.byte();
  reader.fixed(MESH_RANDOM_BYTES);
  const stamp = reader.number();
  const profile = copyOf(reader.fixed(PROFILE_BYTES));
  const responder = reader.fixed(32);
  const credential = reader.part(credentialBytesMax(crypto));
  const publicKey = reader.sized(crypto.kem.publicKeyBytes);
  const route = reader.route();
  const data = copyOf(reader.data());
  const body = copyOf(frame.ciphertext, frame.ciphertextAt, reader.at);
  const signature = copyOf(reader.sized(crypto.signer.signatureBytes));
  if (!reader.ended() || (flags & ~FLAG_RESPONDER_DECIDES) !== 0) return Refusal.malformed;
  const transcript = initTranscript(body);
  if (!equal(frame.tunnelId, handshakeId(transcript))) return Refusal.malformed;
  const responderDecides = flags !== 0;
  return {
    responderDecides,
    stamp,
    profile,
    responder,
    credential,
    publicKey,
    route,
    data,
    signature,
    transcript,
  };
}

/** Who sent it, checked from cheap to dear; or why it is refused. */
function checkInit(r: MeshResponder, init: Init): MeshPeerId | number {
  const { crypto, identity, trust, mesh, maxInitAgeMs = 0 } = r.options;
  if (!equal(init.responder, identity.peerId)) return Refusal.wrongPeer;
  const key = trust.check(init.credential, crypto);
  if (typeof key === 'number') return key;
  if (!hasRoom(r.waiting, key.peerId)) return Refusal.handshakeFull;
  if (isStale(r.stamps, key.peerId, init.stamp)) return Refusal.handshakeReplayed;
  const wall = maxInitAgeMs === 0 ? 0 : mesh.clock.wall();
  const age = wall - u64ToNumber(init.stamp);
  if (wall !== 0 && (age > maxInitAgeMs || -age > maxInitAgeMs)) return Refusal.expired;
  if (!crypto.signer.verify(init.signature, init.transcript, key.verifyKey, ascii(INIT_CONTEXT)))
    return Refusal.signature;
  const unwanted = whyUnwanted(r.options, init.profile, init.route, key.peerId);
  return unwanted === 0 ? key.peerId : unwanted;
}

/** Answers init: the response, to be published. The same init again gets the same. No tunnel is touched. */
export function respondHandshake(r: MeshResponder, frame: QstpFrame): QstpFrame | MeshReject {
  const { options } = r;
  const now = timeAt(r);
  const init = readInit(r, frame);
  if (typeof init === 'number') return refused(r, init);
  const again = findByFirst(r.waiting, init.transcript);
  if (again !== null && equal(again.initSignature, init.signature)) return again.frame;
  const peerId = checkInit(r, init);
  if (typeof peerId === 'number') return refused(r, peerId);
  const sent = sendSecret(options, init.publicKey);
  if (sent === null) return refused(r, Refusal.publicKey);
  const { crypto, identity } = options;
  const { publicKey, secretKey } = ephemeral(options);
  const data = checkData(options.data);
  const parts = [identity.credential.length, sent.ciphertext.length, publicKey.length, data.length];
  const writer = messageWriter(
    FrameKind.handshakeResponse,
    crypto.suite.id,
    0,
    MESH_RANDOM_BYTES + PROFILE_BYTES + roomFor(null, [...parts, crypto.signer.signatureBytes]),
  );
  writer.fixed(randomBytes(options.random, MESH_RANDOM_BYTES));
  writer.fixed(profileOf(options.profileHash));
  writer.part(identity.credential);
  writer.part(sent.ciphertext);
  writer.part(publicKey);
  writer.part(data);
  const transcript = responseTranscript(init.transcript, init.signature, writer.done());
  const signature = signTranscript(options, transcript, RESPONSE_CONTEXT);
  writer.part(signature);
  const answer = messageFrame(FrameKind.handshakeResponse, frame.tunnelId, init.route, writer.done());
  const { secret } = sent;
  addHalfOpen(r.waiting, {
    peerId,
    first: init.transcript,
    initSignature: init.signature,
    tunnelId: tunnelIdOf(transcript, signature),
    frame: answer,
    since: now,
    transcript,
    signature,
    secret,
    secretKey,
    stamp: init.stamp,
    keys: {
      decider: init.responderDecides,
      peerProfile: init.profile,
      route: init.route,
      data: init.data,
    },
    forget() {
      wipe(secret);
      wipe(secretKey);
    },
  });
  return answer;
}

/**
 * Takes confirm: the keys of the tunnel, whose first frame (poll it) confirms to the initiator. What is refused leaves
 * the handshake as it is. A confirm that came before is `handshake_unknown`: poll its tunnel again.
 */
export function confirmHandshake(r: MeshResponder, frame: QstpFrame): MeshKeys | MeshReject {
  const { options } = r;
  const { crypto } = options;
  timeAt(r);
  const reader = readerOf(frame);
  const why = checkMessage(frame, reader, FrameKind.handshakeConfirm, crypto.suite.id);
  if (why !== 0) return refused(r, why);
  const flags = reader.byte();
  const ciphertext = reader.sized(crypto.kem.ciphertextBytes);
  const body = copyOf(frame.ciphertext, frame.ciphertextAt, reader.at);
  const mac = reader.fixed(32);
  if (!reader.ended() || flags !== 0) return refused(r, Refusal.malformed);
  const waiting = findByTunnel(r.waiting, frame.tunnelId);
  if (waiting === null) return refused(r, Refusal.handshakeUnknown);
  const received = takeSecret(options, ciphertext, waiting.secretKey);
  const agreed = confirmTranscript(waiting.transcript, waiting.signature, body);
  const secret = tunnelSecret(waiting.secret, received, agreed);
  wipe(received);
  if (!equal(confirmMac(secret, agreed), mac)) {
    wipeAll([secret]);
    return refused(r, Refusal.confirmation);
  }
  noteStamp(r.stamps, waiting.peerId, waiting.stamp);
  removeHalfOpen(r.waiting, waiting);
  const { peerId, tunnelId, keys } = waiting;
  const selfId = options.identity.peerId;
  return { initiator: false, ...keys, tunnelId, selfId, peerId, secret, transcript: agreed };
}
