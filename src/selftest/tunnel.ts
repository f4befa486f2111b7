// Known answers of kind `tunnel`: tunnels of mesh/1 with their keys, frames, rekey, reroute and metadata, and what
// they are made of.

import { concat } from '../bytes.ts';
import { isFailure } from '../mesh/v1/index.ts';
import type { LegacyEstablished, LegacyTunnel, Mesh1, PqcFailure } from '../mesh/v1/index.ts';
import type { MeshRoutePlan, QstpFrame, TupleChainStore, TupleRecord } from '../mesh/types.ts';
import { u64ToNumber } from '../mesh/u64.ts';
import type { QaceEngine, QaceMetrics } from '../qace/simple.ts';
import type { Report } from './api.ts';
import { check } from './api.ts';
import { createDemoKem, createDemoSigner } from './demo-adapters.ts';
import { difference, FormatError, has, hex, list, object, text } from './fields.ts';
import type { Entry } from './fields.ts';
import { algorithmsOf, compare, compareNumber, first, readRoute, SERVER_SEED } from './mesh.ts';
import type { MeshParts } from './mesh.ts';
import { checkRefusals } from './tunnel-refusals.ts';

const CALM: QaceMetrics = {
  latencyMs: 0,
  lossBps: 0,
  threatScore: 0,
  routeChanges: 0,
  jitterMs: 0,
  bandwidthMbps: 0,
  chaosLevel: 0,
};

/** A controller that decides this. */
export function fixedEngine(action: 'maintain' | 'rekey' | 'reroute', order: readonly number[]): QaceEngine {
  return {
    evaluate(_request, out) {
      out.action = action;
      out.count = order.length;
      for (let i = 0; i < order.length; i++) out.order[i] = order[i]!;
      return out;
    },
  };
}

/** Keeps one record. */
function keeper(pointerOf: (record: TupleRecord) => Uint8Array): TupleChainStore & { kept?: TupleRecord } {
  const store: TupleChainStore & { kept?: TupleRecord } = {
    put(record, pointer, done) {
      store.kept = record;
      done('stored', pointer ?? pointerOf(record));
    },
    fetch(_pointer, done) {
      done(store.kept === undefined ? 'missing' : 'found', store.kept ?? null);
    },
  };
  return store;
}

interface TunnelCase {
  readonly vector: Entry;
  readonly mesh: Mesh1;
  readonly route: MeshRoutePlan;
  readonly other: MeshRoutePlan;
  readonly made: LegacyEstablished;
  readonly kept: TupleRecord;
}

function establish(vector: Entry, parts: MeshParts): TunnelCase {
  const { mesh } = parts;
  const { kem, signer } = algorithmsOf(vector, parts, [SERVER_SEED]);
  const route = readRoute(mesh, object(vector, 'route'));
  const request = mesh.utf8(text(vector, 'request_utf8'));
  const store = keeper((record) => mesh.blake2s([record.nonce, record.ciphertext]).slice(0, 16));
  const out: { made?: LegacyEstablished | PqcFailure } = {};
  const runtime = mesh.createRuntime(kem, signer);
  mesh.establishRuntimeTunnel(runtime, request, mesh.derivePeerId('peer'), route, store, (result) => {
    out.made = result;
  });
  const { made } = out;
  if (made === undefined || isFailure(made)) throw new FormatError(vector.path + ': no tunnel was made');
  const other = readRoute(mesh, object(vector, 'alt_route'));
  return { vector, mesh, route, other, made, kept: store.kept! };
}

function hydrate(c: TunnelCase, role: 'initiator' | 'responder', secret: Uint8Array): LegacyTunnel {
  const { mesh, route, made } = c;
  const tunnel = mesh.hydrateRemoteTunnel(secret, mesh.derivePeerId('peer'), route, made.peerMetadata, role);
  tunnel.registerAlternateRoutes([c.other]);
  return tunnel;
}

