// Client identities between two sessions (docs/extensions.md, X6): who gets in, in whatever pieces and order its
// packets come, and whatever changes meanwhile.
import test from 'ava';
import type { ClientCertificate } from '../../src/cert/certificate.ts';
import { ErrorCode, reject } from '../../src/error.ts';
import type { Reject } from '../../src/error.ts';
import { copyOf, equal } from '../../src/bytes.ts';
import { ControlType, Feature, Flag } from '../../src/params.ts';
import { createPool } from '../../src/pool/pool.ts';
import type { Pool, PoolOptions } from '../../src/pool/pool.ts';
import { hasFlag, SlotFlag, Word } from '../../src/pool/slot.ts';
import { encodeClientHello } from '../../src/wire/edge.ts';
import { keyDirection } from '../../src/session/channel.ts';
import { runJob } from '../../src/crypto/job.ts';
import { sealed } from '../../src/session/core.ts';
import type { SessionOwner } from '../../src/session/core.ts';
import type { ClientEdge, ClientJudge, ClientName, ServerEdge } from '../../src/session/edge.ts';
import type { Session } from '../../src/session/session.ts';
import { NOW, newWorld } from '../cert/trust.ts';
import { chainOwner, clientEdge, exchange, resumingPair, serverEdge, Tickets } from './edge-pair.ts';
import type { EdgePair } from './edge-pair.ts';
import { clientOf, newChain, serverOf, settle } from './pair.ts';

const chain = newChain(1, 'identity');
const { crypto, now } = chain;
const root = newWorld();
const credential = { certificate: root.client, signing: root.clientKey.signingKey };

/** Lets in every client of the root that is not in `revoked`. */
function judgeOf(revoked: Uint8Array[], required = true): ClientJudge {
  const why = (serial: Uint8Array): Reject | null =>
    revoked.some((one) => equal(one, serial)) ? reject('revoked', ErrorCode.keyUnrecognized, '') : null;
  return {
    required,
    judge: (certificate) => why(certificate.serial) ?? { root: root.root, crypto: root.crypto },
    refuses: (client) => why(client.serial),
  };
}

/** An owner that keeps who the client is, as a server's does. */
function nameOwner(): SessionOwner & { name: ClientName | null } {
  const owner = {
    ...chainOwner(),
    name: null as ClientName | null,
    identified: (client: ClientName) => void (owner.name = client),
    client: () => owner.name,
  };
  return owner;
}

interface Made extends EdgePair {
  tickets: Tickets;
  owner: ReturnType<typeof nameOwner>;
}

interface Options {
  client?: Partial<ClientEdge>;
  server?: Partial<ServerEdge>;
  pool?: Partial<PoolOptions>;
  judge?: ClientJudge;
}

function start(options: Options = {}): Made {
  const tickets = new Tickets();
  const edge = clientEdge(chain, tickets, { identity: credential, ...options.client });
  const clients = options.judge ?? judgeOf([]);
  // Each end has a pool of its own: one handshake at a time borrows the buffer of a pool.
  const pool = (): Pool => createPool({ slots: 1, ...options.pool });
  const client = clientOf(chain, { verified: 'chain', edge, pool: pool() });
  const server = serverOf(chain, {
    edge: serverEdge(chain, tickets, { clients, ...options.server }),
    pool: pool(),
  });
  const owner = nameOwner();
  client.owner = chainOwner();
  server.owner = owner;
  server.start(now);
  client.start(now);
  return { client, server, sent: { client: [], server: [] }, tickets, owner };
}

/** Hands a packet over in pieces, each in bytes of its own that are overwritten at once. */
function feed(session: Session, bytes: Uint8Array, size: number): void {
  for (let at = 0; at < bytes.length && session.closed === null; at += size) {
    const piece = copyOf(bytes, at, Math.min(at + size, bytes.length));
    for (let from = 0; from < piece.length && session.closed === null;) {
      settle(session, crypto, now);
      const count = session.receive(piece, from, now);
      if (count === 0 && session.closed === null) throw new Error('bytes are not taken');
      from += count;
    }
    settle(session, crypto, now);
    session.rest();
    piece.fill(0xee);
  }
}

/** Both ends up to the point where `server` waits for the operation `n` of its hello phase. */
function upTo(pair: Made, n: number): void {
  let operations = 0;
  for (let turn = 0; turn < 40; turn++) {
    settle(pair.client, crypto, now);
    const packet = pair.client.takeOutput();
    for (let at = 0; packet !== null && at < packet.length;) {
      while (pair.server.pending !== null) {
        if (pair.server.state === 'hello' && operations++ === n) return;
        pair.server.resume(runJob(crypto, pair.server.pending), now);
      }
      at += pair.server.receive(packet, at, now);
    }
    while (pair.server.pending !== null) {
      if (pair.server.state === 'hello' && operations++ === n) return;
      pair.server.resume(runJob(crypto, pair.server.pending), now);
    }
    const answer = pair.server.takeOutput();
    if (answer !== null) feed(pair.client, answer, answer.length);
  }
  throw new Error('the server never waits so often');
}

