// ML-KEM and ML-DSA of Node 24.7 and later, through OpenSSL 3.5: with key objects, and secret keys in the expanded form
// that key files have. Jobs sign and verify on libuv's threads.

import * as crypto from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Suite } from '../../src/params.ts';
import { concat } from '../../src/bytes.ts';
import type { NativeEngine, NativeSet } from '../../src/crypto/native.ts';

/** What node:crypto has since 24.7, and its types of Node 20 do not know. */
interface PostQuantum {
  encapsulate(key: KeyObject): { readonly sharedKey: Uint8Array; readonly ciphertext: Uint8Array };
  decapsulate(key: KeyObject, ciphertext: Uint8Array): Uint8Array;
  generateKeyPairSync(type: string): { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  sign(algorithm: null, data: Uint8Array, key: KeyObject | BoundKey): Uint8Array;
  sign(algorithm: null, data: Uint8Array, key: KeyObject | BoundKey, done: Done<Uint8Array>): void;
  verify(algorithm: null, data: Uint8Array, key: KeyObject | BoundKey, signature: Uint8Array): boolean;
  verify(
    algorithm: null,
    data: Uint8Array,
    key: KeyObject | BoundKey,
    signature: Uint8Array,
    done: Done<boolean>,
  ): void;
  createPublicKey(key: RawKey | DerKey): KeyObject;
  createPrivateKey(key: DerKey): KeyObject;
}

type Done<T> = (error: Error | null, value: T) => void;

interface BoundKey {
  readonly key: KeyObject;
  readonly context: Uint8Array;
}

interface RawKey {
  readonly key: Uint8Array;
  readonly format: 'raw-public';
  readonly asymmetricKeyType: string;
}

interface DerKey {
  readonly key: Uint8Array;
  readonly format: 'der';
  readonly type: 'spki' | 'pkcs8';
}

/** Last number of the object identifiers 2.16.840.1.101.3.4.4.x and .3.x, by suite id. */
const KEM_OID = [4, 1];
const SIGNER_OID = [3, 17];
const OID_ARC = [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04];

const INTEGER_ZERO = [0x02, 0x01, 0x00];
const SEQUENCE = 0x30;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;

/** A DER element of 128 to 65,535 bytes, or below 128. */
function der(tag: number, parts: readonly Uint8Array[]): Uint8Array {
  const body = concat(parts);
  const n = body.length;
  const length = n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255];
  return concat([new Uint8Array([tag, ...length]), body]);
}

function algorithm(oid: readonly number[], suite: Suite): Uint8Array {
  return der(SEQUENCE, [new Uint8Array([...OID_ARC, oid[0]!, oid[1]! + suite.id - 1])]);
}

function spki(oid: readonly number[], suite: Suite, publicKey: Uint8Array): DerKey {
  const key = der(SEQUENCE, [algorithm(oid, suite), der(BIT_STRING, [new Uint8Array(1), publicKey])]);
  return { key, format: 'der', type: 'spki' };
}

/** PKCS#8 with `expandedKey` (RFC 9881, RFC 9935). */
function pkcs8(oid: readonly number[], suite: Suite, secretKey: Uint8Array): DerKey {
  const inner = der(OCTET_STRING, [der(OCTET_STRING, [secretKey])]);
  const key = der(SEQUENCE, [new Uint8Array(INTEGER_ZERO), algorithm(oid, suite), inner]);
  return { key, format: 'der', type: 'pkcs8' };
}

const pq = crypto as unknown as PostQuantum;

function bound(key: KeyObject, context: Uint8Array | undefined): KeyObject | BoundKey {
  return context === undefined || context.length === 0 ? key : { key, context };
}

/** Threads that libuv has, unless it is told otherwise. */
const THREADS = 4;

/**
 * A key, and copies of it. OpenSSL lets one operation at a time have a key, and whoever begins another waits for it, the
 * event loop included: so each operation on another thread has a copy of its own while it runs.
 */
class Key {
  readonly first: KeyObject;
  private readonly free: KeyObject[];
  private readonly waiting: (() => void)[] = [];
  private copies = 1;

  constructor(first: KeyObject) {
    this.first = first;
    this.free = [first];
  }

