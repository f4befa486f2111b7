// What is passed off as trust and is not: each refused, counted and told by its reason at the end that it was meant
// for (docs/extensions.md, X6 to X8).
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { concat, toHex } from '../../src/bytes.ts';
import type { ServerCertificate } from '../../src/cert/certificate.ts';
import type { ServerKey } from '../../src/cert/key-file.ts';
import { encodeRevocation, revocationListMax } from '../../src/cert/revocation.ts';
import { encodeSuccession } from '../../src/cert/succession.ts';
import { noble } from '../../src/crypto/noble.ts';
import type { ExternalSigner } from '../../src/crypto/signing.ts';
import { ControlType, Flag, FRAGMENTED_MAX, HEADER_BYTES } from '../../src/params.ts';
import { openRevocations } from '../../src/link/revocation-store.ts';
import { openTrust } from '../../src/link/trust-store.ts';
import { emitControl } from '../../src/session/core.ts';
import { serverIdentity } from '../../src/session/server.ts';
import { sendRevocation, sendStatement } from '../../src/session/trust.ts';
import { encodeFragments } from '../../src/wire/edge.ts';
import { putHeader } from '../../src/wire/header.ts';
import { DAY, FROM, listOf, newServer, newWorld } from '../cert/trust.ts';
import type { World as Root } from '../cert/trust.ts';
import { credentialOf, identityOf, trustRig } from '../net/trust-rig.ts';
import type { TrustRig, TrustRigOptions } from '../net/trust-rig.ts';
import { fakeCryptoOf } from '../session/fake.ts';

const crypto = fakeCryptoOf(noble.suite(1).suite);
const quickRoot = (label = 'refused'): Root => newWorld(1, label, crypto);

/** A link and a server that are connected, without tickets left to chance. */
function connected(t: ExecutionContext, options: TrustRigOptions): TrustRig {
  const r = trustRig(options);
  r.world.run(5000);
  t.is(r.link.state, 'connected', JSON.stringify(r.states.at(-1)));
  return r;
}

/** The server of the last connection sends a statement that nobody asked it for. */
function state(r: TrustRig, type: number, message: Uint8Array): void {
  const { connection } = r.peers.at(-1)!;
  connection.control((now) => sendStatement(connection.session, type, message, now));
  r.world.run(1000);
}

/** The client refused it for this reason, counted it, kept nothing of it, and the connection goes on. */
function refused(t: ExecutionContext, r: TrustRig, reason: string, type: number, message: Uint8Array): void {
  const { trustRefused, trustTaken } = r.link.metrics;
  const held = JSON.stringify([r.held.servers.map(serialOf), r.held.number]);
  state(r, type, message);
  t.true(r.lines.at(-1)?.startsWith(`refused, ${reason}:`), `${reason}: ${r.lines.at(-1)}`);
  t.is(r.link.metrics.trustRefused, trustRefused + 1, reason);
  t.is(r.link.metrics.trustTaken, trustTaken, reason);
  t.is(JSON.stringify([r.held.servers.map(serialOf), r.held.number]), held, reason);
  t.is(r.link.state, 'connected', reason);
}

function serialOf(certificate: ServerCertificate | null): string {
  return certificate === null ? '' : toHex(certificate.serial);
}

function cut(r: TrustRig): void {
  for (const wire of r.network.wires) wire.lose('cut');
  r.world.run(30_000);
}

