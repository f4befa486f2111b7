// A link with two ways to its server: when one gets worse, the tunnel goes over to the other by resumption.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { choosing } from '../../src/qace/chooser.ts';
import { rig, text } from '../net/rig.ts';
import type { Rig } from '../net/rig.ts';
import type { PathChooser } from '../../src/link/endpoints.ts';
import type { Peer } from '../../src/link/server.ts';

const POLL_MS = 1000;
const PROBE_MS = 2000;
const fromBytes = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const queue = { messages: 64, bytes: 4096 };

interface Polled {
  r: Rig;
  /** Sets how long both ways of an uplink take from now on, for streams that exist too. */
  slow(index: number, latency: number): void;
  run(ms: number): void;
  /** Numbers of polls, as they came to the device and as their answers came back. */
  asked: number[];
  answered: number[];
  /** How long each poll took, ms. */
  took: number[];
  sent(): number;
}

/** A master that polls a device once a second through its tunnel; both keep what is not delivered (X9). */
function polled(probeMs: number): Polled {
  const asked: number[] = [];
  const answered: number[] = [];
  const took: number[] = [];
  const sentAt: number[] = [];
  const waiting: number[] = [];
  let peer: Peer | null = null;
  const ways: number[] = [];
  const r = rig(
    { endpoints: 2, queue, pollMs: POLL_MS, probeMs, chooser: choosing<PathChooser>({}, 2).chooser },
    { queue },
    {
      message(bytes) {
        asked.push(Number(fromBytes(bytes)));
        r.link.send(bytes.slice());
      },
    },
    false,
    undefined,
    (newcomer) => {
      peer = newcomer;
      for (const poll of waiting.splice(0)) peer.send(text(String(poll)));
    },
  );
  const accept = r.network.servers[0]!;
  r.network.servers[0] = (wire) => {
    ways[r.network.wires.indexOf(wire)] = 0;
    accept(wire);
  };
  r.network.servers[1] = (wire) => {
    ways[r.network.wires.indexOf(wire)] = 1;
    accept(wire);
  };
  r.network.latencies.push(20, 40);
  const poll = (): void => {
    r.world.after(POLL_MS, poll);
    const n = sentAt.push(r.world.ms) - 1;
    if (peer !== null && r.server.peers.has(peer)) peer.send(text(String(n)));
    else waiting.push(n);
  };
  r.link.start();
  r.world.run(1500);
  poll();
  return {
    r,
    asked,
    answered,
    took,
    sent: () => sentAt.length,
    slow(index, latency) {
      r.network.latencies[index] = latency;
      for (const [i, wire] of r.network.wires.entries()) if (ways[i] === index) wire.latency = latency;
    },
    run(ms) {
      for (let passed = 0; passed < ms; passed += 10) {
        r.world.run(10);
        for (const message of r.received.splice(0)) {
          answered.push(Number(message));
          took.push(r.world.ms - sentAt[Number(message)]!);
        }
      }
    },
  };
}

/** Every poll but the one on its way came once and in order, and so did its answer. */
function complete(t: ExecutionContext, p: Polled): void {
  t.deepEqual(
    p.asked,
    Array.from(p.asked, (_, i) => i),
  );
  t.deepEqual(
    p.answered,
    Array.from(p.answered, (_, i) => i),
  );
  t.true(p.sent() - p.answered.length <= 1, `${p.sent()} sent, ${p.answered.length} answered`);
}

test('an uplink that gets slow is left by resumption; no poll is lost or doubled, and at most one is late', (t) => {
  const p = polled(PROBE_MS);
  p.run(30_000);
  t.is(p.r.link.metrics.endpoint, 0, 'the first serves while it is good');
  t.is(p.r.link.metrics.moved, 0);
  for (const latency of [60, 120, 240, 400]) {
    p.slow(0, latency);
    p.run(4000);
  }
  p.run(30_000);
  const { metrics } = p.r.link;
  t.is(metrics.endpoint, 1);
  t.is(metrics.moved, 1);
  t.deepEqual([metrics.fullHandshakes, metrics.resumptions], [1, 1]);
  complete(t, p);
  t.true(p.took.filter((ms) => ms > POLL_MS).length <= 1, p.took.join());
  t.true(p.took[p.took.length - 1]! <= 100, 'polls are quick again');
});

test('without probes the slow uplink is kept: nothing else tells of the other', (t) => {
  const p = polled(0);
  p.run(10_000);
  p.slow(0, 400);
  p.run(60_000);
  t.is(p.r.link.metrics.endpoint, 0);
  t.is(p.r.link.metrics.moved, 0);
});

test('an uplink that swallows everything is left, and comes back into use when the other dies', (t) => {
  const p = polled(PROBE_MS);
  p.run(20_000);
  for (const side of [0, 1, 0]) {
    const dead = p.r.network.servers[side]!;
    p.r.network.servers[side] = null;
    for (const wire of p.r.network.wires) wire.hung = true;
    p.run(30_000);
    t.is(p.r.link.state, 'connected');
    t.is(p.r.link.metrics.endpoint, 1 - side);
    p.r.network.servers[side] = dead;
    p.run(120_000);
  }
  t.is(p.r.link.metrics.fullHandshakes, 1);
  p.run(5000);
  complete(t, p);
});

test('two uplinks alike, one a little worse now and then: the tunnel stays where it is', (t) => {
  const p = polled(PROBE_MS);
  p.slow(1, 20);
  for (let round = 0; round < 40; round++) {
    p.slow(round % 2, 25);
    p.slow(1 - (round % 2), 20);
    p.run(3000);
  }
  t.is(p.r.link.metrics.moved, 0);
  t.is(p.took.filter((ms) => ms > POLL_MS).length, 0);
});

test('both uplinks bad, then one good: it is found', (t) => {
  const p = polled(PROBE_MS);
  p.run(10_000);
  p.slow(0, 420);
  p.slow(1, 420);
  p.run(40_000);
  p.slow(1, 20);
  p.run(40_000);
  t.is(p.r.link.metrics.endpoint, 1);
  complete(t, p);
});

test('a link that is stopped in the middle of a round leaves no stream and no timer', (t) => {
  const p = polled(PROBE_MS);
  p.slow(1, 300);
  p.run(PROBE_MS + 700);
  p.r.link.stop();
  p.r.world.run(10);
  const { pending } = p.r.world;
  p.r.world.run(30_000);
  t.is(p.r.link.state, 'stopped');
  t.true(pending >= 1);
  t.is(p.r.world.pending, 1, 'the master alone goes on');
  t.is(p.r.server.connections, 0);
});
