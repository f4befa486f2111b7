// Whom a client trusts as time goes by: successors, new roots, revocations, over restarts, cuts and damage.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { expiryWarning } from '../../src/cert/verify.ts';
import { decodeRevocationList } from '../../src/cert/revocation.ts';
import { decodeSuccession, encodeSuccession, rootKeyHash } from '../../src/cert/succession.ts';
import { generateRootKey, rootCertificate, rootSignature } from '../../src/cert/issue.ts';
import type { ServerCertificate } from '../../src/cert/certificate.ts';
import { runJob } from '../../src/crypto/job.ts';
import {
  checkTrustList,
  checkTrustRoot,
  checkTrustSuccessor,
  isTrustRevoked,
  keepRoot,
  keepSuccessor,
  keepTrustList,
} from '../../src/link/trust-news.ts';
import { switchTrust, trustConfirmed, trustFailed, trustPair } from '../../src/link/trust-pair.ts';
import { openTrust, resetTrust } from '../../src/link/trust-store.ts';
import type { TrustCheck } from '../../src/link/trust-news.ts';
import type { TrustedPair } from '../../src/link/trust-pair.ts';
import type { TrustOptions, TrustStore } from '../../src/link/trust-store.ts';
import type { Reject } from '../../src/error.ts';
import type { Storage } from '../../src/platform.ts';
import { DAY, FROM, listOf, newServer, newWorld, NOW } from '../cert/trust.ts';
import type { World } from '../cert/trust.ts';
import { testStorage } from '../storage.ts';

const world = newWorld();
const { crypto, root, server, successor, nextRoot, nextRootKey } = world;
const { suite } = crypto;
/** The world under the new root. */
const after: World = {
  ...world,
  root: nextRoot,
  rootKey: nextRootKey,
  sign: rootSignature(crypto, nextRoot, nextRootKey, new Uint8Array(32)),
};
const underNext = newServer(after, 'gateway.qrc', 400);
const statement = decodeSuccession(encodeSuccession(root, nextRoot, 1, world.sign), suite)!;

function open(storage: Storage | null, more: Partial<TrustOptions> = {}): TrustStore {
  return openTrust({ root, server, storage, ...more });
}

function passes(t: ExecutionContext, check: TrustCheck): void {
  t.is(check.refused, null, check.refused?.detail);
  t.true(check.jobs.length > 0);
  for (const job of check.jobs) t.true(runJob(crypto, job));
}

function successorComes(t: ExecutionContext, trust: TrustStore, next: ServerCertificate, now = NOW): void {
  passes(t, checkTrustSuccessor(trust, next, now));
  t.true(keepSuccessor(trust, next));
}

function rootComes(t: ExecutionContext, trust: TrustStore, of = statement, now = NOW): void {
  passes(t, checkTrustRoot(trust, of, now));
  t.true(keepRoot(trust, of));
}

function uses(t: ExecutionContext, trust: TrustStore, next: ServerCertificate, now = NOW): TrustedPair {
  const pair = trustPair(trust, now);
  if ('reason' in pair) {
    throw new Error((pair as Reject).detail);
  }
  t.is(pair.server.issuer + pair.server.to, next.issuer + next.to);
  t.deepEqual(pair.server.bytes, next.bytes);
  return pair;
}

const refused = (trust: TrustStore, now = NOW): string | null => {
  const pair = trustPair(trust, now);
  return 'reason' in pair ? pair.reason : null;
};

test('the provisioned pair, and nothing is stored for it', (t) => {
  const storage = testStorage();
  const trust = open(storage);
  const pair = uses(t, trust, server);
  t.is(pair.root, root);
  t.true(trustConfirmed(trust, pair));
  t.is(storage.writes, 0);
});

test('a successor waits beside the old one: used when that ends, or when told, or when that fails', (t) => {
  for (const how of ['ended', 'told', 'failed'] as const) {
    const storage = testStorage();
    successorComes(t, open(storage), successor);
    let trust = open(storage);
    let now = NOW;
    uses(t, trust, server);
    if (how === 'ended') now = server.to + 1;
    if (how === 'told') t.true(switchTrust(trust));
    if (how === 'failed') trustFailed(trust, uses(t, trust, server));
    if (how === 'told') trust = open(storage);
    const pair = uses(t, trust, successor, now);
    if (how !== 'ended') {
      // It fails too: the old one is still good, and comes into its right.
      trustFailed(trust, pair);
      uses(t, trust, server, now);
      trustFailed(trust, uses(t, trust, server, now));
      uses(t, trust, successor, now);
    } else {
      trustFailed(trust, pair);
      uses(t, trust, successor, now);
    }
    t.true(trustConfirmed(trust, pair));
    trust = open(storage);
    uses(t, trust, successor);
    t.is(checkTrustSuccessor(trust, successor, NOW).refused?.reason, 'successor_held');
    t.is(checkTrustSuccessor(trust, server, NOW).refused?.reason, 'successor_held');
    // The one after that takes the place of the first.
    const third = newServer(world, 'gateway.qrc', 500);
    successorComes(t, trust, third);
    t.is(checkTrustSuccessor(trust, server, NOW).refused?.reason, 'successor_older');
    uses(t, open(storage), third, successor.to + 1);
  }
  t.false(switchTrust(open(testStorage())), 'nothing follows');
});