for (const [name, pool] of [
  ['borrowed', {}],
  ['of the slot', { receiveBytes: 768, handshakeBytes: 12_000 }],
] as const) {
  test(`an identity whose packets come in pieces is proved, buffers ${name}`, (t) => {
    for (const size of [1, 97, 1400]) {
      const pair = start({ pool });
      for (let turn = 0; turn < 12; turn++) {
        settle(pair.client, crypto, now);
        const out = pair.client.takeOutput();
        if (out !== null) feed(pair.server, out, size);
        const answer = pair.server.takeOutput();
        if (answer !== null) feed(pair.client, answer, size);
      }
      t.is(pair.server.state, 'established', `${size}: ${pair.server.closed?.reason}`);
      t.is(pair.owner.name?.issuer, 'device-1.qcc');
      pair.client.close(reject('closed', 0, ''), now);
      pair.server.close(reject('closed', 0, ''), now);
    }
  });
}

test('a client of strict 1.4 does not get past a server that wants identities, whatever its policy says', (t) => {
  for (const extensions of ['allow', 'require'] as const) {
    const pair = start({ client: { extensions: 'never' }, server: { extensions } });
    exchange(chain, pair);
    t.is(pair.server.closed?.reason, 'extensions_required', extensions);
    t.is(pair.client.state, 'closed');
  }
  const optional = start({ client: { extensions: 'never' }, judge: judgeOf([], false) });
  exchange(chain, optional);
  t.is(optional.server.state, 'established', 'where they are optional it is served');
  t.false(hasFlag(optional.server.slot, SlotFlag.edge));
});

for (const [operation, what] of [
  [0, 'its certificate'],
  [1, 'its signature'],
] as const) {
  test(`a client that is revoked while ${what} is verified does not get in`, (t) => {
    const revoked: Uint8Array[] = [];
    const pair = start({ judge: judgeOf(revoked) });
    upTo(pair, operation);
    revoked.push(root.client.serial);
    settle(pair.server, root.crypto, now);
    t.is(pair.server.closed?.reason, 'revoked');
    t.is(pair.server.closed?.code, ErrorCode.identityRefused);
    t.is(pair.owner.name, null);
    t.is(pair.tickets.server.size, 0);
  });
}

test('a client that is revoked while its ticket is taken does not get in', (t) => {
  const revoked: Uint8Array[] = [];
  const first = start();
  exchange(chain, first);
  t.is(first.tickets.client.length, 3);
  const { tickets } = first;
  t.deepEqual(
    [...tickets.server.values()].map(({ identity }) => identity?.issuer),
    Array(3).fill('device-1.qcc'),
  );
  const { take } = tickets;
  tickets.take = (id, at, done) => {
    revoked.push(root.client.serial);
    take.call(tickets, id, at, done);
  };
  const server = { clients: judgeOf(revoked) };
  const pair = resumingPair(chain, tickets, tickets.client[0]!, { client: { identity: credential }, server });
  pair.server.owner = nameOwner();
  exchange(chain, pair);
  t.is(pair.server.closed?.reason, 'revoked');
  t.is(tickets.server.size, 2, 'and no new one was issued');
});

test('an anonymous ticket, or credential, is asked who it is; what it gets then carries the name', (t) => {
  const anonymous = start({ judge: judgeOf([], false), client: { identity: undefined } });
  exchange(chain, anonymous);
  t.is(anonymous.server.state, 'established');
  const { tickets } = anonymous;
  const server = { clients: judgeOf([]) };
  const refused = resumingPair(chain, tickets, tickets.client[0]!, { server });
  exchange(chain, refused);
  t.is(refused.client.closed?.reason, 'identity_required');
  t.is(refused.server.closed?.reason, 'peer_error');
  // Whoever says nothing of it is refused all the same.
  const more = { client: { identity: credential }, server };
  const named = resumingPair(chain, tickets, tickets.client[0]!, more);
  named.server.owner = nameOwner();
  exchange(chain, named);
  t.is(named.server.state, 'established', named.server.closed?.detail);
  const last = [...tickets.server.values()].at(-1)!;
  t.is(last.identity?.issuer, 'device-1.qcc');
});

test('the tickets of a KEM rekey carry the name on, and their lifetime its end', (t) => {
  const pair = start({ server: { ticketLifetime: 9e9 } });
  exchange(chain, pair);
  pair.tickets.server.clear();
  pair.client.startRekey(now);
  exchange(chain, pair);
  t.is(pair.tickets.server.size, 3);
  for (const { identity, expiry } of pair.tickets.server.values()) {
    t.is(identity?.issuer, 'device-1.qcc');
    t.is(expiry, root.client.to);
  }
  t.true(root.client.to > NOW);
});

