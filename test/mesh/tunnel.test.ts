// Tunnels of mesh/2: what both ends can rely on.
import test from 'ava';
import { createQaceMetrics, createSimpleQace } from '../../src/qace/simple.ts';
import * as mesh from '../../src/mesh/index.ts';
import { decodeFrameInto, encodeProto, FrameProto } from '../../src/mesh/proto/index.ts';
import { fixedEngine } from '../../src/selftest/tunnel.ts';
import { draws } from '../random.ts';
import {
  ALPHA,
  BETA,
  bytes,
  complete,
  copied,
  GAMMA,
  good,
  handshake,
  node,
  pair,
  plan,
  reason,
  send,
  settle,
  testClock,
  text,
} from './world.ts';

const threat = (threatScore: number) => ({ ...createQaceMetrics(), threatScore });

// ---- The handshake ------------------------------------------------------------------------------------------------

test('three messages make a tunnel; nothing is sealed before the responder has confirmed', (t) => {
  const { a, b } = complete(handshake({ data: bytes('hello') }));
  t.throws(() => a.tunnel.seal(bytes('too soon')), { code: 'not_confirmed' });
  t.false(a.tunnel.status().confirmed);
  t.is(settle(a, b), 1);
  t.true(a.tunnel.status().confirmed);
  t.is(send(a, b, 'forth', 'app'), 'forth');
  t.is(send(b, a, 'back'), 'back');
  t.deepEqual(a.tunnel.tunnelId(), b.tunnel.tunnelId());
  t.deepEqual(a.tunnel.route(), ALPHA);
});

test('each end knows the other, its program and what its application sent', (t) => {
  const h = handshake(
    { data: bytes('of a'), profileHash: new Uint8Array(32).fill(3) },
    { data: bytes('of b'), profileHash: new Uint8Array(32).fill(4) },
  );
  const answer = good(mesh.respondHandshake(h.responder, h.state.frame));
  const derived = good(mesh.deriveSessionKeys(h.state, answer));
  const keys = good(mesh.confirmHandshake(h.responder, derived.frame));
  t.is(text(derived.keys.data), 'of b');
  t.is(text(keys.data), 'of a');
  const a = good(mesh.establishTunnel(h.left, derived.keys));
  const b = good(mesh.establishTunnel(h.right, keys));
  t.is(a.peerProfile()[0], 4);
  t.is(b.peerProfile()[0], 3);
  t.deepEqual(a.peerId(), h.responder.options.identity.peerId);
  t.deepEqual(b.peerId(), h.state.options.identity.peerId);
  t.throws(() => mesh.establishTunnel(h.left, derived.keys), { code: 'keys_used' });
});

test('the secret of a handshake is in none of its messages, and is wiped when a tunnel takes it', (t) => {
  const h = handshake();
  const answer = good(mesh.respondHandshake(h.responder, h.state.frame));
  const derived = good(mesh.deriveSessionKeys(h.state, answer));
  const keys = good(mesh.confirmHandshake(h.responder, derived.frame));
  t.deepEqual(keys.secret, derived.keys.secret);
  for (const frame of [h.state.frame, answer, derived.frame]) {
    const hex = Buffer.from(frame.ciphertext).toString('hex');
    t.false(hex.includes(Buffer.from(keys.secret).toString('hex')));
  }
  good(mesh.establishTunnel(h.right, keys));
  t.true(keys.secret.every((byte) => byte === 0));
  t.true(h.state.secretKey.every((byte) => byte === 0));
});

// ---- Frames ---------------------------------------------------------------------------------------------------------

