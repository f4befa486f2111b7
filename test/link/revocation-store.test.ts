// What an end holds of a root's revocations: over restarts, cuts at every write, and damage.
import test from 'ava';
import { isRevoked } from '../../src/cert/revocation.ts';
import type { RevocationList } from '../../src/cert/revocation.ts';
import { decodeRevocationList } from '../../src/cert/revocation.ts';
import {
  checkIdentity,
  checkIncomingList,
  isRevokedHere,
  keepRevocation,
  keepRevocationList,
  openRevocations,
  SINGLE_REVOCATIONS_MAX,
} from '../../src/link/revocation-store.ts';
import type { Revocations } from '../../src/link/revocation-store.ts';
import type { Storage } from '../../src/platform.ts';
import { DAY, FROM, listOf, newWorld, NOW } from '../cert/trust.ts';
import { PowerCut, testStorage } from '../storage.ts';

const world = newWorld();
const { root, server, client, successor } = world;

function list(serials: readonly Uint8Array[], number: number): RevocationList {
  return decodeRevocationList(listOf(world, serials, number), world.crypto.suite)!;
}
const list1 = list([client.serial], 1);
const list2 = list([client.serial, server.serial], 2);

function open(storage: Storage | null, lines: string[] = []): Revocations {
  return openRevocations({ root, storage, report: (line) => lines.push(line) });
}

test('a list is held over restarts, and its number never goes back', (t) => {
  const storage = testStorage();
  const r = open(storage);
  t.is(checkIncomingList(r, list2, NOW), null);
  t.true(keepRevocationList(r, list2));
  const again = open(storage);
  t.true(isRevokedHere(again, client.serial));
  t.false(isRevokedHere(again, successor.serial));
  t.is(checkIncomingList(again, list1, NOW)?.reason, 'revocation_older');
  t.is(checkIncomingList(again, list2, NOW)?.reason, 'revocation_held');
  t.is(checkIncomingList(again, list([], 3), NOW), null);
  t.is(openRevocations({ root: world.nextRoot, storage }).list, null, 'of another root');
  t.true(keepRevocationList(open(null), list2), 'without a storage');
});

test('single revocations are held until a list has them', (t) => {
  const storage = testStorage();
  t.is(keepRevocation(open(storage), successor.serial), 'revoked');
  t.is(keepRevocation(open(storage), successor.serial), 'already');
  keepRevocationList(open(storage), list1);
  const r = open(storage);
  t.is(r.singles.length, 1);
  t.is(checkIdentity(r, successor.serial, true, NOW)?.reason, 'revoked');
  keepRevocationList(r, list([successor.serial], 2));
  t.is(open(storage).singles.length, 0);
  t.true(isRevokedHere(open(storage), successor.serial));
  const serial = (i: number): Uint8Array =>
    Uint8Array.from({ length: 16 }, (_, at) => (at < 2 ? i >> (8 * at) : 9));
  for (let i = 0; i < SINGLE_REVOCATIONS_MAX; i++) t.is(keepRevocation(r, serial(i)), 'revoked');
  t.is(keepRevocation(r, server.serial), 'full');
});

test('who may come in: missing and stale lists let nobody in where a list is required', (t) => {
  const r = open(testStorage());
  const verdict = (serial: Uint8Array, required: boolean, now = NOW) =>
    checkIdentity(r, serial, required, now)?.reason;
  t.is(verdict(server.serial, true), 'revocation_missing');
  t.is(verdict(server.serial, false), undefined);
  keepRevocationList(r, list1);
  t.is(verdict(server.serial, true), undefined);
  t.is(verdict(client.serial, false), 'revoked');
  const later = FROM + 31 * DAY;
  t.is(verdict(server.serial, true, later), 'revocation_stale');
  t.is(verdict(server.serial, false, later), undefined);
  t.is(verdict(client.serial, true, later), 'revoked', 'what was revoked stays so');
});

