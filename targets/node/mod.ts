// QSTP for Node gateways: the entry of their bundle.

import { noble } from '../../src/crypto/noble.ts';
import { katApi } from '../../src/selftest/parts.ts';

export { PROFILE } from '../../src/profile.ts';
export { noble };

/** What the self-test of this bundle tests. */
export const parts = /* @__PURE__ */ katApi(noble);
