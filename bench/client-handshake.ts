// The client's part of a handshake of suite 2 (S3) over the device kernels, as an operation: from opening the
// transport to the first record sealed. The server's packets are made beforehand, by inputs.ts.

import { runJob } from '../src/crypto/job.ts';
import { microS3 } from '../src/crypto/micro.ts';
import { decodeRootCertificate, decodeServerCertificate } from '../src/cert/certificate.ts';
import { createClient } from '../src/session/client.ts';
import type { ClientOptions } from '../src/session/client.ts';
import { createPool } from '../src/pool/pool.ts';
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

function deliver(session: Session, packet: Uint8Array): void {
  for (let at = 0; at < packet.length && session.state !== 'closed';) {
    at += session.receive(packet, at, NOW);
    settle(session);
  }
}

function handshakeOperation(name: string, verified: ClientOptions['verified']): Operation {
  return {
    name,
    times: 1,
    prepare: (inputs) => {
      const root = decodeRootCertificate(inputs[0]!);
      const server = decodeServerCertificate(inputs[1]!);
      const handshakeBytes = inputs[2]!.length;
      const message = new Uint8Array(MESSAGE_BYTES);
      return () => {
        const client = createSession(
          createClient({ crypto: microS3, root, server, random: clientRandom, verified }),
          { pool: createPool({ slots: 1, receiveBytes: 768, handshakeBytes }) },
        );
        client.start(NOW);
        settle(client);
        client.takeOutput();
        deliver(client, inputs[2]!);
        client.takeOutput();
        deliver(client, inputs[3]!);
        if (client.state !== 'established') {
          const why = client.closed;
          throw new Error(name + ': ' + (why === null ? client.state : why.detail));
        }
        client.seal(message, NOW);
      };
    },
  };
}

/** `first`: the server certificate's signature is verified too. `steady`: that was done at provisioning. */
export function handshakeOperations(): Operation[] {
  return [
    handshakeOperation('handshake.client.s3.first', 'root'),
    handshakeOperation('handshake.client.s3.steady', 'chain'),
  ];
}
