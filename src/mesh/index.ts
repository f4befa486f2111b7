// qstp-edge/mesh: route-bound tunnels over a publish/subscribe overlay (docs/mesh.md). What is exported here is mesh/2,
// and mesh/1 behind {@link mesh1}.

export * from './types.ts';
export * from './u64.ts';
export * from './params.ts';
export { isReject, Refusal, refusal, refusalReasons } from './reject.ts';
export type { MeshReject } from './reject.ts';
export { registerRoute, routeHash } from './routes.ts';
export type { RouteState } from './routes.ts';
export { createMesh, MESH_SLOT_BYTES } from './node.ts';
export type { Mesh, MeshClock, MeshOptions, MeshSlot } from './node.ts';
export * from './identity.ts';
export { abandonHandshake, deriveSessionKeys, initHandshake } from './handshake.ts';
export type { HandshakeParty, InitiatorOptions, InitiatorState, MeshKeys } from './handshake.ts';
export { confirmHandshake, createResponder, respondHandshake } from './respond.ts';
export type { MeshResponder, ResponderOptions } from './respond.ts';
export * from './hydrate.ts';
export { FRAME_OVERHEAD, sealInto } from './seal.ts';
export { openInto } from './open.ts';
export { POLL_BYTES, pollInto } from './poll.ts';
export * from './tunnel.ts';
export type { TupleMetadata } from './tuple.ts';
export * from './v1/index.ts';
