// Trust between links and servers that somebody abuses, or that everything goes wrong for (docs/extensions.md, X6 to
// X8).
import test from 'ava';
import { toHex } from '../../src/bytes.ts';
import { generateClientKey, signClientCertificate } from '../../src/cert/issue.ts';
import { encodeRevocation } from '../../src/cert/revocation.ts';
import type { Job } from '../../src/crypto/job.ts';
import { ErrorCode } from '../../src/error.ts';
import type { Reject } from '../../src/error.ts';
import { openRevocations, SINGLE_REVOCATIONS_MAX } from '../../src/link/revocation-store.ts';
import { createServerLink } from '../../src/link/server.ts';
import { createServerTrust } from '../../src/link/server-trust.ts';
import { openWallet } from '../../src/link/wallet.ts';
import { RevocationStatus, sendRevocation } from '../../src/session/trust.ts';
import { DAY, FROM, listOf, newWorld } from '../cert/trust.ts';
import { credentialOf, identityOf, trustRig } from '../net/trust-rig.ts';
import type { TrustRig } from '../net/trust-rig.ts';

const root = newWorld();
const required = { clients: 'required' } as const;
const serialOf = (n: number): Uint8Array =>
  new Uint8Array(16)
    .fill(0x40)
    .fill(n & 255, 15)
    .fill(n >> 8, 14, 15);

function operator(more: Parameters<typeof trustRig>[0] = {}): {
  r: TrustRig;
  answers: [number, string][];
  send: (body: Uint8Array) => void;
} {
  const r = trustRig({ root, trust: { clients: 'optional' }, ...more });
  r.world.run(5000);
  const answers: [number, string][] = [];
  const { connection } = r.link;
  connection!.session.owner!.revocationAnswered = (status, serial) => answers.push([status, toHex(serial)]);
  const send = (body: Uint8Array): void =>
    connection!.control((now) => void sendRevocation(connection!.session, body, now));
  return { r, answers, send };
}

test('a server that wants identities does not serve strict 1.4, and cannot be told to', (t) => {
  const r = trustRig({ root, trust: required, link: { extensions: 'never' } });
  r.world.run(5000);
  t.is(r.peers.length, 0);
  t.true(r.server.counters['extensions_required']! > 0);
  const { random, crypto } = root;
  const trust = createServerTrust(
    { ...required, roots: [{ crypto, revocations: openRevocations({ root: root.root, storage: null }) }] },
    [],
  );
  const { timer, clock, execute } = r.world;
  const identities = [identityOf(root)];
  t.throws(
    () =>
      createServerLink(
        { identities, trust, extensions: 'never' },
        { random, timer, clock, execute },
        { connected: () => ({}) },
      ),
    { code: 'invalid_input' },
  );
});

test('two lists that are verified at the same time: the number never goes back', (t) => {
  const r = trustRig({ root });
  r.world.run(5000);
  const waiting: (() => void)[] = [];
  const answers: (string | null)[] = [];
  const later = (_crypto: unknown, _job: Job, done: (good: boolean) => void): (() => void) => {
    waiting.push(() => done(true));
    return () => undefined;
  };
  const now = r.world.clock.now();
  for (const number of [1, 2]) {
    const list = listOf(root, [serialOf(number)], number);
    r.trust.importList(list, now, later, (why) => answers.push(why === null ? null : why.reason));
  }
  waiting[1]!();
  waiting[0]!();
  t.deepEqual(answers, [null, 'revocation_older']);
  t.true(r.trust.revoked(root.root.serial, serialOf(2)));
  t.is(openRevocations({ root: root.root, storage: r.serverStorage }).number, 2);
});

test('a revocation that cannot be kept is not answered as one that is', (t) => {
  const { r, answers, send } = operator();
  const held = openRevocations({ root: root.root, storage: null });
  for (let n = 0; n < SINGLE_REVOCATIONS_MAX; n++) held.singles.push(serialOf(n));
  const { crypto } = root;
  r.serve(
    [r.link['options'].server].map(() => identityOf(root, 'other.qrc')),
    [{ crypto, revocations: held }],
  );
  t.is(answers.length, 0);
  const full = trustRig({ root, trust: { clients: 'optional', roots: [{ crypto, revocations: held }] } });
  full.world.run(5000);
  const got: number[] = [];
  const { connection } = full.link;
  connection!.session.owner!.revocationAnswered = (status) => got.push(status);
  const body = encodeRevocation(serialOf(999), root.sign);
  connection!.control((now) => void sendRevocation(connection!.session, body, now));
  full.world.run(1000);
  t.deepEqual(got, [RevocationStatus.notKept]);
  t.false(full.trust.revoked(root.root.serial, serialOf(999)));

  const broken = operator();
  broken.r.serverStorage.set = () => {
    throw new Error('read only');
  };
  broken.send(body);
  broken.r.world.run(1000);
  t.deepEqual(broken.answers, [[RevocationStatus.notKept, toHex(serialOf(999))]]);
  t.true(broken.r.trust.revoked(root.root.serial, serialOf(999)), 'but it counts until the restart');
  send(body);
});

