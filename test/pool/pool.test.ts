// The slab and what it lends: exhaustion, wiping, growth, the handshake buffer that
// sessions take turns with, spare receive buffers.
import test from 'ava';
import {
  acquireSlot,
  borrowBuffer,
  BORROWED_BYTES,
  createPool,
  releaseSlot,
  requestHandshakeBuffer,
  returnBuffer,
  returnHandshakeBuffer,
  slotAvailable,
  slotsTaken,
} from '../../src/pool/pool.ts';
import type { HandshakeWaiter, Pool } from '../../src/pool/pool.ts';
import { Cipher, CIPHER_WORDS, slotBytes, slotSecrets, SLOT_WORDS, Word } from '../../src/pool/slot.ts';
import type { Slot } from '../../src/pool/slot.ts';
import { isZero } from '../../src/bytes.ts';
import { reject } from '../../src/error.ts';
import { createSession } from '../../src/session/session.ts';
import { createServer } from '../../src/session/server.ts';
import type { Session } from '../../src/session/session.ts';
import { chainOwner, clientEdge, exchange, serverEdge, Tickets } from '../session/edge-pair.ts';
import type { EdgePair } from '../session/edge-pair.ts';
import { clientOf, deliver, newChain, serverOf, settle } from '../session/pair.ts';
import { draws } from '../random.ts';

const CLOSE = reject('closed', 0, 'closed here');

function dirty(slot: Slot, byte: number): void {
  slot.words.fill(byte);
  slot.tx.fill(byte);
  slot.rx.fill(byte);
  if (slot.receive !== null) slot.receive.fill(byte);
}

function holds(slot: Slot, byte: number): boolean {
  const all = [slot.words, slot.tx, slot.rx, slot.receive ?? new Uint8Array(0)];
  return all.every((array) => array.every((value: number) => value === byte));
}

test('sizes that cannot work are refused', (t) => {
  for (const options of [{ slots: 0 }, { slots: NaN }, { slots: 1, receiveBytes: 130 }]) {
    t.throws(() => createPool(options), { code: 'pool_invalid' });
  }
});

for (const cipher of ['rcs', 'gcm'] as const) {
  for (const receiveBytes of [0, 131, 767, 768]) {
    test(`slots of one slab do not overlap: ${cipher}, receive buffers of ${receiveBytes}`, (t) => {
      const pool = createPool({ slots: 5, cipher, receiveBytes });
      const words = CIPHER_WORDS[cipher === 'gcm' ? Cipher.gcm : Cipher.rcs]!;
      t.is(pool.slotBytes, slotBytes(words, receiveBytes));
      t.is(pool.slotBytes, 4 * (SLOT_WORDS + 2 * words) + 4 * Math.ceil(receiveBytes / 4));
      const slots = Array.from({ length: 5 }, () => acquireSlot(pool));
      slots.forEach((slot, i) => dirty(slot, i + 1));
      slots.forEach((slot, i) => t.true(holds(slot, i + 1)));
      const { buffer } = slots[0]!.words;
      t.is(buffer.byteLength, 5 * pool.slotBytes, 'one buffer for all');
      t.true(slots.every((slot) => slot.tx.buffer === buffer && slot.rx.buffer === buffer));
      t.is(slotSecrets(slots[1]!).length, 96);
    });
  }
}

test('a full pool says so, and disturbs nobody', (t) => {
  const pool = createPool({ slots: 2, receiveBytes: 131 });
  const slots = [acquireSlot(pool), acquireSlot(pool)];
  slots.forEach((slot, i) => dirty(slot, i + 1));
  t.false(slotAvailable(pool));
  for (let i = 0; i < 3; i++) {
    const error = t.throws(() => acquireSlot(pool), { code: 'no_slot' });
    t.regex(error!.message, /2 connection slots/);
  }
  slots.forEach((slot, i) => t.true(holds(slot, i + 1)));
  t.is(slotsTaken(pool), 2);
  releaseSlot(slots[0]!);
  t.true(holds(slots[0]!, 0), 'wiped');
  t.true(holds(slots[1]!, 2));
  t.true(slotAvailable(pool));
  t.is(acquireSlot(pool), slots[0]!);
});

