// The executor asks stores, which answer at once, later, or not at all.
import test from 'ava';
import { createExecutor } from '../../src/link/executor.ts';
import type { CryptoJob } from '../../src/crypto/job.ts';
import { noble } from '../../src/crypto/noble.ts';

const crypto = noble.suite(1);

test('a store may answer later, and what comes after it does not wait', (t) => {
  const turns: (() => void)[] = [];
  const execute = createExecutor((turn) => turns.push(turn));
  const heard: string[] = [];
  let late = (_good: boolean): void => undefined;
  execute(crypto, { op: 'call', call: (done) => void (late = done) }, (good) => heard.push(`late ${good}`));
  execute(crypto, { op: 'call', call: (done) => done(true) }, (good) => heard.push(`at once ${good}`));
  while (turns.length > 0) turns.shift()!();
  t.deepEqual(heard, ['at once true']);
  late(true);
  late(false);
  t.deepEqual(heard, ['at once true', 'late true'], 'one answer counts');
});

test('a store that throws has answered no; who was cancelled hears nothing', (t) => {
  const turns: (() => void)[] = [];
  const execute = createExecutor((turn) => turns.push(turn));
  const heard: string[] = [];
  const fail = (): never => {
    throw new Error('disk');
  };
  execute(crypto, { op: 'call', call: fail }, (good) => heard.push(`${good}`));
  let late = (_good: boolean): void => undefined;
  const cancel = execute(crypto, { op: 'call', call: (done) => void (late = done) }, () => heard.push('no'));
  while (turns.length > 0) turns.shift()!();
  cancel();
  late(true);
  t.deepEqual(heard, ['false']);
});

test('a suite that does jobs by itself is asked first, and is told of a job given up', (t) => {
  const turns: (() => void)[] = [];
  const execute = createExecutor((turn) => turns.push(turn));
  const heard: string[] = [];
  const started: { op: string; done: (good: boolean) => void }[] = [];
  let givenUp = 0;
  const engine = {
    ...crypto,
    start(job: CryptoJob, done: (good: boolean) => void) {
      if (job.op === 'verify') return null;
      started.push({ op: job.op, done });
      return () => void givenUp++;
    },
  };
  const keys = { publicKey: new Uint8Array(800), secretKey: new Uint8Array(1632) };
  const keygen = { op: 'keygen', seed: new Uint8Array(64), ...keys } as const;
  execute(engine, keygen, (good) => heard.push(`keygen ${good}`));
  const cancel = execute(engine, keygen, () => heard.push('no'));
  t.deepEqual([started.length, turns.length], [2, 0], 'begun at once');
  const none = new Uint8Array(0);
  execute(engine, { op: 'verify', signature: none, message: none, publicKey: none }, (good) =>
    heard.push(`verify ${good}`),
  );
  while (turns.length > 0) turns.shift()!();
  t.deepEqual(heard, ['verify false'], "what is not the engine's is run as ever, and does not wait for it");
  started[0]!.done(true);
  t.deepEqual(heard, ['verify false', 'keygen true']);
  cancel();
  t.is(givenUp, 1);
});
