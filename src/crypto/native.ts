// The provider over an engine's own ML-KEM and ML-DSA. What an engine is asked is in `NativeEngine`; Node's and
// Deno's are in targets/. An engine takes no random input: the jobs of a handshake let it draw its own, while the
// calls that fix the randomness, and what the engine cannot do, go to another provider.

import { SUITES } from '../params.ts';
import type { Suite } from '../params.ts';
import { QstpError } from '../error.ts';
import { WITH_CALLS, WITH_DECAPSULATION, WITH_SIGNING } from '../features.ts';
import { equalAt, wipe } from '../bytes.ts';
import type { CryptoJob, JobRunner } from './job.ts';
import { pickSuite } from './provider.ts';
import type { Kem, Provider, Signer, SuiteCrypto } from './provider.ts';

/** At once, or later: WebCrypto answers with promises. */
export type Later<T> = T | Promise<T>;

/** What an engine offers for one parameter set. Throws, or rejects, for what it does not take. */
export interface NativeSet<Key> {
  /** Makes a KEM key pair. The secret key stays with the engine. */
  generate(): Later<{ readonly publicKey: Uint8Array; readonly key: Key }>;
  /** With an encapsulation key of FIPS 203, checked as §7.2 says. */
  encapsulate(
    publicKey: Uint8Array,
  ): Later<{ readonly ciphertext: Uint8Array; readonly sharedSecret: Uint8Array }>;
  decapsulate(key: Key, ciphertext: Uint8Array): Later<Uint8Array>;
  importVerifyKey(publicKey: Uint8Array): Later<Key>;
  verify(
    key: Key,
    signature: Uint8Array,
    message: Uint8Array,
    context: Uint8Array | undefined,
  ): Later<boolean>;
  /** The same at once, by an engine that is synchronous; it imports keys and decapsulates at once too. */
  verifyNow?(key: Key, signature: Uint8Array, message: Uint8Array, context: Uint8Array | undefined): boolean;
  /** Secret keys in the expanded form of FIPS 203 and 204; null where the engine takes the seed only. */
  readonly expanded: {
    importDecapsulationKey(secretKey: Uint8Array): Later<Key>;
    importSigningKey(secretKey: Uint8Array): Later<Key>;
    sign(key: Key, message: Uint8Array, context: Uint8Array | undefined): Later<Uint8Array>;
  } | null;
}

export interface NativeEngine<Key> {
  /** Such as "Node 24.21.0, OpenSSL 3.5.8". */
  readonly name: string;
  /** True if it can answer at once, so that it serves calls too, not only jobs. */
  readonly synchronous: boolean;
  /** True if ML-DSA takes a context string. */
  readonly contexts: boolean;
  set(suite: Suite): NativeSet<Key>;
}

/** Bytes of a secret key that name its pair and are public: the hash of the public key. */
interface Fingerprint {
  readonly at: number;
  readonly length: number;
}

/** dk = dkPKE || ek || H(ek) || z (FIPS 203 §7.1): ek, which begins after 384k bytes. */
function kemFingerprint(suite: Suite): Fingerprint {
  return { at: suite.kemPublicKeyBytes - 32, length: suite.kemPublicKeyBytes };
}

/** sk = rho || K || tr || ... (FIPS 204 §7.2): tr. */
const SIGNER_FINGERPRINT: Fingerprint = { at: 64, length: 64 };

/** Keys that were imported, by the array they came from: gone with it, and not taken for another key in its place. */
interface KeyCache<Key> {
  find(bytes: Uint8Array): Later<Key> | null;
  keep(bytes: Uint8Array, key: Later<Key>): void;
}

function keyCache<Key>(mark: Fingerprint): KeyCache<Key> {
  const kept = new WeakMap<Uint8Array, { readonly key: Later<Key>; readonly mark: Uint8Array }>();
  const { at, length } = mark;
  return {
    find(bytes) {
      const entry = kept.get(bytes);
      if (entry === undefined || !equalAt(bytes, at, entry.mark, 0, length)) return null;
      return entry.key;
    },
    keep(bytes, key) {
      kept.set(bytes, { key, mark: bytes.slice(at, at + length) });
    },
  };
}

/** Goes on with a value that is here, or comes; `failed` for what is thrown on the way to it. */
function after<T>(begin: () => Later<T>, then: (value: T) => void, failed: () => void): void {
  let value: Later<T>;
  try {
    value = begin();
  } catch {
    failed();
    return;
  }
  if (value instanceof Promise) value.then(then, failed);
  else then(value);
}

