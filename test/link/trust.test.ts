// Identities, revocation and succession between whole links and servers (docs/extensions.md, X6 to X8).
import test from 'ava';
import { toHex } from '../../src/bytes.ts';
import { encodeRevocation } from '../../src/cert/revocation.ts';
import { encodeSuccession } from '../../src/cert/succession.ts';
import type { ClientCertificate } from '../../src/cert/certificate.ts';
import type { Reject } from '../../src/error.ts';
import { openRevocations } from '../../src/link/revocation-store.ts';
import { openWallet } from '../../src/link/wallet.ts';
import { RevocationStatus, sendRevocation } from '../../src/session/trust.ts';
import { DAY, FROM, listOf, newWorld } from '../cert/trust.ts';
import { credentialOf, identityOf, trustRig } from '../net/trust-rig.ts';
import type { TrustRig } from '../net/trust-rig.ts';

const required = { clients: 'required' } as const;

function importList(r: TrustRig, bytes: Uint8Array): Reject | null | 'no answer' {
  let answer: Reject | null | 'no answer' = 'no answer';
  r.trust.importList(bytes, r.world.epoch + Math.floor(r.world.ms / 1000), r.world.execute, (why) => {
    answer = why;
  });
  r.world.run(100);
  return answer;
}

/** Cuts every wire: the link comes back by itself. */
function cut(r: TrustRig): void {
  for (const wire of r.network.wires) wire.lose('cut');
  r.world.run(30_000);
}

test('X6: a client with an identity is let in, known by name, and its tickets carry the name on', (t) => {
  const root = newWorld();
  const r = trustRig({ root, trust: required, link: { identity: credentialOf(root) } });
  r.world.run(5000);
  t.is(r.link.state, 'connected');
  t.is(r.peers[0]!.client!.issuer, 'device-1.qcc');
  t.is(toHex(r.peers[0]!.client!.serial), toHex(root.client.serial));
  r.link.send(new TextEncoder().encode('a reading'));
  r.world.run(100);
  cut(r);
  t.is(r.link.metrics.resumptions, 1);
  t.is(r.peers[1]!.client!.issuer, 'device-1.qcc', 'inherited by the ticket');
  t.deepEqual(r.received, ['a reading']);
});

test('X6: a client without an identity is refused where one is wanted, at once and by that reason', (t) => {
  const r = trustRig({ trust: required });
  r.world.run(5000);
  t.not(r.link.state, 'connected');
  t.is(r.peers.length, 0);
  t.is(r.server.counters.connected, 0);
  t.true(r.states.some(({ why }) => why?.reason === 'identity_required'));
});

test('X6: optional: who shows an identity is known, who does not is served', (t) => {
  const r = trustRig({ trust: { clients: 'optional' } });
  r.world.run(5000);
  t.is(r.link.state, 'connected');
  t.is(r.peers[0]!.client, null);
  const root = newWorld();
  const named = trustRig({ root, trust: { clients: 'optional' }, link: { identity: credentialOf(root) } });
  named.world.run(5000);
  t.is(named.peers[0]!.client!.issuer, 'device-1.qcc');
});

test('X6: what is not an identity of this root is refused, each by its reason, and never delivered', (t) => {
  const root = newWorld();
  const other = newWorld(1, 'another root');
  const own = credentialOf(root);
  const server = identityOf(root);
  const altered = Uint8Array.from(root.client.bytes);
  altered[3]! ^= 1;
  const cases: [name: string, identity: typeof own, reason: string][] = [
    ['a foreign root', credentialOf(other), 'certificate_foreign_root'],
    ['another key', { ...own, signing: other.clientKey.signingKey }, 'identity_signature'],
    [
      "a server's certificate",
      {
        certificate: server.certificate as unknown as ClientCertificate,
        signing: server.signing as Uint8Array,
      },
      'identity_kind',
    ],
    [
      'an altered certificate',
      { ...own, certificate: { ...root.client, bytes: altered } },
      'certificate_signature',
    ],
  ];
  for (const [name, identity, reason] of cases) {
    const r = trustRig({ root, trust: required, link: { identity } });
    r.world.run(4000);
    t.is(r.peers.length, 0, name);
    t.true((r.server.counters[reason] ?? 0) > 0, `${name}: ${JSON.stringify(r.server.counters)}`);
  }
});

