// The freshness signature comes in fragments, before the server's hello. A device puts it together in the handshake
// buffer that its sessions share, others in an array of its own: what is refused, and what is given back, is the same.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { ControlType, HEADER_BYTES } from '../../src/params.ts';
import { isZero, putU16 } from '../../src/bytes.ts';
import { reject } from '../../src/error.ts';
import { createPool, slotsTaken } from '../../src/pool/pool.ts';
import type { Pool } from '../../src/pool/pool.ts';
import { Word } from '../../src/pool/slot.ts';
import { keyDirection } from '../../src/session/channel.ts';
import { emitControl } from '../../src/session/core.ts';
import type { Session } from '../../src/session/session.ts';
import { encodeFragments, encodeServerHello } from '../../src/wire/edge.ts';
import { bothWays, chainOwner, clientEdge, exchange, serverEdge, Tickets } from './edge-pair.ts';
import type { EdgePair } from './edge-pair.ts';
import { clientOf, deliver, newChain, serverOf, settle, split } from './pair.ts';

const chain = newChain(1, 'freshness');
const { crypto, now } = chain;
const SIGNATURE_BYTES = crypto.suite.signatureBytes;
const CLOSE = reject('closed', 0, 'closed here');
/** What the server of a test sends when nothing else is said. */
const BODY_MAX = 512;

const device = (): Pool => createPool({ slots: 2, receiveBytes: 768, handshakeBytes: 3273 });

type Extensions = 'require' | 'allow';

function start(pool: Pool | undefined, extensions: Extensions = 'require', server = {}): EdgePair {
  const tickets = new Tickets();
  const edge = clientEdge(chain, tickets, { freshness: true, extensions });
  const pair = {
    client: clientOf(chain, { verified: 'chain', edge, ...(pool === undefined ? {} : { pool }) }),
    server: serverOf(chain, { edge: serverEdge(chain, tickets, server) }),
    sent: { client: [], server: [] },
  };
  pair.server.start(now);
  pair.client.start(now);
  return pair;
}

/** Up to S4, which the client has taken. Returns what the server says after it. */
function untilHello({ client, server }: EdgePair): Uint8Array {
  for (const [from, to] of [
    [client, server],
    [server, client],
    [client, server],
  ] as const) {
    settle(from, crypto, now);
    deliver(to, from.takeOutput()!, crypto, now);
    settle(to, crypto, now);
  }
  const s4 = server.takeOutput()!;
  deliver(client, s4.subarray(0, HEADER_BYTES + 32), crypto, now);
  return s4.subarray(HEADER_BYTES + 32);
}

/** Other control messages of the server's in the place of those it has said. */
function said(server: Session, bodies: readonly Uint8Array[]): Uint8Array {
  keyDirection(server.slot, 1, 0);
  server.slot.words[Word.txLow] = 2;
  for (const body of bodies) emitControl(server, body, now);
  return server.takeOutput()!;
}

function fragments(length: number, type: number = ControlType.freshness): Uint8Array[] {
  return encodeFragments(type, new Uint8Array(length).fill(7), BODY_MAX);
}

function changed(body: Uint8Array, at: number, value: number): Uint8Array {
  const other = body.slice();
  putU16(other, at, value);
  return other;
}

const HELLO = encodeServerHello({
  deliveredLow: 0,
  deliveredHigh: 0,
  profileHash: new Uint8Array(32),
  nonce: new Uint8Array(16),
  features: 0,
  maxRecord: 999,
  mustAuthenticate: false,
  maxIdle: 0,
  discovery: 13,
  serverTime: now * 1000,
});

function isFree(t: ExecutionContext, pool: Pool, what: string): void {
  t.is(pool.holder, null, what);
  t.true(isZero(pool.handshake!), what);
}

const whole = fragments(SIGNATURE_BYTES);
const TOTAL = 1;
const OFFSET = 3;

const HOSTILE: Readonly<Record<string, readonly Uint8Array[]>> = {
  'one byte': fragments(1),
  'a byte too few': fragments(SIGNATURE_BYTES - 1),
  'a byte too many': fragments(SIGNATURE_BYTES + 1),
  'as long as can be said': fragments(0xffff).slice(0, 20),
  'no bytes': [new Uint8Array([ControlType.freshness, 0, 0, 0, 0])],
  'a head that is cut off': [new Uint8Array([ControlType.freshness, 0])],
  'the first one twice': [whole[0]!, whole[0]!],
  'the first one missing': whole.slice(1),
  'two in the wrong order': [whole[0]!, whole[2]!, whole[1]!],
  'another length on the way': [whole[0]!, changed(whole[1]!, TOTAL, SIGNATURE_BYTES - 1)],
  'beyond its end': [whole[0]!, changed(whole[1]!, OFFSET, SIGNATURE_BYTES - 10)],
  'an offset beyond all': [changed(whole[0]!, OFFSET, 0xffff)],
  'more after the last': [...whole, whole[0]!],
  'the hello too early': [...whole.slice(0, -1), HELLO],
  'nothing but the hello': [HELLO],
  'bytes that are no signature': [...whole, HELLO],
};

