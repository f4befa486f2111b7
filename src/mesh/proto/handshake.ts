// HandshakeInit, HandshakeResponse, TupleMetadata and HandshakeEnvelope of qstp.proto.

import type { U64 } from '../u64.ts';
import { takeBytes, takeEnum, takeLong, takeMessage, takeUint } from './reading.ts';
import { putBytes, putLong, putMessage, putUint } from './writing.ts';
import type { ProtoType } from './type.ts';

export interface HandshakeInitMessage {
  routeHash: Uint8Array;
  ciphertext: Uint8Array;
  initiatorNonce: Uint8Array;
  clientSignature: Uint8Array;
  clientSigningKey: Uint8Array;
  clientSigningKeyId: Uint8Array;
  serverSigningKeyId: Uint8Array;
  applicationData: Uint8Array;
}

export const HandshakeInitProto: ProtoType<HandshakeInitMessage> = {
  put(sink, init) {
    putBytes(sink, 1, init.routeHash);
    putBytes(sink, 2, init.ciphertext);
    putBytes(sink, 3, init.initiatorNonce);
    putBytes(sink, 4, init.clientSignature);
    putBytes(sink, 5, init.clientSigningKey);
    putBytes(sink, 6, init.clientSigningKeyId);
    putBytes(sink, 7, init.serverSigningKeyId);
    putBytes(sink, 8, init.applicationData);
  },
  take(source, field, init) {
    if (field === 1) init.routeHash = takeBytes(source);
    else if (field === 2) init.ciphertext = takeBytes(source);
    else if (field === 3) init.initiatorNonce = takeBytes(source);
    else if (field === 4) init.clientSignature = takeBytes(source);
    else if (field === 5) init.clientSigningKey = takeBytes(source);
    else if (field === 6) init.clientSigningKeyId = takeBytes(source);
    else if (field === 7) init.serverSigningKeyId = takeBytes(source);
    else if (field === 8) init.applicationData = takeBytes(source);
    else return false;
    return true;
  },
  make() {
    const none = new Uint8Array(0);
    return {
      routeHash: none,
      ciphertext: none,
      initiatorNonce: none,
      clientSignature: none,
      clientSigningKey: none,
      clientSigningKeyId: none,
      serverSigningKeyId: none,
      applicationData: none,
    };
  },
};

export interface HandshakeResponseMessage {
  routeHash: Uint8Array;
  sessionId: Uint8Array;
  responderNonce: Uint8Array;
  responderSignature: Uint8Array;
  serverSigningKey: Uint8Array;
  serverSigningKeyId: Uint8Array;
  serverKemKey: Uint8Array;
  serverKemKeyId: Uint8Array;
}

export const HandshakeResponseProto: ProtoType<HandshakeResponseMessage> = {
  put(sink, response) {
    putBytes(sink, 1, response.routeHash);
    putBytes(sink, 2, response.sessionId);
    putBytes(sink, 3, response.responderNonce);
    putBytes(sink, 4, response.responderSignature);
    putBytes(sink, 5, response.serverSigningKey);
    putBytes(sink, 6, response.serverSigningKeyId);
    putBytes(sink, 7, response.serverKemKey);
    putBytes(sink, 8, response.serverKemKeyId);
  },
  take(source, field, response) {
    if (field === 1) response.routeHash = takeBytes(source);
    else if (field === 2) response.sessionId = takeBytes(source);
    else if (field === 3) response.responderNonce = takeBytes(source);
    else if (field === 4) response.responderSignature = takeBytes(source);
    else if (field === 5) response.serverSigningKey = takeBytes(source);
    else if (field === 6) response.serverSigningKeyId = takeBytes(source);
    else if (field === 7) response.serverKemKey = takeBytes(source);
    else if (field === 8) response.serverKemKeyId = takeBytes(source);
    else return false;
    return true;
  },
  make() {
    const none = new Uint8Array(0);
    return {
      routeHash: none,
      sessionId: none,
      responderNonce: none,
      responderSignature: none,
      serverSigningKey: none,
      serverSigningKeyId: none,
      serverKemKey: none,
      serverKemKeyId: none,
    };
  },
};

