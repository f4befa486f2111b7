// The tests of the original by their names, on mesh/1.
import test from 'ava';
import { createSimpleQace, createQaceMetrics } from '../../src/qace/simple.ts';
import { fixedEngine } from '../../src/selftest/tunnel.ts';
import { createDemoKem, createDemoSigner } from '../../src/selftest/demo-adapters.ts';
import { u64, u64ToNumber } from '../../src/mesh/u64.ts';
import { isFailure } from '../../src/mesh/v1/index.ts';
import type { LegacyIdentity } from '../../src/mesh/v1/index.ts';
import { toHex } from '../../src/bytes.ts';
import { bytes, failed, legacy, legacyPair, opened, plan } from './legacy.ts';

const APP = bytes('app');
const threat = (threatScore: number) => ({ ...createQaceMetrics(), threatScore });

// ---- Tunnels --------------------------------------------------------------------------------------------------

test('handshake_between_two_endpoints_matches_shared_secret', (t) => {
  const kem = createDemoKem(legacy.blake2s, 2);
  const pair = kem.keygen();
  const { ciphertext, sharedSecret } = kem.encapsulate(pair.publicKey);
  t.deepEqual(kem.decapsulate(ciphertext, pair.secretKey), sharedSecret);
});

test('qstp_tunnel_encrypts_and_decrypts_payload', (t) => {
  const { initiator, responder } = legacyPair(plan('waku/mesh/alpha', ['edge-1']));
  const frame = initiator.seal(bytes('hello-qstp'), APP);
  t.deepEqual(opened(responder.open(frame, APP)), bytes('hello-qstp'));
});

test('qstp_rerouted_payload_decrypts', (t) => {
  const { initiator, responder } = legacyPair(plan('waku/mesh/main', ['hop-main']));
  const other = plan('waku/mesh/alt', ['hop-alt'], { epoch: u64(2) });
  t.deepEqual(opened(responder.open(initiator.seal(bytes('before'), APP), APP)), bytes('before'));
  for (const end of [initiator, responder]) {
    end.registerAlternateRoutes([other]);
    t.is(end.applyQace(threat(99), createSimpleQace()).action, 'reroute');
    t.is(end.route().topic, 'waku/mesh/alt');
  }
  t.deepEqual(opened(responder.open(initiator.seal(bytes('after'), APP), APP)), bytes('after'));
});

test('eavesdropper_cannot_decrypt_frame', (t) => {
  const { made, initiator, store } = legacyPair(plan('waku/mesh/alpha', ['edge-1']));
  const eve = legacy.hydrateRemoteTunnel(
    new Uint8Array(32),
    legacy.derivePeerId('eve'),
    initiator.route(),
    made.peerMetadata,
    'responder',
  );
  t.regex(failed(eve.open(initiator.seal(bytes('secret'), APP), APP)), /^(VerifyFailed|InvalidInput)$/);
  initiator.fetchTupleMetadata(store, (found) => {
    t.deepEqual(opened(found).tunnelId, initiator.metadata().tunnelId);
  });
  eve.fetchTupleMetadata(store, (found) => t.is(failed(found), 'VerifyFailed'));
});

test('qace_reroute_updates_route_hash', (t) => {
  const { initiator } = legacyPair(plan('waku/r0', ['hop-a']));
  const other = plan('waku/r1', ['hop-b'], { epoch: u64(101) });
  const before = initiator.seal(APP, APP).routeHash;
  initiator.registerAlternateRoutes([other]);
  t.is(initiator.applyQace(threat(90), createSimpleQace()).order[0], 1);
  t.is(initiator.route().topic, 'waku/r1');
  const after = initiator.seal(APP, APP).routeHash;
  t.notDeepEqual(after, before);
  t.deepEqual(after, legacy.routeHash(other));
});

test('qace_rekey_rotates_nonce_material', (t) => {
  const { initiator, responder } = legacyPair(plan('waku/r0', ['hop-a']));
  const bases = () => [initiator, responder].map((end) => toHex(end.seal(APP, APP).nonce).slice(0, 8));
  const before = bases();
  for (const end of [initiator, responder]) end.applyQace(threat(0), fixedEngine('rekey', [0]));
  t.is(initiator.route().topic, 'waku/r0');
  const after = bases();
  t.not(after[0], before[0]);
  t.not(after[1], before[1]);
});