test('a successor that was overtaken does not come back', (t) => {
  const trust = open(testStorage());
  const [second, third] = [newServer(world, 'gateway.qrc', 200), newServer(world, 'gateway.qrc', 500)];
  successorComes(t, trust, second);
  successorComes(t, trust, third);
  t.is(checkTrustSuccessor(trust, second, NOW).refused?.reason, 'successor_older');
  t.is(checkTrustSuccessor(trust, world.client, NOW).refused?.reason, 'successor_kind');
  const stranger = newWorld(1, 'stranger');
  t.is(checkTrustSuccessor(trust, stranger.successor, NOW).refused?.reason, 'successor_foreign_root');
});

test('a new root: stored beside the old, in use with its first server, and from then on alone', (t) => {
  const storage = testStorage();
  const lines: string[] = [];
  const report = (line: string): void => void lines.push(line);
  t.is(checkTrustSuccessor(open(storage), underNext, NOW).refused?.reason, 'successor_foreign_root');
  rootComes(t, open(storage));
  t.is(checkTrustRoot(open(storage), statement, NOW).refused?.reason, 'succession_held');
  successorComes(t, open(storage), underNext);
  let trust = open(storage, { report });
  uses(t, trust, server);
  t.true(switchTrust(trust));
  trustFailed(trust, uses(t, trust, underNext));
  // The old root still signs: the server that it signed for is fallen back to.
  t.is(uses(t, trust, server).root.hash, root.hash);
  t.true(trustConfirmed(trust, uses(t, trust, server)));
  const pair = uses(t, trust, underNext);
  t.deepEqual(pair.root.bytes, nextRoot.bytes);
  t.true(trustConfirmed(trust, pair));
  t.regex(lines.join('\n'), /a new root is in use/);
  trust = open(storage);
  uses(t, trust, underNext);
  trustFailed(trust, pair);
  uses(t, trust, underNext);
  t.true(isTrustRevoked(trust, server));
  // Nothing that the old root signs counts any more.
  const late = newServer(world, 'gateway.qrc', 590);
  t.is(checkTrustSuccessor(trust, late, NOW).refused?.reason, 'root_retired');
  const list = decodeRevocationList(listOf(world, [], 9), suite)!;
  t.is(checkTrustList(trust, list, NOW).refused?.reason, 'root_retired');
  const other = generateRootKey(crypto, 'other.qrr', 730, FROM + DAY, world.random);
  const otherRoot = rootCertificate(crypto, other, new Uint8Array(32));
  const byOld = decodeSuccession(encodeSuccession(root, otherRoot, 2, world.sign), suite)!;
  const check = checkTrustRoot(trust, byOld, FROM + DAY);
  t.is(check.refused, null);
  t.false(runJob(crypto, check.jobs[0]!), 'signed by the old root');
  const back = decodeSuccession(encodeSuccession(nextRoot, root, 2, after.sign), suite)!;
  t.is(checkTrustRoot(trust, back, NOW).refused?.reason, 'root_retired');
  // The new one has a successor in turn.
  const third = decodeSuccession(encodeSuccession(nextRoot, otherRoot, 2, after.sign), suite)!;
  rootComes(t, trust, third, FROM + DAY);
  const at: World = { ...after, root: otherRoot, rootKey: other };
  const last = newServer(at, 'gateway.qrc', 600, FROM + DAY);
  successorComes(t, open(storage), last, FROM + DAY);
  trust = open(storage);
  switchTrust(trust);
  trustConfirmed(trust, uses(t, trust, last));
  trust = open(storage);
  t.deepEqual(uses(t, trust, last).root.bytes, otherRoot.bytes);
  t.is(checkTrustSuccessor(trust, underNext, NOW).refused?.reason, 'root_retired');
  t.is(checkTrustRoot(trust, statement, NOW).refused?.reason, 'root_retired');
});

