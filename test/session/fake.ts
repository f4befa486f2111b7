// A certificate chain and algorithms that cost next to nothing, for tests that run very many handshakes. A wrong
// key leads to another secret and a forged signature to a refusal, as with the real ones; nothing is secret.
import {
  decodeClientCertificate,
  decodeRootCertificate,
  encodeCertificate,
} from '../../src/cert/certificate.ts';
import type { ClientCertificate, RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
import type { ServerKey } from '../../src/cert/key-file.ts';
import { suiteByName } from '../../src/cert/suite.ts';
import type { SuiteCrypto } from '../../src/crypto/provider.ts';
import { sha3_256 } from '../../src/crypto/micro/sponge.ts';
import { concat, equal } from '../../src/bytes.ts';
import type { Suite } from '../../src/params.ts';
import { SUITE_NAMES } from '../../src/params.ts';
import type { Chain } from './pair.ts';

/** 32 bytes that depend on all of the input; no hash to rely on anywhere else. */
function digest(...parts: Uint8Array[]): Uint8Array {
  let [a, b] = [0x9e3779b9 | 0, 0x7f4a7c15 | 0];
  const out = new Uint8Array(32);
  const stir = (value: number): void => {
    a = Math.imul(a ^ value, 0x01000193) ^ (b >>> 15);
    b = (Math.imul(b + a, 0x85ebca6b) ^ (a >>> 13)) | 0;
  };
  for (const part of parts) {
    stir(part.length);
    for (let i = 0; i < part.length; i++) stir(part[i]!);
  }
  for (let i = 0; i < 32; i++) {
    stir(i);
    out[i] = (a >>> 24) | 1;
  }
  return out;
}

const NONE = new Uint8Array(0);
const suite: Suite = {
  ...suiteByName(SUITE_NAMES[1]!),
  kemPublicKeyBytes: 32,
  ciphertextBytes: 32,
  kemSecretKeyBytes: 32,
  verifyKeyBytes: 32,
  signatureBytes: 40,
  signingKeyBytes: 32,
};

function signature(key: Uint8Array, message: Uint8Array, context: Uint8Array): Uint8Array {
  return concat([digest(core(key), message, context), new Uint8Array(8)]);
}

/** Throws for a secret that was wiped: no algorithm may be asked to work with one. */
function alive(secret: Uint8Array): void {
  if (secret.every((byte) => byte === 0)) throw new Error('a wiped key was used');
}

/** First byte of a public key that does not encapsulate: no key that is made has it. */
const REFUSED = 255;

/** The first 32 bytes: all that a key or ciphertext holds, the rest of its size is zeros. */
function core(value: Uint8Array): Uint8Array {
  return value.subarray(0, 32);
}

function fill(out: Uint8Array, value: Uint8Array): void {
  out.fill(0);
  out.set(value);
}

/** These algorithms in the sizes of any parameter set: with those of a real one, certificates decode. */
export function fakeCryptoOf(of: Suite): SuiteCrypto {
  return {
    suite: of,
    kem: {
      publicKeyBytes: of.kemPublicKeyBytes,
      secretKeyBytes: of.kemSecretKeyBytes,
      ciphertextBytes: of.ciphertextBytes,
      keygenInto(seed, publicKey, secretKey) {
        fill(publicKey, digest(seed));
        if (publicKey[0] === REFUSED) publicKey[0] = 1;
        fill(secretKey, core(publicKey));
      },
      encapsulateInto(publicKey, coins, ciphertext, sharedSecret) {
        alive(coins);
        fill(ciphertext, coins);
        sharedSecret.set(digest(core(publicKey), coins));
        return publicKey[0] !== REFUSED;
      },
      decapsulateInto(ciphertext, secretKey, sharedSecret) {
        alive(secretKey);
        sharedSecret.set(digest(core(secretKey), core(ciphertext)));
        return true;
      },
    },
    signer: {
      publicKeyBytes: of.verifyKeyBytes,
      secretKeyBytes: of.signingKeyBytes,
      signatureBytes: of.signatureBytes,
      keygenInto(seed, publicKey, secretKey) {
        fill(publicKey, digest(seed));
        fill(secretKey, core(publicKey));
      },
      signInto(message, secretKey, _random, out, context) {
        alive(secretKey);
        fill(out, digest(core(secretKey), message, context ?? NONE));
      },
      verify(given, message, publicKey, context) {
        if (given.length !== of.signatureBytes) {
          throw new Error('a signature of a wrong length reached the algorithm');
        }
        const right = new Uint8Array(of.signatureBytes);
        right.set(digest(core(publicKey), message, context ?? NONE));
        return equal(given, right);
      },
    },
  };
}

export const fakeCrypto: SuiteCrypto = fakeCryptoOf(suite);

const FROM = 1_800_000_000;
const TO = FROM + 30_000_000;

function certificate(
  kind: 'root' | 'server',
  key: Uint8Array,
  by: Uint8Array,
  fill: number,
): RootCertificate | ServerCertificate {
  const serial = new Uint8Array(16).fill(fill);
  const fields = concat([key, serial]);
  const hash = sha3_256(fields);
  const signed = signature(by, hash, NONE);
  const more = { suite, issuer: `fake.${kind}`, serial, from: FROM, to: TO, version: 1 };
  const common = { ...more, bytes: concat([signed, hash, fields]), signature: signed, hash, verifyKey: key };
  return kind === 'root' ? { ...common, kind } : { ...common, kind, rootSerial: new Uint8Array(16).fill(1) };
}

const ROOT_KEY = new Uint8Array(32).fill(8);
const ROOT = certificate('root', ROOT_KEY, ROOT_KEY, 1) as RootCertificate;
const SERVER = certificate('server', new Uint8Array(32).fill(9), ROOT_KEY, 2) as ServerCertificate;

/** Its random source counts: whoever draws in the same order gets the same bytes. */
export function fakeChain(signingKey = new Uint8Array(32).fill(9)): Chain {
  // The certificate is the true server's, whatever key the caller holds.
  const [root, server] = [ROOT, SERVER];
  const { serial, verifyKey } = server;
  const key = { serial, signingKey, verifyKey, cookie: new Uint8Array(32), from: FROM, to: TO } as ServerKey;
  let count = 0;
  const random = (label: string) => (out: Uint8Array) => {
    count++;
    const seed = digest(Buffer.from(label), Uint8Array.of(count & 255, count >> 8));
    for (let i = 0; i < out.length; i++) out[i] = seed[i & 31]! ^ (i >> 5);
  };
  return { crypto: fakeCrypto, root, server, key, random, now: FROM + 1000 };
}

// ---- Client identities (X6) -----------------------------------------------------------------------------------

const CLIENT_SUITE = suiteByName(SUITE_NAMES[0]!);

/** The fake algorithms in the sizes of a real parameter set, as certificates have them. */
export const fakeClientCrypto: SuiteCrypto = fakeCryptoOf(CLIENT_SUITE);

/** Signs as the owner of a fake key does: in an array of the real size. */
export function fakeSign(key: Uint8Array, message: Uint8Array, context: Uint8Array = NONE): Uint8Array {
  const out = new Uint8Array(CLIENT_SUITE.signatureBytes);
  out.set(signature(key, message, context));
  return out;
}

export interface FakeClient {
  certificate: ClientCertificate;
  signing: Uint8Array;
}

function clientPart(issuer: string, fill: number, by: Uint8Array, root: Uint8Array | null): Uint8Array {
  const serial = new Uint8Array(16).fill(fill);
  const key = new Uint8Array(CLIENT_SUITE.verifyKeyBytes).fill(fill);
  const identity = { suite: CLIENT_SUITE, issuer, serial, from: FROM, to: TO, version: 1 };
  return encodeCertificate(identity, key, root, (hash) => fakeSign(by, hash));
}

const CLIENT_ROOT_KEY = new Uint8Array(CLIENT_SUITE.verifyKeyBytes).fill(31);
export const CLIENT_ROOT: RootCertificate = decodeRootCertificate(
  clientPart('clients.qrr', 31, CLIENT_ROOT_KEY, null),
);

/** A client of the root; `by` another key: one that only says it is. */
export function fakeClient(fill: number, by: Uint8Array = CLIENT_ROOT_KEY): FakeClient {
  const bytes = clientPart(`device-${fill}.qcc`, fill, by, CLIENT_ROOT.serial);
  const certificate = decodeClientCertificate(bytes);
  return { certificate, signing: certificate.verifyKey };
}
