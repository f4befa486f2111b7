// What a connection goes through in the field: packets lost and forged, servers restarted, peers with the keys that
// misbehave. Each ends as docs/protocol.md says, and the next connection comes about.
import test from 'ava';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ticketDesk } from '../../src/link/desk.ts';
import { memoryStorage } from '../../src/link/storage-memory.ts';
import { createTickets, memoryTicketStore } from '../../src/link/ticket-store.ts';
import { openUseCounter, provisionUseCounter, takeUse } from '../../src/link/use-counter.ts';
import { ErrorCode } from '../../src/error.ts';
import { putU32 } from '../../src/bytes.ts';
import { Feature } from '../../src/params.ts';
import { Cipher, Word } from '../../src/pool/slot.ts';
import { createPool } from '../../src/pool/pool.ts';
import { emitControl } from '../../src/session/core.ts';
import { keyDirection } from '../../src/session/channel.ts';
import { sendDelivered } from '../../src/session/control.ts';
import type { TicketDesk } from '../../src/session/edge.ts';
import { createResumption } from '../../src/session/resume.ts';
import { provisionedSecret } from '../../src/session/secrets.ts';
import { createSession } from '../../src/session/session.ts';
import { encodeClientHello } from '../../src/wire/edge.ts';
import { encodeError } from '../../src/wire/messages.ts';
import { fileTicketStore } from '../../targets/node/ticket-store.ts';
import { clientOf, deliver, newChain, serverOf, settle } from './pair.ts';
import {
  bothWays,
  bytes,
  clientEdge,
  exchange,
  fullPair,
  resumingPair,
  serverEdge,
  Tickets,
} from './edge-pair.ts';
import type { EdgePair, WalletTicket } from './edge-pair.ts';

const chain = newChain(1, 'hold');
const { crypto, now } = chain;

function resumes(t: import('ava').ExecutionContext, tickets: Tickets, ticket: WalletTicket): void {
  const pair = resumingPair(chain, tickets, ticket);
  exchange(chain, pair);
  t.is(pair.client.state, 'established', pair.client.closed?.detail);
  t.is(pair.server.state, 'established', pair.server.closed?.detail);
  bothWays(t, chain, pair);
}

// ---- Packets that do not come ------------------------------------------------------------------------------

test('R2 is lost: no ticket is used up, and the next try goes through with the same one', (t) => {
  const { tickets } = fullPair(chain);
  const ticket = tickets.client[0]!;
  const cut = resumingPair(chain, tickets, ticket);
  deliver(cut.server, cut.client.takeOutput()!, crypto, now);
  t.truthy(cut.server.takeOutput());
  t.is(cut.client.state, 'handshake');
  t.is(cut.server.state, 'hello');
  t.is(tickets.server.size, 3);
  resumes(t, tickets, ticket);
});

test('the hello of either end is lost: the same', (t) => {
  const { tickets } = fullPair(chain);
  const ticket = tickets.client[0]!;
  const one = resumingPair(chain, tickets, ticket);
  deliver(one.server, one.client.takeOutput()!, crypto, now);
  deliver(one.client, one.server.takeOutput()!.subarray(0, 85), crypto, now);
  t.is(one.client.state, 'hello');
  one.client.helloMissed(now);
  t.is(one.client.closed?.reason, 'extensions_missing', 'a ticket never leads to a strict connection');
  t.is(tickets.client.length, 3);

  const two = resumingPair(chain, tickets, ticket);
  deliver(two.server, two.client.takeOutput()!, crypto, now);
  deliver(two.client, two.server.takeOutput()!, crypto, now);
  t.is(two.client.state, 'established');
  t.truthy(two.client.takeOutput());
  // The client's hello never comes: the server delivers nothing, and the ticket is still there. The client has
  // deleted it, and goes on with another.
  t.is(two.server.state, 'hello');
  t.is(tickets.server.size, 3);
  t.is(tickets.client.length, 2);
  resumes(t, tickets, tickets.client[0]!);

  const full = fullPair(chain, { client: { extensions: 'allow' }, server: { extensions: 'never' } });
  full.client.helloMissed(now);
  t.is(full.client.state, 'established', 'allowed, a missed hello is a strict server');
});

