// The client's side of the handshake (docs/protocol.md, S1 to S4).

import { WITH_ENGINE } from '../features.ts';
import { Discovery, Flag, HASH_BYTES } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import { equal, wipe } from '../bytes.ts';
import type { Hashing, Random, SuiteCrypto } from '../crypto/provider.ts';
import type { RootCertificate, ServerCertificate } from '../cert/certificate.ts';
import { sessionCookie } from '../cert/cookie.ts';
import { badSignature, checkRoot, checkServer, signatureJob } from '../cert/verify.ts';
import {
  connectResponseBytes,
  decodeConnectResponse,
  decodeExchangeResponse,
  encodeConnectRequest,
  encodeExchangeRequest,
} from '../wire/messages.ts';
import { discoveryByte } from './edge.ts';
import type { ClientEdge } from './edge.ts';
import { CLOCK_NOT_SET, createMachine } from './handshake.ts';
import type { Handshake } from './handshake.ts';
import { connectionSecrets } from './secrets.ts';
import { nextCookie, responseHash, sessionKeys } from './transcript.ts';

/** m of ML-KEM.Encaps (FIPS 203 §7.2). */
const COINS_BYTES = 32;

export interface ClientOptions {
  readonly crypto: SuiteCrypto;
  readonly root: RootCertificate;
  readonly server: ServerCertificate;
  /** Drawn once a handshake, for the encapsulation: 32 bytes. */
  readonly random: Random;
  /**
   * Signatures found good before, at provisioning or by an earlier handshake with the same files: `root` is
   * its self-signature, `chain` the server certificate's too. Everything else is checked every time.
   */
  readonly verified?: 'none' | 'root' | 'chain' | undefined;
  /** The extensions wanted. Absent: strict 1.4. */
  readonly edge?: ClientEdge | undefined;
  /** Hashes in the place of the kernel. Default: the kernel. */
  readonly hash?: Hashing | null | undefined;
}

export function createClient(options: ClientOptions): Handshake {
  const { crypto, root, server } = options;
  const { suite } = crypto;
  const by = WITH_ENGINE ? (options.hash ?? null) : null;
  const edge = options.edge ?? null;
  const discovery = discoveryByte(edge);
  const clockless = (discovery & Discovery.clockNotSet) !== 0;
  /** The time in our headers: 0 where the clock is not set (X1). */
  const stamp = (now: number): number => (clockless ? 0 : now);
  let cookie: Uint8Array = new Uint8Array(0);

  // S1: name the server's certificate and the suite.
  const sendConnectRequest = (now: number): void => {
    // Both hashes were compared with their certificates at the start.
    cookie = sessionCookie(root.hash, server.hash);
    machine.output = encodeConnectRequest(suite, server.serial, stamp(now), discovery);
    machine.step = 'S2';
  };

  const verifyServerCertificate = (now: number): void => {
    if (options.verified === 'chain') {
      sendConnectRequest(now);
      return;
    }
    machine.wait(signatureJob(server, root), (good, later) => {
      if (good) sendConnectRequest(later);
      else machine.fail(badSignature(server), later);
    });
  };

  // S3: encapsulate to the key the server signed, and derive the session's keys.
  const sendExchangeRequest = (publicKey: Uint8Array): void => {
    const coins = new Uint8Array(COINS_BYTES);
    options.random(coins);
    const ciphertext = new Uint8Array(suite.ciphertextBytes);
    const sharedSecret = new Uint8Array(32);
    machine.wait({ op: 'encapsulate', publicKey, coins, ciphertext, sharedSecret }, (good, now) => {
      if (!good) {
        machine.fail(
          reject(
            'encapsulation',
            ErrorCode.exchangeFailure,
            "the server's KEM key is malformed (FIPS 203 §7.2)",
          ),
          now,
        );
        return;
      }
      cookie = nextCookie(cookie, ciphertext, by);
      machine.keys = {
        ...sessionKeys(sharedSecret, cookie, by),
        kind: 0,
        discovery,
        transcript: cookie,
        secrets: discovery === 0 ? null : connectionSecrets(0, sharedSecret, cookie, by),
        freshness: null,
        serverTime: 0,
        ticketId: null,
        ticket: null,
        from: server.from,
        to: server.to,
        verifyKey: server.verifyKey,
      };
      wipe(sharedSecret);
      machine.output = encodeExchangeRequest(ciphertext, stamp(now));
      machine.step = 'S4';
    });
  };

  // S2: the server's signature covers this packet's header, the certificates (by sch0) and its KEM key.
  const receiveConnectResponse = (packet: Uint8Array, now: number): void => {
    const { header, signature, hash, publicKey } = decodeConnectResponse(suite, packet);
    if (!equal(hash, responseHash(header, cookie, publicKey, by))) {
      machine.fail(
        reject(
          'response_hash',
          ErrorCode.verifyFailure,
          'the signed hash is not that of the connect response',
        ),
        now,
      );
      return;
    }
    machine.wait({ op: 'verify', signature, message: hash, publicKey: server.verifyKey }, (good, later) => {
      if (!good) {
        machine.fail(
          reject(
            'response_signature',
            ErrorCode.signatureFailure,
            "the connect response is not signed by the server certificate's key: another server answered",
          ),
          later,
        );
        return;
      }
      cookie = nextCookie(cookie, hash, by);
      sendExchangeRequest(publicKey);
    });
  };

  // S4: the echo of sch2. It proves nothing of the secret: the first opened record does.
  const receiveExchangeResponse = (packet: Uint8Array, now: number): void => {
    if (equal(decodeExchangeResponse(packet), cookie)) machine.step = 'established';
    else
      machine.fail(
        reject('cookie', ErrorCode.establishFailure, 'the two ends do not agree on the session cookie'),
        now,
      );
  };

  const machine = createMachine('client', {
    start(now) {
      const time = clockless ? edge!.clock!.floor : now;
      const bad =
        time > 0 ? (checkRoot(root, time, by) ?? checkServer(server, root, time, by)) : CLOCK_NOT_SET;
      if (bad !== null) {
        machine.fail(bad, now);
      } else if (options.verified === 'root' || options.verified === 'chain') {
        verifyServerCertificate(now);
      } else {
        machine.wait(signatureJob(root, root), (good, later) => {
          if (good) verifyServerCertificate(later);
          else machine.fail(badSignature(root), later);
        });
      }
    },
    expected(step) {
      const time = clockless ? 'any' : 'checked';
      if (step === 'S2')
        return { flag: Flag.connectResponse, length: connectResponseBytes(suite), sequence: 0, time };
      return step === 'S4' ? { flag: Flag.exchangeResponse, length: HASH_BYTES, sequence: 1, time } : null;
    },
    receive(step, packet, now) {
      if (step === 'S2') receiveConnectResponse(packet, now);
      else receiveExchangeResponse(packet, now);
    },
    wipe() {
      // All of a client's secrets are in its pending job or its keys.
    },
  });
  machine.edge = edge;
  machine.crypto = crypto;
  return machine;
}
