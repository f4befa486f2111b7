// Records over and over between two whole connections, as in the data phase: to see whether memory grows.

import { microS3 } from '../src/crypto/micro.ts';
import { createConnection } from '../src/link/connection.ts';
import type { Connection } from '../src/link/connection.ts';
import type { Transport } from '../src/platform.ts';
import { createPool } from '../src/pool/pool.ts';
import { FEATURES_OF_THIS_BUILD } from '../src/session/edge.ts';
import type { ServerEdge } from '../src/session/edge.ts';
import { createServer } from '../src/session/server.ts';
import { createSession } from '../src/session/session.ts';
import { runJob } from '../src/crypto/job.ts';
import { clientEdge, clientRandom, NOW, resumingClient } from './client-handshake.ts';
import { fixture, SEEDS } from './fixture.ts';

const LENGTH = 256;
const RECEIVE_BYTES = 768;

/** What seals a record and opens it at the other end, and the same back. */
export type Roundtrip = () => void;

/** A server whose one ticket is the client's. */
function serverEdge(secret: Uint8Array): ServerEdge {
  const ticket = { identity: null, since: NOW, resumptions: 0 };
  return {
    extensions: 'require',
    features: FEATURES_OF_THIS_BUILD,
    gcm: true,
    random: clientRandom,
    maxIdle: 0,
    tickets: {
      find: (_id, _now, done) => done({ ...ticket, secret: secret.slice() }),
      take: (_id, _now, done) => done(true),
      issue: (_ticket, done) => done(false),
    },
  };
}

/**
 * Two connections joined byte for byte: transports, pools with receive and transmit buffers, sessions, keep-alive
 * state, sequence numbers and times included.
 */
export function roundtrip(gcm: boolean): Roundtrip {
  const secret = fixture(32, SEEDS.recordKey);
  const pool = createPool({
    slots: 2,
    cipher: gcm ? 'gcm' : 'rcs',
    receiveBytes: RECEIVE_BYTES,
    transmitBytes: RECEIVE_BYTES,
  });
  const settings = {
    timer: { set: () => () => undefined, schedule: () => 1, cancel: () => undefined, now: () => 0 },
    clock: { now: () => NOW },
    execute: (_crypto: unknown, job: Parameters<typeof runJob>[1], done: (good: boolean) => void) => {
      done(runJob(microS3, job));
      return () => undefined;
    },
    transmit: pool.transmit,
  };
  let opened = 0;
  const message = fixture(LENGTH, SEEDS.message);
  const events = {
    record(bytes: Uint8Array, from: number, length: number) {
      if (length !== LENGTH || bytes[from] !== message[0]) throw new Error('another message came');
      opened++;
    },
  };
  const clientSession = resumingClient([fixture(16, SEEDS.header), secret], clientEdge(gcm), pool);
  const serverSession = createSession(
    createServer({ identify: () => null, random: clientRandom, edge: serverEdge(secret) }),
    { pool },
  );
  const client = createConnection(clientSession, settings, events);
  const server = createConnection(serverSession, settings, events);
  const wire = new Uint8Array(RECEIVE_BYTES);
  const chunks: Uint8Array[] = [];
  for (let i = 0; i <= RECEIVE_BYTES; i++) chunks.push(wire.subarray(0, i));
  /** Packets of the handshake on their way; null once both ends are established. */
  let queue: { to: Connection; bytes: Uint8Array }[] | null = [];
  /** What one end writes comes in at the other in two parts: a socket cuts where it likes. */
  const join = (to: Connection): Transport => ({
    write(bytes, length) {
      if (queue !== null) {
        queue.push({ to, bytes: bytes.slice(0, length) });
        return true;
      }
      const half = length >> 1;
      for (let i = 0; i < half; i++) wire[i] = bytes[i]!;
      to.data(chunks[half]!);
      for (let i = half; i < length; i++) wire[i - half] = bytes[i]!;
      to.data(chunks[length - half]!);
      return true;
    },
    pause: () => undefined,
    resume: () => undefined,
    end: () => undefined,
    destroy: () => undefined,
  });
  server.start(join(client));
  client.start(join(server));
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) next.to.data(next.bytes);
  queue = null;
  if (clientSession.state !== 'established' || serverSession.state !== 'established') {
    throw new Error('the connections are ' + clientSession.state + ' and ' + serverSession.state);
  }
  return () => {
    const before = opened;
    client.send(message);
    server.send(message);
    if (opened !== before + 2) throw new Error('a record did not come through');
  };
}
