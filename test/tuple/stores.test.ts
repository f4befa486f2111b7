// The stores of tunnel metadata: the suite over each, power cuts at every step of the devices', and processes that are
// killed while they write.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { toHex } from '../../src/bytes.ts';
import { memoryStorage } from '../../src/link/storage-memory.ts';
import { partStorage } from '../../src/link/storage-parts.ts';
import { Stored } from '../../src/session/stored.ts';
import { storageTuples } from '../../src/tuple/device.ts';
import { memoryTuples } from '../../src/tuple/memory.ts';
import { encodeTuple, TUPLE_KIND } from '../../src/tuple/record.ts';
import type { TupleStore } from '../../src/tuple/store.ts';
import type { TuplePut } from '../../src/tuple/types.ts';
import type { KeyValue, KvKey } from '../../targets/deno/kv.ts';
import { kvTuples } from '../../targets/deno/tuple-kv.ts';
import { fileStorage } from '../../targets/espruino/tuple.ts';
import { fileTuples } from '../../targets/node/tuple-files.ts';
import { sqliteTuples } from '../../targets/node/tuple-sqlite.ts';
import { engineProgram } from '../engines/engines.ts';
import { draws } from '../random.ts';
import { PowerCut, testStorage } from '../storage.ts';
import { fetchOf, pointerOf, put, recordOf, runTupleSuite } from './suite.ts';