test('frames come in any order within 64, each once', (t) => {
  const { a, b } = pair();
  const frames = Array.from({ length: 200 }, (_, i) => a.tunnel.seal(bytes(`${i}`)));
  const draw = draws(t);
  const order = frames.map((_, i) => i);
  // Each moves by less than half the window.
  for (let i = 0; i + 30 < order.length; i += 1 + draw.below(30)) {
    const j = i + draw.below(30);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  for (const i of order) t.is(text(b.tunnel.open(copied(frames[i]!))), `${i}`);
  for (const i of order.slice(-64)) t.is(reason(b.tunnel.open(copied(frames[i]!))), 'replayed');
});

test('the window: what is 64 behind is refused, what is 63 behind is not', (t) => {
  const { a, b } = pair();
  const frames = Array.from({ length: 70 }, (_, i) => a.tunnel.seal(bytes(`${i}`)));
  t.is(text(b.tunnel.open(copied(frames[66]!))), '66');
  t.is(reason(b.tunnel.open(copied(frames[2]!))), 'replayed');
  t.is(text(b.tunnel.open(copied(frames[3]!))), '3');
  t.is(reason(b.tunnel.open(copied(frames[3]!))), 'replayed');
});

test('associated data of the application bind', (t) => {
  const { a, b } = pair();
  const frame = a.tunnel.seal(bytes('x'), bytes('app'));
  t.is(reason(b.tunnel.open(copied(frame), bytes('ctx'))), 'unauthentic');
  t.is(text(b.tunnel.open(copied(frame), bytes('app'))), 'x');
  t.throws(() => a.tunnel.seal(bytes('x'), new Uint8Array(65)), { code: 'invalid_length' });
});

test('a frame sent too long ago is refused, if the clocks know the time of day', (t) => {
  const { a, b, clock } = pair({ node: { maxAgeMs: 5000 } });
  const [late, early] = [a.tunnel.seal(bytes('late')), a.tunnel.seal(bytes('early'))];
  clock.ms += 5000;
  t.is(text(b.tunnel.open(early)), 'early');
  clock.ms += 1;
  t.is(reason(b.tunnel.open(copied(late))), 'too_old');
  t.is(reason(b.tunnel.open(late)), 'replayed');
  clock.known = false;
  const unknown = a.tunnel.seal(bytes('when?'));
  clock.known = true;
  clock.ms += 100_000;
  t.is(text(b.tunnel.open(unknown)), 'when?');
});

// ---- Rekey ------------------------------------------------------------------------------------------------------------

test('a rekey takes new keys in both directions, and what is under way still opens', (t) => {
  const { a, b, clock } = pair();
  const before = a.tunnel.seal(bytes('before'));
  const keys = () => [a, b].map(({ tunnel: { slot } }) => [slot.tx.slice(0, 60), slot.rx.slice(0, 60)]);
  const old = keys();
  a.tunnel.rekey();
  settle(a, b);
  t.is(send(a, b, 'after'), 'after');
  settle(a, b);
  t.is(send(b, a, 'after'), 'after');
  settle(a, b);
  for (const { tunnel } of [a, b]) {
    const { txEpoch, rxEpoch } = tunnel.status();
    t.deepEqual([txEpoch, rxEpoch], [1, 1]);
  }
  keys().forEach((pairOfKeys, i) =>
    pairOfKeys.forEach((key, j) => {
      t.notDeepEqual(key, old[i]![j]!);
    }),
  );
  t.is(text(b.tunnel.open(copied(before))), 'before');
  t.is(reason(b.tunnel.open(copied(before))), 'replayed');
  clock.ms += 10_000;
  t.is(reason(b.tunnel.open(before)), 'key_epoch_out_of_range');
});

test('a key seals so many frames and no more: the next one comes by itself', (t) => {
  const { a, b } = pair({ node: { framesPerKey: 10 } });
  for (let i = 0; i < 100; i++) {
    t.is(send(a, b, `${i}`), `${i}`);
    settle(a, b);
  }
  t.true(a.tunnel.status().txEpoch >= 9);
  t.is(a.tunnel.status().txEpoch, b.tunnel.status().rxEpoch);
});

test('a sender does not take a second key before its peer has reached the first', (t) => {
  const { a, b } = pair({ node: { framesPerKey: 4 } });
  const frames = Array.from({ length: 40 }, (_, i) => a.tunnel.seal(bytes(`${i}`)));
  t.is(a.tunnel.status().txEpoch, 1);
  // The first ones are lost: one step ahead opens all the same.
  for (const frame of frames.slice(20)) t.true(b.tunnel.open(frame) instanceof Uint8Array);
  settle(a, b);
  a.tunnel.seal(bytes('x'));
  t.is(a.tunnel.status().txEpoch, 2);
});

// ---- Decisions ------------------------------------------------------------------------------------------------------

test('a decision moves both ends, and loses nothing that is under way', (t) => {
  const { a, b, clock } = pair();
  const under = [a.tunnel.seal(bytes('forth')), b.tunnel.seal(bytes('back'))];
  const decision = a.tunnel.applyQace(threat(99), createSimpleQace());
  t.is(decision.action, 'reroute');
  t.true(a.tunnel.status().proposing);
  t.is(a.tunnel.route().topic, ALPHA.topic, 'not before the peer follows');
  settle(a, b);
  for (const end of [a, b]) {
    t.is(end.tunnel.route().topic, BETA.topic);
    t.is(end.tunnel.status().decision, 1);
    t.deepEqual(
      end.tunnel
        .alternates()
        .map((route) => route.topic)
        .sort(),
      [ALPHA.topic, GAMMA.topic],
    );
  }
  t.is(a.tunnel.seal(bytes('x')).topic, BETA.topic);
  t.is(text(b.tunnel.open(copied(under[0]!))), 'forth');
  t.is(text(a.tunnel.open(copied(under[1]!))), 'back');
  t.is(reason(b.tunnel.open(copied(under[0]!))), 'replayed');
  t.is(send(a, b, 'on'), 'on');
  clock.ms += 10_000;
  t.is(reason(a.tunnel.open(copied(under[1]!))), 'decision_expired');
});

test('one end decides; the other is told so', (t) => {
  const { a, b } = pair();
  t.is(b.tunnel.applyQace(threat(99), createSimpleQace()).rationale, 'peer-decides');
  t.false(b.tunnel.status().proposing);
  const swapped = pair({ decider: 'responder' });
  t.is(swapped.a.tunnel.applyQace(threat(99), createSimpleQace()).rationale, 'peer-decides');
  t.is(swapped.b.tunnel.applyQace(threat(99), createSimpleQace()).action, 'reroute');
  settle(swapped.a, swapped.b);
  t.is(swapped.a.tunnel.route().topic, BETA.topic);
  t.is(a.tunnel.route().topic, ALPHA.topic);
});

test('decisions are rate limited at both ends', (t) => {
  const { a, b, clock } = pair();
  const decide = () => a.tunnel.applyQace(threat(99), createSimpleQace()).rationale;
  t.is(decide(), 'threat-score-reroute');
  t.is(decide(), 'held');
  settle(a, b);
  t.is(decide(), 'held');
  clock.ms += 19_999;
  t.is(decide(), 'held');
  clock.ms += 1;
  t.is(decide(), 'threat-score-reroute');
  settle(a, b);
  t.is(a.tunnel.route().topic, ALPHA.topic);
  t.is(b.tunnel.route().topic, ALPHA.topic);
  t.is(send(a, b, 'x'), 'x');
});

test('a rekey that is decided takes new keys in both directions', (t) => {
  const { a, b } = pair();
  a.tunnel.applyQace({ ...createQaceMetrics(), lossBps: 6000 }, createSimpleQace());
  for (let i = 0; i < 3; i++) {
    settle(a, b);
    send(a, b, 'x');
    send(b, a, 'x');
  }
  t.is(a.tunnel.status().txEpoch, 1);
  t.is(b.tunnel.status().txEpoch, 1);
});

test('a route that only one end has registered is refused, and the tunnel goes on', (t) => {
  const { a, b } = pair();
  const other = plan('mesh/unknown', [9]);
  a.tunnel.registerAlternateRoutes([other, GAMMA]);
  a.tunnel.applyQace(threat(99), fixedEngine('reroute', [1, 0, 2]));
  settle(a, b);
  t.is(a.tunnel.route().topic, ALPHA.topic);
  t.false(a.tunnel.status().proposing);
  t.deepEqual(
    a.tunnel.alternates().map((route) => route.topic),
    [GAMMA.topic],
  );
  t.is(send(a, b, 'x'), 'x');
  t.is(send(b, a, 'x'), 'x');
});

test('tunnels are bounded, and a slot that is let go of is wiped', (t) => {
  const clock = testClock();
  const { a } = pair({ clock, node: { tunnels: 1 } });
  t.true(mesh.MESH_SLOT_BYTES <= 1536, `${mesh.MESH_SLOT_BYTES}`);
  const h = handshake({}, {}, clock);
  const answer = good(mesh.respondHandshake(h.responder, h.state.frame));
  const { keys } = good(mesh.deriveSessionKeys(h.state, answer));
  t.is(reason(mesh.establishTunnel(a.mesh, keys)), 'no_tunnel');
  a.tunnel.dispose();
  const { words, tx, rx } = a.tunnel.slot;
  for (const part of [words, tx, rx]) t.true(part.every((word) => word === 0));
  t.true(mesh.establishTunnel(a.mesh, keys) instanceof mesh.QstpTunnel);
  t.is(reason(a.tunnel.open(mesh.createFrame(64))), 'tunnel_mismatch');
});

test('a tunnel that is closed says so, and seals and opens nothing', (t) => {
  const { a, b } = pair();
  const frame = b.tunnel.seal(bytes('x'));
  a.tunnel.close();
  settle(a, b);
  t.true(b.tunnel.status().closed);
  t.throws(() => b.tunnel.seal(bytes('x')), { code: 'closed' });
  t.is(reason(a.tunnel.open(frame)), 'closed');
});

test('options and routes that cannot be are refused at once', (t) => {
  const clock = testClock();
  t.throws(() => node(clock, { tunnels: 0 }), { code: 'invalid_input' });
  t.throws(() => node(clock, { graceMs: 10, decisionIntervalMs: 9 }), { code: 'invalid_input' });
  const { a } = pair({ node: { routes: 3 } });
  t.throws(() => a.tunnel.registerAlternateRoutes([plan('x'), plan('y'), plan('z')]), {
    code: 'routes_full',
  });
  a.tunnel.registerAlternateRoutes([]);
  // What was refused holds no room, and a route that is named twice stands once.
  a.tunnel.registerAlternateRoutes([plan('x'), plan('y'), plan('y')]);
  t.deepEqual(
    a.tunnel.alternates().map(({ topic }) => topic),
    ['x', 'y'],
  );
  a.tunnel.registerAlternateRoutes([]);
  const users = a.mesh.routes.entries.map((entry) => entry?.users ?? 0);
  t.deepEqual(users.sort(), [0, 0, 1]);
  t.throws(() => mesh.routeHash === undefined || handshake({ route: plan('') }), { code: 'invalid_input' });
  t.throws(() => handshake({ route: plan('x'.repeat(129)) }), { code: 'invalid_input' });
});

test('frames and handshakes are the same behind protobuf', (t) => {
  const read = (frame: mesh.QstpFrame): mesh.QstpFrame => {
    const out = mesh.createFrame(0);
    const packet = encodeProto(FrameProto, frame);
    t.is(decodeFrameInto(out, packet, 0, packet.length), null);
    return out;
  };
  const h = handshake({ data: bytes('data') });
  const answer = good(mesh.respondHandshake(h.responder, read(h.state.frame)));
  const derived = good(mesh.deriveSessionKeys(h.state, read(answer)));
  const keys = good(mesh.confirmHandshake(h.responder, read(derived.frame)));
  const a = good(mesh.establishTunnel(h.left, derived.keys));
  const b = good(mesh.establishTunnel(h.right, keys));
  t.is(a.open(read(b.poll()!)), null);
  const other = plan('mesh/\u03b2');
  for (const end of [a, b]) end.registerAlternateRoutes([other]);
  a.applyQace(threat(99), createSimpleQace());
  for (let frame = a.poll(); frame !== null; frame = a.poll()) t.is(b.open(read(frame)), null);
  for (let frame = b.poll(); frame !== null; frame = b.poll()) t.is(a.open(read(frame)), null);
  const sealed = a.seal(bytes('\u20ac'), bytes('app'));
  t.is(sealed.topic, other.topic);
  const encoded = encodeProto(FrameProto, sealed);
  t.is(text(b.open(read(sealed), bytes('app'))), '\u20ac');
  // The envelope: what mesh/1 has, less its nonce.
  t.true(encoded.length < 3 + mesh.FRAME_OVERHEAD + 100, `${encoded.length}`);
});
