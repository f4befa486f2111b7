// Routes of mesh/1: their hash, and what a controller sees of them.

import { equal } from '../../bytes.ts';
import type { QaceRoute } from '../../qace/simple.ts';
import { MeshQos } from '../types.ts';
import type { MeshPeerId, MeshQosClass, MeshRoutePlan } from '../types.ts';
import { u64Equal } from '../u64.ts';
import { blake2s, le64, utf8 } from './parts.ts';

const QOS_BIAS: Readonly<Record<MeshQosClass, number>> = {
  [MeshQos.gossip]: 1,
  [MeshQos.lowLatency]: 5,
  [MeshQos.control]: 3,
};

/** A peer id of a label: for demonstrations. */
export function derivePeerId(label: string): MeshPeerId {
  return blake2s([utf8(label)]);
}

/** H(topic || class || epoch || hops), 32 bytes. No lengths: two routes can have one hash. */
export function legacyRouteHash(route: MeshRoutePlan): Uint8Array {
  return blake2s([utf8(route.topic), new Uint8Array([route.qos]), le64(route.epoch), ...route.hops]);
}

export function sameRoute(a: MeshRoutePlan, b: MeshRoutePlan): boolean {
  if (a.topic !== b.topic || a.qos !== b.qos || !u64Equal(a.epoch, b.epoch)) return false;
  if (a.hops.length !== b.hops.length) return false;
  for (let i = 0; i < a.hops.length; i++) if (!equal(a.hops[i]!, b.hops[i]!)) return false;
  return true;
}

/** The epoch counts as freshness, as a signed number: a time of day outweighs everything else. */
export function legacyQaceRoute(route: MeshRoutePlan): QaceRoute {
  return {
    hopCount: route.hops.length,
    qosBias: QOS_BIAS[route.qos],
    freshness: (route.epoch.high | 0) * 4294967296 + route.epoch.low,
    viable: route.topic !== '',
  };
}
