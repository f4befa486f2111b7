// The entry of a firmware profile's bundle: the target's interface, the profile, and what its self-test tests.

import { noble } from '../../src/crypto/noble.ts';
import { katApi } from '../../src/selftest/parts.ts';

export * from './mod.ts';
export { PROFILE } from '../../src/profile.ts';

export const parts = /* @__PURE__ */ katApi(noble);