test('statements that are not what they are to be: refused at the client, by reason, and nothing is kept', (t) => {
  const root = quickRoot();
  const foreign = quickRoot('a foreign root');
  const first = identityOf(root, 'gateway.qrc', 100);
  const r = connected(t, { root, identities: [first] });
  const { successor, newRoot, revocationList } = ControlType;
  refused(t, r, 'successor_kind', successor, root.client.bytes);
  refused(t, r, 'successor_older', successor, newServer(root, 'gateway.qrc', 99).bytes);
  refused(t, r, 'successor_held', successor, first.certificate.bytes);
  refused(t, r, 'successor_issuer', successor, newServer(root, 'another.qrc', 300).bytes);
  refused(t, r, 'successor_foreign_root', successor, newServer(foreign, 'gateway.qrc', 300).bytes);
  // Says that it is of this root, and is not.
  const posing = { ...foreign, root: { ...foreign.root, serial: root.root.serial } };
  const forged = newServer(
    { ...posing, rootKey: { ...foreign.rootKey, serial: root.root.serial } },
    'gateway.qrc',
    300,
  );
  refused(t, r, 'successor_signature', successor, forged.bytes);
  refused(t, r, 'trust_malformed', successor, root.root.bytes);

  const foreignNext = encodeSuccession(foreign.root, foreign.nextRoot, 1, foreign.sign);
  refused(t, r, 'succession_signature', newRoot, foreignNext);
  // The old root's own statement, for another root than the one it signed.
  const altered = encodeSuccession(root.root, root.nextRoot, 1, root.sign);
  altered.set(foreign.nextRoot.bytes);
  refused(t, r, 'succession_signature', newRoot, altered);

  refused(t, r, 'revocation_foreign_root', revocationList, listOf(foreign, []));
  const touched = listOf(root, [root.client.serial]);
  touched[45]! ^= 1;
  refused(t, r, 'revocation_signature', revocationList, touched);
  state(r, revocationList, listOf(root, [], 3));
  t.is(r.link.metrics.trustTaken, 1);
  refused(t, r, 'revocation_older', revocationList, listOf(root, [], 2));
  refused(t, r, 'revocation_held', revocationList, listOf(root, [], 3));

  // A later one is taken, then the one in between is older.
  state(r, successor, newServer(root, 'gateway.qrc', 300).bytes);
  t.is(r.link.metrics.trustTaken, 2);
  refused(t, r, 'successor_older', successor, newServer(root, 'gateway.qrc', 200).bytes);
  state(r, newRoot, encodeSuccession(root.root, root.nextRoot, 5, root.sign));
  t.is(r.link.metrics.trustTaken, 3);
  refused(t, r, 'succession_older', newRoot, encodeSuccession(root.root, root.nextRoot, 4, root.sign));
  // The client's process starts anew and holds what it took, nothing else.
  r.boot();
  r.world.run(5000);
  t.deepEqual(
    r.held.servers.map((certificate) => certificate?.to),
    [100, 300].map((days) => FROM + days * DAY),
  );
});

test('with the hash of the next root provisioned, no other follows, though the old root signed it', (t) => {
  const root = quickRoot();
  const first = identityOf(root, 'gateway.qrc', 100);
  const r = connected(t, { root, identities: [first] });
  r.link.stop();
  r.world.run(5000);
  const nextRootHash = new Uint8Array(32).fill(5);
  const { clientStorage: storage } = r;
  const report = (line: string): void => void r.lines.push(line);
  r.boot({ trust: openTrust({ root: root.root, server: first.certificate, storage, nextRootHash, report }) });
  r.world.run(5000);
  const statement = encodeSuccession(root.root, root.nextRoot, 1, root.sign);
  refused(t, r, 'succession_unexpected', ControlType.newRoot, statement);
});

test('a client certificate as a server’s: the client refuses the handshake', (t) => {
  const root = quickRoot();
  const posing = root.client as unknown as ServerCertificate;
  const key = root.clientKey as unknown as ServerKey;
  const identity = serverIdentity(crypto, root.root, posing, key);
  const r = trustRig({ root, identities: [identity], pinned: posing });
  r.world.run(5000);
  t.is(r.peers.length, 0);
  t.is(r.server.counters.connected, 0);
  t.true(r.link.metrics.failed > 0);
  t.true(
    r.states.some(({ why }) => why?.reason === 'certificate_kind'),
    JSON.stringify(r.states.at(-1)),
  );
});

test('a server certificate as a client’s: the server refuses the identity, and counts it', (t) => {
  const root = quickRoot();
  const { certificate, signing } = identityOf(root);
  const identity = { certificate, signing } as unknown as ReturnType<typeof credentialOf>;
  const r = trustRig({ root, trust: { clients: 'required' }, link: { identity } });
  r.world.run(200);
  t.is(r.peers.length, 0);
  t.is(r.server.counters['identity_kind'], 1);
  t.is(r.refused[0]!.reason, 'identity_kind');
});

test('a proof of identity of another connection: refused as not signed, and counted', (t) => {
  const root = quickRoot();
  const own = credentialOf(root);
  let recorded: Uint8Array | null = null;
  const recorder: ExternalSigner = {
    sign(message, context, signature, done) {
      if (recorded === null) {
        crypto.signer.signInto(message, own.signing, new Uint8Array(32), signature, context);
        recorded = signature.slice();
      } else {
        signature.set(recorded);
      }
      done(true);
    },
  };
  const r = connected(t, {
    root,
    trust: { clients: 'required' },
    link: { identity: { certificate: own.certificate, signing: recorder }, wallet: null },
  });
  t.is(r.peers.length, 1);
  cut(r);
  t.is(r.peers.length, 1, 'the recording lets nobody in');
  t.true(r.server.counters['identity_signature']! > 0);
  t.is(r.refused.at(-1)!.reason, 'identity_signature');
});

