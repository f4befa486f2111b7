// QSTP for Deno: the entry of its bundle.

import { noble } from '../../src/crypto/noble.ts';
import { katApi } from '../../src/selftest/parts.ts';

export { PROFILE } from '../../src/profile.ts';
export { noble };

/** What the self-test of this bundle tests. */
export const parts = /* @__PURE__ */ katApi(noble);
