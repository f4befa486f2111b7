// What a peer, a broker or anybody between can do to mesh/2: every one is a counted refusal, and the tunnel lives.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { createQaceMetrics, createSimpleQace } from '../../src/qace/simple.ts';
import * as mesh from '../../src/mesh/index.ts';
import type { QstpFrame } from '../../src/mesh/index.ts';
import { MeshWord } from '../../src/mesh/node.ts';
import { Inner } from '../../src/mesh/params.ts';
import { u64 } from '../../src/mesh/u64.ts';
import { draws } from '../random.ts';
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
  seeded,
  send,
  settle,
  testClock,
  text,
} from './world.ts';
import type { End } from './world.ts';

const threat = (threatScore: number) => ({ ...createQaceMetrics(), threatScore });

/** The same frame with one thing changed. */
function changed(frame: QstpFrame, change: (copy: QstpFrame) => void): QstpFrame {
  const copy = copied(frame);
  change(copy);
  return copy;
}

/** True if an end is as it was, but for its counters. */
function stateOf({ tunnel: { slot } }: End): string {
  const words = slot.words.slice();
  words[MeshWord.rejected] = 0;
  return [words, slot.rx.slice(0, 60), slot.tx.slice(0, 60)].join();
}

/** Frames that must not open, and must leave the end as it is; then the genuine one opens. */
function refusesAll(t: ExecutionContext, to: End, frames: readonly QstpFrame[], genuine: QstpFrame): void {
  const before = stateOf(to);
  const counted = to.tunnel.status().rejected;
  frames.forEach((frame, i) => {
    const result = to.tunnel.open(frame);
    t.true(result !== null && mesh.isReject(result), `${i}`);
  });
  t.is(stateOf(to), before);
  t.is(to.tunnel.status().rejected, counted + frames.length);
  t.true(to.tunnel.open(genuine) instanceof Uint8Array);
}

test('frames: each bit of every field', (t) => {
  const { a, b } = pair();
  const frame = a.tunnel.seal(bytes('message'));
  const flipped: QstpFrame[] = [];
  for (const field of ['tunnelId', 'routeHash', 'ciphertext'] as const) {
    for (let bit = 0; bit < 8 * frame[field].length; bit++)
      flipped.push(changed(frame, (f) => (f[field][bit >> 3]! ^= 1 << (bit & 7))));
  }
  for (let bit = 0; bit < 32; bit++) {
    const by = (value: number) => (value ^ (1 << bit)) >>> 0;
    for (const field of ['version', 'kind', 'keyEpoch', 'decision'] as const)
      flipped.push(changed(frame, (f) => (f[field] = by(f[field]))));
    for (const field of ['sequence', 'routeEpoch'] as const) {
      flipped.push(changed(frame, (f) => (f[field].low = by(f[field].low))));
      flipped.push(changed(frame, (f) => (f[field].high = by(f[field].high))));
    }
  }
  t.true(flipped.length > 700);
  refusesAll(t, b, flipped, frame);
});

test('frames: every length, and arrays that are too short', (t) => {
  const { a, b } = pair();
  const frame = a.tunnel.seal(bytes('message'));
  const cut: QstpFrame[] = [];
  for (let length = 0; length < frame.ciphertextBytes; length++)
    cut.push(changed(frame, (f) => (f.ciphertextBytes = length)));
  for (const length of [0, 15, 17]) cut.push(changed(frame, (f) => (f.tunnelId = new Uint8Array(length))));
  for (const length of [0, 31, 33]) cut.push(changed(frame, (f) => (f.routeHash = new Uint8Array(length))));
  cut.push(changed(frame, (f) => (f.topic = '')));
  refusesAll(t, b, cut, frame);
});

test('frames: more bytes than there are do not throw', (t) => {
  const { a, b } = pair();
  const frame = a.tunnel.seal(bytes('message'));
  for (const more of [1, 16, 1000]) {
    const result = b.tunnel.open(changed(frame, (f) => (f.ciphertextBytes += more)));
    t.is(reason(result), 'malformed');
  }
  t.is(text(b.tunnel.open(frame)), 'message');
});

