// The executor asks stores, which answer at once, later, or not at all.
import test from 'ava';
import { createExecutor } from '../../src/link/executor.ts';
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