test('a replayed revocation: known already in a tunnel, without effect in cleartext, and not a packet of another connection', (t) => {
  const root = quickRoot();
  const r = connected(t, { root });
  const serial = new Uint8Array(16).fill(0x44);
  const revocation = encodeRevocation(serial, root.sign);
  const statuses: number[] = [];
  const packets: Uint8Array[] = [];
  const send = (): void => {
    const { connection } = r.link;
    connection!.session.owner!.revocationAnswered = (status) => void statuses.push(status);
    connection!.control((now) => void sendRevocation(connection!.session, revocation, now));
    r.world.run(1000);
  };
  const server = r.peers[0]!.connection;
  const data = server.data.bind(server);
  server.data = (bytes) => {
    packets.push(bytes.slice());
    data(bytes);
  };
  send();
  t.is(packets.length, 1);
  cut(r);
  send();
  t.deepEqual(statuses, [0, 1], 'the same revocation on a new connection');
  const singles = (): number => openRevocations({ root: root.root, storage: r.serverStorage }).singles.length;
  t.is(singles(), 1);

  // The very packet of the first connection does not open on the second.
  const second = r.peers.at(-1)!.connection;
  second.data(packets[0]!.slice());
  r.world.run(1000);
  t.not(second.session.state, 'established');
  t.true(
    (r.server.counters['sequence'] ?? 0) + (r.server.counters['authentication'] ?? 0) > 0,
    JSON.stringify(r.server.counters),
  );

  // In cleartext, on a connection of its own: one that is known is not looked at, of others one a second.
  const clear = (body: Uint8Array = revocation): void => {
    const packet = new Uint8Array(HEADER_BYTES + body.length);
    putHeader(packet, Flag.certificateRevoke, body.length, 0, 0, r.world.clock.now());
    packet.set(body, HEADER_BYTES);
    r.network.connector.open(0, (bind) => {
      const transport = bind!({ data: () => undefined, drain: () => undefined, gone: () => undefined });
      transport.write(packet, packet.length);
    });
  };
  r.world.run(30_000);
  clear();
  r.world.run(2000);
  t.is(r.server.counters['revocation_taken'], undefined);
  t.is(r.server.counters['revocation_signature'], 1, 'played back');
  const other = (n: number): Uint8Array => encodeRevocation(new Uint8Array(16).fill(n), root.sign);
  clear(other(1));
  clear(other(2));
  r.world.run(500);
  t.is(r.server.counters['revocation_taken'], 1);
  t.is(r.server.counters['revocation_signature'], 2, 'more than one a second is not looked at');
  t.true(r.trust.revoked(root.root.serial, serial));
  t.is(singles(), 2);
});

test('a successor of the new root before that root: refused, and taken after it', (t) => {
  const root = quickRoot();
  const r = connected(t, { root });
  const next = { ...root, root: root.nextRoot, rootKey: root.nextRootKey };
  const successor = newServer(next, 'gateway.qrc', 400).bytes;
  refused(t, r, 'successor_foreign_root', ControlType.successor, successor);
  state(r, ControlType.newRoot, encodeSuccession(root.root, root.nextRoot, 1, root.sign));
  state(r, ControlType.successor, successor);
  t.is(r.link.metrics.trustTaken, 2);
});

test('fragments that stop halfway and go on after a resumption: nothing is taken, and the link comes back', (t) => {
  const root = quickRoot();
  const r = connected(t, { root });
  const fragments = encodeFragments(ControlType.revocationList, listOf(root, []), 1000);
  t.true(fragments.length >= 3);
  const send = (bodies: readonly Uint8Array[]): void => {
    const { connection } = r.peers.at(-1)!;
    for (const body of bodies) connection.control((now) => emitControl(connection.session, body, now));
    r.world.run(1000);
  };
  send(fragments.slice(0, 2));
  cut(r);
  t.is(r.link.metrics.resumptions, 1);
  send(fragments.slice(2));
  t.true(
    r.states.some(({ why }) => why?.reason === 'trust_malformed'),
    'the client ends that connection',
  );
  t.is(r.link.metrics.trustTaken, 0);
  r.world.run(30_000);
  t.is(r.link.state, 'connected');
  send(fragments);
  t.is(r.link.metrics.trustTaken, 1, 'whole, on one connection, it is taken');
});