test('a cut at any write leaves the old list or the new one, and the number of what is there', (t) => {
  let cuts = 0;
  for (const cutAfter of [false, true]) {
    for (let cutAt = 0; cutAt < 4; cutAt++) {
      const storage = testStorage();
      keepRevocationList(open(storage), list1);
      keepRevocation(open(storage), successor.serial);
      const r = open(storage);
      storage.cutAfter = cutAfter;
      storage.cutAt = cutAt;
      const stored = keepRevocationList(r, list2);
      t.true(isRevoked(r.list, server.serial), 'it counts in this process in any case');
      if (stored) continue;
      cuts++;
      storage.cutAt = null;
      const lines: string[] = [];
      const after = open(storage, lines);
      t.deepEqual(lines, []);
      t.false(after.damaged);
      t.true(after.number === 1 || after.number === 2);
      t.is(after.number, after.list!.number);
      t.is(isRevokedHere(after, server.serial), after.number === 2);
      t.true(isRevokedHere(after, successor.serial), 'single revocations are not lost');
      t.true(isRevokedHere(after, client.serial));
    }
  }
  t.is(cuts, 4, 'two writes, before and after each');
  const storage = testStorage();
  const lines: string[] = [];
  const r = open(storage, lines);
  storage.cutAt = 0;
  t.is(keepRevocation(r, server.serial), 'unstored');
  t.regex(lines.join(), /repair the storage/);
  t.throws(
    () => {
      storage.cutAt = 0;
      storage.set('x', new Uint8Array(1));
    },
    { instanceOf: PowerCut },
  );
});

test('a damaged or missing record: nobody is let in until a list comes, and nothing else is lost', (t) => {
  for (const [key, taken] of [
    ['qr.l', [list2, list([], 3)]],
    ['qr.n', [list([], 3)]],
  ] as const) {
    for (const how of ['flip', 'cut', 'gone', 'unreadable'] as const) {
      // Without its number a list says enough for itself; that single revocations are lost it cannot know.
      if (key === 'qr.n' && how === 'gone') continue;
      const storage = testStorage();
      keepRevocation(open(storage), successor.serial);
      keepRevocationList(open(storage), list2);
      const value = storage.get(key)!;
      const before = storage.snapshot();
      if (how === 'flip') value[value.length >> 1]! ^= 4;
      if (how === 'gone') storage.remove(key);
      else storage.set(key, how === 'cut' ? value.subarray(0, value.length - 1) : value);
      const broken: Storage = {
        ...storage,
        get: (name) => {
          if (how === 'unreadable' && name === key) throw new Error('io');
          return storage.get(name);
        },
      };
      const lines: string[] = [];
      const r = open(broken, lines);
      t.true(r.damaged, `${key} ${how}`);
      t.is(lines.length, 1);
      t.regex(lines[0]!, /damaged: .* until a newer list is loaded/);
      t.is(checkIdentity(r, world.nextRoot.serial, false, NOW)?.reason, 'revocation_damaged');
      t.is(checkIncomingList(r, list1, NOW)?.reason, 'revocation_older');
      t.is(checkIncomingList(r, list2, NOW) === null, taken.length === 2, `${key} ${how}`);
      if (key === 'qr.l') t.true(isRevokedHere(r, successor.serial));
      else t.true(isRevokedHere(r, server.serial));
      for (const next of taken) {
        const reader = open(broken);
        t.is(checkIncomingList(reader, next, NOW), null);
        keepRevocationList(reader, next);
        t.is(checkIdentity(reader, world.nextRoot.serial, false, NOW), null);
      }
      storage.restore(before);
      t.false(open(storage).damaged);
    }
  }
});

test('what a client must know of its own server outlives the list', (t) => {
  const storage = testStorage();
  keepRevocationList(open(storage), list2, [server.serial, successor.serial]);
  storage.set('qr.l', new Uint8Array(9));
  const r = open(storage);
  t.true(r.damaged);
  t.true(isRevokedHere(r, server.serial));
  t.false(isRevokedHere(r, successor.serial));
});
