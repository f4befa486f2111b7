// Which provider of post-quantum cryptography runs here.

import { noble } from '../../src/crypto/noble.ts';
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

/** Native cryptography where this Deno has it, noble otherwise and for the rest. */
export function denoProvider(): Provider {
  return (chosen.provider ??= denoNative(noble) ?? noble);
}
