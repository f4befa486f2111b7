// qstp.proto: the messages of the mesh as protocol buffers (docs/mesh-transport.md).

export { decodeProto, decodeProtoInto } from './reading.ts';
export { encodeProto, encodeProtoInto, protoBytes } from './writing.ts';
export type { ProtoType } from './type.ts';
export type { ProtoProblem } from './wire.ts';
export { isQos, RouteProto } from './route.ts';
export type { RouteMessage } from './route.ts';
export { decodeFrameInto, FrameAckProto, FrameProto, PublishFrameRequestProto } from './frame.ts';
export type { FrameAck, PublishFrameRequest } from './frame.ts';
export {
  HandshakeEnvelopeProto,
  HandshakeInitProto,
  HandshakeResponseProto,
  TupleMetadataProto,
} from './handshake.ts';
export type {
  HandshakeEnvelope,
  HandshakeInitMessage,
  HandshakeResponseMessage,
  TupleMetadataMessage,
} from './handshake.ts';
export { QaceActionNumber, QaceDecisionProto, QaceReportProto, QaceSignalProto } from './qace.ts';
export type { QaceDecisionMessage, QaceReport } from './qace.ts';
export { OpenTunnelRequestProto, OpenTunnelResponseProto, SessionKeyMaterialProto } from './tunnel.ts';
export type { OpenTunnelRequest, OpenTunnelResponse, SessionKeyMaterial } from './tunnel.ts';
