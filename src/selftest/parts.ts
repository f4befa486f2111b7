// The parts of this implementation that every build has, for its self-test.

import * as hash from '../crypto/micro/sponge.ts';
import * as rcs from '../crypto/micro/rcs.ts';
import type { Provider } from '../crypto/provider.ts';
import type { KatApi } from './api.ts';

/** All parts under test, with a provider chosen at the entry point. */
export function katApi(provider: Provider): KatApi {
  return { hash, rcs, provider };
}
