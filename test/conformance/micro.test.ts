import test from 'ava';
import { RATE_128, RATE_256, RATE_512 } from '../../src/crypto/micro/sponge.ts';
import { bundleScript, GLOBAL } from '../engines/micro/bundle.ts';
import { engine, measure, type MicroEngine } from '../engines/micro/operations.ts';
import { EngineFailure } from '../engines/micro/program.ts';
import { vectors } from '../vectors.ts';

interface HashFile {
  cshake: { strength: number; key: string; name: string; custom: string; out: string }[];
  kmac: { strength: number; key: string; custom: string; msg: string; out: string }[];
  shake: { strength: number; msg: string; out: string }[];
  sha3_256: { msg: string; out: string }[];
}
interface RcsFile {
  single: { key: string; nonce: string; aad: string; msg: string; ct: string; nonceAfter: string }[];
  multi: { key: string; nonce: string; packets: { aad: string; msg: string; ct: string }[] }[];
}

const rates: Record<number, number> = { 128: RATE_128, 256: RATE_256, 512: RATE_512 };
/** An engine that is not built yet takes a minute to build, more if it must be installed. */
const PATIENCE_MS = 900_000;

function call(name: string, ...values: unknown[]): string {
  return `${GLOBAL}.${name}(${values.map((v) => JSON.stringify(v)).join(', ')})`;
}

/** Every `step`-th case of a list: one at least. */
function some<T>(list: T[], step: number): T[] {
  return list.filter((_, i) => i % step === 0);
}

function hashCalls(step: number): string[] {
  const file = vectors<HashFile>('hash.json');
  return [
    ...some(file.sha3_256, step).map((c) => call('checkSha3', c.msg, c.out)),
    ...some(file.shake, step).map((c) => call('checkShake', rates[c.strength], c.msg, c.out)),
    ...some(file.cshake, step).map((c) =>
      call('checkCshake', rates[c.strength], c.key, c.name, c.custom, c.out),
    ),
    ...some(file.kmac, step).map((c) => call('checkKmac', rates[c.strength], c.key, c.msg, c.custom, c.out)),
  ];
}

function rcsCalls(step: number): string[] {
  const file = vectors<RcsFile>('rcs.json');
  return [
    ...some(file.single, step).map((c) => call('checkRcs', c.key, c.nonce, c.aad, c.msg, c.ct, c.nonceAfter)),
    ...some(file.multi, step).map((c) =>
      call('checkRcsChain', c.key, c.nonce, c.packets.map((p) => [p.aad, p.msg, p.ct]).flat()),
    ),
  ];
}

/** The rp2040 takes one case in eight: its emulator runs some 50 million cycles a second. */
const steps: Record<MicroEngine, number> = { m4: 1, rp2040: 8 };

for (const name of ['m4', 'rp2040'] as const) {
  test.serial(`${name}: hash and RCS known answers in a device's arena`, async (t) => {
    t.timeout(PATIENCE_MS);
    const source = await bundleScript();
    const cases: [string, string[]][] = [
      ['hash', hashCalls(steps[name])],
      ['rcs', rcsCalls(steps[name])],
    ];
    for (const [kind, expressions] of cases) {
      t.true(expressions.length > 0, kind);
      const { calls } = await engine(name)(source, { expressions });
      t.is(calls.length, expressions.length);
      const wrong = calls.filter((c) => c.value !== 'true');
      t.deepEqual(wrong, []);
      t.log(`${name}: ${calls.length} ${kind} known answers`);
    }
  });

  test.serial(`${name}: a wrong answer, an exception and a full arena are told apart`, async (t) => {
    t.timeout(PATIENCE_MS);
    const source = await bundleScript();
    const run = engine(name);
    const expressions = [call('checkSha3', '', '00'), 'nothing()', 'new Uint8Array(20000).length'];
    const { calls } = await run(source, { expressions });
    t.is(calls[0]!.value, 'false');
    t.regex(calls[1]!.thrown ?? '', /^ReferenceError/);
    t.is(calls[2]!.value, '20000');
    const small = { arenaBytes: 20_000, expressions };
    const error = await t.throwsAsync(run(source, small), { instanceOf: EngineFailure });
    t.is(error.reason, 'memory full');
    const recursion = { expressions: ['(function f() { return 1 + f(); })()'] };
    t.is((await t.throwsAsync(run('', recursion), { instanceOf: EngineFailure })).reason, 'stack overflow');
  });

  test.serial(`${name}: counts repeat, and nothing is allocated inside an operation`, async (t) => {
    t.timeout(PATIENCE_MS);
    const first = await measure(name);
    const second = await measure(name);
    t.true(first.length > 0);
    for (const [i, a] of first.entries()) {
      t.true(Math.abs(a.count - second[i]!.count) <= 80, `${a.operation}: ${a.count}, ${second[i]!.count}`);
      t.is(a.allocated, 0, a.operation);
      t.log(`${name}: ${a.operation} ${a.count}, heap ${a.heap}, C stack ${a.cStack}, stack ${a.stack}`);
    }
  });
}

test.serial('m4: Keccak-f[1600] stays within 1.15 million instructions', async (t) => {
  t.timeout(PATIENCE_MS);
  const all = await measure('m4');
  const keccak = all.find((m) => m.operation === 'keccakF1600');
  t.true(keccak!.count > 0 && keccak!.count <= 1_150_000, String(keccak!.count));
});
