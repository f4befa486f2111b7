// What is wrong with the original's profile, item by item: each test shows the defect in mesh/1, and then that mesh/2
// does not have it. docs/mesh.md, "What mesh/2 mends", has the same numbers.
import test from 'ava';
import { gcm } from '@noble/ciphers/aes.js';
import { concat, toHex } from '../../src/bytes.ts';
import { createQaceMetrics, createSimpleQace } from '../../src/qace/simple.ts';
import { createGaQace } from '../../src/qace/ga.ts';
import * as mesh from '../../src/mesh/index.ts';
import { MeshWord } from '../../src/mesh/node.ts';
import { u64 } from '../../src/mesh/u64.ts';
import { sealLegacyTuple } from '../../src/mesh/v1/tuple.ts';
import { createDemoKem, createDemoSigner } from '../../src/selftest/demo-adapters.ts';
import { fixedEngine } from '../../src/selftest/tunnel.ts';
import { failed, legacy, legacyPair, memoryStore, opened, plan as legacyPlan } from './legacy.ts';
import {
  ALPHA,
  BETA,
  bytes,
  complete,
  copied,
  crypto,
  good,
  handshake,
  pair,
  party,
  plan,
  reason,
  send,
  settle,
  testClock,
  text,
} from './world.ts';

const APP = bytes('app');
const ROUTE = legacyPlan('waku/mesh/alpha', ['edge-1']);
const threat = (threatScore: number) => ({ ...createQaceMetrics(), threatScore });
const xor = (a: Uint8Array, b: Uint8Array) => a.map((byte, i) => byte ^ b[i]!);

function demo() {
  return { kem: createDemoKem(legacy.blake2s, 2), signer: createDemoSigner(legacy.blake2s, 2) };
}

/** The original's handshake helpers between a client and a server of the demo. */
function legacyHandshake() {
  const { kem, signer } = demo();
  const pairOf = (salt: number) => {
    const keys = signer.keygen();
    return { ...keys, keyId: legacy.keyId(keys.publicKey, u64(salt)) };
  };
  const [client, server] = [pairOf(11), pairOf(21)];
  const keys = kem.keygen();
  const kemKey = { ...keys, keyId: legacy.keyId(keys.publicKey, u64(1)) };
  const known = {
    kemPublicKey: keys.publicKey,
    signingPublicKey: server.publicKey,
    signingKeyId: server.keyId,
  };
  const init = (by = client) =>
    legacy.initHandshake(kem, signer, known, by, legacy.derivePeerId('r'), APP).init;
  return {
    pairOf,
    client,
    init,
    respond: (m: ReturnType<typeof init>) => legacy.respondHandshake(kem, signer, server, kemKey, m),
  };
}

test('1: the secret is exchanged, not made by one end and handed over', (t) => {
  const { made, initiator } = legacyPair(ROUTE);
  // Whoever sees the record has the tunnel.
  const { sharedSecret } = opened(legacy.decodePqc1(made.handshakeEnvelope));
  const thief = legacy.hydrateRemoteTunnel(
    sharedSecret,
    legacy.derivePeerId('thief'),
    initiator.route(),
    made.peerMetadata,
    'responder',
  );
  t.deepEqual(opened(thief.open(initiator.seal(bytes('secret'), APP), APP)), bytes('secret'));

  const h = handshake();
  const answer = good(mesh.respondHandshake(h.responder, h.state.frame));
  const { keys, frame } = good(mesh.deriveSessionKeys(h.state, answer));
  const seen = concat([h.state.frame.ciphertext, answer.ciphertext, frame.ciphertext]);
  t.false(toHex(seen).includes(toHex(keys.secret)));
  // What carries a secret in clear is not spoken on a network at all.
  const { b } = pair();
  const record = { ...mesh.createFrame(made.handshakeEnvelope.length), version: 1, kind: 0 };
  t.is(reason(b.tunnel.open(record)), 'legacy_refused');
  t.is(reason(mesh.respondHandshake(h.responder, record)), 'legacy_refused');
  t.throws(() => mesh.mesh1(), { code: 'legacy_refused', message: /exchanges no key/ });
});

