// Peers, stores and owners that do what they should not.
import test from 'ava';
import { EdgeFlag } from '../../src/params.ts';
import { slotsTaken, createPool } from '../../src/pool/pool.ts';
import { createTickets, memoryTicketStore } from '../../src/link/ticket-store.ts';
import { openWallet } from '../../src/link/wallet.ts';
import { sleepBytes, wakeWith } from '../../src/link/sleep.ts';
import { deviceCredential, provisionedId } from '../../src/link/provisioned.ts';
import { openUseCounter, provisionUseCounter } from '../../src/link/use-counter.ts';
import { memoryStorage } from '../../src/link/storage-memory.ts';
import { handshakeBegins, handshakeFailed, createCredentials } from '../../src/link/credentials.ts';
import { ErrorCode, reject } from '../../src/error.ts';
import type { Session } from '../../src/session/session.ts';
import type { ClientSide } from '../../src/link/client.ts';
import { again, certificate, chain, rig, text } from '../net/rig.ts';

test('the bytes of a deep sleep may come as a Buffer, and stay as they are', (t) => {
  const key = new Uint8Array(32).fill(9);
  const wallet = openWallet({ serial: certificate.serial });
  const r = rig({ wallet });
  r.link.start();
  r.world.run(500);
  const secret = wallet.tickets[0]!.secret.slice();
  const kept = Buffer.from(sleepBytes(wallet, key, chain.random('sleep'), 1));
  const before = kept.toString('hex');
  const woken = openWallet({ serial: certificate.serial });
  t.is(wakeWith(woken, kept, key), 1);
  t.deepEqual(woken.tickets[0]!.secret, secret);
  t.is(kept.toString('hex'), before, 'the secrets are not laid open in the caller’s bytes');
});

test('a server whose pool has no slot left turns a client away, and loses no place', (t) => {
  const pool = createPool({ slots: 1 });
  const r = rig({}, { pool });
  r.link.start();
  r.world.run(500);
  t.is(r.link.state, 'connected');
  const other = again(r);
  other.link.start();
  t.notThrows(() => r.world.run(5000));
  t.not(other.link.state, 'connected');
  t.true(r.server.counters['no_slot']! >= 1);
  t.is(r.server.connections, 1);
  r.link.stop();
  r.world.run(70_000);
  t.is(other.link.state, 'connected');
  t.is(slotsTaken(pool), 1);
  other.link.stop();
});

test('a client whose pool has no slot left tries again later', (t) => {
  const pool = createPool({ slots: 1 });
  const r = rig({ pool });
  const other = rig({ pool });
  other.link.start();
  other.world.run(500);
  r.link.start();
  t.notThrows(() => r.world.run(5000));
  t.is(r.states.find((s) => s.why !== null)?.why?.reason, 'no_slot');
  other.link.stop();
  other.world.run(500);
  r.world.run(70_000);
  t.is(r.link.state, 'connected');
});

test('a poll period that cannot be is refused when the link is made, not when it connects', (t) => {
  t.throws(() => rig({ pollMs: 50 }), { code: 'invalid_input' });
  t.throws(() => rig({ missed: 1 }), { code: 'invalid_input' });
  t.notThrows(() => rig({ pollMs: 0 }));
});

test('a provisioned credential is not wiped by a server that says it is used up', (t) => {
  const storage = memoryStorage();
  provisionUseCounter(storage);
  const provisioning = {
    id: provisionedId(chain.random('id')),
    deviceSecret: new Uint8Array(32).fill(3),
    anchor: certificate.serial,
  };
  const credential = deviceCredential(provisioning, 1, openUseCounter(storage), chain.random('use'));
  const secret = credential.secret.slice();
  const c = createCredentials();
  handshakeBegins(c, credential, 0);
  const closed = reject('peer_error', ErrorCode.ticketUsed, 'used', true);
  const session = { closed } as unknown as Session;
  t.false(handshakeFailed(c, { credential } as unknown as ClientSide, session), 'a pause, not at once');
  t.deepEqual(credential.secret, secret);
});

test('keep-alive requests of a peer that reads nothing are not answered into a queue without end', (t) => {
  const r = rig({}, {}, {}, false);
  r.link.start();
  r.world.run(500);
  const { connection } = r.link;
  const ask = (): void => {
    const packet = new Uint8Array(64);
    const length = connection!.session.sealKeepalive(
      EdgeFlag.keepaliveRequest,
      packet,
      8,
      r.world.clock.now(),
    );
    connection!['transport']!.write(packet.slice(0, length), length);
  };
  const answers = (): number => r.network.last.writes.filter((w) => !w.fromClient).length;
  const before = answers();
  for (let i = 0; i < 10; i++) ask();
  r.world.run(50);
  t.is(answers(), before + 10);
  r.network.last.full[1] = true;
  for (let i = 0; i < 1000; i++) ask();
  r.world.run(50);
  t.true(answers() <= before + 11, `${answers() - before} answers`);
  r.network.last.drain(1);
  ask();
  r.world.run(50);
  t.true(answers() <= before + 12 && answers() >= before + 11);
  t.is(r.link.state, 'connected');
  r.link.stop();
});

test('counts of a peer that reads nothing are told once, when there is room', (t) => {
  const queue = { messages: 5000, bytes: 100_000 };
  const r = rig({ queue, pollMs: 0 }, { queue }, {}, false);
  r.link.start();
  r.world.run(500);
  const told = (): number => r.network.last.writes.filter((w) => !w.fromClient).length;
  const before = told();
  r.network.last.full[1] = true;
  for (let i = 0; i < 1000; i++) r.link.send(text('x'));
  r.world.run(50);
  t.true(told() <= before + 1, `${told() - before} counts`);
  r.network.last.drain(1);
  r.world.run(50);
  const { chain: kept } = r.link as unknown as { chain: { kept: unknown[] } };
  t.is(kept.kept.length, 0, 'all are known to be delivered');
  r.link.stop();
});

test('a ticket store that never answers, or far too late, holds a connection up for seconds, not for ever', (t) => {
  for (const late of [false, true]) {
    const answers: (() => void)[] = [];
    const tickets = createTickets(memoryTicketStore(), new Uint8Array(32), chain.random('store'));
    // The client must not take the server for dead meanwhile.
    const r = rig(
      { pollMs: 60_000 },
      {
        tickets: { ...tickets, put: (_id, _record, done) => void answers.push(() => done(true)) },
      },
    );
    r.link.start();
    r.world.run(500);
    t.is(r.link.state, 'connected');
    r.link.send(text('waits'));
    r.world.run(1000);
    t.deepEqual(r.received, []);
    r.world.run(6000);
    t.deepEqual(r.received, ['waits']);
    if (late) for (const answer of answers) answer();
    r.link.send(text('goes'));
    r.world.run(1000);
    t.deepEqual(r.received, ['waits', 'goes']);
    t.is(r.link.state, 'connected');
    r.link.stop();
    r.world.run(20_000);
    t.is(r.world.pending, 0, 'no timer is left');
  }
});