function folder(t: ExecutionContext): string {
  const made = mkdtempSync(path.join(tmpdir(), 'qstp-tuples-'));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

test('memory', async (t) => {
  t.deepEqual(
    await runTupleSuite({
      open: () => ({ store: memoryTuples(6), close: () => undefined }),
      lasts: false,
      room: 6,
    }),
    [],
  );
});

test('files: private, one a record, none left over', async (t) => {
  const place = path.join(folder(t), 'deep/tuples');
  const open = () => ({ store: fileTuples(place), close: () => undefined });
  const damage = (pointer: Uint8Array): void => {
    const file = path.join(place, `${toHex(pointer)}.tuple`);
    const bytes = readFileSync(file);
    bytes[20]! ^= 1;
    writeFileSync(file, bytes);
  };
  t.deepEqual(await runTupleSuite({ open, lasts: true, damage }), []);
  t.is(readdirSync(place).length, 4);
  for (const name of readdirSync(place)) {
    t.regex(name, /^[0-9a-f]{32}\.tuple$/);
    t.is(statSync(path.join(place, name)).mode & 0o077, 0);
  }
  // A record in another's place is none.
  writeFileSync(
    path.join(place, `${toHex(pointerOf(9))}.tuple`),
    readFileSync(path.join(place, `${toHex(pointerOf(3))}.tuple`)),
  );
  t.is((await fetchOf(fileTuples(place), pointerOf(9))).outcome, 'failed');
});

test('files: what fails says so', async (t) => {
  const place = folder(t);
  writeFileSync(path.join(place, 'file'), '');
  t.throws(() => fileTuples(path.join(place, 'file')), { code: 'storage_failed', message: /name another/ });
  const store = fileTuples(path.join(place, 'tuples'));
  rmSync(path.join(place, 'tuples'), { recursive: true });
  t.is((await put(store, recordOf(1, 1), pointerOf(1))).outcome, 'failed');
  t.is((await fetchOf(store, pointerOf(1))).outcome, 'missing');
});

test('SQLite: this Node has it, or says what to do', (t) => {
  const place = folder(t);
  if ((process.getBuiltinModule as ((id: string) => unknown) | undefined)?.('node:sqlite') === undefined) {
    t.throws(() => sqliteTuples(path.join(place, 'x.db')), {
      code: 'sqlite_missing',
      message: /has no node:sqlite: use Node 22\.13 or later, or fileTuples/,
    });
  } else {
    sqliteTuples(path.join(place, 'x.db')).close();
    t.throws(() => sqliteTuples(place), { code: 'storage_failed', message: /cannot open the database/ });
  }
});

// ---- Devices ---------------------------------------------------------------------------------------------

/** A flash of named texts, as Espruino's Storage: one that is written over is gone in between. */
function espruinoFiles(step: () => void) {
  const files = new Map<string, string>();
  return {
    files,
    read: (name: string) => files.get(name),
    write(name: string, data: string) {
      if (name.length > 28) throw new Error(`the name ${name} is too long`);
      if (files.get(name) === data) return true;
      step();
      files.delete(name);
      step();
      files.set(name, data);
      step();
      return true;
    },
    erase(name: string) {
      step();
      files.delete(name);
      step();
    },
  };
}

/** Moddable's preferences over NVS: short names, values of 4,000 bytes, and one that is replaced is deleted first. */
function preferences(step: () => void) {
  const values = new Map<string, Uint8Array>();
  const nameOf = (bank: number, part: number, key: string): string => {
    if (key.length > 15) throw new Error(`the key ${key} is too long`);
    return `${bank} ${part} ${key}`;
  };
  return partStorage({
    read: (bank, part, key) => values.get(nameOf(bank, part, key))?.slice() ?? null,
    write(bank, part, key, value) {
      if (value.length > 4000) throw new Error('the value is too long');
      step();
      values.delete(nameOf(bank, part, key));
      step();
      values.set(nameOf(bank, part, key), value.slice());
      step();
    },
    erase(bank, part, key) {
      step();
      values.delete(nameOf(bank, part, key));
      step();
    },
  });
}

/** Cuts the power at the `at`-th step from now on. */
function cutter(): { at: number; step: () => void } {
  const it = {
    at: Infinity,
    step() {
      if (it.at-- <= 0) throw new PowerCut('the power was cut');
    },
  };
  return it;
}

type Device = { open: () => TupleStore; cut: (at: number) => void };

const devices: [name: string, make: () => Device][] = [
  [
    'a storage of whole values',
    () => {
      const storage = testStorage();
      let after = false;
      return {
        open: () => storageTuples(storage, 6),
        // Each write is cut before it takes place, and after.
        cut(at) {
          after = at % 2 === 1;
          storage.cutAt = at === Infinity ? null : at >> 1;
          storage.cutAfter = after;
        },
      };
    },
  ],
  [
    'preferences',
    () => {
      const power = cutter();
      const storage = preferences(power.step);
      return { open: () => storageTuples(storage, 6), cut: (at) => (power.at = at) };
    },
  ],
  [
    'Espruino files',
    () => {
      const power = cutter();
      const files = espruinoFiles(power.step);
      return { open: () => storageTuples(fileStorage(files, 'qstp'), 6), cut: (at) => (power.at = at) };
    },
  ],
];

for (const [name, make] of devices) {
  test(`${name}: the suite`, async (t) => {
    const { open } = make();
    t.deepEqual(
      await runTupleSuite({ open: () => ({ store: open(), close: () => undefined }), lasts: true, room: 6 }),
      [],
    );
  });

  test(`${name}: a power cut at any step loses no record that was acknowledged`, async (t) => {
    let steps = 0;
    for (const length of [147, 4096]) {
      for (const first of [false, true]) {
        for (let at = 0; ; at++) {
          const { open, cut } = make();
          if (!first) await put(open(), recordOf(1, 1, length), pointerOf(1));
          await put(open(), recordOf(2, 9), pointerOf(2));
          cut(at);
          const told: TuplePut[] = [];
          open().put(recordOf(1, 2, length), pointerOf(1), (outcome) => told.push(outcome));
          t.is(told.length, 1);
          cut(Infinity);
          // The device starts again.
          const { outcome, record } = await fetchOf(open(), pointerOf(1));
          t.is(outcome, record === null ? 'missing' : 'found', `step ${at}`);
          const version = record === null ? 0 : record.version;
          if (told[0] === 'stored') t.is(version, 2, `step ${at}`);
          else t.true(version === 2 || version === (first ? 0 : 1), `step ${at}: ${version}`);
          if (record !== null) t.deepEqual(record, recordOf(1, version, length));
          t.deepEqual((await fetchOf(open(), pointerOf(2))).record, recordOf(2, 9));
          // And goes on.
          t.is((await put(open(), recordOf(1, 3, length), pointerOf(1))).outcome, 'stored');
          t.deepEqual((await fetchOf(open(), pointerOf(1))).record, recordOf(1, 3, length));
          steps++;
          if (told[0] === 'stored') break;
        }
      }
    }
    t.true(steps >= 12, `${steps} steps`);
  });
}

test('places are 1 to 100, and the kind of value is known to all who store', (t) => {
  for (const places of [0, 101, 1.5, NaN]) {
    t.throws(() => storageTuples(memoryStorage(), places), { code: 'invalid_input' });
  }
  t.is(Stored.tuple, TUPLE_KIND);
});

// ---- Killed while it writes ------------------------------------------------------------------------------

const PROGRAM = path.resolve('build/test/tuple/program.js');
const DENO = ['run', '--no-prompt', '--no-remote', '--no-config', '--no-npm', '--quiet', '--unstable-kv'];
const ENGINES: Record<string, () => [program: string, ...args: string[]]> = {
  files: () => [process.execPath],
  sqlite: () => [engineProgram('node24'), '--no-warnings'],
  kv: () => [engineProgram('deno'), ...DENO, '--allow-read', '--allow-write', '--allow-env'],
};

/** Runs the program, and kills it `killMs` after it is ready. Gives all it printed. */
async function run(
  kind: string,
  args: string[],
  killMs: number | null,
): Promise<{ out: string; err: string }> {
  const [program, ...flags] = ENGINES[kind]!();
  const child = spawn(program, [...flags, PROGRAM, kind, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  let [out, err] = ['', ''];
  let killing: Promise<void> | null = null;
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  child.stdout.on('data', (data: Buffer) => {
    out += data.toString();
    if (killMs !== null && killing === null && out.startsWith('ready\n')) {
      killing = delay(killMs).then(() => void child.kill('SIGKILL'));
    }
  });
  await new Promise((resolve) => child.on('close', resolve));
  return { out, err };
}

const ROUNDS = process.env['QSTP_DEEP'] === '1' ? 100 : 6;

for (const kind of Object.keys(ENGINES)) {
  test(`${kind}: the suite, on its engine`, async (t) => {
    t.timeout(120_000);
    const { out, err } = await run(kind, [folder(t), 'suite'], null);
    t.deepEqual(JSON.parse(out === '' ? `"${err}"` : out), []);
  });

  test(`${kind}: killed at any moment, it loses no record that was acknowledged`, async (t) => {
    t.timeout(600_000);
    const random = draws(t);
    const place = folder(t);
    const versions = [0, 0, 0, 0, 0];
    let stored = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const { out, err } = await run(kind, [place, 'write', JSON.stringify(versions)], random.below(120));
      t.true(out.startsWith('ready\n'), err);
      // A line that was cut was not heard.
      for (const [, pointer, version] of out.matchAll(/^(\d) (\d+)\n/gm)) {
        t.true(Number(version) > versions[Number(pointer)]!);
        versions[Number(pointer)] = Number(version);
        stored++;
      }
    }
    const { out, err } = await run(kind, [place, 'write', JSON.stringify(versions)], 0);
    t.true(out.startsWith('ready\n'), err);
    t.true(stored > 3 * ROUNDS, `${stored} records`);
    t.log(`${kind}: ${ROUNDS} kills, ${stored} records acknowledged, none lost`);
  });
}

// ---- A KV that others write to, and that fails -----------------------------------------------------------

/** A Deno.Kv in memory. `between` runs after each read; `fail` says at which of its calls it fails. */
function fakeKv(between: () => void, fail: (call: string) => boolean): KeyValue {
  const values = new Map<string, { value: unknown; stamp: number }>();
  let stamp = 0;
  const name = (key: KvKey): string =>
    key.map((part) => (typeof part === 'string' ? part : toHex(part))).join();
  const entry = (key: KvKey) => {
    const found = values.get(name(key));
    return {
      key,
      value: found?.value ?? null,
      versionstamp: found === undefined ? null : String(found.stamp),
    };
  };
  return {
    async get(key) {
      if (fail('get')) throw new Error('the KV fails');
      const found = entry(key);
      between();
      return found;
    },
    list: () => {
      throw new Error('not used');
    },
    atomic() {
      const checks: { key: KvKey; versionstamp: string | null }[] = [];
      const acts: (() => void)[] = [];
      const changes = {
        check: (check: { key: KvKey; versionstamp: string | null }) => (checks.push(check), changes),
        set: (key: KvKey, value: unknown) => (
          acts.push(() => values.set(name(key), { value, stamp: ++stamp })),
          changes
        ),
        delete: (key: KvKey) => (acts.push(() => values.delete(name(key))), changes),
        async commit() {
          if (fail('commit')) throw new Error('the KV fails');
          const ok = checks.every(({ key, versionstamp }) => entry(key).versionstamp === versionstamp);
          if (ok) for (const act of acts) act();
          if (fail('commit, after it')) throw new Error('the connection broke');
          return { ok };
        },
      };
      return changes;
    },
  };
}

test('KV: the suite over a simulated one', async (t) => {
  const kv = fakeKv(
    () => undefined,
    () => false,
  );
  const open = () => ({ store: kvTuples(kv), close: () => undefined });
  t.deepEqual(await runTupleSuite({ open, lasts: true }), []);
});

test('KV: of puts at once the highest version stays; one that is always overtaken gives up', async (t) => {
  let racing: (() => void) | null = null;
  const kv = fakeKv(
    () => racing?.(),
    () => false,
  );
  const store = kvTuples(kv);
  const outcomes = await Promise.all(
    [5, 7, 6, 7].map((version) => put(store, recordOf(1, version), pointerOf(1))),
  );
  t.is(outcomes.filter(({ outcome }) => outcome === 'failed').length, 0);
  t.is(outcomes.filter((_, i) => i % 2 === 1).filter(({ outcome }) => outcome === 'stored').length, 1);
  t.deepEqual((await fetchOf(store, pointerOf(1))).record, recordOf(1, 7));
  let version = 100;
  let depth = 0;
  racing = () => {
    if (depth++ === 0)
      void kv
        .atomic()
        .set(['qstp', 'tuple', pointerOf(1)], encodeTuple(recordOf(1, version++), pointerOf(1)))
        .commit();
    depth--;
  };
  t.is((await put(store, recordOf(1, 5000), pointerOf(1))).outcome, 'failed');
  t.true(version < 130, 'it does not try for ever');
});

test('KV: what fails is never called stored', async (t) => {
  for (const call of ['get', 'commit', 'commit, after it']) {
    let failing = true;
    const store = kvTuples(
      fakeKv(
        () => undefined,
        (at) => failing && at === call,
      ),
    );
    t.is((await put(store, recordOf(1, 1), pointerOf(1))).outcome, 'failed', call);
    if (call === 'get') t.is((await fetchOf(store, pointerOf(1))).outcome, 'failed');
    else t.false(await new Promise((done) => store.remove(pointerOf(1), done)), call);
    failing = false;
    t.is((await put(store, recordOf(1, 2), pointerOf(1))).outcome, 'stored');
  }
});