test('a forged refusal invalidates nothing, before R2 and after the hello', (t) => {
  const { tickets } = fullPair(chain);
  const ticket = tickets.client[0]!;
  const pair = resumingPair(chain, tickets, ticket);
  deliver(pair.client, encodeError(ErrorCode.keyUnrecognized, now), crypto, now);
  t.is(pair.client.closed?.reason, 'peer_error');
  t.false(pair.client.closed!.authenticated);
  t.is(tickets.client.length, 3);
  t.is(tickets.server.size, 3);
  t.is(pair.client.takeOutput()?.[0], 0x17, 'R1 as it lay there; an error is not answered');
  const later = resumingPair(chain, tickets, ticket);
  exchange(chain, later);
  deliver(later.client, encodeError(ErrorCode.keyUnrecognized, now), crypto, now);
  bothWays(t, chain, later);
});

test('reflected packets are refused at every stage', (t) => {
  const pair = fullPair(chain);
  for (const [name, session, packets] of [
    ['client', pair.client, pair.sent.client],
    ['server', pair.server, pair.sent.server],
  ] as const) {
    const { words } = session.slot;
    words[Word.rxLow] = words[Word.txLow]!;
    const own = session.seal(bytes(5), now);
    t.deepEqual(deliver(session, own, crypto, now), []);
    t.is(session.closed?.reason, 'authentication', name);
    for (const packet of packets) {
      const fresh = name === 'client' ? clientOf(chain, { verified: 'chain' }) : serverOf(chain);
      fresh.start(now);
      settle(fresh, crypto, now);
      deliver(fresh, packet, crypto, now);
      t.is(fresh.state, 'closed', name);
    }
  }
});

// ---- Servers that come back ---------------------------------------------------------------------------------

function resumingWith(desk: TicketDesk, ticket: WalletTicket, nonce: Uint8Array, keep: Tickets): EdgePair {
  const { from, to } = chain.server;
  const edge = clientEdge(chain, keep);
  const options = { edge, ticketId: ticket.id, secret: ticket.secret, clientNonce: nonce, from, to };
  const client = createSession(createResumption(options));
  const server = serverOf(chain, { edge: { ...serverEdge(chain, keep), tickets: desk } });
  const pair = { client, server, sent: { client: [], server: [] } };
  server.start(now);
  client.start(now);
  exchange(chain, pair);
  return pair;
}

test('a server restarted with its store goes on with its tickets; without it, or its key, it refuses them', (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'qstp-hold-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const key = new Uint8Array(32).fill(3);
  const random = chain.random('store');
  const start = (secret: Uint8Array, store = fileTicketStore(folder)): TicketDesk =>
    ticketDesk(createTickets(store, secret, random));
  const wallet = new Tickets();
  const first = clientOf(chain, { verified: 'chain', edge: clientEdge(chain, wallet) });
  const server = serverOf(chain, { edge: { ...serverEdge(chain, wallet), tickets: start(key) } });
  const pair = { client: first, server, sent: { client: [], server: [] } };
  server.start(now);
  first.start(now);
  exchange(chain, pair);
  t.is(wallet.client.length, 3);
  const [one, two, three] = wallet.client.slice();
  const nonce = (n: number): Uint8Array => new Uint8Array(32).fill(n);

  const again = resumingWith(start(key), one!, nonce(1), wallet);
  t.is(again.server.state, 'established', again.server.closed?.detail);
  bothWays(t, chain, again);
  const used = resumingWith(start(key), one!, nonce(2), wallet);
  t.is(used.server.closed?.reason, 'ticket_refused', 'used up before the restart');
  for (const desk of [start(key, memoryTicketStore()), start(new Uint8Array(32).fill(4))]) {
    const other = resumingWith(desk, two!, nonce(3), wallet);
    t.is(other.server.closed?.reason, 'ticket_refused');
    t.is(other.client.closed?.code, ErrorCode.keyUnrecognized);
  }
  // The refusal invalidated nothing: the server with the right store still takes it.
  t.is(resumingWith(start(key), two!, nonce(4), wallet).server.state, 'established');
  const full = fullPair(chain);
  bothWays(t, chain, full);
  t.is(resumingWith(start(key), three!, nonce(5), wallet).server.state, 'established');
});