test('2: a restart never uses a nonce again', (t) => {
  const { made, initiator } = legacyPair(ROUTE);
  const [one, two] = ['attack at dawn!', 'retreat at once'].map((message) =>
    legacy
      .hydrateRemoteTunnel(
        made.sessionSecret,
        legacy.derivePeerId('node-b'),
        initiator.route(),
        made.peerMetadata,
        'initiator',
      )
      .seal(bytes(message), APP),
  );
  t.deepEqual(one!.nonce, two!.nonce);
  const difference = xor(one!.ciphertext.slice(0, 15), two!.ciphertext.slice(0, 15));
  t.deepEqual(difference, xor(bytes('attack at dawn!'), bytes('retreat at once')), 'the plaintexts show');

  const [first, second] = [pair().a.tunnel, pair().a.tunnel];
  const frames = [first.seal(bytes('attack at dawn!')), second.seal(bytes('retreat at once'))];
  t.notDeepEqual(frames[0]!.tunnelId, frames[1]!.tunnelId);
  t.notDeepEqual(first.slot.tx.slice(0, 60), second.slot.tx.slice(0, 60), 'the keys are others');
  t.notDeepEqual(
    xor(frames[0]!.ciphertext.slice(8, 23), frames[1]!.ciphertext.slice(8, 23)),
    xor(bytes('attack at dawn!'), bytes('retreat at once')),
  );
});

test('3: a handshake that is played back yields no keys a second time', (t) => {
  const h = legacyHandshake();
  const init = h.init();
  const keys = [init, init].map((m) => legacy.responderKeys(opened(h.respond(m)).state));
  t.deepEqual(keys[0], keys[1], 'the responder seals under the same nonces again');

  const ours = handshake();
  const recorded = copied(ours.state.frame);
  const { a, b } = complete(ours);
  settle(a, b);
  t.is(reason(mesh.respondHandshake(ours.responder, copied(recorded))), 'handshake_replayed');
  t.is(send(a, b, 'still there'), 'still there');
  // A responder that has forgotten everything answers, with keys that are others, and makes no tunnel of it.
  const forgetful = mesh.createResponder({ ...ours.responder.options });
  const [one, two] = [0, 1].map(() => {
    const answer = good(
      mesh.respondHandshake(mesh.createResponder({ ...ours.responder.options }), copied(recorded)),
    );
    return toHex(answer.ciphertext);
  });
  t.not(one, two);
  good(mesh.respondHandshake(forgetful, copied(recorded)));
  t.is(forgetful.waiting.entries.length, 1);
  t.is(send(b, a, 'and back'), 'and back');
});

test('4: who an end is does not follow from its own word', (t) => {
  const h = legacyHandshake();
  // Anybody's key under the client's id.
  const impostor = { ...h.pairOf(99), keyId: h.client.keyId };
  t.notDeepEqual(impostor.publicKey, h.client.publicKey);
  t.deepEqual(opened(h.respond(h.init(impostor))).response.routeHash, legacy.derivePeerId('r'));

  const mallory = party('mallory');
  const ours = handshake({ identity: mallory.identity });
  t.is(reason(mesh.respondHandshake(ours.responder, ours.state.frame)), 'peer_unknown');
  // Alice's id, and a key that is not hers.
  const alice = party('alice').identity;
  const claimed = handshake({ identity: { ...mallory.identity, credential: alice.credential } });
  t.is(reason(mesh.respondHandshake(claimed.responder, claimed.state.frame)), 'signature_invalid');
  // The same the other way round.
  const known = handshake({}, { identity: { ...mallory.identity, peerId: party('bob').identity.peerId } });
  const answer = good(mesh.respondHandshake(known.responder, known.state.frame));
  t.is(reason(mesh.deriveSessionKeys(known.state, answer)), 'peer_unknown');
});

test('5: the algorithms are ML-KEM and ML-DSA, with fresh keys', (t) => {
  const [one, two] = [demo(), demo()];
  const theirs = one.kem.keygen();
  t.deepEqual(theirs, two.kem.keygen(), 'all processes have the same keys');
  const { ciphertext, sharedSecret } = one.kem.encapsulate(theirs.publicKey);
  t.deepEqual(two.kem.decapsulate(ciphertext, new Uint8Array(0)), sharedSecret, 'no key is needed');
  const { publicKey } = one.signer.keygen();
  const forged = legacy.blake2s([bytes('PQCNET_MLDSA_SIG_V1'), publicKey, APP]);
  t.true(one.signer.verify(forged, APP, publicKey), 'anybody signs');

  const keys = [handshake(), handshake()].map((h) => h.state.secretKey);
  t.notDeepEqual(keys[0], keys[1]);
  const h = handshake();
  good(mesh.respondHandshake(h.responder, h.state.frame));
  const [waiting] = h.responder.waiting.entries;
  const sealed = new Uint8Array(crypto.kem.ciphertextBytes);
  const secret = new Uint8Array(32);
  crypto.kem.decapsulateInto(sealed, keys[0]!, secret);
  t.notDeepEqual(secret, waiting!.secret);
});