test('a list of the largest size is made, imported, pushed, stored and opened again; one more serial is not', (t) => {
  const root = quickRoot();
  const r = connected(t, { root });
  const most = revocationListMax(crypto.suite);
  const serials = Array.from({ length: most + 1 }, (_, i) =>
    concat([Uint8Array.of(i >> 8, i & 255), new Uint8Array(14).fill(1)]),
  );
  t.throws(() => listOf(root, serials), { code: 'revocation_full' });
  const largest = listOf(root, serials.slice(0, most));
  t.true(largest.length <= FRAGMENTED_MAX && largest.length > FRAGMENTED_MAX - 16, `${largest.length} bytes`);
  let why: unknown = 'no answer';
  r.trust.importList(largest, r.world.clock.now(), r.world.execute, (answer) => {
    why = answer;
  });
  r.world.run(2000);
  t.is(why, null);
  t.is(r.link.metrics.trustTaken, 1);
  r.boot();
  const held = r.held.roots[0]!.revocations;
  t.is(held.list!.count, most);
  t.false(held.damaged);
  r.world.run(5000);
  // What says that it is longer is refused with its first fragment.
  const longer = new Uint8Array(FRAGMENTED_MAX + 1);
  const { connection } = r.peers.at(-1)!;
  const [start] = encodeFragments(ControlType.revocationList, longer, 1000);
  connection.control((now) => emitControl(connection.session, start!, now));
  r.world.run(200);
  t.true(r.states.some(({ why: end }) => end?.reason === 'trust_malformed'));
});

test('a client with a limit of its own takes a list of that size; a longer one ends the connection, with its first fragment', (t) => {
  const root = quickRoot();
  const first = identityOf(root, 'gateway.qrc', 100);
  const r = connected(t, { root, identities: [first] });
  const two = listOf(root, [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)], 2);
  r.link.stop();
  r.world.run(5000);
  const { clientStorage: storage } = r;
  const report = (line: string): void => void r.lines.push(line);
  const trust = openTrust({
    root: root.root,
    server: first.certificate,
    storage,
    bytesMax: two.length,
    report,
  });
  r.boot({ trust });
  r.world.run(5000);
  state(r, ControlType.revocationList, two);
  t.is(trust.roots[0]!.revocations.list!.number, 2);
  t.is(r.link.state, 'connected');
  const three = listOf(
    root,
    [3, 4, 5].map((byte) => new Uint8Array(16).fill(byte)),
    3,
  );
  t.is(three.length, two.length + 16);
  const { connection } = r.peers.at(-1)!;
  const [start] = encodeFragments(ControlType.revocationList, three, 1000);
  connection.control((now) => emitControl(connection.session, start!, now));
  r.world.run(200);
  t.is(r.states.at(-1)!.why?.reason, 'trust_malformed');
  t.is(trust.roots[0]!.revocations.list!.number, 2);
});

test('the key of a server is stolen: a client that was away hears of the successor, then of the list, and goes on', (t) => {
  const root = quickRoot();
  const first = identityOf(root, 'gateway.qrc', 100);
  const r = connected(t, { root, identities: [first] });
  r.link.stop();
  const second = identityOf(root, 'gateway.qrc', 300);
  r.serve([first, second]);
  importList(t, r, listOf(root, [first.certificate.serial]));
  r.world.run(2 * DAY * 1000);
  r.boot();
  r.world.run(60_000);
  t.is(r.link.state, 'connected', JSON.stringify(r.states.at(-1)));
  t.is(serialOf(r.held.servers[r.held.current]!), serialOf(second.certificate));
  t.true(r.states.some(({ why }) => why?.reason === 'revoked'));
  t.is(r.link.metrics.fullHandshakes, 2, 'no ticket of a connection to the old certificate is used');
  t.is(r.link.metrics.resumptions, 0);
});

test('the key of a server is stolen: a client that is connected is told of the successor, then of the list', (t) => {
  const root = quickRoot();
  const first = identityOf(root, 'gateway.qrc', 100);
  const r = connected(t, { root, identities: [first] });
  const second = identityOf(root, 'gateway.qrc', 300);
  r.serve([first, second]);
  r.world.run(60_000);
  t.is(r.link.metrics.trustTaken, 0, 'a resumption does not ask on the same day');
  importList(t, r, listOf(root, [first.certificate.serial]));
  // A connection that lasts asks once a day.
  r.world.run(1.5 * DAY * 1000);
  t.is(r.link.state, 'connected', JSON.stringify(r.states.at(-1)));
  t.is(serialOf(r.held.servers[r.held.current]!), serialOf(second.certificate));
  t.is(r.link.metrics.fullHandshakes, 2);
});

test('a revoked certificate that nothing follows is not served', (t) => {
  const root = quickRoot();
  const first = identityOf(root, 'gateway.qrc', 100);
  const r = connected(t, { root, identities: [first] });
  r.link.stop();
  importList(t, r, listOf(root, [first.certificate.serial]));
  r.world.run(2 * DAY * 1000);
  r.boot();
  r.world.run(60_000);
  t.not(r.link.state, 'connected');
  t.is(r.peers.length, 1);
  t.true(r.server.counters['serial']! > 0);
});

function importList(t: ExecutionContext, r: TrustRig, list: Uint8Array): void {
  let why: unknown = 'no answer';
  r.trust.importList(list, r.world.clock.now(), r.world.execute, (answer) => {
    why = answer;
  });
  r.world.run(1000);
  t.is(why, null);
}
