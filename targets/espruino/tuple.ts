// Metadata of tunnels in Espruino's Storage. A file there has a name of 28 characters at the most, and one that is
// written over is gone for a moment: so a value lies in one of two banks (src/link/storage-parts.ts).

import { bankName, partStorage } from '../../src/link/storage-parts.ts';
import { storageTuples } from '../../src/tuple/device.ts';
import type { TupleStore } from '../../src/tuple/store.ts';
import type { Storage } from '../../src/platform.ts';
import { problem } from '../../src/lean/problem.ts';
import { fromBinary, toBinary } from './text.ts';

/** A platform's storage in files `<name>.a.<key>` and `<name>.b.<key>`; `name` of at most 9 characters. */
export function fileStorage(files: EspruinoStorage, name: string): Storage {
  return partStorage({
    read(bank, part, key) {
      const text = files.read(bankName(name, bank, part) + '.' + key);
      return text === undefined ? null : fromBinary(text);
    },
    write(bank, part, key, value) {
      const file = bankName(name, bank, part) + '.' + key;
      const text = toBinary(value);
      if (!files.write(file, text) || files.read(file) !== text) throw problem('storage_full');
    },
    erase(bank, part, key) {
      files.erase(bankName(name, bank, part) + '.' + key);
    },
  });
}

/** A store of `places` records, default 4. */
export function espruinoTuples(files: EspruinoStorage, places: number = 4): TupleStore {
  return storageTuples(fileStorage(files, 'qstp'), places);
}
