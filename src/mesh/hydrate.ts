// A tunnel over a secret that both ends have been provisioned with: boot salts of both sides, exchanged and confirmed,
// so that a restart of either never uses a key again. No public keys: whoever learns the secret reads what was recorded.
//
//   I -> R  init      2 | 4 | 0 | flags | salt[32] | stamp u64 | profile[32] | initiator's id[32]
//                     | responder's id[32] | route | data | mac[32]
//   R -> I  response  2 | 5 | 0 | 0 | salt[32] | profile[32] | data | mac[32]
//   I -> R  confirm   2 | 6 | 0 | 0 | mac[32]

import { copyOf, equal, wipe } from '../bytes.ts';
import { QstpError } from '../error.ts';
import type { Random } from '../crypto/provider.ts';
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
  FLAG_RESPONDER_DECIDES,
  flagsOf,
  handshakeId,
  messageFrame,
  messageWriter,
  PROFILE_BYTES,
  profileOf,
  randomBytes,
  readerOf,
} from './handshake.ts';
import type { MeshKeys } from './handshake.ts';
import { MESH_RANDOM_BYTES } from './params.ts';
import { Refusal, refusal } from './reject.ts';
import type { MeshReject } from './reject.ts';
import { checkRoute } from './routes.ts';
import { meshHash, roomFor } from './transcript.ts';
import { FrameKind, TUNNEL_ID_BYTES } from './types.ts';
import type { MeshPeerId, MeshRoutePlan, QstpFrame } from './types.ts';
import { u64 } from './u64.ts';
import type { U64 } from './u64.ts';

const MAC_BYTES = 32;
const ID_BYTES = 32;

export interface HydrateOptions {
  /** Of both ends and no one else: 32 bytes. */
  readonly secret: Uint8Array;
  /** This end's id, and the other's: 32 bytes each. */
  readonly self: MeshPeerId;
  readonly peerId: MeshPeerId;
  readonly route: MeshRoutePlan;
  readonly random: Random;
  readonly profileHash?: Uint8Array;
  readonly expectProfile?: Uint8Array;
  readonly data?: Uint8Array;
  /** As of initHandshake. */
  readonly stamp?: U64;
  readonly decider?: 'initiator' | 'responder';
}

export interface HydrateState {
  readonly options: HydrateOptions;
  /** init, to be sent again until there is an answer. */
  readonly frame: QstpFrame;
  readonly transcript: Uint8Array;
  readonly secret: Uint8Array;
  done: boolean;
}

function checkIds(secret: Uint8Array, ids: readonly MeshPeerId[]): void {
  if (secret.length !== 32) throw new QstpError('invalid_length', 'mesh: a provisioned secret has 32 bytes');
  for (const id of ids) {
    if (id.length !== ID_BYTES) throw new QstpError('invalid_length', 'mesh: the id of a peer has 32 bytes');
  }
}

function macOf(secret: Uint8Array, label: 'init' | 'response', parts: readonly Uint8Array[]): Uint8Array {
  return meshHash('mesh/2 hydrate ' + label + ' mac', parts, secret);
}

function responseHash(before: Uint8Array, body: Uint8Array, mac: Uint8Array): Uint8Array {
  return meshHash('mesh/2 hydrate response', [before, body, mac]);
}

/** Both ends' tunnel, after both salts; `known` is what they were told of each other. */
function agreedOn(
  shared: Uint8Array,
  transcript: Uint8Array,
  known: Omit<MeshKeys, 'secret' | 'transcript' | 'tunnelId'>,
): MeshKeys {
  const secret = meshHash('mesh/2 hydrate secret', [transcript], shared);
  const tunnelId = copyOf(meshHash('mesh/2 hydrate tunnel id', [transcript]), 0, TUNNEL_ID_BYTES);
  return { ...known, tunnelId, secret, transcript };
}

/**
 * Begins a tunnel over a provisioned secret: publish `state.frame`, again and again until there is an answer. Throws
 * `invalid_input` or `invalid_length` for options that cannot be.
 */