test('a chain of resumptions ends where the desk says: then a full handshake is due', (t) => {
  const store = createTickets(memoryTicketStore(), new Uint8Array(32).fill(3), chain.random('chain end'));
  const desk = ticketDesk(store, 2);
  const wallet = new Tickets();
  const secret = new Uint8Array(32).fill(8);
  const id = new Uint8Array(16).fill(1);
  desk.issue(
    { id, secret, identity: null, issued: now, expiry: now + 99, since: now, resumptions: 0 },
    () => null,
  );
  let ticket: WalletTicket = { id, secret, lifetime: 9 };
  for (let i = 0; i < 2; i++) {
    const pair = resumingWith(desk, ticket, new Uint8Array(32).fill(i), wallet);
    t.is(pair.server.state, 'established');
    ticket = wallet.client[wallet.client.length - 1]!;
  }
  t.is(
    resumingWith(desk, ticket, new Uint8Array(32).fill(9), wallet).server.closed?.reason,
    'ticket_refused',
  );
});

test('a provisioned credential is never used up; its nonces never repeat; revoked, it is refused at once', (t) => {
  const store = createTickets(memoryTicketStore(), new Uint8Array(32).fill(3), chain.random('provisioned'));
  const desk = ticketDesk(store, 1);
  const id = new Uint8Array(16).fill(0x91);
  const anchor = chain.server.serial;
  const secret = provisionedSecret(new Uint8Array(32).fill(5), id, anchor);
  const identity = { serial: new Uint8Array(16).fill(2), issuer: 'rtu-2.qcc', to: 9e9 };
  const times = { issued: now, expiry: now + 1e6, since: 0, resumptions: 0 };
  store.put(id, { secret, identity, anchor, ...times, provisioned: true }, (kept) => t.true(kept));
  const storage = memoryStorage();
  provisionUseCounter(storage);
  const nonces: string[] = [];
  let last: EdgePair | null = null;
  for (let boot = 0; boot < 3; boot++) {
    // A restart skips what was reserved, and gives no number twice.
    const counter = openUseCounter(storage, undefined, 4);
    for (let use = 0; use < 3; use++) {
      const nonce = new Uint8Array(32);
      putU32(nonce, 0, boot);
      putU32(nonce, 4, takeUse(counter));
      nonces.push(Buffer.from(nonce.subarray(4)).toString('hex'));
      const wallet = new Tickets();
      last = resumingWith(desk, { id, secret: secret.slice(), lifetime: 0 }, nonce, wallet);
      t.is(last.server.state, 'established', last.server.closed?.detail);
      bothWays(t, chain, last);
      // Its tickets inherit that there is no forward secrecy.
      const ticket = wallet.client[0]!;
      desk.find(ticket.id, now, (found) => t.is(found, null, 'the chain may resume once here'));
      store.get(ticket.id, now, (found) => t.is(found?.since, 0));
    }
  }
  t.is(new Set(nonces).size, 9);
  // Revoked between R1 and the hello: found, but not taken.
  const half: EdgePair = resumingWith(
    { ...desk, take: (given, at, done) => store.revoke(identity.serial, () => desk.take(given, at, done)) },
    { id, secret: secret.slice(), lifetime: 0 },
    new Uint8Array(32).fill(9),
    new Tickets(),
  );
  t.is(half.server.closed?.reason, 'ticket_used');
  const after = resumingWith(desk, { id, secret, lifetime: 0 }, new Uint8Array(32).fill(8), new Tickets());
  t.is(after.server.closed?.reason, 'ticket_refused');
});

