// Which provider of post-quantum cryptography runs here: chosen once, and said.

import { micro } from '../../src/crypto/micro.ts';
import { nativeProvider } from '../../src/crypto/native.ts';
import type { Provider } from '../../src/crypto/provider.ts';
import { nodeEngine } from './native.ts';

const chosen: { provider: Provider | null } = { provider: null };

/** The native provider, with our kernels for what it leaves; null where Node has none. */
export function nodeNative(): Provider | null {
  const engine = nodeEngine();
  return engine === null ? null : nativeProvider(engine, micro);
}

/** Native cryptography where Node has it (24.7 and later), our kernels otherwise. */
export function nodeProvider(): Provider {
  return (chosen.provider ??= nodeNative() ?? micro);
}

/** One line for people: which provider runs, and why. */
export function describeProvider(provider: Provider): string {
  if (provider.engine !== undefined) return `cryptography: native, by ${provider.engine}`;
  const why =
    nodeProvider().name === 'native' ? 'as chosen' : `Node ${process.versions.node} has no ML-KEM, 24.7 has`;
  return `cryptography: ${provider.name}, ${why}`;
}
