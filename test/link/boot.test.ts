// Entropy at boot: what suffices, and that no boot repeats what another gave out.
import test from 'ava';
import { readFileSync } from 'node:fs';
import { BOOT_KEY, boot, provisionSeed, refreshEntropy } from '../../src/link/boot.ts';
import type { BootOptions, EntropySource } from '../../src/link/boot.ts';
import {
  openUseCounter,
  provisionUseCounter,
  reserveAhead,
  takeUse,
  USE_COUNTER_KEY,
  USE_RESERVE,
} from '../../src/link/use-counter.ts';
import { deviceCredential } from '../../src/link/provisioned.ts';
import { memoryStorage } from '../../src/link/storage-memory.ts';
import { DRBG_REQUESTS_MAX, drbgRefusal } from '../../src/crypto/micro/drbg.ts';
import { getU32, toHex } from '../../src/bytes.ts';
import { draws } from '../random.ts';
import type { Draw } from '../random.ts';
import { PowerCut, testStorage } from '../storage.ts';
import type { TestStorage } from '../storage.ts';

function good(draw: Draw, name = 'hwrng', approved = true): EntropySource {
  return {
    name,
    approved,
    bits: 6,
    fill(out) {
      out.set(draw.bytes(out.length));
      return true;
    },
  };
}

/** A generator with a constant seed, as some boards have: it passes every health test. */
function constant(name = 'rand', approved = false): EntropySource {
  return {
    name,
    approved,
    bits: 6,
    fill(out) {
      let x = 1;
      for (let i = 0; i < out.length; i++) out[i] = (x = (x * 48271) % 2147483647) >> 8;
      return true;
    },
  };
}

const dead: EntropySource = { name: 'hwrng', approved: true, bits: 6, fill: () => false };
const throwing: EntropySource = {
  ...dead,
  fill() {
    throw new Error('no radio');
  },
};
const stuck: EntropySource = { ...dead, fill: (out) => out.fill(7).length > 0 };

function seeded(draw: Draw): TestStorage {
  const storage = testStorage();
  provisionSeed(storage, draw.bytes(32));
  return storage;
}

function output(options: BootOptions): string {
  const out = new Uint8Array(32);
  boot(options).random(out);
  return toHex(out);
}

test('no approved source, no generator: the message says what to do', (t) => {
  const draw = draws(t);
  const cases: [BootOptions, string, RegExp][] = [
    [{ sources: [] }, 'entropy_missing', /approves of no entropy source: name one/],
    [{ sources: [constant()] }, 'entropy_missing', /approves of no entropy source/],
    [{ sources: [good(draw, 'adc', false)] }, 'entropy_missing', /approves of no entropy source/],
    [{ sources: [], storage: seeded(draw) }, 'entropy_missing', /approves of no entropy source/],
    [{ sources: [dead] }, 'entropy_missing', /no approved entropy source delivers: switch it on/],
    [{ sources: [throwing] }, 'entropy_missing', /no approved entropy source delivers/],
    [{ sources: [stuck] }, 'entropy_failed', /failed its health test .* repair or replace/],
    [{ sources: [], seedApproved: true }, 'entropy_missing', /provision a device seed/],
    [
      { sources: [], seedApproved: true, storage: testStorage() },
      'entropy_missing',
      /provision a device seed/,
    ],
  ];
  for (const [options, code, message] of cases) t.throws(() => boot(options), { code, message });
});

test('each kind of approved source suffices', (t) => {
  const draw = draws(t);
  t.deepEqual(boot({ sources: [good(draw, 'webcrypto')] }).sources, ['webcrypto']);
  t.deepEqual(boot({ sources: [], storage: seeded(draw), seedApproved: true }).sources, ['deviceSeed']);
  const both = boot({
    sources: [dead, good(draw, 'feed'), constant()],
    storage: seeded(draw),
    seedApproved: true,
  });
  t.deepEqual([both.sources, both.boots], [['feed', 'deviceSeed'], 1]);
});

test('a source that fails its test leaves the others usable, and is reported', (t) => {
  const draw = draws(t);
  const lines: string[] = [];
  const report = (line: string) => void lines.push(line);
  const { sources } = boot({ sources: [stuck, throwing, good(draw)], report });
  t.deepEqual(sources, ['hwrng']);
  t.deepEqual(lines, ['hwrng: it failed its health test', 'hwrng: it delivers nothing']);
});

