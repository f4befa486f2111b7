// The tunnel of mesh/1, exactly as the original's, with what is wrong about it (docs/mesh.md): hydrating it again uses
// nonces again, a rekey leaves the keys as they are, and nothing tells the peer of it.

import { concat, copy, copyOf, equal } from '../../bytes.ts';
import { QstpError } from '../../error.ts';
import type { QaceDecision, QaceEngine, QaceMetrics, QaceRoute } from '../../qace/simple.ts';
import { FRAME_NONCE_BYTES } from '../types.ts';
import type { MeshPeerId, MeshQosClass, MeshRoutePlan, QstpFrame, TunnelId, TuplePointer } from '../types.ts';
import type { TupleChainStore } from '../types.ts';
import { copyU64, putU64, u64Equal, u64Less } from '../u64.ts';
import type { U64 } from '../u64.ts';
import { blake2s, failure, kdf, le64, VERIFY_FAILED } from './parts.ts';
import type { PqcFailure } from './parts.ts';
import { encodePqc1 } from './pqc1.ts';
import type { LegacyRuntime } from './runtime.ts';
import { legacyQaceRoute, legacyRouteHash, sameRoute } from './route.ts';
import { gcmOpen, gcmSeal, openLegacyTuple, sealLegacyTuple } from './tuple.ts';
import type { LegacyTupleMetadata, Threshold } from './tuple.ts';

export type TunnelRole = 'initiator' | 'responder';

export interface LegacyPeerMetadata {
  readonly tunnelId: TunnelId;
  readonly kemKeyId: Uint8Array;
  readonly signingKeyId: Uint8Array;
  readonly threshold: Threshold;
  readonly tuplePointer: TuplePointer;
  readonly establishedAt: Readonly<U64>;
}

export interface LegacyTunnelMetadata extends LegacyPeerMetadata {
  readonly peer: MeshPeerId;
  readonly qos: MeshQosClass;
}

export interface LegacyTunnel {
  metadata(): LegacyTunnelMetadata;
  route(): MeshRoutePlan;
  seal(plaintext: Uint8Array, aad: Uint8Array): QstpFrame;
  open(frame: QstpFrame, aad: Uint8Array): Uint8Array | PqcFailure;
  registerAlternateRoutes(routes: readonly MeshRoutePlan[]): void;
  /** Throws what the engine throws. */
  applyQace(metrics: QaceMetrics, engine: QaceEngine): QaceDecision;
  alternates(): readonly MeshRoutePlan[];
  fetchTupleMetadata(store: TupleChainStore, done: (found: LegacyTupleMetadata | PqcFailure) => void): void;
}

export interface LegacyEstablished {
  readonly tunnel: LegacyTunnel;
  /** The PQC1 record: it holds the session secret. */
  readonly handshakeEnvelope: Uint8Array;
  readonly peerMetadata: LegacyPeerMetadata;
  readonly sessionSecret: Uint8Array;
}

interface Direction {
  readonly key: Uint8Array;
  base: Uint8Array;
}

const FORTH = 'init->resp';
const BACK = 'resp->init';

function contextOf(tunnelId: Uint8Array, routeHash: Uint8Array, epoch: Readonly<U64>): Uint8Array {
  return concat([tunnelId, routeHash, le64(epoch)]);
}

function direction(secret: Uint8Array, label: string, context: Uint8Array): Direction {
  const material = kdf(secret, 'role:' + label, context, 44);
  return { key: material.subarray(0, 32), base: material.subarray(32, 44) };
}

function nonceOf(base: Uint8Array, sequence: Readonly<U64>): Uint8Array {
  const nonce = new Uint8Array(FRAME_NONCE_BYTES);
  copy(nonce, 0, base, 0, 4);
  putU64(nonce, 4, sequence);
  return nonce;
}

/** The next number; after the last comes 0. */
function advance(to: U64, from: Readonly<U64>): void {
  const low = (from.low + 1) % 4294967296;
  to.high = low === 0 ? (from.high + 1) % 4294967296 : from.high;
  to.low = low;
}