  /** Runs an operation on another thread: it takes long enough for other connections, and cores, to go on meanwhile. */
  elsewhere<T>(begin: (key: KeyObject, done: Done<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = (): void => {
        const key = this.free.pop() ?? this.copy();
        begin(key, (error, value) => {
          this.free.push(key);
          this.waiting.shift()?.();
          if (error === null || error === undefined) resolve(value);
          else reject(error);
        });
      };
      if (this.free.length > 0 || this.copies < THREADS) run();
      else this.waiting.push(run);
    });
  }

  private copy(): KeyObject {
    this.copies++;
    const secret = this.first.type === 'private';
    const type = secret ? 'pkcs8' : 'spki';
    const key = this.first.export({ format: 'der', type });
    const again = { key, format: 'der', type } as const;
    try {
      return secret ? pq.createPrivateKey(again) : pq.createPublicKey(again);
    } finally {
      key.fill(0);
    }
  }
}

function nodeSet(suite: Suite, raw: boolean): NativeSet<Key> {
  const kem = `ml-kem-${256 * (suite.id + 1)}`;
  const signer = ['ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87'][suite.id - 1]!;
  const importPublic = (type: string, oid: readonly number[], publicKey: Uint8Array): KeyObject =>
    pq.createPublicKey(
      raw ? { key: publicKey, format: 'raw-public', asymmetricKeyType: type } : spki(oid, suite, publicKey),
    );
  const importSecret = (oid: readonly number[], secretKey: Uint8Array): KeyObject => {
    const wrapped = pkcs8(oid, suite, secretKey);
    try {
      return pq.createPrivateKey(wrapped);
    } finally {
      wrapped.key.fill(0);
    }
  };
  return {
    generate() {
      const { publicKey, privateKey } = pq.generateKeyPairSync(kem);
      const options = raw ? { format: 'raw-public' } : { format: 'der', type: 'spki' };
      const exported = publicKey.export(options as never) as unknown as Uint8Array;
      return { publicKey: exported.subarray(-suite.kemPublicKeyBytes), key: new Key(privateKey) };
    },
    encapsulate(publicKey) {
      const { ciphertext, sharedKey } = pq.encapsulate(importPublic(kem, KEM_OID, publicKey));
      return { ciphertext, sharedSecret: sharedKey };
    },
    decapsulate: (key, ciphertext) => pq.decapsulate(key.first, ciphertext),
    importVerifyKey: (publicKey) => new Key(importPublic(signer, SIGNER_OID, publicKey)),
    verify: (key, signature, message, context) =>
      key.elsewhere((copy, done) => pq.verify(null, message, bound(copy, context), signature, done)),
    verifyNow: (key, signature, message, context) =>
      pq.verify(null, message, bound(key.first, context), signature),
    expanded: {
      importDecapsulationKey: (secretKey) => new Key(importSecret(KEM_OID, secretKey)),
      importSigningKey: (secretKey) => new Key(importSecret(SIGNER_OID, secretKey)),
      sign: (key, message, context) =>
        key.elsewhere((copy, done) => pq.sign(null, message, bound(copy, context), done)),
    },
  };
}

/** True if a signature made with a context does not verify without it: Node before 24.8 takes no notice of one. */
function takesContext(): boolean {
  const { publicKey, privateKey } = pq.generateKeyPairSync('ml-dsa-44');
  const message = new Uint8Array(1);
  const context = new Uint8Array(1);
  try {
    const signature = pq.sign(null, message, { key: privateKey, context });
    return !pq.verify(null, message, publicKey, signature);
  } catch {
    return false;
  }
}

/** True if keys can be given and had as their bare bytes: later releases, and quicker. */
function takesRaw(): boolean {
  const { publicKey } = pq.generateKeyPairSync('ml-kem-512');
  try {
    const key = publicKey.export({ format: 'raw-public' } as never) as unknown as Uint8Array;
    pq.createPublicKey({ key, format: 'raw-public', asymmetricKeyType: 'ml-kem-512' });
    return true;
  } catch {
    return false;
  }
}

/** The engine's cryptography; null if it has none: Node before 24.7, or one built over an older OpenSSL. */
export function nodeEngine(): NativeEngine<Key> | null {
  if (typeof pq.encapsulate !== 'function') return null;
  try {
    const raw = takesRaw();
    return {
      name: `Node ${process.versions.node}, OpenSSL ${process.versions.openssl}`,
      synchronous: true,
      contexts: takesContext(),
      set: (suite) => nodeSet(suite, raw),
    };
  } catch {
    return null;
  }
}
