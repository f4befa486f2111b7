// A platform's storage in Moddable's preferences (NVS on ESP32): keys of 15 characters, values of 4,000 bytes (63 on
// ESP8266, as its profile says), and a value that is replaced is deleted first. So each lies in one of two domains, in parts if it is long
// (src/link/storage-parts.ts): part 0 in <name>.a or .b, part 1 in <name>.a1 or .b1.

import Preference from 'preference';
import { bankName, partStorage } from '../../src/link/storage-parts.ts';
import type { PartStore } from '../../src/link/storage-parts.ts';
import type { Storage } from '../../src/platform.ts';
import { PROFILE } from '../../src/profile.ts';

/** At most 12 characters: an NVS namespace has 15. */
export const PREFERENCE_NAME = 'qstp';

class Preferences implements PartStore {
  private readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  read(bank: number, part: number, key: string): Uint8Array | null {
    const value = Preference.get(bankName(this.name, bank, part), key);
    return value instanceof ArrayBuffer ? new Uint8Array(value) : null;
  }

  write(bank: number, part: number, key: string, value: Uint8Array): void {
    // The preference keeps a whole array buffer.
    Preference.set(bankName(this.name, bank, part), key, new Uint8Array(value).buffer);
  }

  erase(bank: number, part: number, key: string): void {
    Preference.delete(bankName(this.name, bank, part), key);
  }
}

/** The storage in the preferences called `name`. What it does throws as Preference does. */
export function preferenceStorage(name: string = PREFERENCE_NAME): Storage {
  return partStorage(new Preferences(name), PROFILE?.storage?.valueBytes);
}