test('frames: reflected to their sender, or to another tunnel of the same node', (t) => {
  const { a, b } = pair();
  a.tunnel.seal(bytes('lost'));
  const frame = a.tunnel.seal(bytes('message'));
  t.is(reason(a.tunnel.open(copied(frame))), 'unauthentic');
  const other = pair();
  t.is(reason(other.b.tunnel.open(copied(frame))), 'tunnel_mismatch');
  const posing = changed(frame, (f) => (f.tunnelId = other.b.tunnel.tunnelId()));
  t.is(reason(other.b.tunnel.open(posing)), 'unauthentic');
  t.is(text(b.tunnel.open(frame)), 'message');
});

test('frames: of one route told as of another, and of a route nobody registered', (t) => {
  const { a, b } = pair();
  const frame = a.tunnel.seal(bytes('message'));
  const on = (route: mesh.MeshRoutePlan, decision: number) =>
    changed(frame, (f) => {
      f.topic = route.topic;
      f.routeHash = mesh.routeHash(route);
      f.decision = decision;
    });
  const lies = [on(BETA, 0), on(BETA, 1), on(plan('nobody/s'), 1), on(ALPHA, 1)];
  const expected = ['route_unknown', 'unauthentic', 'route_unknown', 'unauthentic'];
  lies.forEach((lie, i) => t.is(reason(b.tunnel.open(copied(lie))), expected[i]!));
  refusesAll(t, b, lies, frame);
  t.is(b.tunnel.route().topic, ALPHA.topic);
});

test('frames: numbers far ahead are refused unless they are authentic, and lock nobody out', (t) => {
  const { a, b } = pair();
  const frame = a.tunnel.seal(bytes('first'));
  const far = [64, 1 << 20, mesh.FRAMES_PER_KEY_MAX, 0x7fffffff, 0xffffffff].map((low) =>
    changed(frame, (f) => (f.sequence.low = low)),
  );
  refusesAll(t, b, far, frame);
  a.tunnel.slot.words[MeshWord.txSequence] = 1 << 20;
  t.is(send(a, b, 'far'), 'far');
  t.is(send(a, b, 'further'), 'further');
});

test('frames: epochs that jump cost no derivation, and forged ones beside the present change nothing', (t) => {
  const { a, b } = pair();
  const frame = a.tunnel.seal(bytes('message'));
  const jumps = [2, 3, 1000, 0x7fffffff, 0xfffffffe].map((keyEpoch) =>
    changed(frame, (f) => (f.keyEpoch = keyEpoch)),
  );
  // A derivation leaves its label in the scratch: none is made.
  b.mesh.scratch.label.fill(0xee);
  for (const jump of jumps) t.is(reason(b.tunnel.open(copied(jump))), 'key_epoch_out_of_range');
  t.true(b.mesh.scratch.label.every((byte) => byte === 0xee));
  const beside = changed(frame, (f) => (f.keyEpoch = 1));
  refusesAll(t, b, [...jumps, ...Array.from({ length: 100 }, () => copied(beside))], frame);
  t.true(
    b.mesh.scratch.spare.every((word) => word === 0),
    'what was tried is wiped',
  );
});

test('a frame of the next key is good once, and after it the key before for a time', (t) => {
  const { a, b, clock } = pair();
  const old = [a.tunnel.seal(bytes('1')), a.tunnel.seal(bytes('2'))];
  t.is(text(b.tunnel.open(copied(old[0]!))), '1');
  a.tunnel.rekey();
  const next = a.tunnel.seal(bytes('next'));
  t.is(next.keyEpoch, 1);
  t.is(text(b.tunnel.open(copied(next))), 'next');
  t.is(reason(b.tunnel.open(copied(next))), 'replayed');
  t.is(reason(b.tunnel.open(copied(old[0]!))), 'replayed');
  t.is(text(b.tunnel.open(copied(old[1]!))), '2');
  clock.ms += 10_000;
  t.is(reason(b.tunnel.open(old[1]!)), 'key_epoch_out_of_range');
});