for (const [name, pooled] of [
  ['in the shared buffer', true],
  ['in an array of its own', false],
] as const) {
  test(`${name}: what is not the signature is refused`, (t) => {
    for (const [what, bodies] of Object.entries(HOSTILE)) {
      const pool = pooled ? device() : undefined;
      const pair = start(pool);
      untilHello(pair);
      deliver(pair.client, said(pair.server, bodies), crypto, now);
      t.is(pair.client.closed?.reason, 'not_fresh', what);
      if (pool === undefined) continue;
      isFree(t, pool, what);
      t.is(slotsTaken(pool), 0, what);
    }
  });

  test(`${name}: a message of another kind before the hello is refused`, (t) => {
    const pool = pooled ? device() : undefined;
    const pair = start(pool);
    untilHello(pair);
    deliver(
      pair.client,
      said(pair.server, fragments(SIGNATURE_BYTES, ControlType.clientIdentity)),
      crypto,
      now,
    );
    t.is(pair.client.closed?.reason, 'hello_mismatch');
    if (pool !== undefined) isFree(t, pool, 'afterwards');
  });

  test(`${name}: the signature is taken, byte by byte too`, (t) => {
    for (const step of [1, 100, 5000]) {
      const pool = pooled ? device() : undefined;
      const pair = start(pool);
      const rest = untilHello(pair);
      for (let at = 0; at < rest.length; at += step) {
        deliver(pair.client, rest.slice(at, at + step), crypto, now);
      }
      t.is(pair.client.state, 'established', pair.client.closed?.detail);
      if (pool !== undefined) isFree(t, pool, 'afterwards');
      exchange(chain, pair);
      bothWays(t, chain, pair, 700);
    }
  });
}

test('a device puts the signature together in the shared buffer, and nothing else lies in it', (t) => {
  const pool = device();
  const { client, server } = start(pool);
  const packets = split(untilHello({ client, server, sent: { client: [], server: [] } }));
  const signature = client.phase!.assembly!.bytes;
  t.is(signature.buffer, pool.handshake!.buffer);
  t.is(signature.length, SIGNATURE_BYTES);
  const seen: Uint8Array[] = [];
  for (const packet of packets.slice(0, -1)) {
    deliver(client, packet, crypto, now);
    const { fill } = client.phase!.assembly!;
    seen.push(signature.slice(0, fill));
  }
  t.is(seen.at(-1)!.length, SIGNATURE_BYTES);
  for (const part of seen) t.deepEqual(part, signature.slice(0, part.length), 'what is there stays');
  deliver(client, packets.at(-1)!, crypto, now);
  t.is(client.state, 'established', client.closed?.detail);
  isFree(t, pool, 'afterwards');
});

test('who waits for the shared buffer gets it once the first is through, or closed', (t) => {
  for (const ends of ['established', 'closed']) {
    const pool = device();
    const [one, two] = [start(pool), start(pool)];
    const rest = untilHello(one);
    settle(two.client, crypto, now);
    deliver(two.server, two.client.takeOutput()!, crypto, now);
    settle(two.server, crypto, now);
    const s2 = two.server.takeOutput()!;
    let woken = 0;
    two.client.owner = chainOwner(() => woken++);
    let taken = 0;
    while (taken < s2.length) {
      const count = two.client.receive(s2.slice(taken, taken + 100), 0, now);
      if (count === 0) break;
      taken += count;
    }
    t.is(taken, HEADER_BYTES, 'its header is in, its body waits');
    if (ends === 'closed') one.client.close(CLOSE, now);
    else deliver(one.client, rest, crypto, now);
    t.is(one.client.state, ends as 'closed', one.client.closed?.detail);
    t.is(woken, 1);
    deliver(two.client, s2.subarray(taken), crypto, now);
    exchange(chain, two);
    t.is(two.client.state, 'established', two.client.closed?.detail);
    isFree(t, pool, ends);
  }
});

test('a client that puts up with a strict 1.4 server gives the shared buffer back', (t) => {
  const pool = device();
  const pair = start(pool, 'allow', { extensions: 'never' });
  untilHello(pair);
  t.not(pool.holder, null);
  pair.client.helloMissed(now);
  t.is(pair.client.state, 'established', pair.client.closed?.detail);
  isFree(t, pool, 'afterwards');
  bothWays(t, chain, pair);
});
