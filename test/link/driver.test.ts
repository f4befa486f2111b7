// A link over a network in virtual time: states, resumption, keep-alives on the poll, dead peers, endpoints.
import test from 'ava';
import type { Link, LinkState } from '../../src/link/driver.ts';
import { acceptCredential, deviceCredential, provisionedId } from '../../src/link/provisioned.ts';
import { memoryStorage } from '../../src/link/storage-memory.ts';
import { createTickets, memoryTicketStore } from '../../src/link/ticket-store.ts';
import { openWallet } from '../../src/link/wallet.ts';
import { openUseCounter, provisionUseCounter } from '../../src/link/use-counter.ts';
import { clockNow, clockOver, createClock, pinValidity } from '../../src/session/clock.ts';
import { createPathChooser } from '../../src/qace/chooser.ts';
import { createPaths, PATH_DEFAULTS } from '../../src/qace/metrics.ts';
import { createQaceDecision } from '../../src/qace/simple.ts';
import { World } from '../net/virtual.ts';
import { HEADER_BYTES } from '../../src/params.ts';
import { again, certificate, chain, rig, text } from '../net/rig.ts';
import type { Rig } from '../net/rig.ts';

const names = (r: Rig): string => r.states.map((s) => s.state).join(' ');

test('connects, sends, is told of the end, resumes by ticket', (t) => {
  const r = rig();
  r.link.start();
  r.world.run(500);
  t.is(names(r), 'waiting connecting handshake connected');
  r.link.send(text('one'));
  r.world.run(100);
  t.deepEqual(r.received, ['one']);
  t.is(r.link.metrics.messagesIn, 1);
  r.network.last.lose('reset');
  r.world.run(2000);
  t.is(r.link.state, 'connected');
  t.deepEqual(
    { ...r.link.metrics, forwardSecrecySince: 0, rttMs: 0, jitterMs: 0, lossPermille: 0 },
    {
      attempts: 2,
      connected: 2,
      fullHandshakes: 1,
      resumptions: 1,
      ended: 1,
      failed: 0,
      messagesIn: 1,
      messagesOut: 1,
      endpoint: 0,
      moved: 0,
      rttMs: 0,
      jitterMs: 0,
      lossPermille: 0,
      trustTaken: 0,
      trustRefused: 0,
      certificateEnds: certificate.to,
      forwardSecrecySince: 0,
    },
  );
  t.true(r.network.last.bytes < 700, `${r.network.last.bytes} bytes for a resumption and its tickets`);
  r.link.stop();
  r.world.run(20000);
  t.is(r.link.state, 'stopped');
  t.is(r.server.connections, 0);
  t.is(r.world.pending, 0, 'no timer is left');
});

test('a server that restarts with its store resumes; without it, falls back to a full handshake by itself', (t) => {
  for (const keep of [true, false]) {
    const r = rig();
    r.link.start();
    r.world.run(500);
    r.restart(keep);
    r.world.run(120_000);
    t.is(r.link.state, 'connected', names(r));
    t.is(r.link.metrics.resumptions, keep ? 1 : 0);
    t.is(r.link.metrics.fullHandshakes, keep ? 1 : 2);
    r.link.stop();
  }
});

test('full handshakes come no more often than allowed', (t) => {
  const r = rig({ fullHandshakeMinMs: 300_000, wallet: null });
  r.link.start();
  r.world.run(500);
  for (let i = 0; i < 5; i++) {
    r.network.last.lose('cut');
    r.world.run(300_000);
  }
  t.true(
    r.link.metrics.fullHandshakes <= 6 && r.link.metrics.fullHandshakes >= 4,
    `${r.link.metrics.fullHandshakes}`,
  );
  const opened = r.network.attempts;
  for (let i = 1; i < opened.length; i++) t.true(opened[i]! - opened[i - 1]! >= 299_990);
});