test('after routes have come back, nothing sent on them before is played back', (t) => {
  const { a, b, clock } = pair();
  const recorded: QstpFrame[] = [];
  const talk = (message: string) => {
    const frame = a.tunnel.seal(bytes(message));
    recorded.push(copied(frame));
    t.is(text(b.tunnel.open(frame)), message);
  };
  for (let i = 0; i < 6; i++) {
    talk(`${i}`);
    a.tunnel.applyQace(threat(99), createSimpleQace());
    settle(a, b);
    talk(`${i}, later`);
    clock.ms += 20_000;
    for (const frame of recorded) {
      const result = b.tunnel.open(copied(frame));
      t.true(result !== null && mesh.isReject(result));
    }
  }
  t.is(a.tunnel.status().decision, 6);
});

// ---- Decisions ------------------------------------------------------------------------------------------------------

test('decisions: whatever is lost, and for how long, both ends meet again', (t) => {
  const draw = draws(t);
  for (let round = 0; round < 30; round++) {
    const { a, b, clock } = pair({ decider: round % 2 === 0 ? 'initiator' : 'responder' });
    const decider = round % 2 === 0 ? a : b;
    for (let step = 0; step < 20; step++) {
      const loss = draw.below(4);
      decider.tunnel.applyQace(threat(draw.below(2) * 99), createSimpleQace());
      settle(a, b, () => draw.below(4) >= loss);
      clock.ms += draw.below(8000);
    }
    for (let step = 0; step < 6; step++) {
      settle(a, b);
      clock.ms += 10_000;
      send(a, b, 'x');
      send(b, a, 'x');
    }
    t.is(a.tunnel.route().topic, b.tunnel.route().topic);
    t.is(a.tunnel.status().decision, b.tunnel.status().decision);
    t.false(decider.tunnel.status().proposing);
  }
});

test('decisions: one route is dead in one direction, and then the other', (t) => {
  for (const dead of [ALPHA.topic, BETA.topic]) {
    for (const from of ['a', 'b'] as const) {
      const { a, b, clock } = pair();
      a.tunnel.applyQace(threat(99), createSimpleQace());
      const passes = (frame: QstpFrame, end: End) =>
        !(frame.topic === dead && end === (from === 'a' ? a : b));
      for (let i = 0; i < 5; i++) {
        settle(a, b, passes);
        clock.ms += 1000;
      }
      t.is(a.tunnel.route().topic, BETA.topic, `${dead} dead from ${from}`);
      t.is(b.tunnel.route().topic, BETA.topic);
    }
  }
});

test('decisions: of an end that has none to make, too soon, or over again', (t) => {
  const { a, b, clock } = pair();
  // B, which is not to decide, is made to.
  const rogue = b.tunnel.slot;
  rogue.words[MeshWord.flags]! |= 4;
  b.tunnel.applyQace(threat(99), createSimpleQace());
  const announced = b.tunnel.poll()!;
  t.is(announced.topic, BETA.topic);
  t.is(reason(a.tunnel.open(announced)), 'decision_expired');
  t.is(a.tunnel.route().topic, ALPHA.topic);

  const other = pair({ node: { graceMs: 0, decisionIntervalMs: 20_000 } });
  other.a.tunnel.applyQace(threat(99), createSimpleQace());
  settle(other.a, other.b);
  // A breaks its own limit.
  other.a.tunnel.slot.words[MeshWord.decidedAt]! -= 20_000;
  other.a.tunnel.applyQace(threat(99), createSimpleQace());
  const early = other.a.tunnel.poll()!;
  t.is(reason(other.b.tunnel.open(early)), 'decision_too_soon');
  t.is(other.b.tunnel.route().topic, BETA.topic);
  other.clock.ms += 10_000;
  settle(other.a, other.b);
  t.is(other.b.tunnel.route().topic, ALPHA.topic);
  t.is(send(a, b, 'x'), 'x');
  t.is(clock.ms, 0);
});