test('6: a rekey takes new keys', (t) => {
  const { initiator, made } = legacyPair(ROUTE);
  const { tunnelId } = made.peerMetadata;
  const context = concat([tunnelId, legacy.routeHash(ROUTE), legacy.le64(ROUTE.epoch)]);
  const key = legacy.kdf(made.sessionSecret, 'role:init->resp', context, 44).slice(0, 32);
  const rekey = () => initiator.applyQace(threat(0), fixedEngine('rekey', [0]));
  rekey();
  const first = initiator.seal(bytes('under the first key'), APP);
  rekey();
  const again = initiator.seal(bytes('under the first key'), APP);
  t.deepEqual(first.nonce.slice(0, 4), again.nonce.slice(0, 4), 'a second one changes nothing');
  const aad = concat([tunnelId, first.routeHash, legacy.le64(first.sequence), APP]);
  t.deepEqual(gcm(key, first.nonce, aad).decrypt(first.ciphertext), bytes('under the first key'));

  const { a, b } = pair();
  const seen = new Set<string>();
  for (let epoch = 0; epoch < 5; epoch++) {
    const { words, rx } = b.tunnel.slot;
    seen.add(toHex(new Uint8Array(rx.slice(0, 60).buffer)));
    seen.add(toHex(new Uint8Array(words.slice(MeshWord.rxNext, MeshWord.rxNext + 8).buffer)));
    t.is(a.tunnel.status().txEpoch, epoch);
    a.tunnel.rekey();
    settle(a, b);
    t.is(send(a, b, 'x'), 'x');
    settle(a, b);
    t.is(send(b, a, 'x'), 'x');
    settle(a, b);
  }
  t.is(seen.size, 10);
});

test('7: what overtakes another is not lost, and numbers end before they wrap', (t) => {
  const { initiator, responder, made } = legacyPair(ROUTE);
  const two = [initiator.seal(bytes('1'), APP), initiator.seal(bytes('2'), APP)];
  t.deepEqual(opened(responder.open(two[1]!, APP)), bytes('2'));
  t.is(failed(responder.open(two[0]!, APP)), 'LimitExceeded');
  // After the last number all of them are good once more.
  const context = concat([made.peerMetadata.tunnelId, two[0]!.routeHash, legacy.le64(ROUTE.epoch)]);
  const material = legacy.kdf(made.sessionSecret, 'role:init->resp', context, 44);
  const sequence = { low: 0xffffffff, high: 0xffffffff };
  const nonce = concat([material.slice(32, 36), legacy.le64(sequence)]);
  const aad = concat([made.peerMetadata.tunnelId, two[0]!.routeHash, legacy.le64(sequence), APP]);
  const ciphertext = gcm(material.slice(0, 32), nonce, aad).encrypt(bytes('last'));
  const last = { ...two[0]!, sequence, nonce, ciphertext, ciphertextBytes: ciphertext.length };
  t.deepEqual(opened(responder.open(last, APP)), bytes('last'));
  t.deepEqual(opened(responder.open(two[0]!, APP)), bytes('1'), 'played back');

  const { a, b } = pair();
  const frames = Array.from({ length: 64 }, (_, i) => a.tunnel.seal(bytes(`${i}`)));
  for (const frame of frames.slice().reverse()) t.true(b.tunnel.open(copied(frame)) instanceof Uint8Array);
  for (const frame of frames) t.is(reason(b.tunnel.open(copied(frame))), 'replayed');
  const { words } = a.tunnel.slot;
  words[MeshWord.txSequence] = mesh.FRAMES_PER_KEY_MAX - 1;
  t.is(send(a, b, 'the next key'), 'the next key');
  t.is(a.tunnel.status().txEpoch, 1);
  // The peer has not said that it is there: so there is an end.
  words[MeshWord.txSequence] = mesh.FRAMES_PER_KEY_MAX;
  t.throws(() => a.tunnel.seal(bytes('x')), { code: 'key_exhausted' });
  settle(a, b);
  t.is(send(a, b, 'another'), 'another');
});

test('8: a decision that one end has not heard of strands nobody', (t) => {
  const { initiator, responder } = legacyPair(ROUTE);
  initiator.registerAlternateRoutes([legacyPlan('waku/mesh/beta', ['edge-2'])]);
  initiator.applyQace(threat(99), createSimpleQace());
  for (let i = 0; i < 3; i++) t.is(failed(responder.open(initiator.seal(APP, APP), APP)), 'InvalidInput');

  const { a, b, clock } = pair();
  a.tunnel.applyQace(threat(99), createSimpleQace());
  for (let i = 0; i < 50; i++) {
    settle(a, b, (_frame, from) => from === b);
    t.is(send(a, b, 'x'), 'x');
    t.is(send(b, a, 'x'), 'x');
    clock.ms += 5000;
  }
  t.is(b.tunnel.route().topic, ALPHA.topic);
  settle(a, b);
  t.is(b.tunnel.route().topic, BETA.topic);
  t.is(send(b, a, 'there'), 'there');
  t.is(a.tunnel.route().topic, BETA.topic);
});

