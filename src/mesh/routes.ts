// Routes of mesh/2: their hash, and the table of those a node has registered, which its tunnels name by index.

import { equalAt, putU16 } from '../bytes.ts';
import { QstpError } from '../error.ts';
import { BLAKE2S_WORDS, blake2sAbsorb, blake2sFinish, blake2sInit } from '../crypto/micro/blake2s.ts';
import type { QaceMetrics, QaceRoute } from '../qace/simple.ts';
import { HOPS_MAX, TOPIC_BYTES_MAX } from './params.ts';
import { putUtf8, utf8Bytes } from './proto/utf8.ts';
import { MeshQos, PEER_ID_BYTES, ROUTE_HASH_BYTES } from './types.ts';
import type { MeshRoutePlan } from './types.ts';
import { putU64 } from './u64.ts';

const LABEL = 'mesh/2 route';
/** Freshness of a route that was announced just now: that of qace. */
const FRESHNESS = 10;

/** Bytes of a route as a handshake carries it. */
export function routeBytes(plan: MeshRoutePlan): number {
  return 2 + utf8Bytes(plan.topic) + 1 + 8 + 2 + PEER_ID_BYTES * plan.hops.length;
}

/** u16 length, topic | class | u64 epoch | u16 count, hops. Returns where it ends. */
export function putRoute(out: Uint8Array, at: number, plan: MeshRoutePlan): number {
  putU16(out, at, utf8Bytes(plan.topic));
  at = putUtf8(out, at + 2, plan.topic);
  out[at] = plan.qos;
  putU64(out, at + 1, plan.epoch);
  putU16(out, at + 9, plan.hops.length);
  at += 11;
  for (let i = 0; i < plan.hops.length; i++) {
    out.set(plan.hops[i]!, at);
    at += PEER_ID_BYTES;
  }
  return at;
}

/** Throws `invalid_input` for what no route can be. */
export function checkRoute(plan: MeshRoutePlan): void {
  const bytes = utf8Bytes(plan.topic);
  if (bytes === 0 || bytes > TOPIC_BYTES_MAX) {
    throw new QstpError(
      'invalid_input',
      `mesh route: a topic has 1 to ${TOPIC_BYTES_MAX} bytes, not ${bytes}`,
    );
  }
  if (plan.qos !== MeshQos.gossip && plan.qos !== MeshQos.lowLatency && plan.qos !== MeshQos.control) {
    throw new QstpError('invalid_input', 'mesh route: the class is 1, 2 or 3');
  }
  if (plan.hops.length > HOPS_MAX) {
    throw new QstpError('invalid_input', `mesh route: ${HOPS_MAX} hops are the most`);
  }
  for (let i = 0; i < plan.hops.length; i++) {
    if (plan.hops[i]!.length !== PEER_ID_BYTES)
      throw new QstpError('invalid_input', `mesh route: the id of a hop has ${PEER_ID_BYTES} bytes`);
  }
}

/** BLAKE2s-256 over the label and {@link putRoute}, 32 bytes: two routes have two hashes. */
export function routeHash(plan: MeshRoutePlan): Uint8Array {
  const encoded = new Uint8Array(LABEL.length + routeBytes(plan));
  for (let i = 0; i < LABEL.length; i++) encoded[i] = LABEL.charCodeAt(i);
  putRoute(encoded, LABEL.length, plan);
  const state = new Int32Array(BLAKE2S_WORDS);
  const out = new Uint8Array(ROUTE_HASH_BYTES);
  blake2sInit(state, 32, null);
  blake2sAbsorb(state, encoded, 0, encoded.length);
  blake2sFinish(state, out, 0);
  return out;
}

/** What is known of a route apart from its plan. */
export interface RouteState {
  readonly viable?: boolean;
  /** As qace's freshnessOfAge: not a time of day. */
  readonly freshness?: number;
  /** What was measured on it alone. */
  readonly metrics?: QaceMetrics | undefined;
}

/** A registered route, which is what a controller sees of it too. */
export interface RouteEntry extends QaceRoute {
  readonly plan: MeshRoutePlan;
  readonly hash: Uint8Array;
  /** In UTF-8: on XS, a character of a string costs an object. */
  readonly topic: Uint8Array;
  viable: boolean;
  freshness: number;
  metrics: QaceMetrics | undefined;
  /** Tunnels that name it. */
  users: number;
}

export interface RouteTable {
  readonly entries: (RouteEntry | null)[];
}

export function createRoutes(room: number): RouteTable {
  const entries: (RouteEntry | null)[] = [];
  for (let i = 0; i < room; i++) entries.push(null);
  return { entries };
}

function bias(plan: MeshRoutePlan): number {
  return plan.qos === MeshQos.lowLatency ? 5 : plan.qos === MeshQos.control ? 3 : 1;
}

/** The index of a route by its hash, or -1. */
export function findRoute(table: RouteTable, hash: Uint8Array, at: number): number {
  for (let i = 0; i < table.entries.length; i++) {
    const entry = table.entries[i]!;
    if (entry !== null && equalAt(entry.hash, 0, hash, at, ROUTE_HASH_BYTES)) return i;
  }
  return -1;
}

/** An entry that was never used, or else one that no tunnel uses; -1 if there is none. */
function freeEntry(table: RouteTable): number {
  let unused = -1;
  for (let i = table.entries.length - 1; i >= 0; i--) {
    const entry = table.entries[i]!;
    if (entry === null) return i;
    if (entry.users === 0) unused = i;
  }
  return unused;
}

/** The index of a route, which is registered if it was not; -1 if there is no room. Throws `invalid_input`. */
export function addRoute(table: RouteTable, plan: MeshRoutePlan): number {
  checkRoute(plan);
  const hash = routeHash(plan);
  const known = findRoute(table, hash, 0);
  if (known !== -1) return known;
  const free = freeEntry(table);
  if (free === -1) return -1;
  const topic = new Uint8Array(utf8Bytes(plan.topic));
  putUtf8(topic, 0, plan.topic);
  table.entries[free] = {
    plan,
    hash,
    topic,
    hopCount: plan.hops.length,
    qosBias: bias(plan),
    freshness: FRESHNESS,
    viable: true,
    metrics: undefined,
    users: 0,
  };
  return free;
}

/** {@link addRoute} that throws `routes_full` too. */
export function registerRoute(table: RouteTable, plan: MeshRoutePlan): number {
  const index = addRoute(table, plan);
  if (index !== -1) return index;
  throw new QstpError(
    'routes_full',
    `mesh: all ${table.entries.length} routes are in use: raise "routes" of the node`,
  );
}

/** Tells what is known of a registered route. */
export function setRouteState(entry: RouteEntry, state: RouteState): void {
  if (state.viable !== undefined) entry.viable = state.viable;
  if (state.freshness !== undefined) entry.freshness = state.freshness;
  if ('metrics' in state) entry.metrics = state.metrics;
}