test('control messages that are not known, or of another length, are refused', (t) => {
  const { a, b } = pair();
  const frame = mesh.createFrame(128);
  const body = new Uint8Array(64);
  const say = (kind: number, length: number) => {
    mesh.sealInto(a.mesh, a.tunnel.slot, kind, body, 0, length, body, 0, frame, false);
    return reason(b.tunnel.open(copied(frame)));
  };
  t.is(say(99, 0), 'control_unknown');
  for (const kind of [
    Inner.ack,
    Inner.decide,
    Inner.refuse,
    Inner.rekey,
    Inner.tuple,
    Inner.close,
    Inner.follow,
  ])
    t.is(say(kind, 7), 'control_unknown');
  t.is(say(Inner.rekey, 4), 'control', 'an epoch that is not the next');
  t.is(b.tunnel.status().txEpoch, 0);
  t.false(b.tunnel.status().closed);
});

// ---- The handshake --------------------------------------------------------------------------------------------------

/** One random bit of each of `count` bytes spread over a message. */
function mutants(frame: QstpFrame, count: number, draw: (limit: number) => number): QstpFrame[] {
  return Array.from({ length: count }, (_, i) => {
    const at = Math.floor((i * frame.ciphertextBytes) / count);
    return changed(frame, (f) => (f.ciphertext[at]! ^= 1 << draw(8)));
  });
}

test('handshake: bits of each message, and every truncation', (t) => {
  t.timeout(120_000);
  const draw = draws(t);
  const h = handshake({ data: bytes('data') }, { data: bytes('data') });
  const refused = (result: object, i: number, what: string) => t.true(mesh.isReject(result), `${what} ${i}`);
  const cuts = (frame: QstpFrame) =>
    [0, 1, 2, 3, 4, 36, 44, 76, 108, 500, frame.ciphertextBytes - 1].map((length) =>
      changed(frame, (f) => (f.ciphertextBytes = length)),
    );
  const longer = (frame: QstpFrame) => [
    changed(frame, (f) => (f.ciphertextBytes += 1)),
    changed(frame, (f) => {
      f.ciphertext = new Uint8Array([...f.ciphertext, 0]);
      f.ciphertextBytes++;
    }),
  ];
  const init = h.state.frame;
  [...mutants(init, 150, draw.below), ...cuts(init), ...longer(init).slice(1)].forEach((frame, i) =>
    refused(mesh.respondHandshake(h.responder, frame), i, 'init'),
  );
  t.is(h.responder.waiting.entries.length, 0, 'none of them waits');
  const answer = good(mesh.respondHandshake(h.responder, init));
  [...mutants(answer, 100, draw.below), ...cuts(answer), ...longer(answer).slice(1)].forEach((frame, i) =>
    refused(mesh.deriveSessionKeys(h.state, frame), i, 'response'),
  );
  const derived = good(mesh.deriveSessionKeys(h.state, answer));
  const confirm = derived.frame;
  [...mutants(confirm, 150, draw.below), ...cuts(confirm), ...longer(confirm).slice(1)].forEach((frame, i) =>
    refused(mesh.confirmHandshake(h.responder, frame), i, 'confirm'),
  );
  const keys = good(mesh.confirmHandshake(h.responder, confirm));
  t.deepEqual(keys.secret, derived.keys.secret);
  t.throws(() => mesh.deriveSessionKeys(h.state, answer), { code: 'handshake_done' });
});

test('handshake: each bit of the fixed fields', (t) => {
  const h = handshake();
  const init = h.state.frame;
  for (let bit = 0; bit < 8 * 108; bit++) {
    const flipped = changed(init, (f) => (f.ciphertext[bit >> 3]! ^= 1 << (bit & 7)));
    t.true(mesh.isReject(mesh.respondHandshake(h.responder, flipped)), `${bit}`);
  }
});

