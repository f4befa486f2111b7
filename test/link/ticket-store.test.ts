// X4: the server's tickets. One suite over every store.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { fork } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  createTickets,
  memoryTicketStore,
  openTicket,
  sealTicket,
  TICKET_SEALED_BYTES,
} from '../../src/link/ticket-store.ts';
import { isProvisioned } from '../../src/wire/edge.ts';
import type { TicketRecord, TicketStore } from '../../src/link/ticket-store.ts';
import { fileTicketStore } from '../../targets/node/ticket-store.ts';
import { toHex } from '../../src/bytes.ts';
import { CASES, draws } from '../random.ts';
import type { Draw } from '../random.ts';

const NOW = 1_800_000_000;

function newId(draw: Draw, provisioned = false): Uint8Array {
  const id = draw.bytes(16);
  id[15] = provisioned ? id[15]! | 0x80 : id[15]! & 0x7f;
  return id;
}

function record(draw: Draw, changes: Partial<TicketRecord> = {}): TicketRecord {
  return {
    secret: draw.bytes(32),
    identity: { serial: draw.bytes(16), issuer: 'rtu-7.qcc', to: 4e9 },
    anchor: new Uint8Array(16),
    issued: NOW,
    expiry: NOW + 86400,
    since: NOW - 5,
    resumptions: draw.below(65536),
    provisioned: false,
    ...changes,
  };
}

/** The result of an operation that calls back at once. */
function at<T>(call: (done: (value: T) => void) => void): T {
  const results: T[] = [];
  call((value) => results.push(value));
  if (results.length !== 1) throw new Error(`called back ${results.length} times`);
  return results[0]!;
}

