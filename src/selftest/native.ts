// Checks of a provider whose jobs draw their own randomness: what one side makes, the other must take, and the other
// way round. Known answers cannot be had of it.

import { equal } from '../bytes.ts';
import type { CryptoJob, JobRunner } from '../crypto/job.ts';
import { decapsulate, encapsulate, keygen, sign } from '../crypto/provider.ts';
import type { Provider, Random, SuiteCrypto } from '../crypto/provider.ts';
import type { Report } from './api.ts';

const SUITES = [1, 2, 3];
const CONTEXT = new Uint8Array([1, 2, 3]);

interface Step {
  readonly name: string;
  job(): CryptoJob;
  /** Null if all is well. */
  verdict(good: boolean): string | null;
}

function wanted(what: boolean, instead: string): string | null {
  return what ? null : instead;
}

/** Round trips of one suite between the engine's jobs and `other`'s calls. */
function stepsOf(other: SuiteCrypto, random: Random): Step[] {
  const { kem, signer, suite } = other;
  const draw = (length: number): Uint8Array => {
    const out = new Uint8Array(length);
    random(out);
    return out;
  };
  const name = (what: string): string => `suite ${suite.id} ${what}`;
  const steps: Step[] = [];

  const publicKey = new Uint8Array(kem.publicKeyBytes);
  const secretKey = new Uint8Array(kem.secretKeyBytes);
  steps.push({
    name: name('keygen'),
    job: () => ({ op: 'keygen', seed: draw(64), publicKey, secretKey }),
    verdict: (good) =>
      wanted(good && !equal(publicKey, new Uint8Array(kem.publicKeyBytes)), 'no key was made'),
  });
  const got = new Uint8Array(32);
  let sent: ReturnType<typeof encapsulate> = null;
  steps.push({
    name: name('decapsulate'),
    job() {
      sent = encapsulate(kem, publicKey, draw(32));
      const ciphertext = sent === null ? new Uint8Array(kem.ciphertextBytes) : sent.ciphertext;
      return { op: 'decapsulate', ciphertext, secretKey, sharedSecret: got };
    },
    verdict: (good) => wanted(good && sent !== null && equal(got, sent.sharedSecret), 'the secrets differ'),
  });
  steps.push({
    name: name('decapsulate altered'),
    job() {
      const ciphertext = sent!.ciphertext.slice();
      ciphertext[0]! ^= 1;
      return { op: 'decapsulate', ciphertext, secretKey, sharedSecret: got };
    },
    verdict: (good) =>
      wanted(good && !equal(got, sent!.sharedSecret), 'an altered ciphertext gave the secret'),
  });
  const pair = keygen(kem, draw(64));
  const ciphertext = new Uint8Array(kem.ciphertextBytes);
  const shared = new Uint8Array(32);
  steps.push({
    name: name('encapsulate'),
    job: () => ({
      op: 'encapsulate',
      publicKey: pair.publicKey,
      coins: draw(32),
      ciphertext,
      sharedSecret: shared,
    }),
    verdict(good) {
      const back = decapsulate(kem, ciphertext, pair.secretKey);
      return wanted(good && back !== null && equal(back, shared), 'the secrets differ');
    },
  });
  const bad = pair.publicKey.slice();
  bad[0] = 255;
  bad[1] = 255;
  steps.push({
    name: name('encapsulate to a malformed key'),
    job: () => ({ op: 'encapsulate', publicKey: bad, coins: draw(32), ciphertext, sharedSecret: shared }),
    verdict: (good) => wanted(!good, 'it was accepted'),
  });

  const signing = keygen(signer, draw(32));
  const message = draw(50);
  const contexts: readonly (Uint8Array | undefined)[] = [undefined, CONTEXT];
  contexts.forEach((context) => {
    const bound = context === undefined ? {} : { context };
    const kind = context === undefined ? '' : ' with a context';
    const signature = new Uint8Array(signer.signatureBytes);
    steps.push({
      name: name(`sign${kind}`),
      job: () => ({
        op: 'sign',
        message,
        secretKey: signing.secretKey,
        random: draw(32),
        signature,
        ...bound,
      }),
      verdict: (good) =>
        wanted(
          good && signer.verify(signature, message, signing.publicKey, context),
          'its signature does not verify',
        ),
    });
    const theirs = sign(signer, message, signing.secretKey, draw(32), context);
    steps.push({
      name: name(`verify${kind}`),
      job: () => ({ op: 'verify', signature: theirs, message, publicKey: signing.publicKey, ...bound }),
      verdict: (good) => wanted(good, 'a good signature was refused'),
    });
    const altered = theirs.slice();
    altered[100]! ^= 1;
    steps.push({
      name: name(`verify altered${kind}`),
      job: () => ({ op: 'verify', signature: altered, message, publicKey: signing.publicKey, ...bound }),
      verdict: (good) => wanted(!good, 'an altered signature was accepted'),
    });
  });
  return steps;
}

/**
 * Round trips between the jobs of `native` and the calls of `other`, in all suites. `done` is told, in one line each,
 * what the engine leaves to the other provider: that is not checked.
 */
export function checkNative(
  native: Provider,
  other: Provider,
  random: Random,
  report: Report,
  done: (left: string[]) => void,
): void {
  const left: string[] = [];
  const all: { readonly crypto: SuiteCrypto & JobRunner; readonly step: Step }[] = [];
  for (const id of SUITES) {
    const crypto = native.suite(id) as SuiteCrypto & JobRunner;
    for (const step of stepsOf(other.suite(id), random)) all.push({ crypto, step });
  }
  let at = 0;
  const next = (): void => {
    if (at === all.length) {
      done(left);
      return;
    }
    const { crypto, step } = all[at++]!;
    const job = step.job();
    const giveUp = crypto.start(job, (good) => {
      report(`native ${step.name}`, step.verdict(good));
      next();
    });
    if (giveUp === null) {
      left.push(step.name);
      next();
    }
  };
  next();
}