test('a pool grows by whole slabs up to its limit', (t) => {
  const pool = createPool({ slots: 3, maxSlots: 8 });
  const sizes: number[] = [];
  const slots: Slot[] = [];
  while (slotAvailable(pool)) {
    slots.push(acquireSlot(pool));
    sizes.push(pool.size);
  }
  t.deepEqual(sizes, [3, 3, 3, 6, 6, 6, 8, 8]);
  t.throws(() => acquireSlot(pool), { code: 'no_slot' });
  t.is(new Set(slots.map((slot) => slot.words.buffer)).size, 3);
  for (const slot of slots) releaseSlot(slot);
  t.is(slotsTaken(pool), 0);
  t.is(pool.size, 8, 'slabs are kept');
});

test('slots come and go at random: none is lost, doubled or handed over with anything in it', (t) => {
  const draw = draws(t);
  const pool = createPool({ slots: 4, maxSlots: 10, receiveBytes: 131 });
  const taken: Slot[] = [];
  for (let i = 0; i < 2000; i++) {
    if (draw.below(2) === 0 && slotAvailable(pool)) {
      const slot = acquireSlot(pool);
      t.true(holds(slot, 0));
      t.false(taken.includes(slot));
      dirty(slot, 7);
      taken.push(slot);
    } else if (taken.length > 0) {
      releaseSlot(taken.splice(draw.below(taken.length), 1)[0]!);
    }
    if (slotsTaken(pool) !== taken.length) t.fail(`${slotsTaken(pool)} taken, not ${taken.length}`);
    if (new Set(pool.free).size !== pool.free.length) t.fail('a slot is free twice');
  }
});

// ---- Buffers lent for a time ------------------------------------------------------------------------------

test('spare buffers: wiped, used again, and never more than 64', (t) => {
  const pool = createPool({ slots: 1 });
  const lent = Array.from({ length: 100 }, () => borrowBuffer(pool, 21));
  t.is(new Set(lent).size, 100);
  for (const buffer of lent) {
    t.is(buffer.length, BORROWED_BYTES);
    buffer.fill(1);
    returnBuffer(pool, buffer);
  }
  t.is(pool.buffers.length, 64);
  t.true(lent.every(isZero));
  t.true(lent.includes(borrowBuffer(pool, BORROWED_BYTES)));
  t.is(pool.buffers.length, 63);
  const large = borrowBuffer(pool, BORROWED_BYTES + 1);
  t.is(large.length, BORROWED_BYTES + 1);
  large.fill(1);
  returnBuffer(pool, large);
  t.true(isZero(large));
  t.is(pool.buffers.length, 63, 'a large one is not kept');
});

class Waiter implements HandshakeWaiter {
  readonly name: string;
  readonly log: string[];
  constructor(name: string, log: string[]) {
    this.name = name;
    this.log = log;
  }
  granted(buffer: Uint8Array): void {
    this.log.push(`${this.name}${isZero(buffer) ? '' : ' (not wiped)'}`);
    buffer.fill(9);
  }
}

test('the handshake buffer goes round in order; who gives up waiting is passed over', (t) => {
  const pool = createPool({ slots: 1, handshakeBytes: 300 });
  const log: string[] = [];
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => new Waiter(name, log)) as [
    Waiter,
    Waiter,
    Waiter,
    Waiter,
  ];
  for (const waiter of [a, b, c, d]) requestHandshakeBuffer(pool, waiter, 200);
  t.deepEqual(log, ['a']);
  returnHandshakeBuffer(pool, c, null);
  t.deepEqual(log, ['a'], 'one that only waited frees nothing');
  returnHandshakeBuffer(pool, a, pool.handshake);
  t.deepEqual(log, ['a', 'b']);
  returnHandshakeBuffer(pool, a, pool.handshake);
  t.deepEqual(log, ['a', 'b'], 'nobody gives back what is not his');
  returnHandshakeBuffer(pool, b, pool.handshake);
  t.deepEqual(log, ['a', 'b', 'd']);
  returnHandshakeBuffer(pool, d, pool.handshake);
  t.is(pool.holder, null);
  t.deepEqual(pool.waiting, []);
  t.true(isZero(pool.handshake!));
});

