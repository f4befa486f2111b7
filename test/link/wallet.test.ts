// X4: the tickets a client holds.
import test from 'ava';
import {
  openWallet,
  walletAdd,
  walletClear,
  walletExpire,
  walletFlush,
  walletKey,
  walletNext,
  walletRemove,
} from '../../src/link/wallet.ts';
import type { Ticket, Wallet } from '../../src/link/wallet.ts';
import { checkStorageKey } from '../../src/link/storage-memory.ts';
import { packStored, Stored } from '../../src/session/stored.ts';
import { isZero } from '../../src/bytes.ts';
import { draws } from '../random.ts';
import type { Draw } from '../random.ts';
import { testStorage } from '../storage.ts';
import type { TestStorage } from '../storage.ts';

const NOW = 1_800_000_000;

function ticket(draw: Draw, expiry: number): Ticket {
  return {
    id: draw.bytes(16),
    secret: draw.bytes(32),
    expiry,
    since: NOW - draw.below(100),
    resumptions: draw.below(64),
  };
}

function copyOf(tickets: readonly Ticket[]): Ticket[] {
  return tickets.map((one) => ({ ...one, id: one.id.slice(), secret: one.secret.slice() }));
}

function setup(draw: Draw): {
  serial: Uint8Array;
  storage: TestStorage;
  lines: string[];
  open: (max?: number) => Wallet;
} {
  const serial = draw.bytes(16);
  const storage = testStorage();
  const lines: string[] = [];
  const open = (max = 3): Wallet => openWallet({ serial, storage, max, report: (line) => lines.push(line) });
  return { serial, storage, lines, open };
}

test('X4: what is added is there after a restart, in order of expiry, at most three', (t) => {
  const draw = draws(t);
  const { open, storage, serial } = setup(draw);
  const all = [40, 10, 30, 20].map((after) => ticket(draw, NOW + after));
  const kept = copyOf(all);
  const w = open();
  for (const one of all) walletAdd(w, one);
  t.is(storage.writes, 4);
  t.true(isZero(all[1]!.secret), 'what made room is wiped');
  t.deepEqual(open().tickets, [kept[3]!, kept[2]!, kept[0]!]);
  t.deepEqual(open(2).tickets.length, 2);
  t.is(storage.get(walletKey(serial))!.length, 2 + 17 + 3 * 66 + 4);
  t.notThrows(() => checkStorageKey(walletKey(serial)));
});

test('X4: the next one is the first to expire; expired ones go; with no clock the floor decides', (t) => {
  const draw = draws(t);
  const { open } = setup(draw);
  const w = open();
  const [a, b, never] = [ticket(draw, NOW + 10), ticket(draw, NOW + 20), ticket(draw, 0)];
  for (const one of [b, a]) walletAdd(w, one);
  t.deepEqual([walletNext(w, 0), walletNext(w, 0, 1), walletNext(w, 0, 2)], [a, b, null]);
  t.is(walletNext(w, NOW + 9), a);
  t.is(walletNext(w, NOW + 10), b);
  t.true(isZero(a.secret));
  walletAdd(w, never);
  walletExpire(w, NOW + 1e9);
  t.is(walletNext(w, NOW + 1e9), never);
});

test('X4: a ticket is removed once used; the write comes with the next one', (t) => {
  const draw = draws(t);
  const { open, storage } = setup(draw);
  const w = open();
  const used = ticket(draw, NOW + 10);
  walletAdd(w, used);
  walletRemove(w, draw.bytes(16));
  t.false(w.changed);
  walletRemove(w, used.id);
  t.true(isZero(used.secret));
  t.is(walletNext(w, NOW), null);
  t.is(storage.writes, 1);
  const fresh = ticket(draw, NOW + 50);
  walletAdd(w, fresh);
  t.is(storage.writes, 2);
  t.deepEqual(open().tickets, [fresh]);
  walletRemove(w, fresh.id);
  walletFlush(w);
  walletFlush(w);
  t.is(storage.writes, 3);
  t.deepEqual(open().tickets, []);
});