/** The same material for both ends; nothing is verified. */
export function legacyHydrateTunnel(
  sharedSecret: Uint8Array,
  peer: MeshPeerId,
  plan: MeshRoutePlan,
  given: LegacyPeerMetadata,
  role: TunnelRole,
): LegacyTunnel {
  const metadata: LegacyTunnelMetadata = { ...given, peer, qos: plan.qos };
  const { tunnelId } = metadata;
  let route = plan;
  let routeHash = legacyRouteHash(route);
  let alternates: readonly MeshRoutePlan[] = [];
  const context = contextOf(tunnelId, routeHash, route.epoch);
  const tupleKey = kdf(sharedSecret, 'QSTP:TUPLE', context, 32);
  const [sends, receives] = role === 'initiator' ? [FORTH, BACK] : [BACK, FORTH];
  const tx = direction(sharedSecret, sends, context);
  const rx = direction(sharedSecret, receives, context);
  const sequence: U64 = { low: 0, high: 0 };
  const watermark: U64 = { low: 0, high: 0 };

  const rotate = (): void => {
    const now = contextOf(tunnelId, routeHash, route.epoch);
    tx.base = kdf(tupleKey, 'route:' + sends, now, FRAME_NONCE_BYTES);
    rx.base = kdf(tupleKey, 'route:' + receives, now, FRAME_NONCE_BYTES);
  };
  const install = (next: MeshRoutePlan): void => {
    route = next;
    routeHash = legacyRouteHash(next);
    rotate();
  };
  const aadOf = (number: Readonly<U64>, aad: Uint8Array): Uint8Array =>
    concat([tunnelId, routeHash, le64(number), aad]);

  return {
    metadata: () => metadata,
    route: () => route,
    alternates: () => alternates,
    seal(plaintext, aad) {
      const nonce = nonceOf(tx.base, sequence);
      const ciphertext = gcmSeal(tx.key, nonce, aadOf(sequence, aad), plaintext);
      const frame: QstpFrame = {
        version: 1,
        kind: 0,
        tunnelId: copyOf(tunnelId),
        topic: route.topic,
        sequence: { low: sequence.low, high: sequence.high },
        nonce,
        routeHash: copyOf(routeHash),
        routeEpoch: { low: route.epoch.low, high: route.epoch.high },
        keyEpoch: 0,
        decision: 0,
        ciphertext,
        ciphertextAt: 0,
        ciphertextBytes: ciphertext.length,
      };
      advance(sequence, sequence);
      return frame;
    },
    open(frame, aad) {
      if (!equal(frame.tunnelId, tunnelId)) return failure('InvalidInput', 'tunnel id mismatch');
      if (!equal(frame.routeHash, routeHash)) return failure('InvalidInput', 'route hash mismatch');
      if (!u64Equal(frame.routeEpoch, route.epoch)) return failure('InvalidInput', 'route epoch mismatch');
      if (u64Less(frame.sequence, watermark)) return failure('LimitExceeded', 'frame replayed');
      const nonce = nonceOf(rx.base, frame.sequence);
      if (!equal(nonce, frame.nonce)) return failure('InvalidInput', 'nonce mismatch');
      const { ciphertext, ciphertextAt, ciphertextBytes } = frame;
      const sealed = copyOf(ciphertext, ciphertextAt, ciphertextAt + ciphertextBytes);
      const plain = gcmOpen(rx.key, nonce, aadOf(frame.sequence, aad), sealed);
      if (plain === null) return VERIFY_FAILED;
      advance(watermark, frame.sequence);
      return plain;
    },
    registerAlternateRoutes(routes) {
      alternates = routes;
    },
    applyQace(metrics, engine) {
      const routes = [route].concat(alternates);
      const seen: QaceRoute[] = routes.map(legacyQaceRoute);
      const telemetryEpoch = seen[0]!.freshness;
      const out: QaceDecision = {
        action: 'maintain',
        score: 0,
        rationale: '',
        order: new Uint8Array(routes.length),
        count: 0,
        generations: 1,
        staleGenerations: 0,
        confidence: 1,
      };
      const decision = engine.evaluate({ telemetryEpoch, metrics, routes: seen }, out);
      const ordered: MeshRoutePlan[] = [];
      for (let i = 0; i < decision.count; i++) ordered.push(routes[decision.order[i]!]!);
      const primary = ordered[0]!;
      const changed = !sameRoute(primary, route);
      // Whatever the action says.
      if (changed) install(primary);
      alternates = ordered.slice(1);
      if (decision.action === 'rekey') rotate();
      else if (decision.action === 'reroute' && !changed) install(primary);
      return decision;
    },
    fetchTupleMetadata(store, done) {
      store.fetch(metadata.tuplePointer, (_outcome, record) => {
        done(
          record === null
            ? failure('IntegrationError', 'tuple metadata missing from store')
            : openLegacyTuple(tupleKey, record),
        );
      });
    },
  };
}

/** The tuple key of a tunnel at its start. */
function tupleKeyOf(
  secret: Uint8Array,
  tunnelId: Uint8Array,
  routeHash: Uint8Array,
  epoch: Readonly<U64>,
): Uint8Array {
  return kdf(secret, 'QSTP:TUPLE', contextOf(tunnelId, routeHash, epoch), 32);
}

/**
 * A tunnel over a secret that the runtime made with itself: the peer is to get it by other means. Calls back when
 * the metadata are stored. Throws `invalid_input` for an empty request or topic.
 */
export function legacyEstablishTunnel(
  runtime: LegacyRuntime,
  request: Uint8Array,
  peer: MeshPeerId,
  route: MeshRoutePlan,
  store: TupleChainStore,
  done: (made: LegacyEstablished | PqcFailure) => void,
): void {
  if (request.length === 0) throw new QstpError('invalid_input', 'qstp request missing');
  if (route.topic === '') throw new QstpError('invalid_input', 'mesh topic missing');
  const { record, now } = runtime.handshake(request);
  const { low, high } = route.epoch;
  const plan: MeshRoutePlan = low === 0 && high === 0 ? { ...route, epoch: now } : route;
  const routeHash = legacyRouteHash(plan);
  const tunnelId = copyOf(blake2s([record.ciphertext, record.signature, routeHash]), 0, 16);
  const { sharedSecret, kemKeyId, signingKeyId } = record;
  const establishedAt: U64 = { low: 0, high: 0 };
  copyU64(establishedAt, now);
  const shared = {
    tunnelId,
    kemKeyId,
    signingKeyId,
    threshold: { t: record.thresholdT, n: record.thresholdN },
    establishedAt,
  };
  const tupleKey = tupleKeyOf(sharedSecret, tunnelId, routeHash, plan.epoch);
  const tuple = sealLegacyTuple(tupleKey, { ...shared, routeHash, qos: plan.qos, routeEpoch: plan.epoch });
  store.put(tuple, null, (outcome, tuplePointer) => {
    if (outcome === 'failed') {
      done(failure('IntegrationError', 'tuple metadata not stored'));
      return;
    }
    const peerMetadata = { ...shared, tuplePointer };
    done({
      tunnel: legacyHydrateTunnel(sharedSecret, peer, plan, peerMetadata, 'initiator'),
      handshakeEnvelope: encodePqc1(record),
      peerMetadata,
      sessionSecret: sharedSecret,
    });
  });
}