// ---- Sessions over such pools -------------------------------------------------------------------------------

const chain = newChain(1, 'pool');
const { crypto, now } = chain;
const text = (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => i & 255);

const device = (slots = 2, more = {}): Pool =>
  createPool({ slots, receiveBytes: 768, handshakeBytes: 4096, ...more });

function pairOver(clients: Pool, servers: Pool | undefined, gcm = true): EdgePair {
  const tickets = new Tickets();
  const client = clientOf(chain, {
    verified: 'chain',
    edge: clientEdge(chain, tickets, { gcm }),
    pool: clients,
  });
  const edge = serverEdge(chain, tickets);
  const server = serverOf(chain, { edge, ...(servers === undefined ? {} : { pool: servers }) });
  server.start(now);
  client.start(now);
  return { client, server, sent: { client: [], server: [] } };
}

/** Hands bytes over one by one, as a slow line does, until the session takes no more. Returns what is left. */
function drip(session: Session, bytes: Uint8Array): Uint8Array {
  for (let at = 0; at < bytes.length; at++) {
    if (session.receive(bytes.slice(at, at + 1), 0, now) === 0) return bytes.subarray(at);
    settle(session, crypto, now);
  }
  return new Uint8Array(0);
}

test('two handshakes over one shared buffer: the second waits for the first, and goes on with what lay there', (t) => {
  const pool = device();
  const [one, two] = [pairOver(pool, undefined), pairOver(pool, undefined)];
  for (const { client, server } of [one, two]) {
    settle(client, crypto, now);
    deliver(server, client.takeOutput()!, crypto, now);
  }
  const [s2a, s2b] = [one.server.takeOutput()!, two.server.takeOutput()!];
  const half = s2a.length >> 1;
  t.is(drip(one.client, s2a.subarray(0, half)).length, 0);
  let woken = 0;
  two.client.owner = chainOwner(() => woken++);
  const left = drip(two.client, s2b);
  t.is(left.length, s2b.length - 21, 'its header is in, its body waits');
  t.is(two.client.pending, null);
  t.is(woken, 0);
  t.is(drip(one.client, s2a.subarray(half)).length, 0);
  settle(one.client, crypto, now);
  t.is(one.client.state, 'handshake', 'S4 is to come: the buffer is still its own');
  exchange(chain, one);
  t.is(one.client.state, 'established', one.client.closed?.detail);
  t.is(woken, 1);
  t.is(drip(two.client, left).length, 0);
  settle(two.client, crypto, now);
  exchange(chain, two);
  t.is(two.client.state, 'established', two.client.closed?.detail);
  t.is(pool.holder, null);
  t.true(isZero(pool.handshake!));
  for (const { client, server } of [one, two]) {
    t.deepEqual(deliver(client, server.seal(text(700), now), crypto, now), [text(700)]);
    t.is(client.slot.words[Word.recordLimit], 747);
  }
});

test('one that waits for the buffer is closed: the next in line gets it, and nobody twice', (t) => {
  const pool = device(4);
  const pairs = [0, 1, 2, 3].map(() => pairOver(pool, undefined));
  const packets = pairs.map(({ client, server }) => {
    settle(client, crypto, now);
    deliver(server, client.takeOutput()!, crypto, now);
    return server.takeOutput()!;
  });
  const woken: number[] = [];
  const left = pairs.map(({ client }, i) => {
    client.owner = chainOwner(() => woken.push(i));
    return drip(client, i === 0 ? packets[i]!.subarray(0, 100) : packets[i]!);
  });
  t.is(pool.waiting.length, 3);
  pairs[1]!.client.close(CLOSE, now);
  t.is(pool.waiting.length, 2);
  t.deepEqual(woken, []);
  pairs[0]!.client.close(CLOSE, now);
  t.deepEqual(woken, [2]);
  pairs[0]!.client.close(CLOSE, now);
  for (const i of [2, 3]) {
    t.is(drip(pairs[i]!.client, left[i]!).length, 0);
    exchange(chain, pairs[i]!);
    t.is(pairs[i]!.client.state, 'established', `${i}`);
  }
  t.deepEqual(woken, [2, 3]);
  t.is(slotsTaken(pool), 2);
  t.is(pool.holder, null);
});

