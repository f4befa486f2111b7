// A server of ours inside an Espruino-class engine: what the client's bundle talks to there, over sockets that the board's
// stand-in joins. Bundled to a script of its own: client and server share no code.

import { fromHex, getI32, toHex } from '../../src/bytes.ts';
import { decodeRootCertificate, decodeServerCertificate } from '../../src/cert/certificate.ts';
import { sessionCookie } from '../../src/cert/cookie.ts';
import { microS1 } from '../../src/crypto/micro.ts';
import { aesExpandKey, aesXor } from '../../src/crypto/micro/aes.ts';
import type { Random } from '../../src/crypto/provider.ts';
import { kmac, RATE_256 } from '../../src/crypto/micro/sponge.ts';
import { createConnection } from '../../src/link/connection.ts';
import type { Connection } from '../../src/link/connection.ts';
import { ticketDesk } from '../../src/link/desk.ts';
import { createExecutor } from '../../src/link/executor.ts';
import { acceptCredential } from '../../src/link/provisioned.ts';
import { createTickets, memoryTicketStore } from '../../src/link/ticket-store.ts';
import type { Timer, Waker } from '../../src/platform.ts';
import { FEATURES_OF_THIS_BUILD } from '../../src/session/edge.ts';
import { createServer } from '../../src/session/server.ts';
import type { ServerIdentity } from '../../src/session/server.ts';
import { createSession } from '../../src/session/session.ts';

/** The server's end of a socket of the stand-in: what it gives, and what is told to it. */
export interface ServerSocket {
  data: (text: string) => void;
  gone: () => void;
  write(text: string): void;
  end(): void;
}

export interface PeerOptions {
  readonly root: string;
  readonly server: string;
  readonly signingKey: string;
  readonly credential: { readonly id: string; readonly deviceSecret: string; readonly anchor: string } | null;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly setTimeout: (then: () => void, ms: number) => number;
  readonly clearTimeout: (id: number) => void;
  readonly log: (line: string) => void;
  /** What a message is answered with; null: nothing. */
  readonly answer: (text: string) => string | null;
  readonly gcm?: boolean;
  readonly maxIdle?: number;
  readonly halfOpenMs?: number;
}

function hex(text: string): Uint8Array {
  return fromHex(text)!;
}

/** Always the same bytes: this server is for tests. */
function testRandom(): Random {
  let drawn = 0;
  return (out) => {
    const name = new Uint8Array([drawn & 255, (drawn >> 8) & 255]);
    drawn++;
    out.set(kmac(RATE_256, new Uint8Array(32), name, new Uint8Array(0), out.length));
  };
}

/** One block of AES-256, for the stand-in of a board that has it. */
export function aesBlock(key: Uint8Array, block: Uint8Array): Uint8Array {
  const g = new Int32Array(72);
  aesExpandKey(g, key);
  for (let i = 0; i < 3; i++) g[60 + i] = getI32(block, 4 * i);
  const counter = (block[12]! << 24) | (block[13]! << 16) | (block[14]! << 8) | block[15]!;
  aesXor(g, counter, block, 0, 0, false);
  return new Uint8Array(g.buffer, 240, 16);
}

export function createPeer(options: PeerOptions): {
  accept(socket: ServerSocket): Connection;
  forget(): void;
} {
  const root = decodeRootCertificate(hex(options.root));
  const certificate = decodeServerCertificate(hex(options.server));
  // As serverIdentity makes it, without its trial signature.
  const identity: ServerIdentity = {
    crypto: microS1,
    certificate,
    key: certificate,
    signing: hex(options.signingKey),
    cookie: sessionCookie(root.hash, certificate.hash),
  };
  const random = testRandom();
  let tickets = createTickets(memoryTicketStore(), new Uint8Array(32).fill(7), random);
  const seconds = (): number => Math.floor(options.now() / 1000);
  const { credential } = options;
  if (credential !== null) {
    const { id, deviceSecret, anchor } = credential;
    const provisioning = { id: hex(id), deviceSecret: hex(deviceSecret), anchor: hex(anchor) };
    acceptCredential(tickets, provisioning, null, seconds(), certificate.to, () => undefined);
  }
  const timer: Timer = {
    schedule: (waker: Waker, ms) => options.setTimeout(() => waker.wake(), ms),
    cancel: (handle) => options.clearTimeout(handle as number),
    set(callback, ms) {
      const id = options.setTimeout(callback, ms);
      return () => options.clearTimeout(id);
    },
    now: () => options.now() | 0,
  };
  const settings = {
    timer,
    clock: { now: seconds },
    execute: createExecutor((callback) => options.setTimeout(callback, 0)),
    handshakeDeadlineMs: 3600000,
    halfOpenMs: options.halfOpenMs,
    idleTimeoutMs: options.maxIdle ?? 0,
  };
  return {
    forget() {
      tickets = createTickets(memoryTicketStore(), new Uint8Array(32).fill(8), random);
    },
    accept(socket) {
      const edge = {
        extensions: 'require' as const,
        features: FEATURES_OF_THIS_BUILD,
        gcm: options.gcm ?? true,
        random,
        maxIdle: options.maxIdle ?? 0,
        tickets: ticketDesk(tickets),
        notAfter: certificate.to,
      };
      const identify = (serial: Uint8Array) =>
        toHex(serial) === toHex(certificate.serial) ? identity : null;
      const session = createSession(createServer({ identify, random, edge }));
      const connection = createConnection(session, settings, {
        established() {
          options.log('server connected ' + (session.fullHandshake ? 'full' : 'resumed'));
        },
        message(bytes) {
          let text = '';
          for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]!);
          options.log('server got ' + text);
          const answer = options.answer(text);
          if (answer === null) return;
          const out = new Uint8Array(answer.length);
          for (let i = 0; i < out.length; i++) out[i] = answer.charCodeAt(i);
          connection.send(out);
        },
        keepalive() {
          options.log('server kept alive');
        },
        closed(why) {
          options.log('server closed ' + why.reason + ' ' + why.code);
        },
      });
      socket.data = (text) => {
        const bytes = new Uint8Array(text.length);
        for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
        connection.data(bytes);
      };
      socket.gone = () => connection.gone(null);
      connection.start({
        write(bytes, length) {
          let text = '';
          for (let i = 0; i < length; i++) text += String.fromCharCode(bytes[i]!);
          socket.write(text);
          return true;
        },
        pause: () => undefined,
        resume: () => undefined,
        end(sent) {
          socket.end();
          sent();
        },
        destroy: () => socket.end(),
      });
      return connection;
    },
  };
}
