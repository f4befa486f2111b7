// The bundle of the profile esp32-lean over stand-ins of Moddable's modules, on Node and on XS: the same lines.
import test from 'ava';
import { readFileSync } from 'node:fs';
import { createContext, runInContext } from 'node:vm';
import { overBudget } from '../../bench/budgets.ts';
import type { Budgeted } from '../../bench/budgets.ts';
import type { Figures } from '../../bench/figures.ts';
import { leanComputrons } from '../../bench/lean.ts';
import { leanState } from '../../bench/state.ts';
import { PRELOAD } from '../engines/bundle.ts';
import { startXs } from '../engines/xs.ts';
import { frozen, moddableBundle } from './moddable/bundle.ts';
import { leanFixture, leanScript } from './moddable/lean-fixture.ts';
import { names } from './moddable/lean-scenarios.ts';

const PATIENCE_MS = 600_000;
const fixture = leanFixture();
let bundle: Awaited<ReturnType<typeof moddableBundle>>;

const told: Record<string, string> = {};

test.before(async (t) => {
  t.timeout(PATIENCE_MS);
  bundle = await moddableBundle('esp32-lean');
  const context = createContext({});
  runInContext(await leanScript(bundle.minified, fixture), context);
  for (const name of names) told[name] = runInContext(`play('${name}')`, context) as string;
});

const expected: Record<string, string> = {
  life: `
connected, steps 40 15 5
server: full handshake
true, wakes in true
data one
error disconnected
close true
server: disconnected
connected, steps 40 15 5 39 5
server: resumed
data two
qstp.a/qstp.anchor qstp.b/qstp.boot qstp.b/qt.3a7a078801f1
connected, steps 5
server: resumed
close false
server: peer_closed
late: not_connected
sockets open: 0, got one, two`,
  credential: `
connected, steps 5
server: resumed
idle for 100 s: 225 bytes, 1 peer
error keepalive_expired
close true
server: disconnected
server refuses: handshake_timeout
error peer_error
close true
server refuses: handshake_timeout
error peer_error
close true
server refuses: handshake_timeout
error peer_error
close true
connected, steps 5 1 5
server: resumed
peers: 1`,
  entropy: `
refused: qstp.boot_missing
refused: entropy_failed
connected, steps 40 15 5
server: full handshake
refused: qstp.anchor_missing
refused: boot_counter
connected, steps 40 15 5
server: full handshake`,
  hostile: `
another key: error response_signature, close true
another credential: error peer_error, close true
the signature changed: error response_signature, close true
the key changed: error response_hash, close true
S4 changed: error cookie, close true
R2 changed: error resume_proof, close true
a record changed: connected, steps 5, error authentication, close true
nobody there: error connect_failed, close true
noise: error sequence, close true
silence: error peer_error, close true`,
  socket: `
writable true
server: resumed
RangeError: the format is "buffer" or "number"
left 40, format buffer
read 104,101 l 2lo 5, undefined
would_block
socket: no_slot
server: closed
socket: peer_closed
then bye3
server: resumed
sockets open: 1`,
};

for (const name of names) {
  test(`Node: ${name}`, (t) => {
    t.is(told[name]!, expected[name]!.trim());
  });
}

for (const preload of [false, true]) {
  test(`XS: the same${preload ? ', with every module-level object frozen' : ''}`, async (t) => {
    t.timeout(PATIENCE_MS);
    const worker = await startXs({ timeout: PATIENCE_MS });
    try {
      if (preload) await worker.evaluate(PRELOAD);
      const code = preload ? await frozen(bundle.readable) : bundle.minified;
      await worker.evaluate(await leanScript(code, fixture));
      for (const name of preload ? ['life', 'socket'] : names) {
        const { output } = await worker.evaluate(`print(play('${name}'))`);
        t.is(output.join('\n'), told[name]!, name);
      }
    } finally {
      worker.close();
    }
  });
}

const profile = JSON.parse(readFileSync('firmware-profiles/esp32-lean.json', 'utf8')) as Budgeted;

test('XS: a handshake and a resumption are within the budgets of the profile', async (t) => {
  t.timeout(PATIENCE_MS);
  const figures: Figures = {};
  await leanComputrons(figures, bundle.minified);
  t.log(figures);
  t.true(Object.values(figures).every((count) => count > 100_000));
  t.is(Object.keys(figures).length, 3);
  t.true(figures['xs.lean.handshake.keys.computrons']! < figures['xs.lean.handshake.first.computrons']!);
  t.deepEqual(overBudget(figures, profile), []);
});

test('XS: a connection keeps no more than the budget of the profile, everything counted', async (t) => {
  t.timeout(PATIENCE_MS);
  const { bytes, off } = await leanState();
  t.log(bytes);
  t.true(bytes > 1000);
  t.deepEqual(overBudget({ 'xs.lean.state.bytes': bytes }, profile), []);
  t.true(off < 16, `connections differ by ${off} bytes`);
});
