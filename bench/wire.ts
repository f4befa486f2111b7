// Bytes on the wire, counted over real sessions.

import {
  generateRootKey,
  generateServerKey,
  rootCertificate,
  signServerCertificate,
} from '../src/cert/issue.ts';
import { equal } from '../src/bytes.ts';
import { runJob } from '../src/crypto/job.ts';
import { noble } from '../src/crypto/noble.ts';
import { createClient } from '../src/session/client.ts';
import { createServer, serverIdentity } from '../src/session/server.ts';
import { createSession } from '../src/session/session.ts';
import type { Session } from '../src/session/session.ts';
import type { Figures } from './figures.ts';

const NOW = 1_800_000_000;

function makePair(suiteId: number): readonly [client: Session, server: Session] {
  const crypto = noble.suite(suiteId);
  const random = (out: Uint8Array): void => void out.fill(suiteId);
  const zeros = new Uint8Array(32);
  const rootKey = generateRootKey(crypto, 'bench.qrr', 1, NOW, random);
  const root = rootCertificate(crypto, rootKey, zeros);
  const key = generateServerKey(crypto, 'bench.qrc', 1, NOW, random);
  const server = signServerCertificate(crypto, root, rootKey, key, zeros);
  const identity = serverIdentity(crypto, root, server, key);
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

/** `wire.handshake.{s1,s3,s5}.bytes` and `wire.record.overhead.bytes`. */
export function benchWire(figures: Figures): void {
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
