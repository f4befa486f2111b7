// The bundle of the profile esp32-lean over stand-ins of Moddable's modules, on Node and on XS: the same lines.
import test from 'ava';
import { readFile } from 'node:fs/promises';
import { createContext, runInContext } from 'node:vm';
import { generateServerKey, signServerCertificate } from '../../src/cert/issue.ts';
import { encodeKey } from '../../src/cert/key-file.ts';
import { toHex } from '../../src/bytes.ts';
import { bankName, splitValue } from '../../src/link/storage-parts.ts';
import { anchoredValues } from '../../targets/node/provision/anchored.ts';
import { newRecord } from '../../targets/node/provision/record.ts';
import { bundleScript, PRELOAD } from '../engines/bundle.ts';
import { startXs } from '../engines/xs.ts';
import { newChain } from '../session/pair.ts';
import { asFunction, frozen, moddableBundle } from './moddable/bundle.ts';
import { names } from './moddable/lean-scenarios.ts';

const PATIENCE_MS = 600_000;
const chain = newChain(2, 'moddable-lean');
const record = newRecord({
  deviceId: 'sensor-1',
  profile: 'esp32-lean',
  root: chain.root.bytes,
  server: chain.server.bytes,
  random: chain.random('device'),
  now: chain.now,
  withCredential: true,
});
const other = generateServerKey(chain.crypto, 'gateway.qrc', 100, chain.now - 100, chain.random('other'));
const fixture = JSON.stringify({
  root: toHex(chain.root.bytes),
  server: toHex(chain.server.bytes),
  key: toHex(encodeKey(chain.key)),
  now: chain.now,
  renewed: [
    {
      server: toHex(
        signServerCertificate(chain.crypto, chain.root, chain.rootKey, other, new Uint8Array(32)).bytes,
      ),
      key: toHex(encodeKey(other)),
    },
  ],
  // As the NVS image has them.
  values: anchoredValues(record).map(({ key, value }) => ({
    name: `${bankName('qstp', 0, 0)}/${key}`,
    hex: toHex(splitValue(value, 0)[0]!),
  })),
  credential: {
    id: toHex(record.credential!.id),
    deviceSecret: toHex(record.credential!.deviceSecret),
  },
});
let scenarios: string;
let bundle: Awaited<ReturnType<typeof moddableBundle>>;

function script(code: string): string {
  return `${scenarios}\nglobalThis.load = ${asFunction(code)};
    globalThis.play = (name) => scenarios.play(name, { load }, ${fixture});
    globalThis.connecting = (keys) => scenarios.connecting(keys, { load }, ${fixture});`;
}

const told: Record<string, string> = {};

test.before(async (t) => {
  t.timeout(PATIENCE_MS);
  scenarios = await bundleScript('test/targets/moddable/lean-scenarios.ts', { name: 'scenarios' });
  bundle = await moddableBundle('esp32-lean');
  const context = createContext({ trace: () => undefined });
  runInContext(script(bundle.minified), context);
  for (const name of names) told[name] = runInContext(`play('${name}')`, context) as string;
});

const expected: Record<string, string> = {
  life: `
connected, steps 39 15 5
server: full handshake
true, wakes in true
data one
error disconnected
close true
server: disconnected
connected, steps 39 15 5 39 5
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
connected, steps 39 15 5
server: full handshake
refused: qstp.anchor_missing
refused: boot_counter
connected, steps 39 15 5
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
      await worker.evaluate('globalThis.trace = () => undefined;');
      if (preload) await worker.evaluate(PRELOAD);
      await worker.evaluate(script(preload ? frozen(bundle.readable) : bundle.minified));
      for (const name of preload ? ['life', 'socket'] : names) {
        const { output } = await worker.evaluate(`print(play('${name}'))`);
        t.is(output.join('\n'), told[name]!, name);
      }
    } finally {
      worker.close();
    }
  });
}

interface Budgets {
  readonly handshakeComputrons: number;
  readonly resumeComputrons: number;
}

test('XS: a handshake and a resumption are within the budgets of the profile', async (t) => {
  t.timeout(PATIENCE_MS);
  const { budgets } = JSON.parse(await readFile('firmware-profiles/esp32-lean.json', 'utf8')) as {
    budgets: Budgets;
  };
  const worker = await startXs({ timeout: PATIENCE_MS });
  try {
    await worker.evaluate(`globalThis.trace = () => undefined;\n${script(bundle.minified)}`);
    const computrons = async (code: string): Promise<[string, number]> => {
      const { output, meter } = await worker.evaluate(code);
      return [output.join(''), meter.compute];
    };
    for (const [keys, most] of [
      ['certificate', budgets.handshakeComputrons],
      ['credential', budgets.resumeComputrons],
    ] as const) {
      await worker.evaluate(`globalThis.step = connecting('${keys}')`);
      let sum = 0;
      for (let owner = ''; owner !== 'null';) {
        const [printed, cost] = await computrons('print(String(step()))');
        if (printed === 'true') sum += cost;
        owner = printed;
      }
      t.log(`${keys}: ${sum} computrons`);
      t.true(sum > 100_000);
      t.true(sum <= most, `${keys}: ${sum}, over ${most}`);
    }
  } finally {
    worker.close();
  }
});
