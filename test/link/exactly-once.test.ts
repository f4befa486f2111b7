// Exactly once across cuts (X9), over a network in virtual time.
import test from 'ava';
import { draws } from '../random.ts';
import { rig, text } from '../net/rig.ts';
import type { Rig } from '../net/rig.ts';
import { Word } from '../../src/pool/slot.ts';
import { createChains } from '../../src/link/exactly-once.ts';

const queue = { messages: 64, bytes: 4096 };
const fromBytes = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const numbers = (n: number, prefix: string): string[] => Array.from({ length: n }, (_, i) => `${prefix}${i}`);

function both(): { r: Rig; fromServer: string[]; unsettled: string[] } {
  const fromServer: string[] = [];
  const unsettled: string[] = [];
  const r = rig(
    { queue },
    { queue },
    {
      message: (bytes) => fromServer.push(fromBytes(bytes)),
      unsettled: (messages) => unsettled.push(...messages.map(fromBytes)),
    },
    false,
  );
  return { r, fromServer, unsettled };
}

test('cuts at any moment, of either kind: nothing is lost, doubled or out of order, in both directions', (t) => {
  const draw = draws(t);
  for (let seed = 1; seed <= 12; seed++) {
    const { r, fromServer, unsettled } = both();
    const random = (limit: number): number => draw.below(limit);
    r.link.start();
    r.world.run(500);
    let up = 0;
    let down = 0;
    const cuts = 25;
    for (let cut = 0; cut < cuts; cut++) {
      const slow = random(3) === 0;
      if (slow) r.network.last.latency = 3000;
      for (let i = 0; i < 6; i++) {
        r.link.send(text(`u${up++}`));
        if (r.link.state === 'connected') r.peers[r.peers.length - 1]!.send(text(`d${down++}`));
        r.world.run(random(12));
      }
      if (slow) {
        // The client is back before what it sent on the old stream comes in.
        r.network.last.abandon('cut');
      } else if (random(2) === 0) {
        r.network.last.hung = true;
        r.network.last.lose('cut');
      } else {
        r.network.last.hung = true;
      }
      r.world.run(12_000);
      t.is(r.link.state, 'connected', `seed ${seed}, cut ${cut}`);
    }
    r.world.run(60_000);
    t.deepEqual(r.received, numbers(up, 'u'), `seed ${seed}`);
    t.deepEqual(fromServer, numbers(down, 'd'), `seed ${seed}`);
    t.deepEqual(unsettled, []);
    t.true(r.link.metrics.resumptions >= cuts);
    t.is(r.link.metrics.fullHandshakes, 1);
  }
});

test('messages given before the first connection are sent on it', (t) => {
  const { r, unsettled } = both();
  for (const message of numbers(20, 'm')) r.link.send(text(message));
  r.link.start();
  r.world.run(1000);
  t.deepEqual(r.received, numbers(20, 'm'));
  t.deepEqual(unsettled, []);
});

test('the queue is bounded, and has room again when messages are delivered', (t) => {
  const { r } = both();
  for (const message of numbers(64, 'm')) r.link.send(text(message));
  t.throws(() => r.link.send(text('more')), { code: 'queue_full', message: /64 messages/ });
  t.throws(() => both().r.link.send(new Uint8Array(4097)), { code: 'queue_full' });
  r.link.start();
  r.world.run(1000);
  r.link.send(text('more'));
  r.world.run(5000);
  t.is(r.received.length, 65);
});

test('a server that restarts knows nothing of the chain: what was sent is handed back, what was not is sent', (t) => {
  const { r, unsettled } = both();
  r.link.start();
  r.world.run(500);
  r.link.send(text('a'));
  r.link.send(text('b'));
  r.restart(true);
  r.link.send(text('c'));
  r.world.run(120_000);
  t.is(r.link.state, 'connected');
  t.deepEqual(unsettled, ['a', 'b']);
  t.deepEqual(r.received, ['c']);
});

test('a peer without a queue: messages travel, nothing is promised', (t) => {
  const withQueue = rig({ queue }, {});
  withQueue.link.start();
  withQueue.world.run(500);
  for (let i = 0; i < 200; i++) withQueue.link.send(text(`m${i}`));
  withQueue.world.run(500);
  t.is(withQueue.received.length, 200);
  const without = rig({}, { queue });
  without.link.start();
  without.world.run(500);
  without.link.send(text('x'));
  without.world.run(100);
  t.deepEqual(without.received, ['x']);
  t.throws(() => rig({ queue: { messages: 8, bytes: 100 } }), { code: 'invalid_input' });
});

test('a peer that claims to have delivered what was never sent is cut off', (t) => {
  const { r } = both();
  r.link.start();
  r.world.run(500);
  const { connection } = r.peers[0]!;
  connection.session.slot.words[Word.deliveredLow] = 1000;
  r.link.send(text('x'));
  r.world.run(5000);
  t.true(
    r.states.some((s) => s.why?.reason === 'delivered_count'),
    r.states.map((s) => s.why?.reason).join(),
  );
});