class NativeSuite<Key> implements SuiteCrypto, JobRunner {
  readonly suite: Suite;
  readonly kem: Kem;
  readonly signer: Signer;
  private readonly engine: NativeEngine<Key>;
  private readonly set: NativeSet<Key>;
  private readonly other: SuiteCrypto | null;
  private readonly decapsulationKeys: KeyCache<Key>;
  private readonly signingKeys: KeyCache<Key>;
  private readonly verifyKeys: KeyCache<Key>;

  constructor(engine: NativeEngine<Key>, suite: Suite, other: SuiteCrypto | null) {
    this.engine = engine;
    this.suite = suite;
    this.set = engine.set(suite);
    this.other = other;
    this.decapsulationKeys = keyCache(kemFingerprint(suite));
    this.signingKeys = keyCache(SIGNER_FINGERPRINT);
    this.verifyKeys = keyCache({ at: 0, length: suite.verifyKeyBytes });
    this.kem = this.kemCalls();
    this.signer = this.signerCalls();
  }

  /**
   * Starts a job that the engine does; its random input is wiped unused. Null: it is not the engine's. Returns what
   * gives it up.
   */
  start(job: CryptoJob, done: (good: boolean) => void): (() => void) | null {
    let given = true;
    const finish = (good: boolean): void => {
      if (given) done(good);
    };
    const failed = (): void => finish(false);
    const into = (from: Uint8Array, to: Uint8Array): void => {
      if (given) to.set(from);
    };
    const begun = this.begin(job, into, finish, failed);
    if (!begun) return null;
    return () => {
      given = false;
    };
  }

  private begin(
    job: CryptoJob,
    into: (from: Uint8Array, to: Uint8Array) => void,
    finish: (good: boolean) => void,
    failed: () => void,
  ): boolean {
    const { set } = this;
    switch (job.op) {
      case 'keygen':
        if (!WITH_DECAPSULATION) return false;
        wipe(job.seed);
        after(
          () => set.generate(),
          ({ publicKey, key }) => {
            // The place of the public key in the expanded form: what the cache knows the pair by.
            into(publicKey, job.secretKey.subarray(kemFingerprint(this.suite).at));
            into(publicKey, job.publicKey);
            this.decapsulationKeys.keep(job.secretKey, key);
            finish(true);
          },
          failed,
        );
        return true;
      case 'encapsulate':
        wipe(job.coins);
        after(
          () => set.encapsulate(job.publicKey),
          ({ ciphertext, sharedSecret }) => {
            into(ciphertext, job.ciphertext);
            into(sharedSecret, job.sharedSecret);
            wipe(sharedSecret);
            finish(true);
          },
          failed,
        );
        return true;
      case 'decapsulate': {
        const { ciphertext, secretKey, sharedSecret } = job;
        if (!WITH_DECAPSULATION || ciphertext.length !== this.suite.ciphertextBytes) return false;
        if (this.decapsulationKeys.find(secretKey) === null && set.expanded === null) return false;
        after(
          () => this.decapsulation(ciphertext, secretKey),
          (secret) => {
            into(secret, sharedSecret);
            wipe(secret);
            finish(true);
          },
          failed,
        );
        return true;
      }
      case 'sign':
        if (!WITH_SIGNING || set.expanded === null || !this.takesContext(job.context)) return false;
        wipe(job.random);
        after(
          () => this.signature(job.message, job.secretKey, job.context),
          (signature) => {
            into(signature, job.signature);
            finish(true);
          },
          failed,
        );
        return true;
      case 'verify':
        if (!this.takesContext(job.context)) return false;
        after(
          () => this.verdict(job.signature, job.message, job.publicKey, job.context, false),
          finish,
          failed,
        );
        return true;
    }
  }

  private takesContext(context: Uint8Array | undefined): boolean {
    return this.engine.contexts || context === undefined || context.length === 0;
  }

  /** The key of these bytes: imported once. */
  private keyOf<T>(
    cache: KeyCache<Key>,
    bytes: Uint8Array,
    load: (bytes: Uint8Array) => Later<Key>,
    use: (key: Key) => Later<T>,
  ): Later<T> {
    let key = cache.find(bytes);
    if (key === null) {
      key = load(bytes);
      cache.keep(bytes, key);
    }
    return key instanceof Promise ? key.then(use) : use(key);
  }

