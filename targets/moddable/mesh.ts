// qstp-edge for Moddable, mesh tunnels alone: mesh/2 over an MQTT broker, with SimpleQace to choose among routes.

export { PROFILE } from '../../src/profile.ts';
export { QstpError } from '../../src/error.ts';
export { microS3 as suite } from '../../src/crypto/micro.ts';
export { createQaceMetrics, createSimpleQace } from '../../src/qace/simple.ts';
export type { QaceDecision, QaceMetrics, SimpleQace } from '../../src/qace/simple.ts';
export { createMesh, MESH_SLOT_BYTES } from '../../src/mesh/node.ts';
export type { Mesh, MeshClock, MeshOptions } from '../../src/mesh/node.ts';
export { isReject, Refusal, refusal } from '../../src/mesh/reject.ts';
export type { MeshReject } from '../../src/mesh/reject.ts';
export { pinnedIdentity, pinnedTrust } from '../../src/mesh/identity.ts';
export type { MeshIdentity, MeshTrust } from '../../src/mesh/identity.ts';
export { abandonHandshake, deriveSessionKeys, initHandshake } from '../../src/mesh/handshake.ts';
export type { InitiatorOptions, InitiatorState, MeshKeys } from '../../src/mesh/handshake.ts';
export {
  confirmHydration,
  createHydrator,
  deriveHydratedKeys,
  hydrateRemoteTunnel,
  respondHydration,
} from '../../src/mesh/hydrate.ts';
export type { HydrateOptions, HydratorOptions, MeshHydrator } from '../../src/mesh/hydrate.ts';
export { establishTunnel, findTunnel, PAYLOAD_AT, QstpTunnel } from '../../src/mesh/tunnel.ts';
export { FRAME_OVERHEAD, sealInto } from '../../src/mesh/seal.ts';
export { openInto } from '../../src/mesh/open.ts';
export { POLL_BYTES, pollInto } from '../../src/mesh/poll.ts';
export { Inner } from '../../src/mesh/params.ts';
export { createFrame, MeshQos } from '../../src/mesh/types.ts';
export type { MeshRoutePlan, MeshTransport, QstpFrame } from '../../src/mesh/types.ts';
export { u64 } from '../../src/mesh/u64.ts';
export { ecmaMqttOverlay } from './mqtt.ts';
export type { EcmaMqttOptions } from './mqtt.ts';
export { preferenceTuples } from './tuple.ts';
