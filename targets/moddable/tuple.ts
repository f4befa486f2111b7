// Metadata of tunnels in Moddable's preferences (NVS on ESP32), beside what else is stored there.

import { storageTuples } from '../../src/tuple/device.ts';
import type { TupleStore } from '../../src/tuple/store.ts';
import { preferenceStorage } from './storage.ts';

/** A store of `places` records (default 8) in the preferences called `name`, at most 12 characters. */
export function preferenceTuples(name?: string, places?: number): TupleStore {
  return storageTuples(preferenceStorage(name), places);
}
