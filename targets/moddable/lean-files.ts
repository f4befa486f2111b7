// The values of a lean device in Moddable's preferences.

import Preference from 'preference';
import { filesIn } from '../../src/lean/preferences.ts';
import type { Files } from '../../src/lean/types.ts';
import { PROFILE } from '../../src/profile.ts';

/** NVS takes values of 4,000. */
const PART_BYTES = 3900;

/** The values in the preferences called `name`: at most 12 characters. */
export function preferenceFiles(name: string): Files {
  return filesIn(Preference, name, PROFILE?.storage?.valueBytes ?? PART_BYTES);
}
