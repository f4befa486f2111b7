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
import { createPool } from '../src/pool/pool.ts';
import { FEATURES_OF_THIS_BUILD } from '../src/session/edge.ts';
import type { TicketDesk } from '../src/session/edge.ts';
import { createResumption } from '../src/session/resume.ts';
import { createServer, serverIdentity } from '../src/session/server.ts';
import type { ServerIdentity } from '../src/session/server.ts';
import type { RootCertificate } from '../src/cert/certificate.ts';
import { createSession } from '../src/session/session.ts';
import type { Session } from '../src/session/session.ts';
import { leanClient, leanDevice } from './lean-client.ts';
import { clientEdge, clientRandom, NOW } from './client-handshake.ts';
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

function serverRandom(out: Uint8Array): void {
  out.set(fixture(out.length, SEEDS.mlKemKey));
}

function identityOf(): { root: RootCertificate; identity: ServerIdentity } {
  const from = NOW - 100;
  const rootKey = generateRootKey(microS3, 'bench.qrr', 365, from, serverRandom);
  const root = rootCertificate(microS3, rootKey, ZEROS);
  const key = generateServerKey(microS3, 'bench.qrc', 365, from, serverRandom);
  const certificate = signServerCertificate(microS3, root, rootKey, key, ZEROS);
  return { root, identity: serverIdentity(microS3, root, certificate, key) };
}

/** A server that has one ticket, and issues none. */
function makeServer(identity: ServerIdentity, secret: Uint8Array | null): Session {
  const tickets: TicketDesk = {
    find: (_id, _now, done) =>
      done(secret && { secret: secret.slice(), identity: null, since: NOW, resumptions: 0 }),
    take: (_id, _now, done) => done(true),
    issue: (_ticket, done) => done(false),
  };
  const server = createSession(
    createServer({
      identify: (serial) => (equal(serial, identity.certificate.serial) ? identity : null),
      random: serverRandom,
      deterministicSigning: true,
      edge: {
        extensions: 'allow',
        features: FEATURES_OF_THIS_BUILD,
        gcm: true,
        random: serverRandom,
        maxIdle: 0,
        tickets,
      },
    }),
  );
  server.start(NOW);
  return server;
}

/** Both certificates and both packets of the server, for the client of client-handshake.ts. */
function handshakeInputs(strict: boolean): Uint8Array[] {
  const { root, identity } = identityOf();
  const { certificate } = identity;
  const edge = strict ? undefined : clientEdge(true);
  const client = createSession(
    createClient({
      crypto: microS3,
      root,
      server: certificate,
      random: clientRandom,
      verified: 'chain',
      edge,
    }),
  );
  const server = makeServer(identity, null);
  client.start(NOW);
  settle(client);
  const response = deliver(server, client.takeOutput()!);
  const exchangeResponse = deliver(server, deliver(client, response.slice()));
  return [root.bytes, certificate.bytes, response, exchangeResponse];
}

/** A ticket's id and secret, and what the server answers to its R1. */
export function resumeInputs(gcm: boolean): Uint8Array[] {
  const id = fixture(16, SEEDS.header);
  id[15]! &= 0x7f;
  const secret = fixture(32, SEEDS.recordKey);
  const server = makeServer(identityOf().identity, secret);
  const pool = createPool({ slots: 1 });
  const nonce = fixture(32, SEEDS.nonce);
  const client = createSession(
    createResumption({ edge: clientEdge(gcm), ticketId: id, secret, clientNonce: nonce, from: 0, to: 0 }),
    { pool },
  );
  client.start(NOW);
  return [id, secret, deliver(server, client.takeOutput()!)];
}

/** A credential's id and secret, and what the server answers to the R1 that a lean client makes of them. */
export function leanInputs(): Uint8Array[] {
  const credential = [fixture(16, SEEDS.header), fixture(32, SEEDS.recordKey)];
  credential[0]![15]! &= 0x7f;
  const server = makeServer(identityOf().identity, credential[1]!);
  let output = new Uint8Array(0);
  const client = leanClient(leanDevice(credential), (r1) =>
    (output = deliver(server, r1) as typeof output).slice(),
  );
  if (!client.up) throw new Error('the lean client does not connect');
  return [...credential, output];
}

/** The inputs of an operation of kernels.ts or client-handshake.ts, in the order its `prepare` takes them. */
export function inputsOf(name: string): Uint8Array[] {
  if (name.startsWith('handshake.')) return handshakeInputs(name.includes('.strict.'));
  if (name.startsWith('resume.')) return resumeInputs(name.endsWith('.gcm'));
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
