// What a peer, a broker or anybody between can do to mesh/2: every one is a counted refusal, and the tunnel lives.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { createQaceMetrics, createSimpleQace } from '../../src/qace/simple.ts';
import * as mesh from '../../src/mesh/index.ts';
import type { QstpFrame } from '../../src/mesh/index.ts';
import { MeshWord } from '../../src/mesh/node.ts';
import { Inner } from '../../src/mesh/params.ts';
import { draws } from '../random.ts';
import { ALPHA, BETA, bytes, changed, copied, pair, plan, reason, send, settle, text } from './world.ts';
import type { End } from './world.ts';

const threat = (threatScore: number) => ({ ...createQaceMetrics(), threatScore });

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