test('a stream that hangs is found dead within the polls missed, and the link comes back', (t) => {
  for (const pollMs of [100, 1000, 60000]) {
    const r = rig({ pollMs });
    r.link.start();
    r.world.run(3000);
    t.is(r.link.state, 'connected');
    r.world.run(10 * pollMs);
    t.is(r.link.state, 'connected', 'keep-alives hold an idle link');
    const cut = r.world.ms;
    r.network.last.hung = true;
    r.world.run(5 * pollMs);
    const dead = r.states.find((s) => s.why?.reason === 'keepalive_expired');
    t.truthy(dead, `poll ${pollMs}: ${names(r)}`);
    t.true(dead!.at - cut <= 3 * pollMs + pollMs, `poll ${pollMs}: found after ${dead!.at - cut} ms`);
    r.world.run(70_000);
    t.is(r.link.state, 'connected');
    r.link.stop();
  }
});

test('an idle link sends one request in two polls, a busy one none', (t) => {
  const r = rig();
  r.link.start();
  r.world.run(1000);
  const before = r.network.last.writes.length;
  r.world.run(100_000);
  const idle = r.network.last.writes.slice(before);
  const requests = idle.filter((w) => w.fromClient);
  // A response is life too: the cycle after it needs no request.
  t.true(requests.length >= 49 && requests.length <= 50, `${requests.length} requests in 100 polls`);
  for (const w of requests) t.is(w.length, HEADER_BYTES + 8 + 16);
  t.true(r.link.updateMetrics().rttMs >= 9 && r.link.metrics.rttMs <= 11, `RTT ${r.link.metrics.rttMs} ms`);
  t.is(r.link.metrics.lossPermille, 0);
  const busy = r.network.last.writes.length;
  for (let i = 0; i < 100; i++) {
    r.link.send(text('poll'));
    r.world.run(1000);
  }
  const polls = r.network.last.writes.slice(busy).filter((w) => w.fromClient);
  t.is(polls.length, 100, 'no keep-alive beside the polls');
});

test('a server that is away is asked again with growing pauses, up to the cap, and found when it is back', (t) => {
  const r = rig({ maxMs: 20_000 });
  const accept = r.network.servers[0]!;
  r.network.servers[0] = null;
  r.link.start();
  r.world.run(600_000);
  t.is(r.link.metrics.failed, r.network.attempts.length);
  const pauses = r.network.attempts.slice(1).map((at, i) => at - r.network.attempts[i]!);
  t.true(Math.max(...pauses) <= 20_010 && Math.max(...pauses) > 5000);
  t.true(pauses[0]! < 600);
  t.true(r.network.attempts.length > 30 && r.network.attempts.length < 120, `${r.network.attempts.length}`);
  t.is(r.states.find((s) => s.why !== null)?.why?.reason, 'connect_failed');
  r.network.servers[0] = accept;
  r.world.run(20_100);
  t.is(r.link.state, 'connected');
});

test('of two endpoints the first is preferred, the second serves while it is away', (t) => {
  const r = rig({ endpoints: 2 });
  const accept = r.network.servers[0]!;
  r.network.servers[1] = accept;
  r.network.servers[0] = null;
  r.link.start();
  r.world.run(5000);
  t.is(r.link.state, 'connected');
  t.is(r.link.metrics.endpoint, 1);
  r.network.servers[0] = accept;
  r.network.last.lose('cut');
  r.world.run(60_000);
  t.is(r.link.metrics.endpoint, 0);
});

test('the next wake-up is known, and nothing has to be done before it', (t) => {
  const r = rig({ pollMs: 60_000 });
  r.link.start();
  r.world.run(2000);
  for (let i = 0; i < 20; i++) {
    const wake = r.link.wakeIn();
    t.true(wake > 0 && wake <= 120_000, `${wake}`);
    const writes = r.network.last.writes.filter((w) => w.fromClient).length;
    r.world.run(wake - 1);
    t.is(r.network.last.writes.filter((w) => w.fromClient).length, writes);
    r.world.run(200);
  }
  t.is(r.link.state, 'connected');
});

