// What all parts of the mesh share: peers, routes, frames, and the overlay they travel on.

import type { U64 } from './u64.ts';

export type { TupleChainStore, TuplePointer, TupleRecord } from '../tuple/types.ts';
export type { U64 } from './u64.ts';

/** 32 bytes. */
export type MeshPeerId = Uint8Array;
/** 16 bytes; lower-case hex as text. */
export type TunnelId = Uint8Array;

export const PEER_ID_BYTES = 32;
export const TUNNEL_ID_BYTES = 16;
export const ROUTE_HASH_BYTES = 32;
export const FRAME_NONCE_BYTES = 12;
export const FRAME_TAG_BYTES = 16;

/** The class of a route. The byte on the wire is the value of the protobuf enum. */
export const MeshQos = { gossip: 1, lowLatency: 2, control: 3 } as const;
export type MeshQosClass = (typeof MeshQos)[keyof typeof MeshQos];

export interface MeshRoutePlan {
  /** The topic of the overlay; not empty, to be viable. */
  readonly topic: string;
  readonly hops: readonly MeshPeerId[];
  readonly qos: MeshQosClass;
  readonly epoch: Readonly<U64>;
}

/** What a frame carries. On the wire: 0 and those of docs/mesh.md from 1 on, of mesh/2. */
export const FrameKind = {
  /** A sealed message or control message. */
  sealed: 0,
  handshakeInit: 1,
  handshakeResponse: 2,
  handshakeConfirm: 3,
  hydrateInit: 4,
  hydrateResponse: 5,
  hydrateConfirm: 6,
} as const;

/**
 * A frame on its way, to be filled again and again: the arrays are made once. In a received frame they may be views
 * of the packet. Fields that a version does not use are 0 or of length 0.
 *
 * As protobuf it is pqcnet.qstp.QstpFrame: 1 tunnel_id, 2 sequence, 3 nonce, 4 ciphertext, 5 route_hash,
 * 6 route_epoch, 7 topic; ours: 8 version (absent: 1), 9 key_epoch, 10 kind, 11 decision (uint32 each).
 */
export interface QstpFrame {
  /** 1 or 2: the profile, mesh/1 or mesh/2. */
  version: number;
  /** {@link FrameKind}; 0 in mesh/1. */
  kind: number;
  /** {@link TUNNEL_ID_BYTES}; of a handshake, 16 bytes that name it. */
  tunnelId: Uint8Array;
  topic: string;
  readonly sequence: U64;
  /** 12 bytes in mesh/1; 0 bytes in mesh/2, where both ends know it. */
  nonce: Uint8Array;
  /** {@link ROUTE_HASH_BYTES}. */
  routeHash: Uint8Array;
  readonly routeEpoch: U64;
  /** u32; 0 in mesh/1. */
  keyEpoch: number;
  /** u32: the number of the decision that chose the route; 0 in mesh/1. */
  decision: number;
  /** The ciphertext and its tag, or the message of a handshake, are `ciphertextBytes` bytes from `ciphertextAt` on. */
  ciphertext: Uint8Array;
  ciphertextAt: number;
  ciphertextBytes: number;
}

/** A frame of zeros with room for a ciphertext of `room` bytes, tag included. */
export function createFrame(room: number): QstpFrame {
  return {
    version: 2,
    kind: FrameKind.sealed,
    tunnelId: new Uint8Array(TUNNEL_ID_BYTES),
    topic: '',
    sequence: { low: 0, high: 0 },
    nonce: new Uint8Array(0),
    routeHash: new Uint8Array(ROUTE_HASH_BYTES),
    routeEpoch: { low: 0, high: 0 },
    keyEpoch: 0,
    decision: 0,
    ciphertext: new Uint8Array(room),
    ciphertextAt: 0,
    ciphertextBytes: 0,
  };
}

/** The overlay: publish and subscribe by topic. */
export interface MeshTransport {
  /**
   * Sends a frame to the subscribers of `frame.topic`; it is the caller's again when this returns. False if the
   * queue is full or there is no connection to queue for: the frame was not taken. `done`, if given, is called once
   * for a frame that was taken: true when the overlay has it, false if it is lost. Throws for misuse only.
   */
  publish(frame: QstpFrame, done?: (delivered: boolean) => void): boolean;
  /** The next frame of a topic that is subscribed to without a receiver, which is lent until the next call; or null. */
  tryReceive(topic: string): QstpFrame | null;
  /**
   * From now on frames of the topic go to `receive`, each lent for the call, or without it are queued for
   * {@link tryReceive}: at most as many as the transport was given room for; what is more is dropped and counted.
   * Returns what ends the subscription.
   */
  subscribe(topic: string, receive?: (frame: QstpFrame) => void): () => void;
}