test('X4: the same ticket added twice is one', (t) => {
  const draw = draws(t);
  const { open } = setup(draw);
  const w = open();
  const one = ticket(draw, NOW + 10);
  walletAdd(w, one);
  walletAdd(w, { ...one, secret: draw.bytes(32) });
  t.is(w.tickets.length, 1);
});

test('X4: cleared means wiped and gone', (t) => {
  const draw = draws(t);
  const { open, storage, serial } = setup(draw);
  const w = open();
  const all = [ticket(draw, NOW), ticket(draw, NOW)];
  for (const one of all) walletAdd(w, one);
  walletClear(w);
  t.true(all.every((one) => isZero(one.secret)));
  t.is(storage.get(walletKey(serial)), null);
});

test('X4: a damaged record is an empty wallet, reported; every byte is covered', (t) => {
  const draw = draws(t);
  const { open, storage, serial, lines } = setup(draw);
  walletAdd(open(), ticket(draw, NOW));
  const good = storage.get(walletKey(serial))!;
  for (let at = 0; at < good.length; at++) {
    const bad = new Uint8Array(good);
    bad[at]! ^= 1 << draw.below(8);
    storage.set(walletKey(serial), bad);
    t.deepEqual(open().tickets, []);
    storage.set(walletKey(serial), good.slice(0, at));
    t.deepEqual(open().tickets, []);
  }
  t.is(lines.length, 2 * good.length);
  t.is(lines[0], 'tickets: the record is damaged: they are lost');
  // A count that does not fit its length, with a good checksum.
  const body = new Uint8Array(17 + 66);
  body.set(serial);
  body[16] = 2;
  storage.set(walletKey(serial), packStored(Stored.wallet, 1, body));
  t.deepEqual(open().tickets, []);
});

test("X4: another server's record under the same key is not taken", (t) => {
  const draw = draws(t);
  const { open, storage, serial } = setup(draw);
  walletAdd(open(), ticket(draw, NOW));
  const alike = new Uint8Array(serial);
  alike[15]! ^= 1;
  t.is(walletKey(alike), walletKey(serial));
  t.deepEqual(openWallet({ serial: alike, storage }).tickets, []);
  t.not(walletKey(draw.bytes(16)), walletKey(serial));
  t.throws(() => openWallet({ serial: new Uint8Array(15) }), { code: 'invalid_input' });
});

test('X4: a cut at any write leaves the old wallet or the new one; without storage memory serves', (t) => {
  const draw = draws(t);
  for (const cutAfter of [false, true]) {
    const { open, storage, lines } = setup(draw);
    const [a, b] = [ticket(draw, NOW + 1), ticket(draw, NOW + 2)];
    const w = open();
    walletAdd(w, a);
    storage.cutAfter = cutAfter;
    storage.cutAt = 0;
    walletAdd(w, b);
    t.deepEqual(w.tickets, [a, b]);
    t.regex(lines.join(), /could not be stored/);
    t.deepEqual(open().tickets, cutAfter ? [a, b] : [a]);
    // Tried again with the next change.
    walletFlush(w);
    t.deepEqual(open().tickets, [a, b]);
  }
  const w = openWallet({ serial: draw.bytes(16) });
  walletAdd(w, ticket(draw, NOW));
  t.is(w.tickets.length, 1);
});

test('X4: a storage put back brings back a used ticket only, never one of another server', (t) => {
  const draw = draws(t);
  const { open, storage } = setup(draw);
  const one = ticket(draw, NOW);
  const before = copyOf([one]);
  const w = open();
  walletAdd(w, one);
  const snapshot = storage.snapshot();
  walletRemove(w, one.id);
  walletFlush(w);
  storage.restore(snapshot);
  // The server has consumed it and refuses it there; no key is used twice, as nonces are fresh.
  t.deepEqual(open().tickets, before);
});
