// MeshRoutePlan of qstp.proto.

import { MeshQos } from '../types.ts';
import type { MeshQosClass } from '../types.ts';
import type { U64 } from '../u64.ts';
import { takeEntry, takeEnum, takeLong, takeString } from './reading.ts';
import { putEntry, putLong, putString, putUint } from './writing.ts';
import type { ProtoType } from './type.ts';

/** A route with more hops is not read. */
export const HOPS_MAX = 32;

/** A MeshRoutePlan, or a route as it was read: then its class may be 0 or a number nobody knows, its hops of any length. */
export interface RouteMessage {
  topic: string;
  hops: readonly Uint8Array[];
  qos: number;
  epoch: U64;
}

/** True if a route can have the class. */
export function isQos(qos: number): qos is MeshQosClass {
  return qos >= MeshQos.gossip && qos <= MeshQos.control;
}

export const RouteProto: ProtoType<RouteMessage> = {
  put(sink, route) {
    putString(sink, 1, route.topic);
    for (let i = 0; i < route.hops.length; i++) putEntry(sink, 2, route.hops[i]!);
    putUint(sink, 3, route.qos);
    putLong(sink, 4, route.epoch);
  },
  take(source, field, route) {
    if (field === 1) route.topic = takeString(source);
    else if (field === 2) takeEntry(source, route.hops as Uint8Array[], HOPS_MAX);
    else if (field === 3) route.qos = takeEnum(source);
    else if (field === 4) takeLong(source, route.epoch);
    else return false;
    return true;
  },
  make: () => ({ topic: '', hops: [], qos: 0, epoch: { low: 0, high: 0 } }),
};