test('a forged refusal invalidates nothing: the ticket is tried again and works', (t) => {
  const r = rig();
  r.link.start();
  r.world.run(500);
  const accept = r.network.servers[0]!;
  let forged = 0;
  r.network.servers[0] = (wire) => {
    // Somebody on the path answers before the server does.
    const refusal = new Uint8Array(22);
    refusal.set([0x13, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff]);
    refusal[21] = 0x0f;
    forged++;
    const transport = wire.bind(1, {
      data: () => transport.write(refusal, 22),
      drain: () => undefined,
      gone: () => undefined,
    });
  };
  r.network.last.lose('cut');
  r.world.run(300);
  t.true(forged >= 1);
  r.network.servers[0] = accept;
  r.world.run(10_000);
  t.is(r.link.state, 'connected', names(r));
  t.is(r.link.metrics.resumptions, 1);
  t.is(r.link.metrics.fullHandshakes, 1);
});

test('deep sleep: what is kept is small and sealed; the wake-up resumes; a ticket serves one of them', (t) => {
  const key = new Uint8Array(32).fill(9);
  const r = rig();
  t.throws(() => r.link.suspend(key), { code: 'nothing_to_keep' });
  r.link.start();
  r.world.run(500);
  const kept = r.link.suspend(key);
  t.true(kept.length <= 256, `${kept.length} bytes`);
  t.is(r.link.state, 'stopped');
  r.world.run(3_600_000);
  t.is(r.server.connections, 0);

  const wake = (bytes: Uint8Array): Link => {
    const { link } = again(r);
    t.true(link.resume(bytes, key));
    link.start();
    r.world.run(1000);
    return link;
  };
  const awake = wake(kept);
  t.is(awake.state, 'connected');
  t.is(awake.metrics.resumptions, 1);
  t.is(awake.metrics.fullHandshakes, 0);
  t.is(awake.metrics.attempts, 1);
  awake.stop();
  // The same bytes again, as after a crash: the first ticket is gone, the next one serves.
  const twice = wake(kept);
  t.is(twice.metrics.resumptions, 1);
  t.true(twice.metrics.attempts > 1, 'the ticket of the first wake-up was refused');
  twice.stop();
  for (let at = 0; at < kept.length; at += 7) {
    const altered = kept.slice();
    altered[at]! ^= 1;
    t.false(again(r).link.resume(altered, key), `byte ${at}`);
  }
  t.false(again(r).link.resume(kept.subarray(0, 100), key));
  t.false(again(r).link.resume(kept, new Uint8Array(32)));
});

test('stop from inside callbacks, at every state', (t) => {
  for (const at of ['waiting', 'connecting', 'handshake', 'connected'] as const) {
    const r = rig();
    const { link } = r;
    const events = (link as unknown as { events: { state: (state: LinkState) => void } }).events;
    const before = events.state;
    events.state = (state) => {
      before(state);
      if (state === at) link.stop();
    };
    link.start();
    r.world.run(60_000);
    t.is(link.state, 'stopped', at);
    t.is(r.server.connections, 0, at);
    t.is(r.world.pending, 0, at);
  }
});

test('a server that has gone back to strict 1.4 is refused by name, once no ticket works', (t) => {
  const strict = { extensions: 'never' } as const;
  const serverOptions: { extensions?: 'never' } = {};
  const r = rig({ extensions: 'allow', maxMs: 5000 }, serverOptions);
  r.link.start();
  r.world.run(500);
  t.is(r.link.state, 'connected');
  Object.assign(serverOptions, strict);
  r.restart(true);
  r.world.run(60_000);
  // The link has seen its hello: somebody who takes the extensions away is not believed.
  t.not(r.link.state, 'connected', names(r));
  const ends = r.states.map((s) => s.why?.reason).filter((reason) => reason !== undefined);
  t.deepEqual(ends.slice(0, 8), [
    'disconnected',
    // two tries of each of three tickets
    ...Array.from({ length: 6 }, () => 'peer_error'),
    'extensions_missing',
  ]);
});