test('tuple_metadata_round_trip_and_validation', (t) => {
  const { made, initiator } = legacyPair(plan('waku/mesh/alpha', ['edge-1']));
  const { tuplePointer: _, ...shared } = made.peerMetadata;
  const metadata = {
    ...shared,
    routeHash: legacy.routeHash(initiator.route()),
    qos: initiator.route().qos,
    routeEpoch: initiator.route().epoch,
  };
  const encoded = legacy.encodeTupleMetadata(metadata);
  t.deepEqual(opened(legacy.decodeTupleMetadata(encoded)), metadata);
  encoded[114] = 0xff;
  t.deepEqual(legacy.decodeTupleMetadata(encoded), {
    error: 'InvalidInput',
    message: 'unknown qos class',
  });
  t.is(failed(legacy.decodeTupleMetadata(encoded.slice(0, 130))), 'InvalidInput');
});

// ---- The handshake of the runtime --------------------------------------------------------------------------------

const runtime = () =>
  legacy.createRuntime(createDemoKem(legacy.blake2s, 2), createDemoSigner(legacy.blake2s, 2));

test('handshake_serializes_full_artifacts', (t) => {
  const { record } = runtime().handshake(bytes('client=test'));
  const encoded = legacy.encodePqc1(record);
  t.is(encoded.length, 276);
  t.deepEqual(opened(legacy.decodePqc1(encoded)), record);
});

test('rejects_empty_request', (t) => {
  t.throws(() => runtime().handshake(new Uint8Array(0)), { message: 'handshake request is empty' });
});

test('advance_time_prefers_hint_and_remains_monotonic', (t) => {
  const node = runtime();
  const at = (request: string) => u64ToNumber(node.handshake(bytes(request)).now);
  t.is(at('ts=1700000000500'), 1700000000500);
  t.is(at('a=1&ts=5'), 1700000000501);
  t.is(at('ts=x&ts=1700000000600'), 1700000000600);
  t.is(at('ts=99999999999999999999'), 1700000000601);
});

test('reset_state_restores_initial_timestamp', (t) => {
  t.is(u64ToNumber(runtime().handshake(bytes('a')).now), 1700000000001);
});

test('rotate_if_needed_respects_interval', (t) => {
  const node = runtime();
  const keyAt = (time: number) => toHex(node.handshake(bytes(`ts=${time}`)).record.kemKeyId);
  const first = keyAt(1700000000001);
  t.is(keyAt(1700000299999), first);
  t.not(keyAt(1700000300000), first);
});

// ---- init, respond, derive -----------------------------------------------------------------------------------------

function ends() {
  const kem = createDemoKem(legacy.blake2s, 2);
  const signer = createDemoSigner(legacy.blake2s, 2);
  const identity = (salt: number): LegacyIdentity => {
    const pair = signer.keygen();
    return { ...pair, keyId: legacy.keyId(pair.publicKey, u64(salt)) };
  };
  const [client, server] = [identity(11), identity(21)];
  const pair = kem.keygen();
  const kemKey = { ...pair, keyId: legacy.keyId(pair.publicKey, u64(1)) };
  const known = {
    kemPublicKey: pair.publicKey,
    signingPublicKey: server.publicKey,
    signingKeyId: server.keyId,
  };
  const begun = legacy.initHandshake(
    kem,
    signer,
    known,
    client,
    legacy.derivePeerId('waku/demo'),
    bytes('data'),
  );
  return {
    signer,
    begun,
    respond: () => legacy.respondHandshake(kem, signer, server, kemKey, begun.init),
  };
}

test('handshake_round_trip_matches_session_keys', (t) => {
  const { signer, begun, respond } = ends();
  const { response, state } = opened(respond());
  const a = opened(legacy.initiatorKeys(signer, begun.state, response));
  const b = legacy.responderKeys(state);
  t.deepEqual(a.sessionId, b.sessionId);
  t.deepEqual([a.sendKey, a.sendNonce], [b.recvKey, b.recvNonce]);
  t.deepEqual([a.recvKey, a.recvNonce], [b.sendKey, b.sendNonce]);
  t.deepEqual(a.tupleKey, b.tupleKey);
});

test('respond_handshake_rejects_tampered_signature', (t) => {
  const { begun, respond } = ends();
  begun.init.clientSignature[0]! ^= 1;
  t.is(failed(respond()), 'VerifyFailed');
});

test('derive_session_keys_rejects_bad_server_signature', (t) => {
  const { signer, begun, respond } = ends();
  const { response, state } = opened(respond());
  response.responderSignature[0]! ^= 1;
  t.is(failed(legacy.initiatorKeys(signer, begun.state, response)), 'VerifyFailed');
  t.false(isFailure(legacy.responderKeys(state)));
});
