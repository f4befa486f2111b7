// The bundle of the profile esp32-lean over stand-ins of Moddable's modules, on Node and on XS: the same lines.
import test from 'ava';
import { readFileSync } from 'node:fs';
import { overBudget } from '../../bench/budgets.ts';
import type { Budgeted } from '../../bench/budgets.ts';
import type { Figures } from '../../bench/figures.ts';
import { leanComputrons } from '../../bench/lean.ts';
import { leanState } from '../../bench/state.ts';
import { leanFixture, leanScript } from './moddable/lean-fixture.ts';
import { names } from './moddable/lean-scenarios.ts';
import { PATIENCE_MS, playScenarios } from './moddable/play.ts';

const fixture = leanFixture();
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
a flood while it verifies: error record_too_large, close true
S4 changed: error cookie, close true
R2 changed: error resume_proof, close true
a record changed: connected, steps 5, error authentication, close true
nobody there: error connect_failed, close true
noise: error sequence, close true
silence: error peer_error, close true`,
  socket: `
writable true
server: resumed
RangeError: either "buffer" or "number"
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

const bundle = playScenarios('esp32-lean', {
  names,
  expected,
  frozen: ['life', 'socket'],
  script: (code) => leanScript(code, fixture),
});

const profile = JSON.parse(readFileSync('firmware-profiles/esp32-lean.json', 'utf8')) as Budgeted;

test('XS: a handshake and a resumption are within the budgets of the profile', async (t) => {
  t.timeout(PATIENCE_MS);
  const figures: Figures = {};
  await leanComputrons(figures, bundle().minified);
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