test('hydration: each bit of every message', (t) => {
  const secret = new Uint8Array(32).fill(7);
  const [self, peerId] = [1, 2].map((byte) => new Uint8Array(32).fill(byte));
  const { b } = pair();
  const answering = mesh.createHydrator({
    mesh: b.mesh,
    self: peerId!,
    secretOf: () => secret,
    random: seeded('b'),
  });
  const begun = mesh.hydrateRemoteTunnel({
    secret,
    self: self!,
    peerId: peerId!,
    route: ALPHA,
    random: seeded('a'),
  });
  const every = (frame: QstpFrame, take: (frame: QstpFrame) => object) => {
    for (let bit = 0; bit < 8 * frame.ciphertextBytes; bit++) {
      const flipped = changed(frame, (f) => (f.ciphertext[bit >> 3]! ^= 1 << (bit & 7)));
      t.true(mesh.isReject(take(flipped)), `${bit}`);
    }
  };
  every(begun.frame, (frame) => mesh.respondHydration(answering, frame));
  const answer = good(mesh.respondHydration(answering, begun.frame));
  every(answer, (frame) => mesh.deriveHydratedKeys(begun, frame));
  const derived = good(mesh.deriveHydratedKeys(begun, answer));
  every(derived.frame, (frame) => mesh.confirmHydration(answering, frame));
  t.deepEqual(good(mesh.confirmHydration(answering, derived.frame)).secret, derived.keys.secret);
});

test('handshake: a flood of inits neither grows the table nor keeps a peer out', (t) => {
  t.timeout(120_000);
  const clock = testClock();
  const h = handshake({}, { halfOpen: 2 }, clock);
  // Alice's own, recorded: all of them are authentic.
  for (let i = 0; i < 8; i++) good(mesh.respondHandshake(h.responder, handshake({}, {}, clock).state.frame));
  t.is(h.responder.waiting.entries.length, 2);
  const { a, b } = complete(h);
  settle(a, b);
  t.is(send(a, b, 'x'), 'x');
  // Another peer has no place while they wait, and then it has.
  const [bob, carol] = [party('bob'), party('carol')];
  const full = mesh.createResponder({
    ...h.responder.options,
    halfOpen: 1,
    trust: mesh.pinnedTrust(crypto, [party('alice').publicKey, carol.publicKey]),
  });
  good(mesh.respondHandshake(full, handshake().state.frame));
  const hers = handshake({ identity: carol.identity, peerId: bob.identity.peerId }).state.frame;
  t.is(reason(mesh.respondHandshake(full, hers)), 'handshake_full');
  clock.ms += 30_000;
  t.false(mesh.isReject(mesh.respondHandshake(full, hers)));
});

test('handshake: the same init again gets the same response, without any computation', (t) => {
  const h = handshake();
  const answer = good(mesh.respondHandshake(h.responder, h.state.frame));
  const idle = { ...h.responder.options, random: () => t.fail('something was computed') };
  const repeated = { ...h.responder, options: idle };
  for (let i = 0; i < 5; i++) t.is(good(mesh.respondHandshake(repeated, copied(h.state.frame))), answer);
  // With another signature it is not the same.
  const forged = changed(h.state.frame, (f) => (f.ciphertext[f.ciphertextBytes - 1]! ^= 1));
  t.is(reason(mesh.respondHandshake(h.responder, forged)), 'signature_invalid');
});

test('handshake: messages of one as those of another', (t) => {
  const [one, two] = [handshake(), handshake()];
  const answers = [one, two].map((h) => good(mesh.respondHandshake(h.responder, h.state.frame)));
  t.is(reason(mesh.deriveSessionKeys(one.state, answers[1]!)), 'handshake_unknown');
  const posing = changed(answers[1]!, (f) => (f.tunnelId = one.state.frame.tunnelId));
  t.is(reason(mesh.deriveSessionKeys(one.state, posing)), 'signature_invalid');
  t.is(reason(mesh.deriveSessionKeys(one.state, one.state.frame)), 'malformed', 'its own');
  t.is(reason(mesh.respondHandshake(one.responder, answers[0]!)), 'malformed');
  const derived = good(mesh.deriveSessionKeys(one.state, answers[0]!));
  t.is(reason(mesh.confirmHandshake(two.responder, derived.frame)), 'handshake_unknown');
  const taken = two.responder.waiting.entries[0]!.tunnelId;
  t.is(
    reason(
      mesh.confirmHandshake(
        two.responder,
        changed(derived.frame, (f) => (f.tunnelId = taken)),
      ),
    ),
    'confirmation_invalid',
  );
  t.false(mesh.isReject(mesh.confirmHandshake(one.responder, derived.frame)));
});