test('9: two routes have two hashes, and every field of a transcript its length', (t) => {
  const hop = bytes('0123456789abcdefghijklm\u0001aaaaaaaa');
  t.is(hop.length, 32);
  const eights = { low: 0x61616161, high: 0x61616161 };
  const one = { topic: 't', hops: [hop], qos: mesh.MeshQos.gossip, epoch: eights };
  const two = { topic: 't\u0001aaaaaaaa0123456789abcdefghijklm', hops: [], qos: one.qos, epoch: eights };
  t.deepEqual(legacy.routeHash(one), legacy.routeHash(two));
  t.notDeepEqual(mesh.routeHash(one), mesh.routeHash(two));

  const { client } = legacyHandshake();
  const parts = {
    routeHash: hop,
    initiatorNonce: hop,
    serverSigningKeyId: hop,
    clientSigningKeyId: client.keyId,
  };
  const transcript = (applicationData: string, ciphertext: string) =>
    legacy.clientTranscript({
      ...parts,
      applicationData: bytes(applicationData),
      ciphertext: bytes(ciphertext),
    });
  t.deepEqual(transcript('a', 'bc'), transcript('ab', 'c'));
  const inits = ['a', 'ab'].map((data) => handshake({ data: bytes(data) }).state.transcript);
  t.notDeepEqual(inits[0], inits[1]);
});

test('10: the topic and the peer are bound', (t) => {
  const { initiator, responder } = legacyPair(ROUTE);
  const moved = { ...initiator.seal(APP, APP), topic: 'elsewhere' };
  t.deepEqual(opened(responder.open(moved, APP)), APP);

  const { a, b } = pair();
  const frame = a.tunnel.seal(bytes('x'));
  t.is(reason(b.tunnel.open({ ...copied(frame), topic: 'elsewhere' })), 'topic_mismatch');
  t.is(text(b.tunnel.open(frame)), 'x');
  // Ids that are not those of the secret's owners.
  const secret = new Uint8Array(32).fill(7);
  const [self, peerId, other] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));
  const random = party('alice').random;
  const answering = mesh.createHydrator({ mesh: b.mesh, self: peerId!, secretOf: () => secret, random });
  const begun = mesh.hydrateRemoteTunnel({ secret, self: self!, peerId: other!, route: ALPHA, random });
  t.is(reason(mesh.respondHydration(answering, begun.frame)), 'peer_mismatch');
});

test('11: every record has a nonce of its own, and old ones are known', (t) => {
  const { made, initiator } = legacyPair(ROUTE);
  const key = new Uint8Array(32).fill(5);
  const metadata = {
    ...made.peerMetadata,
    routeHash: legacy.routeHash(initiator.route()),
    qos: mesh.MeshQos.gossip,
    routeEpoch: u64(1),
  };
  const records = [metadata, { ...metadata, qos: mesh.MeshQos.control }].map((m) => sealLegacyTuple(key, m));
  t.deepEqual(records[0]!.nonce, records[1]!.nonce);
  t.notDeepEqual(records[0]!.ciphertext, records[1]!.ciphertext);

  const { a, b } = pair();
  const store = memoryStore();
  const { random } = party('alice');
  const nonces: string[] = [];
  for (let i = 0; i < 3; i++) {
    a.tunnel.putTupleMetadata(store, random, (why) => t.is(why, null));
    nonces.push(toHex([...store.records.values()][0]!.nonce));
  }
  t.is(new Set(nonces).size, 3);
  t.is(store.records.size, 1);
  // Either end reads the same; what is older than the peer has told of is refused.
  const [key1, newest] = [...store.records.entries()][0]!;
  settle(a, b);
  const read = (from: typeof a) => {
    let found: object | null = null;
    from.tunnel.fetchTupleMetadata(store, (result) => (found = result));
    return found!;
  };
  t.deepEqual(read(a), read(b));
  const older = { ...newest, version: 2 };
  store.records.set(key1, older);
  t.is(reason(read(b)), 'tuple_rollback');
  store.records.set(key1, { ...older, version: 4 });
  t.is(reason(read(b)), 'tuple_unauthentic', 'the version is sealed with it');
  store.records.clear();
  t.is(reason(read(b)), 'tuple_missing');
});