test('an R2 of before and its records are nothing to a client whose nonce is new', (t) => {
  const { tickets } = fullPair(chain);
  const id = new Uint8Array(16).fill(0x91);
  const secret = new Uint8Array(32).fill(4);
  tickets.issue(
    { id, secret, identity: null, issued: 1, expiry: 1e10, since: 0, resumptions: 0 },
    () => null,
  );
  tickets.take = (_id, _now, done) => done(true);
  const one = resumingPair(chain, tickets, { id, secret, lifetime: 1 });
  exchange(chain, one);
  t.is(one.client.state, 'established');
  const two = resumingPair(chain, tickets, { id, secret, lifetime: 1 });
  two.client.takeOutput();
  for (const packet of one.sent.server) deliver(two.client, packet, crypto, now);
  t.is(two.client.closed?.reason, 'resume_proof');
});

// ---- Peers with the keys that misbehave -----------------------------------------------------------------------

const HELLO = {
  deliveredLow: 0,
  deliveredHigh: 0,
  profileHash: new Uint8Array(32),
  nonce: new Uint8Array(16),
};

test('a hello that takes records of next to nothing is refused: fragments would never end', (t) => {
  for (const maxRecord of [0, 1, 5, 6, 63, 64]) {
    const { tickets } = fullPair(chain);
    const fake = resumingPair(chain, tickets, tickets.client[0]!);
    deliver(fake.server, fake.client.takeOutput()!, crypto, now);
    const answer = fake.server.takeOutput()!;
    deliver(fake.client, answer.slice(0, 85), crypto, now);
    const features = Feature.keepalive;
    const hello = encodeClientHello({ ...HELLO, features, maxRecord, clockState: 2, missed: 3, poll: 0 });
    const out = tamperedHello(fake, answer, hello);
    deliver(fake.server, out, crypto, now);
    t.is(fake.server.state, maxRecord < 64 ? 'closed' : 'established', `${maxRecord}`);
    if (maxRecord < 64) t.is(fake.server.closed?.reason, 'hello_mismatch');
  }
});

/** The client's hello replaced by another, under its own key. */
function tamperedHello({ client }: EdgePair, answer: Uint8Array, hello: Uint8Array): Uint8Array {
  const before = client.takeOutput();
  if (before !== null) throw new Error('the client has said something');
  deliver(client, answer.slice(85), crypto, now);
  client.takeOutput();
  keyDirection(client.slot, 0, 0);
  client.slot.words[Word.txLow] = 2;
  emitControl(client, hello, now);
  return client.takeOutput()!;
}

test('a count of delivered messages that goes back is refused', (t) => {
  const { client, server } = fullPair(chain);
  server.slot.words[Word.deliveredLow] = 7;
  sendDelivered(server, now);
  deliver(client, server.takeOutput()!, crypto, now);
  t.is(client.slot.words[Word.peerDeliveredLow], 7);
  server.slot.words[Word.deliveredLow] = 6;
  sendDelivered(server, now);
  deliver(client, server.takeOutput()!, crypto, now);
  t.is(client.closed?.reason, 'control');
});

test('keys are updated by an established connection only, and nothing is sealed after the end', (t) => {
  const pair = fullPair(chain);
  const { client } = pair;
  client.close({ reason: 'closed', code: 0, detail: '', authenticated: false }, now);
  client.takeOutput();
  t.throws(() => client.updateKeys(now + 9999), { code: 'update_unavailable' });
  t.is(client.takeOutput(), null);
  t.true(
    [client.slot.words, client.slot.tx, client.slot.rx].every((array) => array.every((word) => word === 0)),
  );
  const strict = fullPair(chain, { client: { extensions: 'never' } });
  t.throws(() => strict.client.updateKeys(now + 9999), { code: 'update_unavailable' });
});