  private decapsulation(ciphertext: Uint8Array, secretKey: Uint8Array): Later<Uint8Array> {
    if (!WITH_DECAPSULATION) return this.refuse();
    const { set } = this;
    return this.keyOf(
      this.decapsulationKeys,
      secretKey,
      (bytes) => set.expanded!.importDecapsulationKey(bytes),
      (key) => set.decapsulate(key, ciphertext),
    );
  }

  private signature(
    message: Uint8Array,
    secretKey: Uint8Array,
    context: Uint8Array | undefined,
  ): Later<Uint8Array> {
    if (!WITH_SIGNING) return this.refuse();
    const { importSigningKey, sign } = this.set.expanded!;
    return this.keyOf(this.signingKeys, secretKey, importSigningKey, (key) => sign(key, message, context));
  }

  private verdict(
    signature: Uint8Array,
    message: Uint8Array,
    publicKey: Uint8Array,
    context: Uint8Array | undefined,
    now: boolean,
  ): Later<boolean> {
    const { set, suite } = this;
    const verify = now ? set.verifyNow! : set.verify;
    if (signature.length !== suite.signatureBytes || publicKey.length !== suite.verifyKeyBytes) return false;
    return this.keyOf(
      this.verifyKeys,
      publicKey,
      (bytes) => set.importVerifyKey(bytes),
      (key) => verify(key, signature, message, context),
    );
  }

  // ---- Calls: what takes randomness is the other provider's ------------------------------------------------

  private kemCalls(): Kem {
    const { suite, engine } = this;
    const sizes = {
      publicKeyBytes: suite.kemPublicKeyBytes,
      secretKeyBytes: suite.kemSecretKeyBytes,
      ciphertextBytes: suite.ciphertextBytes,
    };
    if (!WITH_CALLS) {
      const none = (): never => this.refuse();
      return { ...sizes, keygenInto: none, encapsulateInto: none, decapsulateInto: none };
    }
    return {
      ...sizes,
      keygenInto: (seed, publicKey, secretKey) => this.others().kem.keygenInto(seed, publicKey, secretKey),
      encapsulateInto: (publicKey, coins, ciphertext, sharedSecret) =>
        this.others().kem.encapsulateInto(publicKey, coins, ciphertext, sharedSecret),
      decapsulateInto: (ciphertext, secretKey, sharedSecret) => {
        if (!engine.synchronous || this.set.expanded === null) {
          return this.others().kem.decapsulateInto(ciphertext, secretKey, sharedSecret);
        }
        if (ciphertext.length !== suite.ciphertextBytes || secretKey.length !== suite.kemSecretKeyBytes) {
          return false;
        }
        try {
          const secret = this.decapsulation(ciphertext, secretKey) as Uint8Array;
          sharedSecret.set(secret);
          wipe(secret);
          return true;
        } catch {
          return false;
        }
      },
    };
  }

  private signerCalls(): Signer {
    const { suite, engine } = this;
    const sizes = {
      publicKeyBytes: suite.verifyKeyBytes,
      secretKeyBytes: suite.signingKeyBytes,
      signatureBytes: suite.signatureBytes,
    };
    if (!WITH_CALLS) {
      const none = (): never => this.refuse();
      return { ...sizes, keygenInto: none, signInto: none, verify: none };
    }
    return {
      ...sizes,
      keygenInto: (seed, publicKey, secretKey) => this.others().signer.keygenInto(seed, publicKey, secretKey),
      signInto: (message, secretKey, random, signature, context) =>
        this.others().signer.signInto(message, secretKey, random, signature, context),
      verify: (signature, message, publicKey, context) => {
        if (!engine.synchronous || !this.takesContext(context)) {
          return this.others().signer.verify(signature, message, publicKey, context);
        }
        try {
          return this.verdict(signature, message, publicKey, context, true) as boolean;
        } catch {
          return false;
        }
      },
    };
  }

  private others(): SuiteCrypto {
    return this.other ?? this.refuse();
  }

  private refuse(): never {
    throw new QstpError(
      'not_native',
      `${this.engine.name} does this neither with given randomness nor at once: build with fallback "micro"`,
    );
  }
}

/**
 * The provider over an engine. `other` does what the engine cannot; null leaves it out of the bundle, and such calls
 * throw `not_native`. Suites are made once: their imported keys live as long as the provider.
 */
export function nativeProvider<Key>(engine: NativeEngine<Key>, other: Provider | null): Provider {
  const suites = SUITES.map((suite) => new NativeSuite(engine, suite, other?.suite(suite.id) ?? null));
  return { name: 'native', engine: engine.name, suite: (id) => pickSuite(suites, id) };
}