test('a root that was provisioned as the next is the only one that may follow', (t) => {
  const hash = rootKeyHash(nextRoot);
  const wrong = open(testStorage(), { nextRootHash: rootKeyHash(root) });
  t.is(checkTrustRoot(wrong, statement, NOW).refused?.reason, 'succession_unexpected');
  const storage = testStorage();
  rootComes(t, open(storage, { nextRootHash: hash }));
  successorComes(t, open(storage, { nextRootHash: hash }), underNext);
  const trust = open(storage, { nextRootHash: hash });
  switchTrust(trust);
  trustConfirmed(trust, uses(t, trust, underNext));
  // It spoke of the first root's successor only.
  const key = generateRootKey(crypto, 'third.qrr', 730, FROM + DAY, world.random);
  const third = rootCertificate(crypto, key, new Uint8Array(32));
  const next = decodeSuccession(encodeSuccession(nextRoot, third, 2, after.sign), suite)!;
  passes(t, checkTrustRoot(trust, next, FROM + DAY));
});

test('a revoked server is given up for its successor; without one no connection is made', (t) => {
  const revokes = (serials: Uint8Array[], number: number) =>
    decodeRevocationList(listOf(world, serials, number), suite)!;
  const storage = testStorage();
  let trust = open(storage);
  const list = revokes([server.serial], 1);
  passes(t, checkTrustList(trust, list, NOW));
  t.true(keepTrustList(trust, list));
  t.is(refused(trust), 'revoked');
  t.is(refused(open(storage)), 'revoked');
  t.true(isTrustRevoked(open(storage), server));
  t.is(checkTrustList(open(storage), list, NOW).refused?.reason, 'revocation_held');
  successorComes(t, open(storage), successor);
  trust = open(storage);
  uses(t, trust, successor);
  const both = revokes([server.serial, successor.serial], 2);
  keepTrustList(trust, both);
  t.is(refused(open(storage)), 'revoked');
  t.is(
    checkTrustSuccessor(open(storage), newServer(world, 'other.qrc', 500), NOW).refused?.reason,
    'successor_issuer',
  );
  const stranger = newWorld(1, 'stranger');
  const foreign = decodeRevocationList(listOf(stranger, [], 3), suite)!;
  t.is(checkTrustList(trust, foreign, NOW).refused?.reason, 'revocation_foreign_root');
  // What cannot be read of the list lets nobody new in; the server's own fate is known.
  storage.set('qs0.l', new Uint8Array(40));
  trust = open(storage);
  t.is(refused(trust), 'revoked');
  t.is(
    checkTrustSuccessor(trust, newServer(world, 'gateway.qrc', 500), NOW).refused?.reason,
    'revocation_damaged',
  );
  passes(t, checkTrustList(trust, both, NOW));
  keepTrustList(trust, both);
  successorComes(t, open(storage), newServer(world, 'gateway.qrc', 500));
});

test('a cut at any write leaves the old state or the new one, and what was cut can come again', (t) => {
  let cuts = 0;
  const run = (storage: Storage, step: { done: number }): void => {
    const next = (act: (trust: TrustStore) => boolean): void => {
      if (!act(open(storage))) throw new Error('cut');
      step.done++;
    };
    next((trust) => keepSuccessor(trust, successor));
    next((trust) => switchTrust(trust));
    next((trust) => trustConfirmed(trust, { root, server: successor }));
    next((trust) => keepRoot(trust, statement));
    next((trust) => keepSuccessor(trust, underNext));
    next((trust) => keepTrustList(trust, decodeRevocationList(listOf(after, [], 1), suite)!));
    next((trust) => switchTrust(trust));
    next((trust) => trustConfirmed(trust, { root: nextRoot, server: underNext }));
  };
  const expected = [
    server,
    server,
    successor,
    successor,
    successor,
    successor,
    successor,
    underNext,
    underNext,
  ];
  const whole = testStorage();
  run(whole, { done: 0 });
  for (const cutAfter of [false, true]) {
    for (let cutAt = 0; cutAt < whole.writes; cutAt++) {
      const storage = testStorage();
      storage.cutAfter = cutAfter;
      storage.cutAt = cutAt;
      const step = { done: 0 };
      t.throws(() => run(storage, step), { message: 'cut' });
      storage.cutAt = null;
      cuts++;
      const lines: string[] = [];
      const trust = open(storage, { report: (line) => lines.push(line) });
      t.deepEqual(lines, []);
      const pair = trustPair(trust, NOW);
      t.true('server' in pair);
      if ('server' in pair) {
        const serials = [expected[step.done]!, expected[step.done + 1]!].map((one) => one.serial.join());
        t.true(serials.includes(pair.server.serial.join()), `write ${cutAt}, step ${step.done}`);
        t.deepEqual(pair.root.serial, pair.server.rootSerial);
      }
      // From there on to the end: what was done is held, what was not is done.
      const again = (act: (trust: TrustStore) => boolean): boolean => act(open(storage));
      const has = (next: ServerCertificate): boolean =>
        checkTrustSuccessor(open(storage), next, NOW).refused !== null;
      if (!has(successor)) again((on) => keepSuccessor(on, successor));
      again((on) => trustConfirmed(on, { root, server: successor }));
      if (checkTrustRoot(open(storage), statement, NOW).refused === null)
        again((on) => keepRoot(on, statement));
      if (!has(underNext)) again((on) => keepSuccessor(on, underNext));
      again((on) => trustConfirmed(on, { root: nextRoot, server: underNext }));
      uses(t, open(storage), underNext);
    }
  }
  t.true(cuts >= 20, `${cuts} cuts`);
});

