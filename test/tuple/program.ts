// A process that puts records into a store until it is killed: what it printed was acknowledged.
//
//   program.js KIND PLACE suite            the suite; prints the failures as JSON
//   program.js KIND PLACE write ACKNOWLEDGED
//
// ACKNOWLEDGED: a list of versions by pointer, as JSON. All of them must be there, or later ones; prints `ready`, then
// a line `POINTER VERSION` for each record that was stored.
import { writeSync } from 'node:fs';
import path from 'node:path';
import type { KeyValue } from '../../targets/deno/kv.ts';
import { kvTuples } from '../../targets/deno/tuple-kv.ts';
import { fileTuples } from '../../targets/node/tuple-files.ts';
import { sqliteTuples } from '../../targets/node/tuple-sqlite.ts';
import { fetchOf, pointerOf, put, recordOf, runTupleSuite } from './suite.ts';
import type { Opened } from './suite.ts';

const [kind, place, action, acknowledged] = process.argv.slice(2) as [string, string, string, string];

async function open(): Promise<Opened> {
  if (kind === 'files') return { store: fileTuples(path.join(place, 'tuples')), close: () => undefined };
  if (kind === 'sqlite') {
    const store = sqliteTuples(path.join(place, 'tuples.db'));
    return { store, close: () => store.close() };
  }
  const deno = (
    globalThis as unknown as { Deno: { openKv(file: string): Promise<KeyValue & { close(): void }> } }
  ).Deno;
  const kv = await deno.openKv(path.join(place, 'kv.db'));
  return { store: kvTuples(kv), close: () => kv.close() };
}

async function write(versions: number[]): Promise<void> {
  const { store } = await open();
  const at = [...versions];
  for (let i = 0; i < at.length; i++) {
    const { outcome, record } = await fetchOf(store, pointerOf(i));
    const version = record === null ? 0 : record.version;
    if (outcome === 'failed' || version < at[i]!)
      throw new Error(`record ${i} is ${outcome} at version ${version}, and ${at[i]} was acknowledged`);
    if (record !== null && record.ciphertext.join() !== recordOf(i, version).ciphertext.join())
      throw new Error(`record ${i} is not what was put`);
    at[i] = version;
  }
  writeSync(1, 'ready\n');
  for (let n = 0; ; n++) {
    const i = n % at.length;
    const version = at[i]! + 1;
    const { outcome } = await put(store, recordOf(i, version), pointerOf(i));
    if (outcome !== 'stored') throw new Error(`record ${i} version ${version} is ${outcome}`);
    at[i] = version;
    writeSync(1, `${i} ${version}\n`);
  }
}

if (action === 'suite') {
  const failures = await runTupleSuite({ open, lasts: true });
  console.log(JSON.stringify(failures));
  process.exit();
} else {
  await write(JSON.parse(acknowledged) as number[]);
}