test('a client without a clock does not fall back to strict 1.4, whoever cleared its discovery byte', (t) => {
  const clock = { state: 1 as const, floor: chain.server.from + 5, accept: () => true };
  const edge = clientEdge(chain, new Tickets(), { extensions: 'allow', clock });
  const client = clientOf(chain, { verified: 'chain', edge });
  const server = serverOf(chain, {});
  server.start(now);
  client.start(0);
  const s1 = client.takeOutput()!;
  s1[21 + 16 + 41] = 0;
  putU32(s1, 13, now);
  deliver(server, s1, crypto, now);
  settle(server, crypto, now);
  deliver(client, server.takeOutput()!, crypto, 0);
  settle(client, crypto, 0);
  const s3 = client.takeOutput()!;
  putU32(s3, 13, now);
  deliver(server, s3, crypto, now);
  settle(server, crypto, now);
  deliver(client, server.takeOutput()!, crypto, 0);
  t.is(client.state, 'hello');
  client.helloMissed(0);
  t.is(client.closed?.reason, 'clock_not_set');
});

// ---- Slots without room for RCS-256 -----------------------------------------------------------------------------

test('a pool for AES-256-GCM alone: connects with it, and refuses RCS-256 with the reason', (t) => {
  const gcmPool = () => createPool({ slots: 1, cipher: 'gcm' });
  const run = (
    clientPool: ReturnType<typeof gcmPool> | undefined,
    serverPool: ReturnType<typeof gcmPool> | undefined,
    client: 'require' | 'allow' | 'never',
    server: 'allow' | 'never',
    gcm: [boolean, boolean],
  ): EdgePair => {
    const tickets = new Tickets();
    const pair = {
      client: clientOf(chain, {
        verified: 'chain',
        edge: clientEdge(chain, tickets, { extensions: client, gcm: gcm[0] }),
        ...(clientPool === undefined ? {} : { pool: clientPool }),
      }),
      server: serverOf(chain, {
        edge: serverEdge(chain, tickets, { extensions: server, gcm: gcm[1] }),
        ...(serverPool === undefined ? {} : { pool: serverPool }),
      }),
      sent: { client: [], server: [] },
    };
    pair.server.start(now);
    pair.client.start(now);
    exchange(chain, pair);
    return pair;
  };
  const good = run(gcmPool(), gcmPool(), 'require', 'allow', [true, true]);
  t.is(good.client.slot.words[Word.cipher], Cipher.gcm);
  bothWays(t, chain, good);

  // A server that declines AES-256-GCM, or a client that does not ask for it.
  const declined = run(gcmPool(), undefined, 'require', 'allow', [true, false]);
  t.is(declined.client.closed?.reason, 'cipher_unavailable');
  const notAsked = run(undefined, gcmPool(), 'require', 'allow', [false, true]);
  t.is(notAsked.server.closed?.reason, 'cipher_unavailable');
  t.is(notAsked.client.closed?.code, ErrorCode.unknownProtocol, 'the client is told');

  // Peers of 1.4.
  const strictClient = run(undefined, gcmPool(), 'never', 'allow', [true, true]);
  t.is(strictClient.server.closed?.reason, 'cipher_unavailable');
  const strictServer = run(gcmPool(), undefined, 'allow', 'never', [true, true]);
  t.is(strictServer.client.state, 'hello');
  strictServer.client.helloMissed(now);
  t.is(strictServer.client.closed?.reason, 'cipher_unavailable');
  for (const { client, server } of [declined, notAsked, strictClient, strictServer]) {
    for (const { state, slot } of [client, server]) {
      if (state === 'closed')
        t.true(slot.words.every((word) => word === 0) && slot.tx.every((word) => word === 0));
    }
  }
});