test('nothing of the application goes between hello and identity, and an identity comes once, where agreed on', (t) => {
  // A client of its own making: it says hello, and something else than its identity.
  const says = (flag: number, body: Uint8Array): Reject | null => {
    const signing = {
      sign: (_m: Uint8Array, _c: Uint8Array, _s: Uint8Array, done: (good: boolean) => void) => void done,
    };
    const silent = start({ client: { identity: { ...credential, signing } } });
    for (let turn = 0; turn < 8; turn++) {
      while (silent.client.pending !== null && silent.client.state !== 'hello')
        silent.client.resume(runJob(crypto, silent.client.pending), now);
      const out = silent.client.takeOutput();
      if (out !== null) feed(silent.server, out, out.length);
      const answer = silent.server.takeOutput();
      if (answer !== null) for (let at = 0; at < answer.length;) at += step(silent.client, answer, at);
    }
    if (silent.server.state !== 'hello') throw new Error(silent.server.closed?.detail);
    const packet = sealed(silent.client.slot, flag, body, now);
    feed(silent.server, packet, packet.length);
    t.deepEqual(silent.tickets.server.size, 0);
    return silent.server.closed;
  };
  const step = (session: Session, bytes: Uint8Array, at: number): number => {
    while (session.pending !== null && session.state !== 'hello')
      session.resume(runJob(crypto, session.pending), now);
    const count = session.receive(bytes, at, now);
    return count > 0 ? count : bytes.length - at;
  };
  t.is(says(Flag.encryptedMessage, Uint8Array.of(1, 2, 3))?.reason, 'flag');
  t.is(says(Flag.certificateRevoke, new Uint8Array(100))?.reason, 'flag');
  t.is(says(0x19, Uint8Array.of(ControlType.keyUpdate))?.reason, 'hello_mismatch');
  t.is(says(0x19, Uint8Array.of(3, 10, 0, 5, 0, 1))?.reason, 'identity_malformed', 'begins in the middle');
  t.is(says(0x19, Uint8Array.of(3, 1, 0, 0, 0, 1))?.reason, 'identity_malformed', 'too short');
  t.is(says(0x19, Uint8Array.of(3, 255, 255, 0, 0, 1))?.reason, 'identity_malformed', 'too long');
  // Once through, another is not agreed on any more.
  const pair = start();
  exchange(chain, pair);
  const again = sealed(pair.client.slot, 0x19, Uint8Array.of(3, 1, 0, 0, 0, 1), now);
  feed(pair.server, again, again.length);
  t.is(pair.server.closed?.reason, 'control');
});

test('a feature that was not offered is not smuggled in', (t) => {
  for (const [bit, reason] of [
    [0, null],
    [Feature.clientAuthentication, 'hello_mismatch'],
    [Feature.succession, 'hello_mismatch'],
  ] as const) {
    const pair = start({ client: { identity: undefined }, server: { clients: undefined } });
    for (let turn = 0; pair.client.state !== 'established'; turn++) {
      if (turn > 9) throw new Error('no hello');
      settle(pair.client, crypto, now);
      const out = pair.client.takeOutput();
      if (out !== null) feed(pair.server, out, out.length);
      const answer = pair.server.takeOutput();
      if (answer !== null) feed(pair.client, answer, answer.length);
    }
    // Its hello replaced by another, under its own key.
    pair.client.takeOutput();
    keyDirection(pair.client.slot, 0, 0);
    pair.client.slot.words[Word.txLow] = 2;
    const hello = encodeClientHello({
      clockState: 2,
      missed: 3,
      features: Feature.keepalive | bit,
      poll: 0,
      maxRecord: 600,
      deliveredLow: 0,
      deliveredHigh: 0,
      profileHash: new Uint8Array(32),
      nonce: new Uint8Array(16),
    });
    const packet = sealed(pair.client.slot, 0x19, hello, now);
    feed(pair.server, packet, packet.length);
    t.is(pair.server.closed?.reason ?? null, reason, `${bit}`);
    t.is(pair.server.state, reason === null ? 'established' : 'closed');
  }
});

test("a server's certificate, a root's, and one of a period that ends or begins whenever are refused by name", (t) => {
  const bent = (change: (bytes: Uint8Array) => void): ClientCertificate => {
    const bytes = copyOf(root.client.bytes);
    change(bytes);
    return { ...root.client, bytes };
  };
  const tail = root.client.bytes.length - 18;
  for (const [change, reason] of [
    [(b: Uint8Array) => b.fill(255, tail, tail + 8), 'certificate_not_yet_valid'],
    [(b: Uint8Array) => b.fill(0, tail + 8, tail + 16), 'certificate_expired'],
    [(b: Uint8Array) => b.fill(255, tail + 8, tail + 16), 'certificate_hash'],
    [(b: Uint8Array) => (b[tail + 16] = 9), 'identity_malformed'],
  ] as const) {
    const pair = start({ client: { identity: { ...credential, certificate: bent(change) } } });
    exchange(chain, pair);
    t.is(pair.server.closed?.reason, reason);
    t.is(pair.server.closed?.code, ErrorCode.identityRefused);
    t.is(pair.client.closed?.code, ErrorCode.identityRefused, 'which is all that the client is told');
  }
});