test('damage: one line says what to do, nothing is overwritten, and no connection is made on a guess', (t) => {
  const prepared = (): ReturnType<typeof testStorage> => {
    const storage = testStorage();
    successorComes(t, open(storage), successor);
    trustConfirmed(open(storage), { root, server: successor });
    rootComes(t, open(storage));
    successorComes(t, open(storage), underNext);
    return storage;
  };
  const damage: [string, (storage: Storage, key: string) => void][] = [
    [
      'flipped',
      (storage, key) =>
        storage.set(
          key,
          storage.get(key)!.map((byte, i) => (i === 40 ? byte ^ 1 : byte)),
        ),
    ],
    ['cut', (storage, key) => storage.set(key, storage.get(key)!.subarray(0, 30))],
    ['empty', (storage, key) => storage.set(key, new Uint8Array(0))],
  ];
  for (const [how, act] of damage) {
    for (const [key, result] of [
      ['qs.h', 'trust_damaged'],
      ['qs.s1', 'trust_damaged'],
      ['qs.s0', null],
      ['qs.r1', null],
    ] as const) {
      const storage = prepared();
      act(storage, key);
      const before = storage.snapshot();
      const lines: string[] = [];
      const trust = open(storage, { report: (line) => lines.push(line) });
      if (key === 'qs.s1') {
        // The current certificate is lost; the one that follows takes over.
        uses(t, trust, underNext);
        storage.set('qs.s0', new Uint8Array(3));
        t.is(refused(open(storage)), result);
        continue;
      }
      t.is(refused(trust), result, `${key} ${how}`);
      t.is(lines.length, 1, lines.join());
      t.regex(lines[0]!, key === 'qs.h' ? /reset it .* provision/ : /is damaged: it is not used/);
      if (key === 'qs.h') {
        t.false(keepSuccessor(trust, underNext));
        t.false(keepRoot(trust, statement));
        t.is(checkTrustSuccessor(trust, underNext, NOW).refused?.reason, 'trust_damaged');
        t.is(checkTrustRoot(trust, statement, NOW).refused?.reason, 'trust_damaged');
        t.deepEqual(storage.snapshot(), before);
        resetTrust(storage);
        uses(t, open(storage), server);
      } else {
        uses(t, trust, successor);
        if (key === 'qs.r1') rootComes(t, trust);
        successorComes(t, open(storage), newServer(after, 'gateway.qrc', 420));
      }
    }
  }
  const throwing: Storage = {
    ...testStorage(),
    get: () => {
      throw new Error('io');
    },
  };
  t.is(refused(open(throwing)), 'trust_damaged');
});

test('provisioned anew, it begins anew; the same provisioning goes on', (t) => {
  const storage = testStorage();
  successorComes(t, open(storage), successor);
  trustConfirmed(open(storage), { root, server: successor });
  uses(t, open(storage), successor);
  const fresh = newServer(world, 'gateway.qrc', 350);
  const trust = openTrust({ root, server: fresh, storage });
  uses(t, trust, fresh);
  const third = newServer(world, 'gateway.qrc', 500);
  successorComes(t, trust, third);
  const again = openTrust({ root, server: fresh, storage });
  uses(t, again, fresh);
  t.true(switchTrust(again));
  uses(t, openTrust({ root, server: fresh, storage }), third);
  uses(t, open(storage), server);
});

test('without a storage it holds what comes as long as it lives', (t) => {
  const trust = open(null);
  successorComes(t, trust, successor);
  t.true(switchTrust(trust));
  t.true(trustConfirmed(trust, uses(t, trust, successor)));
  uses(t, trust, successor);
});

test('expiry is warned of 60, 30 and 7 days before', (t) => {
  const to = FROM + 100 * DAY;
  const cases: [number, number][] = [
    [60 * DAY + 1, 0],
    [60 * DAY, 60],
    [30 * DAY + 1, 60],
    [30 * DAY, 30],
    [7 * DAY + 1, 30],
    [7 * DAY, 7],
    [0, 7],
    [-1, -1],
  ];
  for (const [left, warning] of cases) t.is(expiryWarning(to, to - left), warning as 60 | 30 | 7 | 0 | -1);
});