test('boots of one device never repeat, though its hardware generator is a constant', (t) => {
  const draw = draws(t);
  const storage = seeded(draw);
  const seen = new Set<string>();
  for (let n = 1; n <= 20; n++) {
    seen.add(output({ sources: [constant()], storage, seedApproved: true }));
    t.is(seen.size, n);
  }
  t.is(boot({ sources: [], storage, seedApproved: true }).boots, 21);
});

test('devices with the same hardware and different seeds differ', (t) => {
  const draw = draws(t);
  const [a, b] = [seeded(draw), seeded(draw)].map((storage) =>
    output({ sources: [constant()], storage, seedApproved: true }),
  );
  t.not(a, b);
});

test('storage put back to an earlier state: hardware that differs keeps output apart', (t) => {
  const draw = draws(t);
  const storage = seeded(draw);
  const snapshot = storage.snapshot();
  for (const approved of [true, false]) {
    const seen = new Set<string>();
    for (let n = 1; n <= 5; n++) {
      storage.restore(snapshot);
      seen.add(output({ sources: [good(draw, 'hwrng', approved)], storage, seedApproved: true }));
      t.is(seen.size, n);
    }
  }
});

test('the power is cut at each storage operation, before and after it: no output is seen twice', (t) => {
  const draw = draws(t);
  for (const cutAfter of [false, true]) {
    const storage = seeded(draw);
    const options = { sources: [constant()], storage, seedApproved: true };
    const seen = new Set<string>();
    for (let n = 0; n < 12; n++) {
      storage.cutAfter = cutAfter;
      storage.cutAt = n % 3 === 2 ? null : 0;
      try {
        const out = output(options);
        t.false(seen.has(out));
        seen.add(out);
      } catch (error) {
        t.is((error as { code?: string }).code, 'boot_counter');
      }
    }
    t.is(seen.size, 4);
  }
});

test('the counter is stored before output: a cut just after the first output repeats nothing', (t) => {
  const draw = draws(t);
  const storage = seeded(draw);
  const options = { sources: [], storage, seedApproved: true };
  const first = output(options);
  t.is(storage.writes, 2, 'provisioning and this boot');
  t.not(output(options), first);
});

test('a counter that cannot be stored: refused without hardware, reported and mixed in with it', (t) => {
  const draw = draws(t);
  const inner = seeded(draw);
  const failing = {
    ...inner,
    set() {
      throw new Error('worn out');
    },
  };
  const forgetful = { ...inner, set: () => undefined };
  for (const storage of [failing, forgetful]) {
    t.throws(() => boot({ sources: [constant()], storage, seedApproved: true }), {
      code: 'boot_counter',
      message: /cannot be stored.*repair the storage/,
    });
    const lines: string[] = [];
    const options = { sources: [good(draw)], storage, seedApproved: true };
    const entropy = boot({ ...options, report: (line) => void lines.push(line) });
    t.deepEqual([entropy.sources, entropy.boots], [['hwrng'], 0]);
    t.deepEqual(lines, ['deviceSeed: its counter could not be stored']);
    t.not(output(options), output(options));
  }
});

test('a damaged record is never begun anew', (t) => {
  const draw = draws(t);
  const storage = seeded(draw);
  const value = storage.get(BOOT_KEY)!;
  for (let at = 0; at < value.length; at++) {
    const bad = new Uint8Array(value);
    bad[at]! ^= 1;
    storage.set(BOOT_KEY, bad);
    t.throws(() => boot({ sources: [], storage, seedApproved: true }), { code: 'entropy_missing' });
    t.deepEqual(storage.get(BOOT_KEY), bad);
  }
});

test('the stored pool is replaced at every boot', (t) => {
  const draw = draws(t);
  const storage = seeded(draw);
  const pools = new Set<string>();
  for (let n = 0; n < 5; n++) {
    const value = storage.get(BOOT_KEY)!;
    t.is(getU32(value, 2), n);
    pools.add(toHex(value.subarray(6, 38)));
    boot({ sources: [], storage, seedApproved: true });
  }
  t.is(pools.size, 5);
});

test('a generator that has answered too often is refreshed from the same sources', (t) => {
  const draw = draws(t);
  const storage = seeded(draw);
  const options = { sources: [], storage, seedApproved: true };
  const entropy = boot(options);
  entropy.drbg[70] = DRBG_REQUESTS_MAX;
  t.throws(() => entropy.random(new Uint8Array(1)), { code: 'entropy_stale' });
  t.is(refreshEntropy(entropy, options).boots, 2);
  t.is(drbgRefusal(entropy.drbg), null);
});