test('a handshake packet larger than the shared buffer closes that connection, and throws nothing', (t) => {
  const pool = createPool({ slots: 2, receiveBytes: 768, handshakeBytes: 1000 });
  const { client, server } = pairOver(pool, undefined);
  settle(client, crypto, now);
  deliver(server, client.takeOutput()!, crypto, now);
  const s2 = server.takeOutput()!;
  drip(client, s2);
  t.is(client.closed?.reason, 'handshake_buffer');
  t.regex(client.closed!.detail, /3273.*1000|raise/);
  t.is(pool.holder, null);
  t.is(slotsTaken(pool), 0);
});

test('a full pool refuses a session, and those that run go on', (t) => {
  const pool = device(1);
  const pair = pairOver(pool, undefined);
  exchange(chain, pair);
  t.is(pair.client.state, 'established');
  t.throws(() => pairOver(pool, undefined), { code: 'no_slot' });
  t.deepEqual(deliver(pair.client, pair.server.seal(text(9), now), crypto, now), [text(9)]);
  pair.client.close(CLOSE, now);
  const again = pairOver(pool, undefined);
  exchange(chain, again);
  t.is(again.client.state, 'established');
});

test('sessions that borrow give every buffer back, whatever way they end', (t) => {
  const pool = createPool({ slots: 8 });
  for (let cut = 1; cut < 4000; cut += 97) {
    const pair = pairOver(pool, pool, cut % 2 === 0);
    settle(pair.client, crypto, now);
    deliver(pair.server, pair.client.takeOutput()!, crypto, now);
    drip(pair.client, pair.server.takeOutput()!.subarray(0, cut));
    pair.client.close(CLOSE, now);
    pair.server.close(CLOSE, now);
    t.is(slotsTaken(pool), 0);
    t.true(pool.buffers.length <= 2, `${pool.buffers.length} buffers`);
    t.is(new Set(pool.buffers).size, pool.buffers.length);
    t.true(pool.buffers.every(isZero));
  }
});

test('between packets a session that borrows holds nothing', (t) => {
  const pool = createPool({ slots: 2 });
  const pair = pairOver(pool, pool);
  exchange(chain, pair);
  const { client, server } = pair;
  const packet = server.seal(text(50), now);
  drip(client, packet);
  t.deepEqual(client.message, text(50));
  const before = pool.buffers.length;
  client.rest();
  t.is(pool.buffers.length, before + 1);
  t.is(drip(client, server.seal(text(3000), now)).length, 0);
  t.deepEqual(client.message, text(3000));
  client.rest();
  t.is(pool.buffers.length, before + 1, 'the larger one is not kept');
});

test('slots for AES-256-GCM alone: a RCS-256 state never gets into one', (t) => {
  const fresh = device(2, { cipher: 'gcm' });
  const neighbour = acquireSlot(fresh);
  dirty(neighbour, 5);
  const good = pairOver(fresh, undefined, true);
  exchange(chain, good);
  t.is(good.client.state, 'established', good.client.closed?.detail);
  t.true(holds(neighbour, 5));
  good.client.close(CLOSE, now);
  const declined = pairOver(fresh, undefined, false);
  exchange(chain, declined);
  t.is(declined.client.closed?.reason, 'cipher_unavailable');
  t.true(holds(neighbour, 5), 'nothing was written past the slot');
  t.is(slotsTaken(fresh), 1);
});

test('a server without identity for the client gives its slot back', (t) => {
  const pool = device(1);
  const server = createSession(createServer({ identify: () => null, random: chain.random('none') }), {
    pool,
  });
  server.start(now);
  const client = clientOf(chain, { verified: 'chain' });
  client.start(now);
  deliver(server, client.takeOutput()!, crypto, now);
  t.is(server.closed?.reason, 'serial');
  t.is(slotsTaken(pool), 0);
  t.truthy(server.takeOutput());
});
