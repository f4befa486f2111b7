// The suite on the emulated Cortex-M4. Bundles with a full handshake take it minutes: but for the leanest, with QSTP_DEEP=1.
import test from 'ava';
import { EngineFailure } from '../engines/micro/program.ts';
import { BundleProgram } from '../engines/micro/replay.ts';
import { KEPT_BYTES, keptSecrets, testOn } from './micro-suite.ts';
import type { MicroTarget } from './micro-suite.ts';
import { SUITE } from './suite.ts';

const CI: readonly MicroTarget[] = [
  { target: 'm4', profile: 'esp8266-class' },
  { target: 'm4', profile: 'esp32-lean' },
];
const DEEP: readonly MicroTarget[] = [
  // More than its profile's machine: a device with an identity that comes back after a revocation takes 90 kB beside the
  // loaded bundle, not 88.
  { target: 'm4', profile: 'esp32', bytes: 104_000 },
  { target: 'm4', profile: 'esp32-s3-psram' },
  { target: 'rp2040', profile: 'esp8266-class' },
  // All that the board has beside the loaded bundle, which is less than the profile's machine. A full handshake takes
  // minutes: one after the other, not all of the checks that are full of them.
  {
    target: 'rp2040',
    profile: 'esp32-lean',
    bytes: 56 * 1024,
    checks: (name) => /^(wipe|the scenario)/.test(name),
  },
];

const deep = process.env['QSTP_DEEP'] === '1';
await testOn(test, deep ? [...CI, ...DEEP] : CI);

const LEAN = 'esp32-lean';
const CONNECTS = SUITE.find(({ name }) => name.startsWith('a provisioned credential'))!;

test.serial('m4: a wrong answer fails, at its step', async (t) => {
  const program = await BundleProgram.of(LEAN);
  const [machine] = await program.record((rig) => CONNECTS.run(rig));
  const at = machine!.findIndex(({ out }) => out.some(([name]) => name === 'got'));
  const wrong = machine!.map((step, i) => (i === at ? { ...step, out: [['got', 'read 2'] as const] } : step));
  const { message } = await t.throwsAsync(program.replay(wrong), { instanceOf: EngineFailure });
  t.regex(
    message,
    new RegExp(`^m4: call ${at}: \\[\\["got","read 1"\\]\\] instead of \\[\\["got","read 2"\\]\\]`),
  );
});

test.serial('m4: another bundle fails', async (t) => {
  const program = await BundleProgram.of(LEAN);
  const [machine] = await program.record((rig) => CONNECTS.run(rig));
  // What its hello says of itself.
  const other = await BundleProgram.of(LEAN, {
    change: (code) => code.replace(/[0-9a-f](?=[0-9a-f]{63})/, 'x'),
  });
  const { message } = await t.throwsAsync(other.replay(machine!), { instanceOf: EngineFailure });
  t.regex(message, /^m4: call \d+: .*"send".* instead of .*"send"/);
});

test.serial('m4: a machine in which a step does not fit fails', async (t) => {
  const program = await BundleProgram.of(LEAN);
  const [machine] = await program.record((rig) => CONNECTS.run(rig));
  const { reason } = await t.throwsAsync(program.replay(machine!, { bytes: 16 * 1024 }), {
    instanceOf: EngineFailure,
  });
  t.is(reason, 'memory full');
});

test.serial('m4: a secret that is not wiped is found, in a buffer or where it is kept', async (t) => {
  const wipes = SUITE.find(({ name }) => name.startsWith('wipe'))!;
  const file = 'qstp.js';
  const program = await BundleProgram.of(LEAN, { file });
  const [machine] = await program.record((rig) => wipes.run(rig));
  const instead = (statement: string) => (code: string) => {
    const changed = code.replace('shared.fill(0)', statement);
    t.not(changed, code, 'there is something to change');
    return changed;
  };
  const kept = await BundleProgram.of(LEAN, { file, change: instead('globalThis.kept = shared') });
  const { searches } = await kept.replay(machine!, { searching: true });
  t.true(keptSecrets(machine!, searches).length > 0);
  const left = await BundleProgram.of(LEAN, { file, change: instead('shared.length') });
  const bytes = program.room + KEPT_BYTES;
  const { message } = await t.throwsAsync(left.replay(machine!, { bytes }), { instanceOf: EngineFailure });
  t.regex(message, /^m4: call \d+: \[\["found",1\]\] instead of \[\["found",0\]\]/);
});