test('a seed has 32 bytes', (t) => {
  for (const length of [0, 31, 33]) {
    t.throws(() => provisionSeed(memoryStorage(), new Uint8Array(length)), { code: 'invalid_input' });
  }
});

// ---- The use counter of provisioned credentials (X4) -----------------------------------------------------

test('X4: use numbers never repeat, restarts and cuts at every write included; flash sees few writes', (t) => {
  const draw = draws(t);
  for (const cutAfter of [false, true]) {
    const storage = testStorage();
    provisionUseCounter(storage);
    const seen = new Set<number>();
    let taken = 0;
    storage.writes = 0;
    storage.cutAfter = cutAfter;
    for (let boots = 0; boots < 40; boots++) {
      const counter = openUseCounter(storage);
      storage.cutAt = boots % 2 === 0 ? draw.below(3) : null;
      for (let n = draw.below(200); n > 0; n--) {
        try {
          seen.add(takeUse(counter));
          taken++;
        } catch (error) {
          t.is((error as { code?: string }).code, 'counter_unsaved');
          break;
        }
      }
    }
    t.is(seen.size, taken);
    t.true(storage.writes <= taken / USE_RESERVE + 40);
  }
});

test('X4: a use counter that is lost, damaged, used up or not kept is no counter', (t) => {
  const storage = testStorage();
  t.throws(() => openUseCounter(storage), { code: 'counter_lost', message: /provision a new credential/ });
  provisionUseCounter(storage);
  const value = storage.get(USE_COUNTER_KEY)!;
  value[3]! ^= 1;
  storage.set(USE_COUNTER_KEY, value);
  t.throws(() => openUseCounter(storage), { code: 'counter_lost' });
  t.throws(() => provisionUseCounter({ ...storage, set: () => undefined }), { code: 'counter_unsaved' });
  provisionUseCounter(storage);
  const counter = openUseCounter(storage);
  counter.next = counter.reserved = 0xfffffffd;
  t.deepEqual([takeUse(counter), takeUse(counter)], [0xfffffffd, 0xfffffffe]);
  t.throws(() => takeUse(counter), { code: 'counter_lost', message: /used up/ });
  t.throws(() => takeUse(openUseCounter(storage)), { code: 'counter_lost' });
});

test('a cut is an exception of its own', (t) => {
  const storage = testStorage();
  storage.cutAt = 0;
  t.throws(() => storage.set('a', new Uint8Array(1)), { instanceOf: PowerCut });
  t.is(storage.get('a'), null);
});

test('sizes of what is stored are those of docs/device-state.md', (t) => {
  const storage = memoryStorage();
  provisionSeed(storage, new Uint8Array(32));
  provisionUseCounter(storage);
  const table = readFileSync('docs/device-state.md', 'utf8');
  for (const key of [BOOT_KEY, USE_COUNTER_KEY]) {
    t.regex(table, new RegExp(`\\| \`${key}\` +\\| ${storage.get(key)!.length} `));
  }
});

test('with defer a credential stores its uses ahead, in turns of their own, and no nonce repeats', (t) => {
  const storage = memoryStorage();
  provisionUseCounter(storage);
  let writes = 0;
  let broken = false;
  const counting = {
    ...storage,
    set(key: string, value: Uint8Array): void {
      if (broken) throw new Error('worn out');
      writes++;
      storage.set(key, value);
    },
  };
  const provisioning = {
    id: new Uint8Array(16).fill(0x91),
    deviceSecret: new Uint8Array(32),
    anchor: new Uint8Array(16),
  };
  const turns: (() => void)[] = [];
  const uses = openUseCounter(counting, undefined, 4);
  const credential = deviceCredential(
    provisioning,
    1,
    uses,
    () => undefined,
    (act) => turns.push(act),
  );
  reserveAhead(uses);
  t.is(writes, 1);
  const seen = new Set<string>();
  const use = (): void => void seen.add(Buffer.from(credential.nonce!()).toString('hex'));
  for (let i = 0; i < 12; i++) {
    const before = writes;
    use();
    t.is(writes, before, 'nothing is stored while a nonce is made');
    while (turns.length > 0) turns.pop()!();
  }
  t.is(writes, 4);
  t.is(seen.size, 12);
  broken = true;
  for (let i = 0; i < 4; i++) use();
  while (turns.length > 0) turns.pop()!();
  t.throws(use, { code: 'counter_unsaved' });
  broken = false;
  use();
  t.is(seen.size, 17);
});