test('12: nothing that is handed out or printed holds a key', (t) => {
  const { made, initiator } = legacyPair(ROUTE);
  t.true(toHex(made.handshakeEnvelope).includes(toHex(made.sessionSecret)), 'the record does');
  t.false(JSON.stringify(initiator).includes(toHex(made.sessionSecret)));

  const { a } = pair();
  const { words } = a.tunnel.slot;
  const secrets: string[] = [];
  for (const at of [MeshWord.rxKey, MeshWord.txNext, MeshWord.rxNext, MeshWord.tupleKey])
    secrets.push(toHex(new Uint8Array(words.slice(at, at + 8).buffer)));
  const shown = [a.tunnel.tunnelId(), a.tunnel.peerId(), a.tunnel.peerProfile()].map(toHex).join();
  const printed = JSON.stringify([a.tunnel.status(), a.tunnel.route(), a.tunnel.alternates()]);
  for (const secret of secrets) {
    t.not(secret, '00'.repeat(32));
    t.false((shown + printed).includes(secret));
  }
});

test('13: routes do not flap, and their order follows what is measured', (t) => {
  const { initiator } = legacyPair(ROUTE);
  initiator.registerAlternateRoutes([legacyPlan('waku/mesh/beta', ['edge-2'])]);
  const topics = Array.from({ length: 6 }, () => {
    initiator.applyQace(threat(80), createSimpleQace());
    return initiator.route().topic;
  });
  t.is(new Set(topics.slice(0, 2)).size, 2, 'back and forth');
  t.deepEqual(topics.slice(0, 2), topics.slice(2, 4));
  // A time of day as the epoch outweighs a route that is 30 hops shorter.
  const late = legacyPlan('late', Array<string>(31).fill('hop'), { epoch: u64(1_700_000_000_001) });
  const short = legacyPlan('short', ['hop'], { epoch: u64(1_700_000_000_000 - 1000) });
  const timed = legacyPair(late).initiator;
  timed.registerAlternateRoutes([short]);
  timed.applyQace(threat(0), createGaQace({ rngSeed: 1 }));
  t.is(timed.route().topic, 'late');

  const { a, b, clock } = pair({
    route: plan('late', Array<number>(31).fill(1), { epoch: u64(1_700_000_000_001) }),
    alternates: [plan('short', [1], { epoch: u64(1_700_000_000_000 - 1000) })],
  });
  t.is(a.tunnel.applyQace(threat(0), createGaQace({ rngSeed: 1 })).action, 'reroute');
  settle(a, b);
  t.is(a.tunnel.route().topic, 'short');
  let moves = 0;
  for (let second = 0; second < 60; second++) {
    const before = a.tunnel.route().topic;
    a.tunnel.applyQace(threat(80), createSimpleQace());
    settle(a, b);
    if (a.tunnel.route().topic !== before) moves++;
    clock.ms += 1000;
  }
  t.true(moves <= 3, `${moves} moves in a minute`);
  // What is not viable is not promoted.
  const other = pair();
  other.a.tunnel.routeState(BETA, { viable: false });
  other.a.tunnel.applyQace(threat(99), createSimpleQace('viable'));
  settle(other.a, other.b);
  t.is(other.a.tunnel.route().topic, 'mesh/gamma');
});

test('14: secrets are wiped when they are done with', (t) => {
  const { made } = legacyPair(ROUTE);
  t.true(made.sessionSecret.some((byte) => byte !== 0));

  const clock = testClock();
  const h = handshake({}, {}, clock);
  good(mesh.respondHandshake(h.responder, h.state.frame));
  const { secret, secretKey } = h.responder.waiting.entries[0]!;
  t.true(secret.some((byte) => byte !== 0));
  clock.ms += 30_000;
  t.is(reason(mesh.confirmHandshake(h.responder, mesh.createFrame(0))), 'malformed');
  t.is(h.responder.waiting.entries.length, 0);
  for (const kept of [secret, secretKey]) t.true(kept.every((byte) => byte === 0));
  mesh.abandonHandshake(h.state);
  t.true(h.state.secretKey.every((byte) => byte === 0));

  const { a, b, clock: time } = pair();
  a.tunnel.rekey();
  settle(a, b);
  send(a, b, 'x');
  const { words } = b.tunnel.slot;
  const before = () => words.slice(MeshWord.rxBefore, MeshWord.rxBefore + 11);
  t.true(before().some((word) => word !== 0));
  time.ms += 10_000;
  b.tunnel.poll();
  t.true(
    before().every((word) => word === 0),
    'the key before, when its time is over',
  );
  a.tunnel.dispose();
  t.true(a.tunnel.slot.words.every((word) => word === 0));
});