function checkRecord(c: TunnelCase, report: Report): void {
  const { vector, mesh, made } = c;
  const record = mesh.decodePqc1(made.handshakeEnvelope);
  if (isFailure(record)) {
    report(vector.path + ' record', record.message);
    return;
  }
  const is = (name: string, got: Uint8Array): string | null => compare(mesh, vector, name, got);
  const threshold = vector.value['threshold'];
  check(report, vector.path + ' record', () =>
    first([
      is('pqc1_envelope', made.handshakeEnvelope),
      is('kem_ciphertext', record.ciphertext),
      is('shared_secret', record.sharedSecret),
      is('signature', record.signature),
      is('kem_public_key', record.kemPublicKey),
      is('dsa_public_key', record.dsaPublicKey),
      is('kem_key_id', record.kemKeyId),
      is('signing_key_id', record.signingKeyId),
      compareNumber(vector, 'kem_created_at', u64ToNumber(record.kemCreatedAt)),
      compareNumber(vector, 'kem_expires_at', u64ToNumber(record.kemExpiresAt)),
      compareNumber(vector, 'established_at', u64ToNumber(made.peerMetadata.establishedAt)),
      Array.isArray(threshold) && threshold.join() === record.thresholdT + ',' + record.thresholdN
        ? null
        : 'threshold differs',
    ]),
  );
}

function contextOf(c: TunnelCase, route: MeshRoutePlan): Uint8Array {
  return concat([c.made.peerMetadata.tunnelId, c.mesh.routeHash(route), c.mesh.le64(route.epoch)]);
}

function checkKeys(c: TunnelCase, report: Report): void {
  const { vector, mesh, made, kept } = c;
  const { sessionSecret } = made;
  const context = contextOf(c, c.route);
  const is = (entry: Entry, name: string, got: Uint8Array): string | null => compare(mesh, entry, name, got);
  const tupleKey = mesh.kdf(sessionSecret, 'QSTP:TUPLE', context, 32);
  const material = (name: string, label: string): string | null => {
    const got = mesh.kdf(sessionSecret, 'role:' + label, context, 44);
    const entry = object(vector, name);
    return first([is(entry, 'key', got.subarray(0, 32)), is(entry, 'nonce_base', got.subarray(32))]);
  };
  check(report, vector.path + ' keys', () =>
    first([
      is(vector, 'route_hash', mesh.routeHash(c.route)),
      is(vector, 'tunnel_id', made.peerMetadata.tunnelId),
      is(vector, 'context', context),
      material('init_to_resp', 'init->resp'),
      material('resp_to_init', 'resp->init'),
      is(vector, 'tuple_key', tupleKey),
    ]),
  );
  check(report, vector.path + ' tuple', () => {
    let found: string | null = 'nothing was fetched';
    made.tunnel.fetchTupleMetadata(
      keeperOf(kept),
      (plain) =>
        (found = isFailure(plain)
          ? plain.message
          : is(vector, 'tuple_plain', mesh.encodeTupleMetadata(plain))),
    );
    return first([
      is(vector, 'tuple_nonce', kept.nonce),
      is(vector, 'tuple_ciphertext', kept.ciphertext),
      is(vector, 'tuple_pointer', made.peerMetadata.tuplePointer),
      found,
    ]);
  });
  const bases = (name: string, route: MeshRoutePlan, moved: boolean): string | null => {
    const entry = object(vector, name);
    const now = contextOf(c, route);
    return first([
      moved ? is(entry, 'route_hash', mesh.routeHash(route)) : null,
      moved ? is(entry, 'context', now) : null,
      is(entry, 'init_to_resp_nonce_base', mesh.kdf(tupleKey, 'route:init->resp', now, 12)),
      is(entry, 'resp_to_init_nonce_base', mesh.kdf(tupleKey, 'route:resp->init', now, 12)),
    ]);
  };
  check(report, vector.path + ' rekey', () => bases('after_rekey_same_route', c.route, false));
  check(report, vector.path + ' reroute', () => bases('after_reroute', c.other, true));
}

function keeperOf(record: TupleRecord): TupleChainStore {
  const store = keeper((kept) => kept.nonce);
  store.kept = record;
  return store;
}

/** What both ends do before a frame, by how its direction is called. */
function prepare(phase: string, ends: readonly LegacyTunnel[]): void {
  for (const end of ends) {
    if (phase === 'rekey') end.applyQace(CALM, fixedEngine('rekey', [0, 1]));
    else if (phase === 'reroute') end.applyQace(CALM, fixedEngine('reroute', [1, 0]));
    else throw new FormatError('"after ' + phase + '" is not in this build');
  }
}