test('X6: an identity that its owner may not use here is refused with the reason given', (t) => {
  const root = newWorld();
  const why = {
    reason: 'not_authorised',
    code: 0x47,
    detail: 'device-1.qcc has no forward',
    authenticated: true,
  };
  const r = trustRig({
    root,
    trust: { ...required, authorise: () => why as Reject },
    link: { identity: credentialOf(root) },
  });
  r.world.run(4000);
  t.is(r.peers.length, 0);
  t.true(r.server.counters['not_authorised']! > 0);
});

test('X7: a list that revokes a client ends its tunnel, its tickets and its way in, for good', (t) => {
  const root = newWorld();
  const r = trustRig({ root, trust: required, link: { identity: credentialOf(root) } });
  r.world.run(5000);
  t.is(r.link.state, 'connected');
  t.is(importList(r, listOf(root, [root.client.serial])), null);
  r.world.run(60_000);
  t.not(r.link.state, 'connected');
  t.is(r.peers.length, 1, 'it never came back');
  t.is(r.server.counters['revoked']! > 0, true);
  // A restart of the server knows it still.
  r.serve([identityOf(root)]);
  const known = openRevocations({ root: root.root, storage: r.serverStorage });
  t.is(known.number, 1);
});

test('X7: lists that are old, foreign, altered or of the future are refused by their reason', (t) => {
  const root = newWorld();
  const r = trustRig({ root });
  r.world.run(5000);
  t.is(importList(r, listOf(root, [], 3)), null);
  const reason = (bytes: Uint8Array): string => {
    const why = importList(r, bytes);
    return why === null || why === 'no answer' ? String(why) : why.reason;
  };
  t.is(reason(listOf(root, [], 2)), 'revocation_older');
  t.is(reason(listOf(root, [], 3)), 'revocation_held');
  t.is(reason(listOf(root, [], 4, FROM + 5 * DAY)), 'revocation_issued_later');
  t.is(reason(listOf(root, [], 4, FROM, FROM + 1)), 'revocation_stale');
  t.is(reason(listOf(newWorld(1, 'another root'), [], 9)), 'revocation_malformed');
  const altered = listOf(root, [root.client.serial], 5);
  altered[40]! ^= 1;
  t.is(reason(altered), 'revocation_signature');
  t.is(r.link.state, 'connected');
});

test('X7: a client is given the list, keeps it, and refuses a server that it revokes', (t) => {
  const root = newWorld();
  const identity = identityOf(root);
  const r = trustRig({ root, identities: [identity] });
  r.world.run(5000);
  t.is(importList(r, listOf(root, [new Uint8Array(16).fill(9)])), null);
  r.world.run(1000);
  t.is(r.link.metrics.trustTaken, 1, r.lines.join('; '));
  t.is(r.link.state, 'connected');
  t.is(importList(r, listOf(root, [identity.certificate.serial], 2)), null);
  r.world.run(60_000);
  t.not(r.link.state, 'connected');
  t.true(r.states.some(({ why }) => why?.reason === 'revoked'));
  const before = r.network.wires.length;
  r.world.run(3_600_000);
  t.not(r.link.state, 'connected');
  t.true(r.network.wires.length >= before);
  t.is(r.server.counters.connected, 1, 'no handshake was made with it again');
});