test('handshake: another route, program, suite or age than is wanted', (t) => {
  const clock = testClock();
  const answerTo = (more: Partial<mesh.InitiatorOptions>, responding: Partial<mesh.ResponderOptions>) => {
    const h = handshake(more, responding, clock);
    return reason(mesh.respondHandshake(h.responder, h.state.frame));
  };
  t.is(answerTo({}, { acceptRoute: (route) => route.topic !== ALPHA.topic }), 'route_refused');
  t.is(answerTo({}, { expectProfile: new Uint8Array(32).fill(1) }), 'profile_mismatch');
  t.is(answerTo({ peerId: party('carol').identity.peerId }, {}), 'peer_mismatch');
  t.is(answerTo({ stamp: u64(clock.wall() - 60_001) }, { maxInitAgeMs: 60_000 }), 'handshake_expired');
  t.is(answerTo({ stamp: u64(clock.wall() - 60_000) }, { maxInitAgeMs: 60_000 }), 'fine');
  const h = handshake();
  const other = changed(h.state.frame, (f) => (f.ciphertext[2] = 2));
  t.is(reason(mesh.respondHandshake(h.responder, other)), 'suite_unknown');
  t.is(h.right.refused[mesh.Refusal.suite], 1);
  const unexpected = handshake({ expectProfile: new Uint8Array(32).fill(1) });
  const answer = good(mesh.respondHandshake(unexpected.responder, unexpected.state.frame));
  t.is(reason(mesh.deriveSessionKeys(unexpected.state, answer)), 'profile_mismatch');
});

test('a restart of either end at any point: hydrated anew, nothing of before opens', (t) => {
  const secret = new Uint8Array(32).fill(9);
  const [left, right] = [1, 2].map((byte) => new Uint8Array(32).fill(byte));
  const recorded: QstpFrame[] = [];
  const { a, b } = pair();
  for (let restart = 0; restart < 6; restart++) {
    const answering = mesh.createHydrator({
      mesh: b.mesh,
      self: right!,
      secretOf: (peerId) => (peerId[0] === 1 ? secret : null),
      random: seeded(`b ${restart}`),
    });
    const begun = mesh.hydrateRemoteTunnel({
      secret,
      self: left!,
      peerId: right!,
      route: ALPHA,
      random: seeded(`a ${restart}`),
    });
    const answer = good(mesh.respondHydration(answering, begun.frame));
    const derived = good(mesh.deriveHydratedKeys(begun, answer));
    // One end restarts before the confirmation: it is begun again.
    if (restart % 3 === 1) continue;
    const keys = good(mesh.confirmHydration(answering, derived.frame));
    const ends = [
      { mesh: a.mesh, tunnel: good(mesh.establishTunnel(a.mesh, derived.keys)) },
      { mesh: b.mesh, tunnel: good(mesh.establishTunnel(b.mesh, keys)) },
    ] as const;
    settle(...ends);
    for (const frame of recorded) {
      t.is(mesh.findTunnel(b.mesh, frame.tunnelId), null);
      t.is(reason(ends[1].tunnel.open(copied(frame))), 'tunnel_mismatch');
      const posing = changed(frame, (f) => (f.tunnelId = ends[1].tunnel.tunnelId()));
      t.true(mesh.isReject(ends[1].tunnel.open(posing)!));
    }
    const frame = ends[0].tunnel.seal(bytes('x'));
    recorded.push(copied(frame));
    t.is(text(ends[1].tunnel.open(frame)), 'x');
    ends[0].tunnel.dispose();
    ends[1].tunnel.dispose();
  }
  t.true(recorded.length >= 4);
});

test('every reason has its number, and each is counted at its node', (t) => {
  const { a, b } = pair();
  const frame = a.tunnel.seal(bytes('x'));
  b.tunnel.open(copied(frame));
  b.tunnel.open(copied(frame));
  t.is(b.mesh.refused[mesh.Refusal.replayed], 1);
  for (const number of Object.values(mesh.Refusal)) t.true(mesh.refusal(number).reason.length > 0);
  t.is(new Set(mesh.refusalReasons()).size, mesh.refusalReasons().length);
  t.is(mesh.refusalReasons().length, Object.keys(mesh.Refusal).length - 1);
});