function folder(t: ExecutionContext): string {
  const made = mkdtempSync(path.join(tmpdir(), 'qstp-tickets-'));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

const stores: [name: string, make: (t: ExecutionContext, max?: number) => TicketStore][] = [
  ['memory', (_t, max) => memoryTicketStore(max)],
  ['files', (t, max) => fileTicketStore(folder(t), max === undefined ? {} : { max })],
];

for (const [name, make] of stores) {
  const setup = (t: ExecutionContext, max?: number) => {
    const draw = draws(t);
    const store = make(t, max);
    const tickets = createTickets(store, draw.bytes(32), (out) => out.set(draw.bytes(out.length)));
    return { draw, store, tickets };
  };

  test(`X4: ${name}: put, get, take exactly once`, (t) => {
    const { draw, tickets } = setup(t);
    for (let n = 0; n < CASES; n++) {
      const [id, put] = [newId(draw), record(draw)];
      t.is(
        at((done) => tickets.get(id, NOW, done)),
        null,
      );
      t.false(at((done) => tickets.take(id, done)));
      t.true(at((done) => tickets.put(id, put, done)));
      t.deepEqual(
        at((done) => tickets.get(id, NOW, done)),
        put,
      );
      t.deepEqual(
        at((done) => tickets.get(id, NOW, done)),
        put,
        'to look takes nothing',
      );
      t.deepEqual(
        Array.from({ length: 4 }, () => at<boolean>((done) => tickets.take(id, done))),
        [true, false, false, false],
      );
      t.is(
        at((done) => tickets.get(id, NOW, done)),
        null,
      );
    }
  });

  test(`X4: ${name}: expired tickets are not given out, and swept`, (t) => {
    const { draw, store, tickets } = setup(t);
    const ids = [10, 20, 30].map((after) => {
      const id = newId(draw);
      at((done) => tickets.put(id, record(draw, { expiry: NOW + after }), done));
      return id;
    });
    t.truthy(at((done) => tickets.get(ids[1]!, NOW + 19, done)));
    t.is(
      at((done) => tickets.get(ids[1]!, NOW + 20, done)),
      null,
    );
    t.is(
      at((done) => tickets.sweep(NOW + 20, done)),
      2,
    );
    t.is(
      at((done) => tickets.sweep(NOW + 20, done)),
      0,
    );
    t.is(
      at((done) => store.get(ids[0]!, done)),
      null,
    );
    t.truthy(at((done) => tickets.get(ids[2]!, NOW + 20, done)));
  });

  test(`X4: ${name}: revoking an identity ends its tickets and credentials, and no others`, (t) => {
    const { draw, tickets } = setup(t);
    const identity = { serial: draw.bytes(16), issuer: 'rtu-8.qcc', to: 4e9 };
    const theirs = [newId(draw), newId(draw), newId(draw, true)];
    for (const id of theirs) {
      at((done) => tickets.put(id, record(draw, { identity, provisioned: isProvisioned(id) }), done));
    }
    const other = newId(draw);
    at((done) => tickets.put(other, record(draw), done));
    t.is(
      at((done) => tickets.revoke(identity.serial, done)),
      3,
    );
    for (const id of theirs)
      t.is(
        at((done) => tickets.get(id, NOW, done)),
        null,
      );
    t.truthy(at((done) => tickets.get(other, NOW, done)));
    t.is(
      at((done) => tickets.revoke(identity.serial, done)),
      0,
    );
  });

  test(`X4: ${name}: bounded: the first to expire makes room, provisioned credentials never`, (t) => {
    const { draw, tickets } = setup(t, 3);
    const credential = newId(draw, true);
    const put = (id: Uint8Array, after: number): boolean =>
      at((done) =>
        tickets.put(id, record(draw, { expiry: NOW + after, provisioned: isProvisioned(id) }), done),
      );
    const has = (id: Uint8Array): boolean => at((done) => tickets.get(id, NOW, done)) !== null;
    t.true(put(credential, 1));
    const [a, b, c] = [newId(draw), newId(draw), newId(draw)];
    t.deepEqual([put(a, 20), put(b, 10), put(c, 30)], [true, true, true]);
    t.deepEqual([credential, a, b, c].map(has), [true, true, false, true]);
    t.deepEqual([put(newId(draw, true), 5), put(newId(draw, true), 5)], [true, true]);
    t.deepEqual([has(a), has(c)], [false, false]);
    t.false(put(newId(draw), 99), 'three credentials: no room');
    t.true(has(credential));
  });

  test(`X4: ${name}: a provisioned credential is reusable, and its id says so`, (t) => {
    const { draw, tickets } = setup(t);
    const id = newId(draw, true);
    const put = record(draw, { provisioned: true, since: 0, anchor: draw.bytes(16) });
    at((done) => tickets.put(id, put, done));
    for (let n = 0; n < 3; n++)
      t.deepEqual(
        at((done) => tickets.get(id, NOW, done)),
        put,
      );
    t.throws(() => tickets.take(id, () => t.fail()), { code: 'invalid_input' });
    t.throws(() => tickets.put(newId(draw), put, () => t.fail()), { code: 'invalid_input' });
    t.throws(() => tickets.put(id, { ...put, provisioned: false }, () => t.fail()), {
      code: 'invalid_input',
    });
  });

  test(`X4: ${name}: the store sees no secret, and a row moved to another id or altered does not open`, (t) => {
    const { draw, store, tickets } = setup(t);
    const [id, other, put] = [newId(draw), newId(draw), record(draw)];
    at((done) => tickets.put(id, put, done));
    const row = at<Parameters<TicketStore['put']>[0] | null>((done) => store.get(id, done))!;
    t.is(row.sealed.length, TICKET_SEALED_BYTES);
    const seen = toHex(row.sealed) + toHex(row.owner);
    for (const secret of [put.secret, put.identity!.serial])
      t.false(seen.includes(toHex(secret).slice(0, 16)));
    at((done) => store.put({ ...row, id: other }, done));
    t.is(
      at((done) => tickets.get(other, NOW, done)),
      null,
    );
    // The row says it is alive; the seal says when it ends.
    at((done) => store.put({ ...row, expiry: NOW + 1e9 }, done));
    t.is(
      at((done) => tickets.get(id, NOW + 86400, done)),
      null,
    );
    for (let bit = 0; bit < row.sealed.length * 8; bit += 7) {
      const sealed = row.sealed.slice();
      sealed[bit >> 3]! ^= 1 << (bit & 7);
      at((done) => store.put({ ...row, sealed }, done));
      t.is(
        at((done) => tickets.get(id, NOW, done)),
        null,
      );
    }
  });
}

test('X4: records seal under a key of their id, with fresh nonces', (t) => {
  const draw = draws(t);
  const [key, id, put] = [draw.bytes(32), newId(draw), record(draw)];
  const random = (out: Uint8Array): void => out.set(draw.bytes(out.length));
  const [a, b] = [sealTicket(key, random, id, put), sealTicket(key, random, id, put)];
  t.not(toHex(a), toHex(b));
  t.deepEqual(openTicket(key, id, a), put);
  t.is(openTicket(draw.bytes(32), id, a), null);
  t.is(openTicket(key, newId(draw), a), null);
  t.is(openTicket(key, id, a.slice(0, -1)), null);
  t.is(openTicket(key, id, new Uint8Array(0)), null);
  // The nonce's repetition under two ids is no repetition under one key.
  const zero = (out: Uint8Array): void => void out.fill(0);
  const [c, d] = [sealTicket(key, zero, id, put), sealTicket(key, zero, newId(draw), put)];
  t.not(toHex(c.subarray(12, 104)), toHex(d.subarray(12, 104)));
  t.throws(() => createTickets(memoryTicketStore(), new Uint8Array(31), random), { code: 'invalid_input' });
});

test('X4: files survive a restart; another key opens none of them', (t) => {
  const draw = draws(t);
  const [place, key] = [folder(t), draw.bytes(32)];
  const random = (out: Uint8Array): void => out.set(draw.bytes(out.length));
  const [id, put] = [newId(draw), record(draw)];
  at((done) => createTickets(fileTicketStore(place), key, random).put(id, put, done));
  t.is(statSync(path.join(place, toHex(id))).mode & 0o077, 0);
  writeFileSync(path.join(place, 'half.1.tmp'), 'a draft that a cut left');
  utimesSync(path.join(place, 'half.1.tmp'), new Date(0), new Date(0));
  const again = createTickets(fileTicketStore(place), key, random);
  t.deepEqual(readdirSync(place), [toHex(id)]);
  t.is(
    at((done) => createTickets(fileTicketStore(place), draw.bytes(32), random).get(id, NOW, done)),
    null,
  );
  t.deepEqual(
    at((done) => again.get(id, NOW, done)),
    put,
  );
  t.true(at((done) => again.take(id, done)));
  t.false(at((done) => createTickets(fileTicketStore(place), key, random).take(id, done)));
});

test('X4: damaged files are reported, removed, and disturb no others', (t) => {
  const draw = draws(t);
  const place = folder(t);
  const lines: string[] = [];
  const store = fileTicketStore(place, { report: (line) => lines.push(line) });
  const tickets = createTickets(store, draw.bytes(32), (out) => out.set(draw.bytes(out.length)));
  const [id, good] = [newId(draw), newId(draw)];
  for (const one of [id, good]) at((done) => tickets.put(one, record(draw), done));
  const file = path.join(place, toHex(id));
  const whole = readFileSync(file);
  for (const bytes of [
    whole.subarray(0, 40),
    Buffer.concat([whole, whole]),
    Buffer.alloc(0),
    Buffer.from('X'),
  ]) {
    writeFileSync(file, bytes);
    t.is(
      at((done) => tickets.get(id, NOW, done)),
      null,
    );
    t.false(readdirSync(place).includes(toHex(id)));
  }
  t.is(lines.length, 4);
  t.regex(lines[0]!, /is damaged: removed$/);
  writeFileSync(path.join(place, 'README'), 'not a ticket');
  t.is(
    at((done) => tickets.sweep(NOW, done)),
    0,
  );
  t.truthy(at((done) => tickets.get(good, NOW, done)));
  t.true(readdirSync(place).includes('README'));
  t.throws(() => fileTicketStore(path.join(place, 'README')), { code: 'storage_failed' });
});

test('X4: a folder that is gone refuses everything and takes nothing', (t) => {
  const draw = draws(t);
  const place = folder(t);
  const lines: string[] = [];
  const store = fileTicketStore(place, { report: (line) => lines.push(line) });
  const tickets = createTickets(store, draw.bytes(32), (out) => out.set(draw.bytes(out.length)));
  const id = newId(draw);
  rmSync(place, { recursive: true });
  t.false(at((done) => tickets.put(id, record(draw), done)));
  t.is(
    at((done) => tickets.get(id, NOW, done)),
    null,
  );
  t.false(at((done) => tickets.take(id, done)));
  t.is(
    at((done) => tickets.sweep(NOW, done)),
    0,
  );
  t.true(lines.length >= 2);
});

test('X4: several processes take the same tickets: each goes to one of them', async (t) => {
  t.timeout(60_000);
  const draw = draws(t);
  const place = folder(t);
  const key = draw.bytes(32);
  const tickets = createTickets(fileTicketStore(place), key, (out) => out.set(draw.bytes(out.length)));
  const ids = Array.from({ length: 60 }, () => newId(draw));
  for (const id of ids) at((done) => tickets.put(id, record(draw), done));
  const takers = Array.from({ length: 3 }, () =>
    fork(new URL('../fixtures/take-tickets.js', import.meta.url), [place, ...ids.map(toHex)]),
  );
  const ready = (taker: (typeof takers)[number]) => new Promise((go) => taker.once('message', go));
  await Promise.all(takers.map(ready));
  const answers = takers.map(
    (taker) => new Promise<string[]>((done) => taker.once('message', (taken) => done(taken as string[]))),
  );
  for (const taker of takers) taker.send('go');
  const taken = (await Promise.all(answers)).flat();
  t.deepEqual(taken.sort(), ids.map(toHex).sort());
});

test('a full store of files looks at its rows once for many tickets, and keeps those that live longest', (t) => {
  const draw = draws(t);
  const max = 160;
  const where = folder(t);
  const store = fileTicketStore(where, { max });
  const put = (expiry: number): boolean =>
    at((done) =>
      store.put(
        { id: newId(draw), expiry, owner: draw.bytes(8), sealed: draw.bytes(TICKET_SEALED_BYTES) },
        done,
      ),
    );
  for (let i = 0; i < max; i++) t.true(put(NOW + i));
  // A row that cannot be read is told of each time the rows are looked at: a folder stands for it.
  let looks = 0;
  mkdirSync(path.join(where, 'ab'.repeat(16)));
  const watched = fileTicketStore(where, { max, report: () => looks++ });
  for (let i = 0; i < 40; i++) {
    const id = newId(draw);
    const row = { id, expiry: NOW + 1000, owner: draw.bytes(8), sealed: draw.bytes(TICKET_SEALED_BYTES) };
    t.true(at((done) => watched.put(row, done)));
    t.not(
      at<unknown>((done) => watched.get(id, done)),
      null,
    );
  }
  t.true(looks >= 1 && looks <= 6, `${looks} looks for 40 tickets`);
  t.true(readdirSync(where).length <= max + 1);
});