/** Metadata of a tunnel in clear, and where its encrypted record is. */
export interface TupleMetadataMessage {
  tunnelId: Uint8Array;
  kemKeyId: Uint8Array;
  signingKeyId: Uint8Array;
  thresholdT: number;
  thresholdN: number;
  routeHash: Uint8Array;
  /** A number of MeshQos, 0 or one that nobody knows. */
  qos: number;
  routeEpoch: U64;
  /** Milliseconds since 1970. */
  establishedAt: U64;
  tuplePointer: Uint8Array;
  /** Ours: of the record, 0 in mesh/1. */
  tupleVersion: number;
}

export const TupleMetadataProto: ProtoType<TupleMetadataMessage> = {
  put(sink, metadata) {
    putBytes(sink, 1, metadata.tunnelId);
    putBytes(sink, 2, metadata.kemKeyId);
    putBytes(sink, 3, metadata.signingKeyId);
    putUint(sink, 4, metadata.thresholdT);
    putUint(sink, 5, metadata.thresholdN);
    putBytes(sink, 6, metadata.routeHash);
    putUint(sink, 7, metadata.qos);
    putLong(sink, 8, metadata.routeEpoch);
    putLong(sink, 9, metadata.establishedAt);
    putBytes(sink, 10, metadata.tuplePointer);
    putUint(sink, 11, metadata.tupleVersion);
  },
  take(source, field, metadata) {
    if (field === 1) metadata.tunnelId = takeBytes(source);
    else if (field === 2) metadata.kemKeyId = takeBytes(source);
    else if (field === 3) metadata.signingKeyId = takeBytes(source);
    else if (field === 4) metadata.thresholdT = takeUint(source);
    else if (field === 5) metadata.thresholdN = takeUint(source);
    else if (field === 6) metadata.routeHash = takeBytes(source);
    else if (field === 7) metadata.qos = takeEnum(source);
    else if (field === 8) takeLong(source, metadata.routeEpoch);
    else if (field === 9) takeLong(source, metadata.establishedAt);
    else if (field === 10) metadata.tuplePointer = takeBytes(source);
    else if (field === 11) metadata.tupleVersion = takeUint(source);
    else return false;
    return true;
  },
  make() {
    const none = new Uint8Array(0);
    return {
      tunnelId: none,
      kemKeyId: none,
      signingKeyId: none,
      thresholdT: 0,
      thresholdN: 0,
      routeHash: none,
      qos: 0,
      routeEpoch: { low: 0, high: 0 },
      establishedAt: { low: 0, high: 0 },
      tuplePointer: none,
      tupleVersion: 0,
    };
  },
};

export interface HandshakeEnvelope {
  init: HandshakeInitMessage | null;
  response: HandshakeResponseMessage | null;
  metadata: TupleMetadataMessage | null;
}

export const HandshakeEnvelopeProto: ProtoType<HandshakeEnvelope> = {
  put(sink, envelope) {
    putMessage(sink, 1, envelope.init, HandshakeInitProto.put);
    putMessage(sink, 2, envelope.response, HandshakeResponseProto.put);
    putMessage(sink, 3, envelope.metadata, TupleMetadataProto.put);
  },
  take(source, field, envelope) {
    if (field === 1) envelope.init = takeMessage(source, envelope.init, HandshakeInitProto);
    else if (field === 2) envelope.response = takeMessage(source, envelope.response, HandshakeResponseProto);
    else if (field === 3) envelope.metadata = takeMessage(source, envelope.metadata, TupleMetadataProto);
    else return false;
    return true;
  },
  make: () => ({ init: null, response: null, metadata: null }),
};