test('a revocation that is sent again and again costs no verification, and one of no root is the last', (t) => {
  const verified: number[] = [];
  const { r, answers, send } = operator();
  const body = encodeRevocation(serialOf(1), root.sign);
  send(body);
  r.world.run(100);
  const { execute } = r.world;
  (r.world as { execute: typeof execute }).execute = execute;
  const { verify } = root.crypto.signer;
  const { signer } = root.crypto;
  (signer as { verify: typeof verify }).verify = (...given) => {
    verified.push(1);
    return verify.call(signer, ...given);
  };
  for (let i = 0; i < 20; i++) send(body);
  r.world.run(1000);
  (signer as { verify: typeof verify }).verify = verify;
  t.is(answers.length, 21);
  t.is(answers[20]![0], RevocationStatus.already);
  t.is(verified.length, 0);
  send(new Uint8Array(17).fill(1));
  r.world.run(1000);
  t.is(answers[21]![0], RevocationStatus.unknownRoot);
  t.is(r.server.counters['revocation_signature'], 1);
});

test('answers, lists and tickets for a peer that reads nothing do not fill memory', (t) => {
  const { r, send } = operator();
  const body = encodeRevocation(serialOf(1), root.sign);
  send(body);
  r.world.run(100);
  const wire = r.network.wires.at(-1)!;
  const queued = (): number =>
    wire.writes.filter((w) => !w.fromClient).reduce((sum, { length }) => sum + length, 0);
  const before = queued();
  wire.full[1] = true;
  for (let i = 0; i < 4000 && r.server.connections > 0; i++) {
    send(body);
    r.world.run(20);
  }
  t.true(queued() - before < 100_000, `${queued() - before} bytes`);
  t.is(r.server.counters['unread'], 1);
});

test('a list reaches a client whose queue is full for the moment', (t) => {
  const r = trustRig({ root });
  r.world.run(5000);
  const wire = r.network.wires.at(-1)!;
  wire.full[1] = true;
  r.peers[0]!.send(new Uint8Array(100));
  r.trust.importList(listOf(root, [serialOf(5)]), r.world.clock.now(), r.world.execute, () => undefined);
  r.world.run(1000);
  t.is(r.link.metrics.trustTaken, 1);
});

test('a slow client that resumes without a name has the time of a handshake to sign', (t) => {
  const r = trustRig({ root, trust: { clients: 'optional' } });
  r.world.run(5000);
  t.is(r.link.state, 'connected');
  const { execute } = r.world;
  const slow: typeof execute = (crypto, job, done) => {
    if (job.op !== 'sign' || job.secretKey !== root.clientKey.signingKey) return execute(crypto, job, done);
    let cancel = (): void => undefined;
    const wait = r.world.after(9000, () => void (cancel = execute(crypto, job, done)));
    return () => {
      wait();
      cancel();
    };
  };
  (r.world as { execute: typeof execute }).execute = slow;
  const { wallet } = r.link['options'];
  r.link.stop();
  r.world.run(2000);
  r.boot({ wallet, identity: credentialOf(root) });
  r.world.run(14_000);
  t.is(r.link.metrics.resumptions, 1, JSON.stringify(r.refused.map(({ reason }) => reason)));
  t.is(r.peers.length, 2);
  t.is(r.peers[1]!.client?.issuer, 'device-1.qcc');
});

test('a tunnel ends with the certificate of its client', (t) => {
  const key = generateClientKey(root.crypto, 'device-2.qcc', 2, FROM, root.random);
  const certificate = signClientCertificate(root.crypto, root.root, root.rootKey, key, new Uint8Array(32));
  const identity = { certificate, signing: key.signingKey };
  const r = trustRig({ root, trust: required, link: { identity, pollMs: 600_000 } });
  r.world.run(5000);
  t.is(r.link.state, 'connected');
  r.world.run((certificate.to - r.world.clock.now() - 60) * 1000);
  const { connected } = r.server.counters;
  t.is(r.server.connections, 1);
  r.world.run(120_000);
  t.is(r.server.connections, 0);
  t.is(r.server.counters['certificate_expired']! > 0, true, JSON.stringify(r.server.counters));
  t.is(r.server.counters.connected, connected);
});