export function hydrateRemoteTunnel(options: HydrateOptions): HydrateState {
  const { secret, self, peerId, route } = options;
  checkRoute(route);
  checkIds(secret, [self, peerId]);
  const data = checkData(options.data);
  const fixed = MESH_RANDOM_BYTES + 8 + PROFILE_BYTES + 2 * ID_BYTES + MAC_BYTES;
  const writer = messageWriter(
    FrameKind.hydrateInit,
    0,
    flagsOf(options.decider),
    fixed + roomFor(route, [data.length]),
  );
  writer.fixed(randomBytes(options.random, MESH_RANDOM_BYTES));
  writer.number(options.stamp ?? u64(0));
  writer.fixed(profileOf(options.profileHash));
  writer.fixed(self);
  writer.fixed(peerId);
  writer.route(route);
  writer.part(data);
  const transcript = meshHash('mesh/2 hydrate init', [writer.done()]);
  writer.fixed(macOf(secret, 'init', [transcript]));
  const frame = messageFrame(FrameKind.hydrateInit, handshakeId(transcript), route, writer.done());
  return { options, frame, transcript, secret: copyOf(secret), done: false };
}

/** Takes the response, as deriveSessionKeys does. */
export function deriveHydratedKeys(
  state: HydrateState,
  frame: QstpFrame,
): { readonly keys: MeshKeys; readonly frame: QstpFrame } | MeshReject {
  const { options } = state;
  if (state.done) throw new QstpError('handshake_done', 'mesh: this handshake is over: begin another');
  const reader = readerOf(frame);
  const why = checkMessage(frame, reader, FrameKind.hydrateResponse, 0);
  if (why !== 0) return refusal(why);
  const flags = reader.byte();
  reader.fixed(MESH_RANDOM_BYTES);
  const profile = copyOf(reader.fixed(PROFILE_BYTES));
  const data = copyOf(reader.data());
  const body = copyOf(frame.ciphertext, frame.ciphertextAt, reader.at);
  const mac = reader.fixed(MAC_BYTES);
  if (!reader.ended() || flags !== 0) return refusal(Refusal.malformed);
  if (!equal(frame.tunnelId, state.frame.tunnelId)) return refusal(Refusal.handshakeUnknown);
  if (!equal(macOf(state.secret, 'response', [state.transcript, body]), mac))
    return refusal(Refusal.confirmation);
  const { expectProfile, route, peerId } = options;
  if (expectProfile !== undefined && !equal(expectProfile, profile)) return refusal(Refusal.profile);
  const transcript = responseHash(state.transcript, body, mac);
  const keys = agreedOn(state.secret, transcript, {
    initiator: true,
    decider: options.decider !== 'responder',
    selfId: options.self,
    peerId,
    peerProfile: profile,
    route,
    data,
  });
  wipe(state.secret);
  state.done = true;
  const writer = messageWriter(FrameKind.hydrateConfirm, 0, 0, MAC_BYTES);
  writer.fixed(confirmMac(keys.secret, transcript));
  return { keys, frame: messageFrame(FrameKind.hydrateConfirm, keys.tunnelId, route, writer.done()) };
}

// ---- The side that answers ----------------------------------------------------------------------------------------

export interface HydratorOptions extends AnswerOptions {
  readonly self: MeshPeerId;
  /** The secret shared with a peer, 32 bytes; null if there is none. */
  secretOf(peerId: MeshPeerId): Uint8Array | null;
}

interface Waiting extends HalfOpen {
  readonly stamp: U64;
  readonly keys: MeshKeys;
}

export type MeshHydrator = Answering<HydratorOptions, Waiting>;

/** An end that answers those who begin with {@link hydrateRemoteTunnel}. */
export function createHydrator(options: HydratorOptions): MeshHydrator {
  return createAnswering<HydratorOptions, Waiting>(options);
}

