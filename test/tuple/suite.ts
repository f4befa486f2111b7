// What every store of tunnel metadata does: one suite for all of them, on whatever engine has the store.
import { fromHex, toHex } from '../../src/bytes.ts';
import { tupleAddress } from '../../src/tuple/record.ts';
import type { TupleStore } from '../../src/tuple/store.ts';
import type { TupleFetch, TuplePointer, TuplePut, TupleRecord } from '../../src/tuple/types.ts';

/** A store, and what makes way for another over the same place. */
export interface Opened {
  readonly store: TupleStore;
  close(): void;
}

export interface Place {
  open(): Promise<Opened> | Opened;
  /** False: nothing outlives `close`. */
  readonly lasts: boolean;
  /** Changes the bytes that are kept of a pointer; absent where a test cannot reach them. */
  readonly damage?: (pointer: TuplePointer) => void;
  /** Records that fit; absent: more than the suite puts. */
  readonly room?: number;
}

export function put(
  store: TupleStore,
  record: TupleRecord,
  pointer: TuplePointer | null,
): Promise<{ outcome: TuplePut; pointer: TuplePointer }> {
  return new Promise((resolve, reject) => {
    let calls = 0;
    store.put(record, pointer, (outcome, at) => {
      if (++calls > 1) reject(new Error('called back twice'));
      resolve({ outcome, pointer: at });
    });
  });
}

export function fetchOf(
  store: TupleStore,
  pointer: TuplePointer,
): Promise<{ outcome: TupleFetch; record: TupleRecord | null }> {
  return new Promise((resolve) => store.fetch(pointer, (outcome, record) => resolve({ outcome, record })));
}

/** A record whose bytes follow from its pointer's number, its version and its length. */
export function recordOf(pointer: number, version: number, length = 147): TupleRecord {
  const byte = (i: number): number => (pointer * 31 + version * 7 + (version >>> 8) * 13 + i * i) & 0xff;
  return {
    version,
    nonce: Uint8Array.from({ length: 12 }, (_, i) => byte(i)),
    ciphertext: Uint8Array.from({ length }, (_, i) => byte(i + 12)),
  };
}

export function pointerOf(number: number): TuplePointer {
  return Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? number : 0xa0 + i));
}

const text = (record: TupleRecord | null): string =>
  record === null ? 'null' : `${record.version} ${toHex(record.nonce)} ${toHex(record.ciphertext)}`;