test('a stream that comes when nobody wants it any more is closed', (t) => {
  const r = rig();
  const { connector } = r.network;
  const open = connector.open.bind(connector);
  // A connector that cannot give up.
  connector.open = (index, done) => {
    open(index, done);
    return () => undefined;
  };
  r.link.start();
  r.world.run(1);
  t.is(r.link.state, 'connecting');
  r.link.stop();
  r.world.run(100);
  t.is(r.network.wires.length, 1);
  t.is(r.server.connections, 0);
});

test('a server without room keeps being asked by ticket, not for a full handshake', (t) => {
  const r = rig({ maxMs: 2000 });
  r.link.start();
  r.world.run(500);
  r.restart(true);
  r.server.pause();
  const accept = r.network.servers[0]!;
  const refusal = Uint8Array.from([0x13, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  r.network.servers[0] = (wire) => {
    const transport = wire.bind(1, {
      data: () => transport.write(refusal, refusal.length),
      drain: () => undefined,
      gone: () => undefined,
    });
  };
  r.world.run(60_000);
  t.true(r.link.metrics.failed > 10);
  r.network.servers[0] = accept;
  r.server.resume();
  r.world.run(5000);
  t.is(r.link.state, 'connected', names(r));
  t.is(r.link.metrics.fullHandshakes, 1);
  t.is(r.link.metrics.resumptions, 1);
});

test('a provisioned device connects without a full handshake, again and again, and counts its uses', (t) => {
  const storage = memoryStorage();
  provisionUseCounter(storage);
  const provisioning = {
    id: provisionedId(chain.random('provisioned id')),
    deviceSecret: new Uint8Array(32).fill(5),
    anchor: certificate.serial,
  };
  const credential = deviceCredential(provisioning, 3, openUseCounter(storage), chain.random('device'));
  const store = memoryTicketStore();
  const tickets = createTickets(store, new Uint8Array(32).fill(7), chain.random('gateway'));
  const now = new World().epoch;
  acceptCredential(tickets, provisioning, null, now, now + 1e6, (kept) => t.true(kept));
  const nonces = new Set<string>();
  const { nonce } = credential;
  credential.nonce = () => {
    const made = nonce!();
    nonces.add(Buffer.from(made.subarray(0, 8)).toString('hex'));
    return made;
  };
  const r = rig({ credential, wallet: null, fullHandshakeMinMs: 3_600_000 }, { tickets });
  r.link.start();
  for (let i = 0; i < 5; i++) {
    r.world.run(10_000);
    t.is(r.link.state, 'connected', `${i}: ${r.states.map((s) => s.why?.reason ?? s.state).join()}`);
    t.is(r.link.metrics.forwardSecrecySince, 0, 'no forward secrecy is claimed');
    r.network.last.lose('cut');
  }
  t.is(r.link.metrics.fullHandshakes, 0);
  t.is(r.link.metrics.resumptions, 5);
  t.deepEqual(
    [...nonces].sort(),
    ['00', '01', '02', '03', '04'].map((n) => `03000000${n}000000`),
  );
  r.link.stop();
  t.throws(
    () =>
      deviceCredential(
        { ...provisioning, id: new Uint8Array(16) },
        1,
        openUseCounter(storage),
        () => undefined,
      ),
    {
      code: 'invalid_input',
    },
  );
});

test('`allow` becomes `require` once the server has said hello', (t) => {
  const r = rig({ extensions: 'allow', wallet: null });
  r.link.start();
  r.world.run(1000);
  t.is(r.link.state, 'connected');
  // Somebody on the path takes the discovery bit away from now on.
  const accept = r.network.servers[0]!;
  r.network.servers[0] = (wire) => {
    const { bind } = wire;
    wire.bind = (side, events) =>
      bind.call(wire, side, {
        ...events,
        drain: () => events.drain(),
        gone: (error) => events.gone(error),
        data: (bytes) => {
          if (side === 1 && bytes[0] === 1) bytes[21 + 16 + 41] = 0;
          events.data(bytes);
        },
      });
    accept(wire);
  };
  r.network.last.lose('cut');
  r.world.run(60_000);
  t.not(r.link.state, 'connected');
  t.true(r.states.some((s) => s.why?.reason === 'extensions_missing'));
});

test('a device without a clock is synced by its first connection, and starts from its floor again when in doubt', (t) => {
  const reports: string[] = [];
  const world: { ms: () => number } = { ms: () => 0 };
  const counter = (): number => 50 + Math.floor(world.ms() / 1000);
  const deviceClock = createClock({ report: (report) => reports.push(report.event) }, 50);
  pinValidity(deviceClock, certificate.from, certificate.to);
  const r = rig({ deviceClock, counter, wallet: null }, {}, {}, true, clockOver(deviceClock, counter));
  world.ms = () => r.world.ms;
  t.is(clockNow(deviceClock, counter()), 0);
  r.link.start();
  r.world.run(2000);
  t.is(r.link.state, 'connected', r.states.map((s) => s.why?.reason ?? s.state).join());
  t.true(Math.abs(clockNow(deviceClock, counter()) - r.world.clock.now()) <= 1);
  t.deepEqual(reports, ['synced']);
  r.link.send(text('timely'));
  r.world.run(5000);
  t.deepEqual(r.received, ['timely'], 'the key is not updated for the time that was not known');
  // The device's clock is an hour off now, by a counter that ran wild.
  deviceClock.offset += 3600;
  r.network.last.lose('cut');
  r.world.run(30_000);
  t.is(r.link.state, 'connected', r.states.map((s) => s.why?.reason ?? s.state).join());
  t.true(reports.includes('degraded'));
});

test('QACE chooses the endpoint that answers sooner, where order would go back to the first', (t) => {
  for (const qace of [false, true]) {
    const chooser = qace ? createPathChooser(createPaths(2, PATH_DEFAULTS), createQaceDecision(2)) : null;
    const r = rig({ endpoints: 2, chooser, pollMs: 1000 });
    const near = r.network.servers[0]!;
    const far = (wire: Parameters<typeof near>[0]): void => {
      wire.latency = 400;
      near(wire);
    };
    r.network.servers[0] = far;
    r.network.servers[1] = near;
    r.link.start();
    // Both are known after a while each: the first, then, while it is away, the second.
    r.world.run(60_000);
    t.is(r.link.metrics.endpoint, 0);
    r.network.servers[0] = null;
    r.network.last.lose('cut');
    r.world.run(60_000);
    t.is(r.link.metrics.endpoint, 1);
    r.network.servers[0] = far;
    r.network.last.lose('cut');
    r.world.run(30_000);
    t.is(r.link.state, 'connected');
    t.is(r.link.metrics.endpoint, qace ? 1 : 0, qace ? 'by QACE' : 'in order');
  }
});

test('a KEM rekey through the link: new keys, new tickets, forward secrecy from then on', (t) => {
  const wallet = openWallet({ serial: certificate.serial });
  const r = rig({ wallet });
  t.throws(() => r.link.rekey(), { code: 'not_connected' });
  r.link.start();
  r.world.run(500);
  const old = wallet.tickets.map(({ id }) => Buffer.from(id).toString('hex'));
  const before = r.link.metrics.forwardSecrecySince;
  r.world.run(10_000);
  r.link.rekey();
  r.world.run(1000);
  t.is(r.link.state, 'connected', r.states.map((s) => s.why?.reason ?? s.state).join());
  t.is(wallet.tickets.length, 3);
  for (const { id } of wallet.tickets) t.false(old.includes(Buffer.from(id).toString('hex')));
  t.true(r.link.updateMetrics().forwardSecrecySince >= before + 10);
  t.throws(() => r.link.rekey(), { code: 'rekey_unavailable' });
  r.link.send(text('after'));
  r.network.last.lose('cut');
  r.world.run(10_000);
  t.is(r.link.metrics.resumptions, 1);
  t.true(r.link.metrics.forwardSecrecySince >= before + 10);
});