test('X7: a single revocation in the tunnel is answered with what became of it', (t) => {
  const root = newWorld();
  const operator = newWorld(1, 'operator');
  const r = trustRig({ root, link: { identity: credentialOf(root) }, trust: { clients: 'optional' } });
  r.world.run(5000);
  const answers: [number, string][] = [];
  const { connection } = r.link;
  connection!.session.owner!.revocationAnswered = (status, serial) => answers.push([status, toHex(serial)]);
  const serial = new Uint8Array(16).fill(0x44);
  const send = (body: Uint8Array): void => {
    r.link.connection!.control((now) => t.true(sendRevocation(r.link.connection!.session, body, now)));
    r.world.run(1000);
  };
  send(encodeRevocation(serial, root.sign));
  send(encodeRevocation(serial, root.sign));
  t.deepEqual(answers, [
    [RevocationStatus.revoked, toHex(serial)],
    [RevocationStatus.already, toHex(serial)],
  ]);
  // What is known already is not verified again; another serial is.
  send(encodeRevocation(new Uint8Array(16).fill(0x45), operator.sign));
  t.is(answers[2]![0], RevocationStatus.badSignature);
  t.is(r.server.counters['revocation_signature'], 1, 'a false one ends its connection');
  // It holds over a restart, and the client that shows this serial is refused.
  t.true(r.trust.revoked(root.root.serial, serial));
  t.is(openRevocations({ root: root.root, storage: r.serverStorage }).singles.length, 1);
});

test('X8: a successor is taken, used when the certificate before has ended, and nobody is stranded', (t) => {
  const root = newWorld();
  const first = identityOf(root, 'gateway.qrc', 100);
  const r = trustRig({ root, identities: [first] });
  r.world.run(5000);
  const second = identityOf(root, 'gateway.qrc', 300);
  r.serve([first, second]);
  r.world.run(60_000);
  t.is(r.link.state, 'connected');
  // A resumption asks once a day, a full handshake at once.
  r.world.run(DAY * 1000);
  cut(r);
  r.world.run(60_000);
  t.is(r.link.metrics.trustTaken, 1, r.lines.join('; '));
  t.is(r.link.metrics.certificateEnds, first.certificate.to);
  r.world.run(100 * DAY * 1000);
  r.boot({ wallet: openWallet({ serial: first.certificate.serial }) });
  r.world.run(60_000);
  t.is(r.link.state, 'connected', JSON.stringify(r.states.at(-1)));
  t.is(r.link.metrics.certificateEnds, second.certificate.to);
  t.is(r.link.metrics.fullHandshakes, 1);
});

test('X8: a new root is taken, its server too, and the old root signs nothing any more', (t) => {
  const root = newWorld();
  const first = identityOf(root, 'gateway.qrc', 100);
  const r = trustRig({ root, identities: [first] });
  r.world.run(5000);
  const next = { ...root, root: root.nextRoot, rootKey: root.nextRootKey };
  const second = identityOf(next, 'gateway.qrc', 400);
  const succession = encodeSuccession(root.root, root.nextRoot, 1, root.sign);
  const storage = r.serverStorage;
  const { crypto } = root;
  r.serve(
    [first, second],
    [
      { crypto, revocations: openRevocations({ root: root.root, storage }), succession },
      { crypto, revocations: openRevocations({ root: root.nextRoot, storage, name: 'qr2' }) },
    ],
  );
  r.world.run(DAY * 1000);
  cut(r);
  r.world.run(60_000);
  t.is(r.link.metrics.trustTaken, 2, r.lines.join('; '));
  r.world.run(101 * DAY * 1000);
  r.boot({ wallet: openWallet({ serial: first.certificate.serial }) });
  r.world.run(60_000);
  t.is(r.link.state, 'connected', JSON.stringify(r.states.at(-1)));
  t.is(r.link.metrics.certificateEnds, second.certificate.to);
  t.deepEqual(r.held.retired, root.root.serial);
});

test('the end of a certificate is told of 60, 30 and 7 days before, once each', (t) => {
  const root = newWorld();
  const r = trustRig({ root, identities: [identityOf(root, 'gateway.qrc', 100)] });
  for (let day = 0; day < 99; day++) {
    r.world.run(DAY * 1000);
    cut(r);
  }
  const warnings = r.lines.filter((line) => line.includes('ends in less than'));
  t.deepEqual(
    warnings.map((line) => /less than (\d+) days/.exec(line)![1]),
    ['60', '30', '7'],
  );
});