test('a list that is stale keeps new clients out; those that are connected stay when another is revoked', (t) => {
  const r = trustRig({
    root,
    trust: { ...required, requireList: true },
    link: { identity: credentialOf(root) },
  });
  const at = r.world.clock.now();
  r.trust.importList(listOf(root, [], 1, FROM, at + DAY), at, r.world.execute, () => undefined);
  r.world.run(60_000);
  t.is(r.link.state, 'connected', JSON.stringify(r.server.counters));
  r.world.run(2 * DAY * 1000);
  const { connection } = r.link;
  const body = encodeRevocation(serialOf(1), root.sign);
  connection!.control((now) => void sendRevocation(connection!.session, body, now));
  r.world.run(1000);
  t.true(r.trust.revoked(root.root.serial, serialOf(1)));
  t.is(r.link.state, 'connected');
  for (const wire of r.network.wires) wire.lose('cut');
  r.world.run(60_000);
  t.not(r.link.state, 'connected');
});

test('with several roots a ticket does not get round a list that is missing, and a certificate of the other root does', (t) => {
  const other = newWorld(1, 'another root');
  const roots = [root, other].map((of) => ({
    crypto: of.crypto,
    revocations: openRevocations({ root: of.root, storage: null }),
  }));
  const r = trustRig({
    root,
    trust: { ...required, requireList: true, roots },
    link: { identity: credentialOf(root) },
  });
  const at = r.world.clock.now();
  const load = (of: typeof root, until: number): void =>
    r.trust.importList(listOf(of, [], 1, FROM, until), at, r.world.execute, () => undefined);
  load(root, at + 2 * DAY);
  const back = (): string[] => {
    r.peers.length = 0;
    for (const wire of r.network.wires) wire.lose('cut');
    r.world.run(120_000);
    return r.peers.map(({ connection }) =>
      connection.session.fullHandshake ? 'by certificate' : 'by ticket',
    );
  };
  r.world.run(60_000);
  t.is(r.link.state, 'connected');
  t.deepEqual(back(), ['by certificate']);
  load(other, at + DAY);
  r.world.run(60_000);
  t.deepEqual(back(), ['by ticket']);
  // The other root's list is stale now, then its own.
  r.world.run(1.5 * DAY * 1000);
  t.deepEqual(back(), ['by certificate']);
  r.world.run(DAY * 1000);
  t.deepEqual(back(), []);
});

test('a gateway that asks nobody does not name a client that its root revoked', (t) => {
  const r = trustRig({ root, trust: { clients: 'optional' }, link: { identity: credentialOf(root) } });
  r.world.run(5000);
  // The other gateway shares the tickets, and has heard of the revocation before this one was asked.
  const { crypto } = root;
  const held = openRevocations({ root: root.root, storage: null });
  const other = createServerTrust({ roots: [{ crypto, revocations: held }] }, []);
  other.importList(listOf(root, [root.client.serial]), r.world.clock.now(), r.world.execute, () => undefined);
  r.world.run(100);
  const wallet = r.link['options'].wallet!;
  t.true(wallet.tickets.length > 0);
  const second = trustRig({ root, server: { trust: other, tickets: r.tickets }, link: { wallet } });
  second.world.run(20_000);
  for (const { client } of second.peers) t.is(client, null);
});

test('a clock that jumped ahead once does not keep a client from asking', (t) => {
  const r = trustRig({ root });
  r.world.run(5000);
  t.true(r.link['options'].chain!.askedAt > 0);
  r.link['options'].chain!.askedAt = r.world.clock.now() + 20 * 365 * DAY;
  r.trust.importList(listOf(root, [serialOf(1)]), r.world.clock.now(), r.world.execute, () => undefined);
  for (const wire of r.network.wires) wire.lose('cut');
  r.world.run(30_000);
  t.is(r.link.metrics.resumptions, 1);
  t.is(r.link.metrics.trustTaken, 1);
});

test('what ends a tunnel is told in one byte, and only a revocation is called one', (t) => {
  let why: Reject | null = null;
  const r = trustRig({
    root,
    trust: { ...required, authorise: () => why },
    link: { identity: credentialOf(root), wallet: openWallet({ serial: new Uint8Array(16) }) },
  });
  r.world.run(5000);
  why = { reason: 'not_authorised', code: ErrorCode.none, detail: 'no forward', authenticated: true };
  r.trust.importList(listOf(root, [serialOf(1)]), r.world.clock.now(), r.world.execute, () => undefined);
  r.world.run(1000);
  const told = r.states.find((state) => state.why?.reason === 'peer_error')?.why;
  t.is(told?.code, ErrorCode.identityRefused);
});
