// Which provider of post-quantum cryptography runs here.

import { QstpError } from '../../src/error.ts';
import { WITH_MICRO, WITH_NATIVE } from '../../src/features.ts';
import { micro } from '../../src/crypto/micro.ts';
import { nativeProvider } from '../../src/crypto/native.ts';
import type { Provider } from '../../src/crypto/provider.ts';
import { denoEngine } from './native.ts';

const chosen: { provider: Provider | null } = { provider: null };

/**
 * WebCrypto where Deno has ML-KEM and ML-DSA, with `other` for what it leaves (signing with the keys of key files,
 * contexts, calls that must answer at once); null where it has not.
 */
export function denoNative(other: Provider | null): Provider | null {
  const engine = denoEngine();
  return engine === null ? null : nativeProvider(engine, other);
}

/**
 * Native cryptography where this Deno has it, our kernels otherwise and for the rest. Throws `provider_missing` in a
 * bundle without them on an engine that has no post-quantum cryptography.
 */
export function denoProvider(): Provider {
  if (!WITH_NATIVE) return micro;
  chosen.provider ??= denoNative(WITH_MICRO ? micro : null) ?? (WITH_MICRO ? micro : null);
  if (chosen.provider !== null) return chosen.provider;
  throw new QstpError(
    'provider_missing',
    'this Deno has no ML-KEM and ML-DSA, and the bundle has no others: take a newer Deno, or the profile deno-edge',
  );
}
