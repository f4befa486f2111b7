// Bytes on the wire, counted over real sessions.

import {
  generateRootKey,
  generateServerKey,
  rootCertificate,
  signServerCertificate,
} from '../src/cert/issue.ts';
import { equal } from '../src/bytes.ts';
import type { RootCertificate, ServerCertificate } from '../src/cert/certificate.ts';
import { runJob } from '../src/crypto/job.ts';
import { noble } from '../src/crypto/noble.ts';
import type { Random, SuiteCrypto } from '../src/crypto/provider.ts';
import { createClient } from '../src/session/client.ts';
import { createServer, serverIdentity } from '../src/session/server.ts';
import type { ServerIdentity } from '../src/session/server.ts';
import { FEATURES_OF_THIS_BUILD } from '../src/session/edge.ts';
import { createResumption } from '../src/session/resume.ts';
import { createSession } from '../src/session/session.ts';
import type { Session } from '../src/session/session.ts';
import { HEADER_BYTES } from '../src/params.ts';
import { RESUME_RESPONSE_BYTES } from '../src/wire/edge.ts';
import type { Figures } from './figures.ts';

const NOW = 1_800_000_000;

interface MadeChain {
  readonly root: RootCertificate;
  readonly certificate: ServerCertificate;
  readonly identity: ServerIdentity;
}

function makeChain(crypto: SuiteCrypto, random: Random): MadeChain {
  const zeros = new Uint8Array(32);
  const rootKey = generateRootKey(crypto, 'bench.qrr', 1, NOW, random);
  const root = rootCertificate(crypto, rootKey, zeros);
  const key = generateServerKey(crypto, 'bench.qrc', 1, NOW, random);
  const certificate = signServerCertificate(crypto, root, rootKey, key, zeros);
  return { root, certificate, identity: serverIdentity(crypto, root, certificate, key) };
}

function makePair(suiteId: number): readonly [client: Session, server: Session] {
  const crypto = noble.suite(suiteId);
  const random = (out: Uint8Array): void => void out.fill(suiteId);
  const { root, certificate: server, identity } = makeChain(crypto, random);
  return [
    createSession(createClient({ crypto, root, server, random })),
    createSession(
      createServer({ identify: (serial) => (equal(serial, server.serial) ? identity : null), random }),
    ),
  ];
}

function settle(session: Session, suiteId: number): void {
  while (session.pending !== null) session.resume(runJob(noble.suite(suiteId), session.pending), NOW);
}

/** Bytes both ends send until both are established; then what one record adds to its message. */
function count(suiteId: number): { handshake: number; overhead: number } {
  const [client, server] = makePair(suiteId);
  client.start(NOW);
  server.start(NOW);
  settle(client, suiteId);
  let handshake = 0;
  let [from, to] = [client, server];
  for (let packet = from.takeOutput(); packet !== null; packet = from.takeOutput()) {
    handshake += packet.length;
    to.receive(packet, 0, NOW);
    settle(to, suiteId);
    [from, to] = [to, from];
  }
  if (client.state !== 'established' || server.state !== 'established') {
    throw new Error(`the handshake of suite ${suiteId} failed: ${(client.closed ?? server.closed)?.detail}`);
  }
  return { handshake, overhead: client.seal(new Uint8Array(100), NOW).length - 100 };
}

/** Bytes of R1 and R2, and of a resumption with both hellos and the ticket that replaces the one used. */
function countResumption(gcm: boolean): { proofs: number; total: number } {
  const crypto = noble.suite(1);
  const random = (out: Uint8Array): void => void out.fill(3);
  const { identity } = makeChain(crypto, random);
  const features = FEATURES_OF_THIS_BUILD;
  const secret = new Uint8Array(32).fill(7);
  const ticket = { secret, identity: null, since: NOW, resumptions: 0 };
  const server = createSession(
    createServer({
      identify: () => identity,
      random,
      edge: {
        extensions: 'require',
        features,
        gcm: true,
        random,
        maxIdle: 0,
        tickets: {
          find: (_id, _now, done) => done({ ...ticket, secret: secret.slice() }),
          take: (_id, _now, done) => done(true),
          issue: (_ticket, done) => done(true),
        },
      },
    }),
  );
  const client = createSession(
    createResumption({
      edge: { extensions: 'require', features, gcm, random, pollMs: 1000, missed: 3 },
      ticketId: new Uint8Array(16),
      secret,
      clientNonce: new Uint8Array(32),
      from: NOW,
      to: NOW + 1,
    }),
  );
  client.start(NOW);
  server.start(NOW);
  const sent: Uint8Array[] = [];
  let [from, to] = [client, server];
  for (let packet = from.takeOutput(); packet !== null; packet = from.takeOutput()) {
    sent.push(packet.slice());
    for (let at = 0; at < packet.length;) {
      at += to.receive(packet, at, NOW);
      settle(to, 1);
    }
    [from, to] = [to, from];
  }
  if (client.state !== 'established' || server.state !== 'established') {
    throw new Error(`the resumption failed: ${(client.closed ?? server.closed)?.detail}`);
  }
  return {
    proofs: sent[0]!.length + HEADER_BYTES + RESUME_RESPONSE_BYTES,
    total: sent.reduce((sum, packet) => sum + packet.length, 0),
  };
}

/** `wire.resume.bytes` (R1 and R2), `wire.resume.total.{gcm,rcs}.bytes`, `wire.handshake.{s1,s3,s5}.bytes` and `wire.record.overhead.bytes`. */
export function benchWire(figures: Figures): void {
  for (const [gcm, name] of [
    [true, 'gcm'],
    [false, 'rcs'],
  ] as const) {
    const { proofs, total } = countResumption(gcm);
    figures['wire.resume.bytes'] = proofs;
    figures[`wire.resume.total.${name}.bytes`] = total;
  }
  for (const [id, name] of [
    [1, 's1'],
    [2, 's3'],
    [3, 's5'],
  ] as const) {
    const { handshake, overhead } = count(id);
    figures[`wire.handshake.${name}.bytes`] = handshake;
    figures['wire.record.overhead.bytes'] = overhead;
  }
}
