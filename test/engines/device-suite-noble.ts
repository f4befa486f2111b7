// The self-test of a device engine with certificates and sessions, over noble: slow there, but complete.

import { noble } from '../../src/crypto/noble.ts';
import { katApi } from '../../src/selftest/parts.ts';
import { runnerOf } from './device-suite.ts';
import type { Run } from './device-suite.ts';

export const run: Run = runnerOf(katApi(noble));
