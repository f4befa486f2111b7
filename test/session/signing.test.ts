// A server whose key is elsewhere: it signs through an interface, at once or later, and a signer that fails ends the
// one handshake.
import test from 'ava';
import { equal } from '../../src/bytes.ts';
import {
  bindServerKey,
  generateRootKey,
  rootCertificate,
  signServerCertificate,
} from '../../src/cert/issue.ts';
import { externalIdentity, serverIdentity } from '../../src/session/server.ts';
import type { ServerIdentity } from '../../src/session/server.ts';
import type { ExternalSigner } from '../../src/crypto/signing.ts';
import { runJob } from '../../src/crypto/job.ts';
import { chainOwner, clientEdge, serverEdge, Tickets } from './edge-pair.ts';
import { clientOf, connect, deliver, newChain, serverOf } from './pair.ts';

const chain = newChain(1, 'external');
const { crypto, now } = chain;
const calls: string[] = [];
const hsm: ExternalSigner = {
  sign(message, context, signature, done) {
    calls.push(Buffer.from(context).toString());
    crypto.signer.signInto(message, chain.key.signingKey, new Uint8Array(32).fill(7), signature, context);
    done(true);
  },
};

function identityOf(signer: ExternalSigner, key = chain): ServerIdentity | null {
  let found: ServerIdentity | null = null;
  externalIdentity(crypto, key.root, key.server, signer, (identity) => (found = identity));
  return found;
}

test('full handshakes and freshness are signed by another', (t) => {
  const identity = identityOf(hsm)!;
  t.is(identity.certificate, chain.server);
  for (const edge of [undefined, { client: {}, server: {} }]) {
    calls.length = 0;
    const tickets = new Tickets();
    const client = clientOf(
      chain,
      edge === undefined ? {} : { edge: clientEdge(chain, tickets, { freshness: true }) },
    );
    const server = serverOf(chain, {
      identify: () => identity,
      ...(edge === undefined ? {} : { edge: serverEdge(chain, tickets) }),
    });
    for (const session of [client, server]) session.owner = chainOwner();
    connect(chain, client, server);
    t.is(client.state, 'established', client.closed?.detail);
    t.deepEqual(calls, edge === undefined ? [''] : ['', 'QSTP-EDGE-1/fresh']);
  }
});

test('a key that a new root signed again, under another serial, serves both certificates', (t) => {
  const draw = chain.random('next root');
  const rootKey = generateRootKey(crypto, 'next.qrr', 500, chain.root.from, draw);
  const root = rootCertificate(crypto, rootKey, new Uint8Array(32));
  const again = { ...chain.server, serial: new Uint8Array(16).fill(3), to: chain.server.to + 1000 };
  const server = signServerCertificate(crypto, root, rootKey, again, new Uint8Array(32));
  const bound = bindServerKey(chain.key, chain.root, chain.server);
  const identities = [
    serverIdentity(crypto, chain.root, chain.server, bound),
    serverIdentity(crypto, root, server, bound),
  ];
  t.is(identities[1]!.key.to, server.to, 'the key lives as long as the root says');
  const identify = (serial: Uint8Array): ServerIdentity | null =>
    identities.find((one) => equal(one.certificate.serial, serial)) ?? null;
  for (const trusted of [chain, { ...chain, root, server }]) {
    const client = clientOf(trusted);
    connect(chain, client, serverOf(chain, { identify }));
    t.is(client.state, 'established', client.closed?.detail);
  }
  const other = newChain(1, 'other');
  t.throws(() => serverIdentity(crypto, root, server, other.key), { code: 'key_mismatch' });
});

test('an identity is not given for a signer that holds another key, answers no, or stays silent', (t) => {
  t.is(identityOf(hsm, newChain(1, 'other')), null);
  t.is(identityOf({ sign: (_message, _context, _signature, done) => done(false) }), null);
  t.is(identityOf({ sign: () => undefined }), null);
});

test('a signer that answers later holds up its own handshake; one that fails ends it', (t) => {
  for (const good of [true, false]) {
    const client = clientOf(chain);
    const server = serverOf(chain, {
      identify: () => ({ ...identityOf(hsm)!, signing: hsm }),
    });
    client.start(now);
    server.start(now);
    while (client.pending !== null) client.resume(runJob(crypto, client.pending), now);
    server.receive(Uint8Array.from(client.takeOutput()!), 0, now);
    server.resume(runJob(crypto, server.pending!), now);
    t.is(server.pending?.op, 'call');
    t.is(server.takeOutput(), null);
    let verdict: boolean | null = null;
    if (server.pending?.op === 'call') server.pending.call((answer) => (verdict = answer));
    t.true(verdict);
    server.resume(good, now);
    if (good) {
      deliver(client, server.takeOutput()!, crypto, now);
      deliver(server, client.takeOutput()!, crypto, now);
      t.is(server.state, 'established');
    } else {
      t.is(server.closed?.reason, 'signing');
    }
  }
});