function checkFrames(c: TunnelCase, report: Report): QstpFrame[] {
  const { mesh, vector } = c;
  const initiator = hydrate(c, 'initiator', c.made.sessionSecret);
  const responder = hydrate(c, 'responder', c.made.sessionSecret);
  const frames: QstpFrame[] = [];
  for (const entry of list(vector, 'frames')) {
    const [direction, phase] = text(entry, 'dir').split(' after ');
    if (phase !== undefined) prepare(phase, [initiator, responder]);
    if (direction !== 'init->resp' && direction !== 'resp->init')
      throw new FormatError(entry.path + '.dir is no direction');
    const [from, to] = direction === 'init->resp' ? [initiator, responder] : [responder, initiator];
    const aad = mesh.utf8(text(entry, 'app_aad_utf8'));
    const plain = mesh.utf8(text(entry, 'plaintext_utf8'));
    const frame = from.seal(plain, aad);
    frames.push(frame);
    check(report, entry.path, () => {
      const sent = concat([frame.tunnelId, frame.routeHash, mesh.le64(frame.sequence), aad]);
      const opened = to.open(frame, aad);
      return first([
        compareNumber(entry, 'seq', u64ToNumber(frame.sequence)),
        frame.topic === text(entry, 'route') ? null : 'the topic is ' + frame.topic,
        difference(frame.nonce, hex(entry, 'nonce')),
        difference(sent, hex(entry, 'aad')),
        difference(frame.ciphertext, hex(entry, 'ciphertext')),
        isFailure(opened) ? opened.message : difference(opened, plain),
      ]);
    });
  }
  return frames;
}

// ---- What tunnels are made of ----------------------------------------------------------------------------------

function checkPrimitives(primitives: Entry, mesh: Mesh1, report: Report): void {
  check(report, 'blake2s', () => compare(mesh, primitives, 'blake2s_empty', mesh.blake2s([])));
  const peers = object(primitives, 'peer_ids');
  for (const label of Object.keys(peers.value)) {
    check(report, 'peer ' + label, () => compare(mesh, peers, label, mesh.derivePeerId(label)));
  }
  const kdf = object(primitives, 'kdf_example');
  check(report, 'kdf', () =>
    compare(mesh, kdf, 'out44', mesh.kdf(hex(kdf, 'secret'), text(kdf, 'label'), hex(kdf, 'context'), 44)),
  );
  for (const entry of list(primitives, 'route_hashes')) {
    check(report, entry.path, () =>
      compare(mesh, entry, 'route_hash', mesh.routeHash(readRoute(mesh, entry))),
    );
  }
}

function checkDemo(demo: Entry, mesh: Mesh1, report: Report): void {
  const kem = createDemoKem(mesh.blake2s, 2);
  const signer = createDemoSigner(mesh.blake2s, 2);
  const pair = kem.keygen();
  const sent = kem.encapsulate(pair.publicKey);
  const signing = signer.keygen();
  const signed = signer.sign(mesh.utf8('hello world'), signing.secretKey);
  const is = (name: string, field: string, got: Uint8Array): string | null =>
    compare(mesh, object(demo, name), field, got);
  check(report, 'demo adapters', () =>
    first([
      is('kem_keygen_counter1', 'sk', pair.secretKey),
      is('kem_keygen_counter1', 'pk', pair.publicKey),
      is('encapsulate_to_it', 'ct', sent.ciphertext),
      is('encapsulate_to_it', 'ss', sent.sharedSecret),
      is('dsa_keygen_counter7', 'sk', signing.secretKey),
      is('dsa_keygen_counter7', 'pk', signing.publicKey),
      compare(mesh, demo, 'sign_hello_world', signed),
    ]),
  );
}

export function checkTunnel(file: Entry, parts: MeshParts, report: Report): void {
  const vectors = list(file, 'vectors');
  vectors.forEach((vector, i) => {
    const c = establish(vector, parts);
    checkRecord(c, report);
    checkKeys(c, report);
    const frames = checkFrames(c, report);
    if (i === 0 && has(file, 'open_error_cases')) {
      const secret = c.made.sessionSecret;
      const refusals = { mesh: c.mesh, frames, secret, hydrate: hydrate.bind(null, c) };
      checkRefusals(file, refusals, report);
    }
  });
  if (has(file, 'primitives')) checkPrimitives(object(file, 'primitives'), parts.mesh, report);
  if (has(file, 'demo_adapters')) checkDemo(object(file, 'demo_adapters'), parts.mesh, report);
}
