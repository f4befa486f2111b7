// The client's side of the handshake (docs/protocol.md, S1 to S4).

import { WITH_ENGINE } from '../features.ts';
import { Discovery, Flag, HASH_BYTES } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
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
import type { ClientEdge, HandshakeKeys } from './edge.ts';
import { CLOCK_NOT_SET, Machine } from './handshake.ts';
import type { Expected, Handshake } from './handshake.ts';
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

const WRONG_HASH = /* @__PURE__ */ reject(
  'response_hash',
  ErrorCode.verifyFailure,
  'the signed hash is not that of the connect response',
);

const WRONG_SIGNATURE = /* @__PURE__ */ reject(
  'response_signature',
  ErrorCode.signatureFailure,
  "the connect response is not signed by the server certificate's key: another server answered",
);

const WRONG_KEY = /* @__PURE__ */ reject(
  'encapsulation',
  ErrorCode.exchangeFailure,
  "the server's KEM key is malformed (FIPS 203 §7.2)",
);

const WRONG_COOKIE = /* @__PURE__ */ reject(
  'cookie',
  ErrorCode.establishFailure,
  'the two ends do not agree on the session cookie',
);

class ClientMachine extends Machine {
  private readonly options: ClientOptions;
  private readonly discovery: number;
  private cookie: Uint8Array | null = null;

  constructor(options: ClientOptions) {
    super('client');
    this.options = options;
    this.edge = options.edge ?? null;
    this.crypto = options.crypto;
    this.discovery = discoveryByte(this.edge as ClientEdge | null);
  }

  private get hash(): Hashing | null {
    return WITH_ENGINE ? (this.options.hash ?? null) : null;
  }

  private get clockless(): boolean {
    return (this.discovery & Discovery.clockNotSet) !== 0;
  }

  /** The time in our headers: 0 where the clock is not set (X1). */
  private stamp(now: number): number {
    return this.clockless ? 0 : now;
  }

  protected begin(now: number): void {
    const { root, verified } = this.options;
    const bad = this.unusable(now);
    if (bad !== null) {
      this.fail(bad, now);
    } else if (verified === 'root' || verified === 'chain') {
      this.verifyServerCertificate(now);
    } else {
      this.wait(signatureJob(root, root), (good, later) => {
        if (good) this.verifyServerCertificate(later);
        else this.fail(badSignature(root), later);
      });
    }
  }

  /** Why the certificates are not to be used at this time. */
  private unusable(now: number): Reject | null {
    const { root, server } = this.options;
    const time = this.clockless ? (this.edge as ClientEdge).clock!.floor : now;
    if (time <= 0) return CLOCK_NOT_SET;
    const bad = checkRoot(root, time, this.hash);
    return bad === null ? checkServer(server, root, time, this.hash) : bad;
  }

  private verifyServerCertificate(now: number): void {
    const { root, server, verified } = this.options;
    if (verified === 'chain') {
      this.sendConnectRequest(now);
      return;
    }
    this.wait(signatureJob(server, root), (good, later) => {
      if (good) this.sendConnectRequest(later);
      else this.fail(badSignature(server), later);
    });
  }

  // S1: name the server's certificate and the suite.
  private sendConnectRequest(now: number): void {
    const { root, server, crypto } = this.options;
    // Both hashes were compared with their certificates at the start.
    this.cookie = sessionCookie(root.hash, server.hash);
    this.output = encodeConnectRequest(crypto.suite, server.serial, this.stamp(now), this.discovery);
    this.step = 'S2';
  }

  protected expected(): Expected | null {
    const time = this.clockless ? 'any' : 'checked';
    if (this.step === 'S2') {
      const length = connectResponseBytes(this.options.crypto.suite);
      return { flag: Flag.connectResponse, length, sequence: 0, time };
    }
    if (this.step !== 'S4') return null;
    return { flag: Flag.exchangeResponse, length: HASH_BYTES, sequence: 1, time };
  }

  protected take(packet: Uint8Array, now: number): void {
    if (this.step === 'S2') return this.receiveConnectResponse(packet, now);
    return this.receiveExchangeResponse(packet, now);
  }

  // S2: the server's signature covers this packet's header, the certificates (by sch0) and its KEM key.
  private receiveConnectResponse(packet: Uint8Array, now: number): void {
    const { crypto, server } = this.options;
    const { header, signature, hash, publicKey } = decodeConnectResponse(crypto.suite, packet);
    if (!equal(hash, responseHash(header, this.cookie!, publicKey, this.hash))) {
      this.fail(WRONG_HASH, now);
      return;
    }
    this.wait({ op: 'verify', signature, message: hash, publicKey: server.verifyKey }, (good, later) => {
      if (!good) {
        this.fail(WRONG_SIGNATURE, later);
        return;
      }
      this.cookie = nextCookie(this.cookie!, hash, this.hash);
      this.sendExchangeRequest(publicKey);
    });
  }

  // S3: encapsulate to the key the server signed, and derive the session's keys.
  private sendExchangeRequest(publicKey: Uint8Array): void {
    const { crypto, random } = this.options;
    const coins = new Uint8Array(COINS_BYTES);
    random(coins);
    const ciphertext = new Uint8Array(crypto.suite.ciphertextBytes);
    const sharedSecret = new Uint8Array(32);
    this.wait({ op: 'encapsulate', publicKey, coins, ciphertext, sharedSecret }, (good, now) => {
      if (!good) {
        this.fail(WRONG_KEY, now);
        return;
      }
      this.cookie = nextCookie(this.cookie!, ciphertext, this.hash);
      this.keys = this.derive(sharedSecret, this.cookie);
      wipe(sharedSecret);
      this.output = encodeExchangeRequest(ciphertext, this.stamp(now));
      this.step = 'S4';
    });
  }

  private derive(sharedSecret: Uint8Array, cookie: Uint8Array): HandshakeKeys {
    const { discovery } = this;
    const { from, to, verifyKey } = this.options.server;
    return {
      ...sessionKeys(sharedSecret, cookie, this.hash),
      kind: 0,
      discovery,
      transcript: cookie,
      secrets: discovery === 0 ? null : connectionSecrets(0, sharedSecret, cookie, this.hash),
      freshness: null,
      serverTime: 0,
      ticketId: null,
      ticket: null,
      from,
      to,
      verifyKey,
    };
  }

  // S4: the echo of sch2. It proves nothing of the secret: the first opened record does.
  private receiveExchangeResponse(packet: Uint8Array, now: number): void {
    if (equal(decodeExchangeResponse(packet), this.cookie!)) this.step = 'established';
    else this.fail(WRONG_COOKIE, now);
  }

  protected wipe(): void {
    // All of a client's secrets are in its pending job or its keys.
  }
}

export function createClient(options: ClientOptions): Handshake {
  return new ClientMachine(options);
}
