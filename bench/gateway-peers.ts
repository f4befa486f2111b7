// What a gateway's figures are measured with: a QSTP server with its certificates, and a TLS server of the same
// strength, both on loopback.

import { generateKeyPairSync } from 'node:crypto';
import { createServer as createTlsServer } from 'node:tls';
import type { Server as TlsServer, TlsOptions } from 'node:tls';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import {
  generateRootKey,
  generateServerKey,
  rootCertificate,
  signServerCertificate,
} from '../src/cert/issue.ts';
import type { RootCertificate, ServerCertificate } from '../src/cert/certificate.ts';
import type { Provider } from '../src/crypto/provider.ts';
import { serverIdentity } from '../src/session/server.ts';
import type { ServerIdentity } from '../src/session/server.ts';
import { HASH_BYTES, HEADER_BYTES, SUITES } from '../src/params.ts';
import { RCS256_TAG_BYTES } from '../src/crypto/micro/rcs.ts';
import { CONNECT_REQUEST_BYTES, connectResponseBytes } from '../src/wire/messages.ts';
import { nodeClock, nodeRandom } from '../targets/node/platform.ts';
import { certificate } from './gateway-x509.ts';

/** ML-KEM-768 and ML-DSA-65. */
export const SUITE = 2;
export const HOST = '127.0.0.1';

export interface Chain {
  readonly root: RootCertificate;
  readonly server: ServerCertificate;
  readonly identity: ServerIdentity;
}

/** A root, and a server's certificate that it signed. */
export function makeChain(provider: Provider, suite = SUITE): Chain {
  const crypto = provider.suite(suite);
  const now = nodeClock.now();
  const hedge = new Uint8Array(32);
  nodeRandom(hedge);
  const rootKey = generateRootKey(crypto, 'bench.qrr', 2, now, nodeRandom);
  const root = rootCertificate(crypto, rootKey, hedge);
  const key = generateServerKey(crypto, 'bench.qrc', 1, now, nodeRandom);
  const server = signServerCertificate(crypto, root, rootKey, key, hedge);
  return { root, server, identity: serverIdentity(crypto, root, server, key) };
}

/** A close notice's body, sealed. */
const NOTICE_BYTES = 1 + RCS256_TAG_BYTES;

/** One end that connects and goes, again and again, and the other. */
export interface Side {
  /** From connecting to the end of the connection. */
  once(): Promise<void>;
  stop(): Promise<void>;
}

/** Calls back each time that many more bytes have come. */
function inParts(socket: Socket, sizes: readonly number[], part: (index: number) => unknown): void {
  let have = 0;
  let next = 0;
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  socket.on('data', (bytes: Uint8Array) => {
    have += bytes.length;
    while (next < sizes.length && have >= sizes[next]!) {
      have -= sizes[next]!;
      part(next++);
    }
  });
}

/** Sockets that carry zeros in packets of the sizes of a handshake of 1.4, and of a close notice. */
export async function bareSockets(suiteId: number): Promise<Side> {
  const suite = SUITES[suiteId - 1]!;
  const packets = (...bodies: number[]): Uint8Array[] =>
    bodies.map((length) => new Uint8Array(HEADER_BYTES + length));
  const there = packets(CONNECT_REQUEST_BYTES, suite.ciphertextBytes, NOTICE_BYTES);
  const back = packets(connectResponseBytes(suite), HASH_BYTES);
  const lengths = (packets: readonly Uint8Array[]): number[] => packets.map(({ length }) => length);
  const server = createServer((socket) =>
    inParts(socket, lengths(there), (i) => i < back.length && socket.write(back[i]!)),
  );
  const port = await onFreePort(server);
  return {
    once: () =>
      new Promise((resolve) => {
        const socket = connect(port, HOST, () => void socket.write(there[0]!));
        inParts(socket, lengths(back), (i) => {
          socket.write(there[i + 1]!);
          if (i + 1 === back.length) socket.end();
        });
        socket.once('close', () => resolve());
      }),
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

const DNS = 'bench.example';

/** Options of both ends of TLS 1.3 with ML-DSA-65 certificates, a root and a server's, and X25519MLKEM768. */
export function makeTls(): { readonly server: TlsOptions; readonly client: object } {
  const [root, leaf] = [0, 1].map(() => generateKeyPairSync('ml-dsa-65' as 'ed25519'));
  const issuer = { name: 'bench root', key: root!.privateKey };
  const ca = certificate('bench root', root!.publicKey, issuer, { serial: 1, authority: true });
  const cert = certificate(DNS, leaf!.publicKey, issuer, { serial: 2, authority: false });
  const common = { minVersion: 'TLSv1.3', ecdhCurve: 'X25519MLKEM768' } as const;
  const key = leaf!.privateKey.export({ format: 'pem', type: 'pkcs8' });
  return {
    server: { ...common, key, cert: cert + ca },
    client: { ...common, ca, servername: DNS, host: HOST },
  };
}

/** Listens on a free port of loopback. */
export function onFreePort<S extends Server>(server: S): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, HOST, () => resolve((server.address() as AddressInfo).port));
  });
}

export { createTlsServer };
export type { TlsServer };
