// What anybody can do to the handshakes of mesh/2, and what a restart of either end leaves.
import test from 'ava';
import * as mesh from '../../src/mesh/index.ts';
import type { QstpFrame } from '../../src/mesh/index.ts';
import { u64 } from '../../src/mesh/u64.ts';
import { draws } from '../random.ts';
import {
  ALPHA,
  bytes,
  changed,
  complete,
  copied,
  crypto,
  good,
  handshake,
  pair,
  party,
  reason,
  seeded,
  send,
  settle,
  testClock,
  text,
} from './world.ts';

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
