// A client and a server session of one chain, joined without a network, for tests.
import { decodeRootCertificate, decodeServerCertificate } from '../../src/cert/certificate.ts';
import {
  generateRootKey,
  generateServerKey,
  rootCertificate,
  signServerCertificate,
} from '../../src/cert/issue.ts';
import { decodeKey } from '../../src/cert/key-file.ts';
import type { RootKey, ServerKey } from '../../src/cert/key-file.ts';
import type { RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
import { suiteByName } from '../../src/cert/suite.ts';
import { runJob } from '../../src/crypto/job.ts';
import { noble } from '../../src/crypto/noble.ts';
import type { Random, SuiteCrypto } from '../../src/crypto/provider.ts';
import { createClient } from '../../src/session/client.ts';
import type { ClientOptions } from '../../src/session/client.ts';
import { createServer, serverIdentity } from '../../src/session/server.ts';
import type { ServerOptions } from '../../src/session/server.ts';
import { createSession } from '../../src/session/session.ts';
import type { Session, SessionOptions } from '../../src/session/session.ts';
import { equal } from '../../src/bytes.ts';
import { HEADER_BYTES } from '../../src/params.ts';
import { labelledRandom } from '../kat.ts';
import type { HandshakeFile } from '../kat.ts';
import { hex } from '../vectors.ts';

export interface Chain {
  crypto: SuiteCrypto;
  root: RootCertificate;
  server: ServerCertificate;
  key: ServerKey;
  /** The root's key, of chains made here. */
  rootKey?: RootKey;
  random: (label: string) => Random;
  /** A time at which everything is valid. */
  now: number;
}

export function katChain(file: HandshakeFile): Chain {
  return {
    crypto: noble.suite(suiteByName(file.config).id),
    root: decodeRootCertificate(hex(file.certs.rootCertFile)),
    server: decodeServerCertificate(hex(file.certs.serverCertFile)),
    key: decodeKey(hex(file.certs.serverKeyFile)) as ServerKey,
    random: labelledRandom(),
    now: file.time,
  };
}

export function newChain(suite = 1, label = 'chain', days = 365): Chain & { rootKey: RootKey } {
  const crypto = noble.suite(suite);
  const random = labelledRandom();
  const zeros = new Uint8Array(32);
  const from = 1_800_000_000;
  const rootKey = generateRootKey(crypto, `${label}.qrr`, days, from, random(label));
  const root = rootCertificate(crypto, rootKey, zeros);
  const key = generateServerKey(crypto, `${label}.qrc`, days, from, random(label));
  const server = signServerCertificate(crypto, root, rootKey, key, zeros);
  return { crypto, root, rootKey, server, key, random, now: from + 100 };
}

export function clientOf(chain: Chain, more: Partial<ClientOptions & SessionOptions> = {}): Session {
  const { crypto, root, server, random } = chain;
  return createSession(createClient({ crypto, root, server, random: random('client'), ...more }), more);
}

export function serverOf(chain: Chain, more: Partial<ServerOptions & SessionOptions> = {}): Session {
  const identity = serverIdentity(chain.crypto, chain.root, chain.server, chain.key);
  const identify = (serial: Uint8Array) => (equal(serial, chain.server.serial) ? identity : null);
  const options = { identify, random: chain.random('server'), deterministicSigning: true, ...more };
  return createSession(createServer(options), more);
}

/** Runs whatever the session waits for. */
export function settle(session: Session, crypto: SuiteCrypto, now: number): void {
  while (session.pending !== null) session.resume(runJob(crypto, session.pending), now);
}

/** The packets that `bytes` are. */
export function split(bytes: Uint8Array): Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = HEADER_BYTES + (bytes[at + 1]! | (bytes[at + 2]! << 8));
    packets.push(bytes.slice(at, at + length));
    at += length;
  }
  return packets;
}

/** Hands all bytes over; returns the messages they brought. */
export function deliver(session: Session, bytes: Uint8Array, crypto: SuiteCrypto, now: number): Uint8Array[] {
  const messages: Uint8Array[] = [];
  // A session opens packets where they lie.
  bytes = Uint8Array.from(bytes);
  for (let at = 0; at < bytes.length && session.state !== 'closed';) {
    settle(session, crypto, now);
    at += session.receive(bytes, at, now);
    settle(session, crypto, now);
    if (session.message !== null) messages.push(session.message.slice());
  }
  return messages;
}

/** Runs the handshake to its end; returns its packets in order. */
export function connect(chain: Chain, client: Session, server: Session): Uint8Array[] {
  const { crypto, now } = chain;
  const packets: Uint8Array[] = [];
  client.start(now);
  server.start(now);
  settle(client, crypto, now);
  for (let turn = 0; turn < 8; turn++) {
    const [from, to] = turn % 2 === 0 ? [client, server] : [server, client];
    const packet = from.takeOutput();
    if (packet === null) break;
    packets.push(packet.slice());
    deliver(to, packet, crypto, now);
  }
  return packets;
}