/** Answers init, as respondHandshake does. */
export function respondHydration(h: MeshHydrator, frame: QstpFrame): QstpFrame | MeshReject {
  const { options } = h;
  const now = timeAt(h);
  const reader = readerOf(frame);
  const why = checkMessage(frame, reader, FrameKind.hydrateInit, 0);
  if (why !== 0) return refused(h, why);
  const flags = reader.byte();
  reader.fixed(MESH_RANDOM_BYTES);
  const stamp = reader.number();
  const profile = copyOf(reader.fixed(PROFILE_BYTES));
  const peerId = copyOf(reader.fixed(ID_BYTES));
  const responder = reader.fixed(ID_BYTES);
  const route = reader.route();
  const data = copyOf(reader.data());
  const body = copyOf(frame.ciphertext, frame.ciphertextAt, reader.at);
  const mac = reader.fixed(MAC_BYTES);
  if (!reader.ended() || (flags & ~FLAG_RESPONDER_DECIDES) !== 0) return refused(h, Refusal.malformed);
  const first = meshHash('mesh/2 hydrate init', [body]);
  if (!equal(frame.tunnelId, handshakeId(first))) return refused(h, Refusal.malformed);
  if (!equal(responder, options.self)) return refused(h, Refusal.wrongPeer);
  const shared = options.secretOf(peerId);
  if (shared === null) return refused(h, Refusal.unknownPeer);
  checkIds(shared, []);
  if (!equal(macOf(shared, 'init', [first]), mac)) return refused(h, Refusal.unauthentic);
  const again = findByFirst(h.waiting, first);
  if (again !== null) return again.frame;
  if (isStale(h.stamps, peerId, stamp)) return refused(h, Refusal.handshakeReplayed);
  if (!hasRoom(h.waiting, peerId)) return refused(h, Refusal.handshakeFull);
  const unwanted = whyUnwanted(options, profile, route, peerId);
  if (unwanted !== 0) return refused(h, unwanted);
  const sent = checkData(options.data);
  const writer = messageWriter(
    FrameKind.hydrateResponse,
    0,
    0,
    MESH_RANDOM_BYTES + PROFILE_BYTES + 2 + sent.length + MAC_BYTES,
  );
  writer.fixed(randomBytes(options.random, MESH_RANDOM_BYTES));
  writer.fixed(profileOf(options.profileHash));
  writer.part(sent);
  const written = copyOf(writer.done());
  const answerMac = macOf(shared, 'response', [first, written]);
  writer.fixed(answerMac);
  const transcript = responseHash(first, written, answerMac);
  const keys = agreedOn(shared, transcript, {
    initiator: false,
    decider: flags !== 0,
    selfId: options.self,
    peerId,
    peerProfile: profile,
    route,
    data,
  });
  const { tunnelId } = keys;
  const answer = messageFrame(FrameKind.hydrateResponse, frame.tunnelId, route, writer.done());
  addHalfOpen(h.waiting, {
    peerId,
    first,
    tunnelId,
    frame: answer,
    since: now,
    stamp,
    keys,
    forget() {
      wipe(keys.secret);
    },
  });
  return answer;
}

/** Takes confirm, as confirmHandshake does. */
export function confirmHydration(h: MeshHydrator, frame: QstpFrame): MeshKeys | MeshReject {
  timeAt(h);
  const reader = readerOf(frame);
  const why = checkMessage(frame, reader, FrameKind.hydrateConfirm, 0);
  if (why !== 0) return refused(h, why);
  const flags = reader.byte();
  const mac = reader.fixed(MAC_BYTES);
  if (!reader.ended() || flags !== 0) return refused(h, Refusal.malformed);
  const waiting = findByTunnel(h.waiting, frame.tunnelId);
  if (waiting === null) return refused(h, Refusal.handshakeUnknown);
  const { keys } = waiting;
  if (!equal(confirmMac(keys.secret, keys.transcript), mac)) return refused(h, Refusal.confirmation);
  noteStamp(h.stamps, waiting.peerId, waiting.stamp);
  const kept = { ...keys, secret: copyOf(keys.secret) };
  removeHalfOpen(h.waiting, waiting);
  return kept;
}
