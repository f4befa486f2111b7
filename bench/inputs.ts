// What the measured operations work on, made on the host: keys, ciphertexts, signatures, a server's packets.

import { equal } from '../src/bytes.ts';
import {
  generateRootKey,
  generateServerKey,
  rootCertificate,
  signServerCertificate,
} from '../src/cert/issue.ts';
import { runJob } from '../src/crypto/job.ts';
import { micro, microS3 } from '../src/crypto/micro.ts';
import { encapsulate, keygen, sign } from '../src/crypto/provider.ts';
import { createClient } from '../src/session/client.ts';
import { createServer, serverIdentity } from '../src/session/server.ts';
import { createSession } from '../src/session/session.ts';
import type { Session } from '../src/session/session.ts';
import { clientRandom, NOW } from './client-handshake.ts';
import { fixture, SEEDS } from './fixture.ts';

const SUITE_OF: Record<string, number> = {
  mlKem512: 1,
  mlKem768: 2,
  mlKem1024: 3,
  mlDsa44: 1,
  mlDsa65: 2,
  mlDsa87: 3,
};
const ZEROS = new Uint8Array(32);

function settle(session: Session): void {
  while (session.pending !== null) session.resume(runJob(microS3, session.pending), NOW);
}

function deliver(session: Session, packet: Uint8Array): Uint8Array {
  for (let at = 0; at < packet.length && session.state !== 'closed';) {
    at += session.receive(packet, at, NOW);
    settle(session);
  }
  const output = session.takeOutput();
  if (output === null || session.state === 'closed') {
    throw new Error(`the ${session.role} answers nothing: ${session.closed?.detail}`);
  }
  return output.slice();
}

/** Both certificates and both packets of the server, for the client of client-handshake.ts. */
function handshakeInputs(): Uint8Array[] {
  const random = (out: Uint8Array): void => out.set(fixture(out.length, SEEDS.mlKemKey));
  const from = NOW - 100;
  const rootKey = generateRootKey(microS3, 'bench.qrr', 365, from, random);
  const root = rootCertificate(microS3, rootKey, ZEROS);
  const key = generateServerKey(microS3, 'bench.qrc', 365, from, random);
  const certificate = signServerCertificate(microS3, root, rootKey, key, ZEROS);
  const identity = serverIdentity(microS3, root, certificate, key);
  const client = createSession(
    createClient({ crypto: microS3, root, server: certificate, random: clientRandom, verified: 'chain' }),
  );
  const server = createSession(
    createServer({
      identify: (serial) => (equal(serial, certificate.serial) ? identity : null),
      random,
      deterministicSigning: true,
    }),
  );
  client.start(NOW);
  server.start(NOW);
  settle(client);
  const response = deliver(server, client.takeOutput()!);
  const exchangeResponse = deliver(server, deliver(client, response));
  return [root.bytes, certificate.bytes, response, exchangeResponse];
}

/** The inputs of an operation of kernels.ts or client-handshake.ts, in the order its `prepare` takes them. */
export function inputsOf(name: string): Uint8Array[] {
  if (name.startsWith('handshake.')) return handshakeInputs();
  const [algorithm, operation] = name.split('.') as [string, string | undefined];
  const suite = SUITE_OF[algorithm];
  if (suite === undefined || operation === 'keygen') return [];
  const { kem, signer } = micro.suite(suite);
  if (operation === 'encapsulate' || operation === 'decapsulate') {
    const { publicKey, secretKey } = keygen(kem, fixture(64, SEEDS.mlKemKey));
    if (operation === 'encapsulate') return [publicKey];
    return [encapsulate(kem, publicKey, fixture(32, SEEDS.coins))!.ciphertext, secretKey];
  }
  const { publicKey, secretKey } = keygen(signer, fixture(32, SEEDS.mlDsaKey));
  if (operation === 'sign') return [secretKey];
  return [sign(signer, fixture(64, SEEDS.message), secretKey, ZEROS), publicKey];
}
