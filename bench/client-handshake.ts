// The client's part of a handshake of suite 2 (S3), and of a resumption, over the device kernels, as operations: from opening the
// transport to the first record sealed. The server's packets are made beforehand, by inputs.ts.

import { runJob } from '../src/crypto/job.ts';
import { microS3 } from '../src/crypto/micro.ts';
import { decodeRootCertificate, decodeServerCertificate } from '../src/cert/certificate.ts';
import { createClient } from '../src/session/client.ts';
import type { ClientOptions } from '../src/session/client.ts';
import { createPool } from '../src/pool/pool.ts';
import type { Pool } from '../src/pool/pool.ts';
import { FEATURES_OF_THIS_BUILD } from '../src/session/edge.ts';
import type { ClientEdge } from '../src/session/edge.ts';
import { createResumption } from '../src/session/resume.ts';
import { createSession } from '../src/session/session.ts';
import type { Session } from '../src/session/session.ts';
import { fixture, SEEDS } from './fixture.ts';
import type { Operation } from './kernels.ts';

/** Seconds: at this time the certificates of inputs.ts are valid. */
export const NOW = 1_800_000_100;
const MESSAGE_BYTES = 64;

/** The client's only random input: the coins of its encapsulation. */
export function clientRandom(out: Uint8Array): void {
  out.set(fixture(out.length, SEEDS.coins));
}

function settle(session: Session): void {
  while (session.pending !== null) session.resume(runJob(microS3, session.pending), NOW);
}

/** Packets are opened where they lie: the client gets a copy. */
export function deliver(session: Session, input: Uint8Array): void {
  const packet = input.slice();
  for (let at = 0; at < packet.length && session.state !== 'closed';) {
    at += session.receive(packet, at, NOW);
    settle(session);
  }
}

/** What the client asks of the extensions; its cipher is AES-256-GCM or RCS-256. */
export function clientEdge(gcm: boolean): ClientEdge {
  return {
    extensions: 'require',
    features: FEATURES_OF_THIS_BUILD,
    gcm,
    random: clientRandom,
    pollMs: 1000,
    missed: 3,
  };
}

function finish(client: Session, name: string): void {
  if (client.state !== 'established') {
    const why = client.closed;
    throw new Error(name + ': ' + (why === null ? client.state : why.detail));
  }
  client.takeOutput();
  client.seal(new Uint8Array(MESSAGE_BYTES), NOW);
}

/** `strict`: QSTP 1.4 without the extensions; else with the hellos and AES-256-GCM records. */
function handshakeOperation(name: string, verified: ClientOptions['verified'], strict: boolean): Operation {
  return {
    name,
    times: 1,
    prepare: (inputs) => {
      const root = decodeRootCertificate(inputs[0]!);
      const server = decodeServerCertificate(inputs[1]!);
      const handshakeBytes = inputs[2]!.length;
      return () => {
        const edge = strict ? undefined : clientEdge(true);
        const client = createSession(
          createClient({ crypto: microS3, root, server, random: clientRandom, verified, edge }),
          { pool: createPool({ slots: 1, receiveBytes: 768, handshakeBytes }) },
        );
        client.start(NOW);
        settle(client);
        client.takeOutput();
        deliver(client, inputs[2]!);
        client.takeOutput();
        deliver(client, inputs[3]!);
        finish(client, name);
      };
    },
  };
}

/** The client of a resumption: inputs are the ticket's id and secret, and what the server answers. */
export function resumingClient(inputs: readonly Uint8Array[], edge: ClientEdge, pool: Pool): Session {
  return createSession(
    createResumption({
      edge,
      ticketId: inputs[0]!,
      secret: inputs[1]!,
      clientNonce: fixture(32, SEEDS.nonce),
      from: 0,
      to: 0,
    }),
    { pool },
  );
}

function resumeOperation(name: string, gcm: boolean): Operation {
  return {
    name,
    times: 1,
    prepare: (inputs) => {
      const cipher = gcm ? 'gcm' : 'rcs';
      return () => {
        const pool = createPool({ slots: 1, cipher, receiveBytes: 768 });
        const client = resumingClient(inputs, clientEdge(gcm), pool);
        client.start(NOW);
        client.takeOutput();
        deliver(client, inputs[2]!);
        finish(client, name);
      };
    },
  };
}

/**
 * `first`: the server certificate's signature is verified too. `steady`: that was done at provisioning.
 * `strict`: without the extensions.
 */
export function handshakeOperations(): Operation[] {
  return [
    handshakeOperation('handshake.client.s3.first', 'root', false),
    handshakeOperation('handshake.client.s3.steady', 'chain', false),
    handshakeOperation('handshake.client.s3.strict.steady', 'chain', true),
    resumeOperation('resume.client.gcm', true),
    resumeOperation('resume.client.rcs', false),
  ];
}