test('a message is kept as it was given, and stays its owner’s: Node’s Buffers too', (t) => {
  const { r } = both();
  const message = Buffer.from('poll');
  r.link.send(message);
  message.write('next');
  r.link.send(message);
  r.link.start();
  r.world.run(5000);
  t.deepEqual(r.received, ['poll', 'next']);
  t.is(message.toString(), 'next', 'what was delivered is wiped in the queue, not in the application');
});

test('messages sent on being told of a connection are kept, in order and once, at both ends', (t) => {
  const fromServer: string[] = [];
  const unsettled: string[] = [];
  let up = 0;
  const r = rig(
    { queue },
    { queue },
    {
      message: (bytes) => fromServer.push(fromBytes(bytes)),
      unsettled: (messages) => unsettled.push(...messages.map(fromBytes)),
      state: (state) => {
        if (state === 'connected') for (let i = 0; i < 3; i++) r.link.send(text(`u${up++}`));
      },
    },
    false,
    undefined,
    (peer, count) => {
      for (let i = 0; i < 3; i++) peer.send(text(`d${count * 3 + i}`));
    },
  );
  r.link.start();
  for (let cut = 0; cut < 4; cut++) {
    // The first messages of each connection are lost on the way, or their count is.
    r.world.run(5000 + 7 * cut);
    r.network.last.hung = true;
    r.network.last.lose('cut');
  }
  r.world.run(20_000);
  t.deepEqual(
    r.states.filter((s) => s.why?.reason === 'delivered_count'),
    [],
  );
  t.deepEqual(unsettled, []);
  t.is(r.link.metrics.fullHandshakes, 1);
  t.deepEqual(r.received, numbers(up, 'u'));
  t.deepEqual(fromServer, numbers(3 * r.peers.length, 'd'));
});

test('a message the peer cannot take is refused before it is kept, or handed back, and disturbs no other', (t) => {
  const { r, unsettled } = both();
  t.throws(() => r.link.send(new Uint8Array(0)), { code: 'message_length' });
  r.link.send(text('one'));
  r.link.start();
  r.world.run(500);
  const { slot } = r.link.connection!.session;
  slot.words[Word.peerMaxRecord] = 100;
  t.throws(() => r.link.send(new Uint8Array(101)), { code: 'message_length' });
  r.link.send(text('two'));
  r.world.run(5000);
  t.deepEqual(r.received, ['one', 'two']);
  r.network.last.lose('cut');
  r.world.run(5000);
  t.deepEqual(r.received, ['one', 'two'], 'counted right: nothing is sent again');
  t.deepEqual(unsettled, []);

  // Given while nobody knew what the server takes.
  const small: string[] = [];
  const s = rig(
    { queue },
    { queue, recordLimit: 300 },
    { unsettled: (m) => small.push(...m.map(fromBytes)) },
  );
  s.link.send(text('before'));
  s.link.send(text('x'.repeat(1000)));
  s.link.send(text('after'));
  s.link.start();
  s.world.run(5000);
  t.is(s.link.state, 'connected');
  t.deepEqual(s.received, ['before', 'after']);
  t.deepEqual(small, ['x'.repeat(1000)]);
});

test('a client that comes back with room for less than was kept for it is refused; the server stays', (t) => {
  const { r } = both();
  r.link.start();
  r.world.run(500);
  r.network.last.hung = true;
  r.peers[0]!.send(text('y'.repeat(1000)));
  r.network.last.lose('cut');
  const one = r as unknown as { link: { options: { recordLimit?: number } } };
  one.link.options = { ...one.link.options, recordLimit: 300 };
  t.notThrows(() => r.world.run(20_000));
  t.true(r.server.counters['record_too_large']! >= 1);
});

test('a hello that comes late, after the client is back, takes no part', (t) => {
  const { r } = both();
  r.link.start();
  r.world.run(500);
  r.link.send(text('m0'));
  r.world.run(100);
  const first = r.network.last;
  first.lose('cut');
  for (let i = 0; i < 5000 && r.network.last === first; i++) r.world.run(1);
  const slow = r.network.last;
  // R1 and its answer travel fast, the client's hello slowly.
  for (let i = 0; i < 200 && r.link.state !== 'connected'; i++) {
    if (i >= 7) slow.latency = 3000;
    r.world.run(1);
  }
  t.is(r.link.state, 'connected');
  r.link.send(text('m1'));
  r.world.run(1);
  slow.abandon('cut');
  r.world.run(60_000);
  t.is(r.link.state, 'connected');
  t.deepEqual(r.received, ['m0', 'm1']);
});

test('a server remembers the chains of the latest tickets only, however many clients come', (t) => {
  const chains = createChains(queue);
  const id = (i: number): Uint8Array => Uint8Array.of(i, i >> 8, ...new Uint8Array(14));
  for (let i = 0; i < 10_752; i++) chains.lead(id(i), chains.enter(null)!, 1_800_000_000, 1_800_086_400);
  t.is(chains.enter(id(0)), null);
  t.not(chains.enter(id(752)), null);
  t.not(chains.enter(id(10_751)), null);
});
