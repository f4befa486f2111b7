// Ends that are known by certificates under one root, in place of pinned keys.
import test from 'ava';
import {
  generateClientKey,
  generateRootKey,
  generateServerKey,
  rootCertificate,
  signClientCertificate,
  signServerCertificate,
} from '../../src/cert/issue.ts';
import * as mesh from '../../src/mesh/index.ts';
import { complete, crypto, good, handshake, reason, seeded, send, settle } from './world.ts';

const NOW = 1_800_000_000;
const HEDGE = new Uint8Array(32);

function authority(name: string) {
  const key = generateRootKey(crypto, `${name}.qrr`, 365, NOW, seeded(name));
  return { key, root: rootCertificate(crypto, key, HEDGE) };
}

function certified({ key, root }: ReturnType<typeof authority>, name: string, days = 30) {
  const client = generateClientKey(crypto, `${name}.qcc`, days, NOW, seeded(name));
  const certificate = signClientCertificate(crypto, root, key, client, HEDGE);
  return { certificate, identity: mesh.certifiedIdentity(certificate, client.signingKey) };
}

const ours = authority('ours');
const device = certified(ours, 'device');
const serverKey = generateServerKey(crypto, 'gateway.qrc', 30, NOW, seeded('gateway'));
const gateway = mesh.certifiedIdentity(
  signServerCertificate(crypto, ours.root, ours.key, serverKey, HEDGE),
  serverKey.signingKey,
);

const trust = (more: Partial<mesh.CertifiedTrustOptions> = {}) =>
  mesh.certifiedTrust({ root: ours.root, now: () => NOW + 1, ...more });

function between(identity: mesh.MeshIdentity, of: mesh.MeshTrust, trusting = trust()) {
  return handshake({ identity, trust: trusting, peerId: gateway.peerId }, { identity: gateway, trust: of });
}

test('a client and a server of one root make a tunnel, each under the id of its key', (t) => {
  const { a, b } = complete(between(device.identity, trust()));
  settle(a, b);
  t.is(send(a, b, 'x'), 'x');
  t.deepEqual(b.tunnel.peerId(), device.identity.peerId);
  t.deepEqual(a.tunnel.peerId(), gateway.peerId);
});

test('a certificate of another root, that ended, was revoked or altered is refused', (t) => {
  const answer = (identity: mesh.MeshIdentity, of = trust()) => {
    const h = between(identity, of);
    return reason(mesh.respondHandshake(h.responder, h.state.frame));
  };
  t.is(answer(device.identity), 'fine');
  t.is(answer(certified(authority('theirs'), 'device').identity), 'credential_invalid');
  t.is(answer(device.identity, trust({ now: () => NOW + 31 * 86400 })), 'credential_invalid');
  t.is(answer(device.identity, trust({ now: () => NOW - 1 })), 'credential_invalid');
  t.is(answer(device.identity, trust({ isRevoked: () => true })), 'credential_invalid');
  const altered = device.identity.credential.slice();
  altered[1]! ^= 1;
  t.is(answer({ ...device.identity, credential: altered }), 'credential_invalid');
  const root = new Uint8Array([1, ...ours.root.bytes]);
  t.is(answer({ ...device.identity, credential: root }), 'credential_invalid');
  t.is(answer({ ...device.identity, credential: new Uint8Array(0) }), 'peer_unknown');
  // The certificate is good, and the key is another's.
  const other = certified(ours, 'other');
  t.is(answer({ ...other.identity, credential: device.identity.credential }), 'signature_invalid');
  t.is(answer(device.identity, mesh.pinnedTrust(crypto, [])), 'peer_unknown');
});

test('an initiator refuses a responder of another root, and one that is not the one it asked for', (t) => {
  const theirs = authority('theirs');
  const h = between(device.identity, trust(), mesh.certifiedTrust({ root: theirs.root, now: () => NOW + 1 }));
  const answer = good(mesh.respondHandshake(h.responder, h.state.frame));
  t.is(reason(mesh.deriveSessionKeys(h.state, answer)), 'credential_invalid');
  // Of the same root, it poses as the gateway.
  const posing = { ...certified(ours, 'poser').identity, peerId: gateway.peerId };
  const other = handshake(
    { identity: device.identity, trust: trust(), peerId: gateway.peerId },
    { identity: posing, trust: trust() },
  );
  const answered = good(mesh.respondHandshake(other.responder, other.state.frame));
  t.is(reason(mesh.deriveSessionKeys(other.state, answered)), 'peer_mismatch');
});
