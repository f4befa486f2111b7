// SessionKeyMaterial, OpenTunnelRequest and OpenTunnelResponse of qstp.proto: how a program asks its own gateway for
// a tunnel. The answer has keys in it. Nothing of ours sends it, and mesh/2 refuses it from the network.

import { HandshakeEnvelopeProto } from './handshake.ts';
import type { HandshakeEnvelope } from './handshake.ts';
import { RouteProto } from './route.ts';
import type { RouteMessage } from './route.ts';
import { takeBytes, takeMessage } from './reading.ts';
import { putBytes, putMessage } from './writing.ts';
import type { ProtoType } from './type.ts';

/** Secret. */
export interface SessionKeyMaterial {
  sendKey: Uint8Array;
  sendNonce: Uint8Array;
  recvKey: Uint8Array;
  recvNonce: Uint8Array;
  tupleKey: Uint8Array;
  sessionId: Uint8Array;
}

export const SessionKeyMaterialProto: ProtoType<SessionKeyMaterial> = {
  put(sink, keys) {
    putBytes(sink, 1, keys.sendKey);
    putBytes(sink, 2, keys.sendNonce);
    putBytes(sink, 3, keys.recvKey);
    putBytes(sink, 4, keys.recvNonce);
    putBytes(sink, 5, keys.tupleKey);
    putBytes(sink, 6, keys.sessionId);
  },
  take(source, field, keys) {
    if (field === 1) keys.sendKey = takeBytes(source);
    else if (field === 2) keys.sendNonce = takeBytes(source);
    else if (field === 3) keys.recvKey = takeBytes(source);
    else if (field === 4) keys.recvNonce = takeBytes(source);
    else if (field === 5) keys.tupleKey = takeBytes(source);
    else if (field === 6) keys.sessionId = takeBytes(source);
    else return false;
    return true;
  },
  make() {
    const none = new Uint8Array(0);
    return {
      sendKey: none,
      sendNonce: none,
      recvKey: none,
      recvNonce: none,
      tupleKey: none,
      sessionId: none,
    };
  },
};

export interface OpenTunnelRequest {
  clientRequest: Uint8Array;
  preferredRoute: RouteMessage | null;
  peerId: Uint8Array;
}

export const OpenTunnelRequestProto: ProtoType<OpenTunnelRequest> = {
  put(sink, request) {
    putBytes(sink, 1, request.clientRequest);
    putMessage(sink, 2, request.preferredRoute, RouteProto.put);
    putBytes(sink, 3, request.peerId);
  },
  take(source, field, request) {
    if (field === 1) request.clientRequest = takeBytes(source);
    else if (field === 2) {
      request.preferredRoute = takeMessage(source, request.preferredRoute, RouteProto);
    } else if (field === 3) request.peerId = takeBytes(source);
    else return false;
    return true;
  },
  make: () => ({ clientRequest: new Uint8Array(0), preferredRoute: null, peerId: new Uint8Array(0) }),
};

export interface OpenTunnelResponse {
  envelope: HandshakeEnvelope | null;
  session: SessionKeyMaterial | null;
}

export const OpenTunnelResponseProto: ProtoType<OpenTunnelResponse> = {
  put(sink, response) {
    putMessage(sink, 1, response.envelope, HandshakeEnvelopeProto.put);
    putMessage(sink, 2, response.session, SessionKeyMaterialProto.put);
  },
  take(source, field, response) {
    if (field === 1) response.envelope = takeMessage(source, response.envelope, HandshakeEnvelopeProto);
    else if (field === 2) response.session = takeMessage(source, response.session, SessionKeyMaterialProto);
    else return false;
    return true;
  },
  make: () => ({ envelope: null, session: null }),
};