/** Runs the suite over an empty place; the failures, as lines. */
export async function runTupleSuite(place: Place): Promise<string[]> {
  const failures: string[] = [];
  let { store, close } = await place.open();
  const reopen = async (): Promise<void> => {
    if (!place.lasts) return;
    close();
    ({ store, close } = await place.open());
  };
  const expect = (what: string, got: unknown, wanted: unknown): void => {
    if (got !== wanted) failures.push(`${what}: ${String(got)} instead of ${String(wanted)}`);
  };
  const expectPut = async (
    what: string,
    record: TupleRecord,
    pointer: TuplePointer | null,
    outcome: TuplePut,
  ) => {
    const got = await put(store, record, pointer);
    expect(`${what}, its outcome`, got.outcome, outcome);
    expect(`${what}, its address`, toHex(got.pointer), toHex(pointer ?? tupleAddress(record)));
  };
  const expectFetch = async (
    what: string,
    pointer: TuplePointer,
    record: TupleRecord | null,
    outcome: TupleFetch = record === null ? 'missing' : 'found',
  ) => {
    const got = await fetchOf(store, pointer);
    expect(`${what}, its outcome`, got.outcome, outcome);
    expect(what, text(got.record), text(record));
  };

  // Under the record's own hash: nonce, ciphertext and pointer of a tunnel of the original's.
  const original: TupleRecord = {
    version: 0,
    nonce: fromHex('793d6930219767805f5eefea')!,
    ciphertext: fromHex(
      '06f0af4bc3d6ba433974af10f781ee2195cbadb6ea7c3bab406aa9de8c3ef20f6cf39896ae717f37f279dec9e66d18a70439fbb795cfdaaf' +
        '3e9cc8eac28190c23a0066985dce9080bab9a33cc4b7a4bee320b81ab6a3626dac4e91ea5f83b62169a1c61e5f21091dd8572067328daa41' +
        'eb4a43de0f911a4d0de3282912372c45e47a272393deeb75d4cd754bacc3bd9b8c87d8',
    )!,
  };
  const address = fromHex('e8521d923edaa94abedc5eb4892f1afe')!;
  await expectFetch('nothing', address, null);
  expect('the address', toHex((await put(store, original, null)).pointer), toHex(address));
  await expectFetch('the record under its hash', address, original);
  await expectPut('the same again', original, null, 'stored');
  await reopen();
  await expectFetch('the record under its hash, later', address, original);

  // Versions under one pointer.
  const pointer = pointerOf(1);
  for (const [version, outcome] of [
    [1, 'stored'],
    [1, 'stale'],
    [3, 'stored'],
    [2, 'stale'],
    [0xffffffff, 'stored'],
    [4, 'stale'],
  ] as const) {
    await expectPut(`version ${version}`, recordOf(1, version), pointer, outcome);
  }
  await expectFetch('the highest version', pointer, recordOf(1, 0xffffffff));
  await reopen();
  await expectFetch('the highest version, later', pointer, recordOf(1, 0xffffffff));
  await expectPut('an older version, later', recordOf(1, 5), pointer, 'stale');
  await expectFetch('another pointer', pointerOf(2), null);

  // Whose arrays are whose.
  const given = recordOf(2, 1, 64);
  await expectPut('a record', given, pointerOf(2), 'stored');
  const got = (await fetchOf(store, pointerOf(2))).record!;
  got.nonce.fill(0xee);
  got.ciphertext.fill(0xee);
  await expectFetch('a record after the last one given was written over', pointerOf(2), recordOf(2, 1, 64));

  // Sizes.
  for (const length of [16, 147, 4000, 4096]) {
    await expectPut(`${length} bytes`, recordOf(3, length, length), pointerOf(3), 'stored');
    await reopen();
    await expectFetch(`${length} bytes`, pointerOf(3), recordOf(3, length, length));
  }

  // Removed, and put again.
  for (const wanted of [true, true]) {
    expect('removed', await new Promise((done) => store.remove(pointerOf(3), done)), wanted);
  }
  await expectFetch('a record that was removed', pointerOf(3), null);
  await expectPut('one in its place', recordOf(3, 1), pointerOf(3), 'stored');
  await reopen();
  await expectFetch('one in its place', pointerOf(3), recordOf(3, 1));

  if (place.damage !== undefined) {
    place.damage(pointerOf(3));
    await expectFetch('a damaged record', pointerOf(3), null, 'failed');
    await expectPut('a record over a damaged one', recordOf(3, 1), pointerOf(3), 'stored');
    await expectFetch('a record over a damaged one', pointerOf(3), recordOf(3, 1));
  }

  // Room: address, and the pointers 1 to 3, are in use.
  if (place.room !== undefined) {
    for (let i = 4; i < place.room; i++)
      await expectPut(`record ${i}`, recordOf(i, 1), pointerOf(i), 'stored');
    const last = place.room;
    await expectPut('one too many', recordOf(last, 1), pointerOf(last), 'failed');
    await expectFetch('one too many', pointerOf(last), null);
    await expectPut('a new version of one that is there', recordOf(3, 2), pointerOf(3), 'stored');
    await new Promise((done) => store.remove(address, done));
    await expectPut('one where there is room again', recordOf(last, 1), pointerOf(last), 'stored');
  }

  // Misuse.
  const short = new Uint8Array(15);
  const wrong: [string, () => void][] = [
    ['a short pointer', () => store.put(recordOf(1, 1), short, () => undefined)],
    ['a short pointer, fetched', () => store.fetch(short, () => undefined)],
    ['a short pointer, removed', () => store.remove(short, () => undefined)],
    ['a version without a pointer', () => store.put(recordOf(1, 1), null, () => undefined)],
    ['a pointer without a version', () => store.put(recordOf(1, 0), pointer, () => undefined)],
    ['a version of 2^32', () => store.put(recordOf(1, 2 ** 32), pointer, () => undefined)],
    ['a ciphertext without a tag', () => store.put(recordOf(1, 1, 15), pointer, () => undefined)],
    ['a long ciphertext', () => store.put(recordOf(1, 1, 4097), pointer, () => undefined)],
    [
      'a short nonce',
      () => store.put({ ...recordOf(1, 1), nonce: new Uint8Array(11) }, pointer, () => undefined),
    ],
  ];
  for (const [what, misuse] of wrong) {
    try {
      misuse();
      failures.push(`${what} was taken`);
    } catch (error) {
      expect(what, (error as { code?: string }).code, 'invalid_input');
    }
  }
  close();
  return failures;
}
