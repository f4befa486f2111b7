// QstpFrame, PublishFrameRequest and FrameAck of qstp.proto. What carries data is read into a frame that is there.

import { wipe } from '../../bytes.ts';
import { createFrame, FRAME_NONCE_BYTES } from '../types.ts';
import type { QstpFrame } from '../types.ts';
import type { U64 } from '../u64.ts';
import {
  decodeProtoInto,
  takeBytes,
  takeInto,
  takeLength,
  takeLong,
  takeMessage,
  takeString,
  takeUint,
} from './reading.ts';
import { putBytes, putLong, putMessage, putSpan, putString, putUint } from './writing.ts';
import type { ProtoProblem } from './wire.ts';
import type { ProtoType } from './type.ts';

/** The version of a frame that does not say: mesh/1 has no such field. */
const VERSION_ABSENT = 1;

/** A frame in which no field is set. An id that does not come is all zeros, which names no tunnel and no route. */
function emptyFrame(frame: QstpFrame): void {
  frame.version = VERSION_ABSENT;
  frame.kind = frame.keyEpoch = frame.decision = 0;
  wipe(frame.tunnelId);
  wipe(frame.routeHash);
  if (frame.nonce.length > 0) frame.nonce = new Uint8Array(0);
  frame.topic = '';
  frame.sequence.low = frame.sequence.high = 0;
  frame.routeEpoch.low = frame.routeEpoch.high = 0;
  frame.ciphertextAt = frame.ciphertextBytes = 0;
}

export const FrameProto: ProtoType<QstpFrame> = {
  put(sink, frame) {
    putBytes(sink, 1, frame.tunnelId);
    putLong(sink, 2, frame.sequence);
    putBytes(sink, 3, frame.nonce);
    putSpan(sink, 4, frame.ciphertext, frame.ciphertextAt, frame.ciphertextBytes);
    putBytes(sink, 5, frame.routeHash);
    putLong(sink, 6, frame.routeEpoch);
    putString(sink, 7, frame.topic);
    if (frame.version !== VERSION_ABSENT) putUint(sink, 8, frame.version);
    putUint(sink, 9, frame.keyEpoch);
    putUint(sink, 10, frame.kind);
    putUint(sink, 11, frame.decision);
  },
  take(source, field, frame) {
    if (field === 1) takeInto(source, frame.tunnelId);
    else if (field === 2) takeLong(source, frame.sequence);
    else if (field === 3) {
      if (frame.nonce.length !== FRAME_NONCE_BYTES) frame.nonce = new Uint8Array(FRAME_NONCE_BYTES);
      takeInto(source, frame.nonce);
    } else if (field === 4) {
      frame.ciphertextBytes = takeLength(source);
      frame.ciphertext = source.bytes;
      frame.ciphertextAt = source.at;
      source.at += frame.ciphertextBytes;
    } else if (field === 5) takeInto(source, frame.routeHash);
    else if (field === 6) takeLong(source, frame.routeEpoch);
    else if (field === 7) frame.topic = takeString(source);
    else if (field === 8) frame.version = takeUint(source);
    else if (field === 9) frame.keyEpoch = takeUint(source);
    else if (field === 10) frame.kind = takeUint(source);
    else if (field === 11) frame.decision = takeUint(source);
    else return false;
    return true;
  },
  make() {
    const frame = createFrame(0);
    emptyFrame(frame);
    return frame;
  },
};

/**
 * Reads the frame in `bytes[at .. at + length)` into one that is there, from createFrame. Its ciphertext is a range of
 * `bytes`, all else is copied; if it has the topic it had, nothing is allocated but what reads it. Returns what is
 * wrong; then the frame is not to be used.
 */
export function decodeFrameInto(
  frame: QstpFrame,
  bytes: Uint8Array,
  at: number,
  length: number,
): ProtoProblem | null {
  const { topic } = frame;
  emptyFrame(frame);
  return decodeProtoInto(FrameProto.take, frame, bytes, at, at + length, topic);
}

export interface PublishFrameRequest {
  frame: QstpFrame | null;
}

export const PublishFrameRequestProto: ProtoType<PublishFrameRequest> = {
  put: (sink, request) => putMessage(sink, 1, request.frame, FrameProto.put),
  take(source, field, request) {
    if (field !== 1) return false;
    request.frame = takeMessage(source, request.frame, FrameProto);
    return true;
  },
  make: () => ({ frame: null }),
};

export interface FrameAck {
  /** 16 bytes. */
  tunnelId: Uint8Array;
  sequence: U64;
}

export const FrameAckProto: ProtoType<FrameAck> = {
  put(sink, ack) {
    putBytes(sink, 1, ack.tunnelId);
    putLong(sink, 2, ack.sequence);
  },
  take(source, field, ack) {
    if (field === 1) ack.tunnelId = takeBytes(source);
    else if (field === 2) takeLong(source, ack.sequence);
    else return false;
    return true;
  },
  make: () => ({ tunnelId: new Uint8Array(0), sequence: { low: 0, high: 0 } }),
};
