// What a profile leaves out is not in its bundle: by size, and by what only its code says.

import test from 'ava';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { buildSized, readable } from './profiles.ts';
import type { Profile } from './profiles.ts';

const without =
  (...names: string[]) =>
  ({ features }: Profile): Partial<Profile> => ({
    features: features.filter((name) => !names.includes(name)),
  });

/** What only the code of a feature says, in the readable bundle of esp32-s3-psram, which has them all. */
const MARKS: readonly [
  name: string,
  change: (profile: Profile) => Partial<Profile>,
  mark: RegExp,
  least: number,
][] = [
  ['strict', without('strict'), /function (ratchetKeys|fallBack|acceptRatchet)\b/, 500],
  ['rekey', without('rekey'), /function (receiveRekey|startRekey|rekeyedChain)\b/, 1500],
  ['exactlyOnce', without('exactlyOnce'), /function (keepMessage|rewindKept|sendDelivered)\b/, 1500],
  ['sleep', without('sleep'), /function (sleepBytes|wakeWith)\b/, 700],
  ['paths', without('paths'), /function states\b|\.choose\(/, 200],
  ['identity', without('identity'), /function (sendIdentity|awaitIdentity|receiveIdentity)\b/, 300],
  [
    'trust',
    without('revocation', 'succession'),
    /function (dueHoldings|receiveTrust|receiveStatement)\b/,
    500,
  ],
  ['texts', without('texts'), /check both clocks|the peer closed the connection/, 5000],
  [
    'keepalive',
    () => ({ keepalive: { pollMs: 0, missed: 3 } }),
    /function (keepaliveInit|keepaliveDue|keepaliveWake)\b/,
    1500,
  ],
  [
    'rcs',
    (profile) => ({ ...without('strict')(profile), records: 'gcm' }),
    /function (rcsSeal|rcsXor)\b/,
    5000,
  ],
  // A sleeping device's bytes are sealed with it too.
  [
    'gcm',
    (profile) => ({ ...without('sleep')(profile), records: 'rcs' }),
    /function (aesGcmSeal|aesGcmOpen)\b/,
    3000,
  ],
  ['server', () => ({ role: 'client' }), /function (sendServerHello|acceptResumption|createServer)\b/, 500],
  ['the other suites', () => ({}), /\b(ML_KEM_512|ML_KEM_768|ML_DSA_44|ML_DSA_65)\b/, 0],
  [
    'the full handshake',
    () => ({
      features: ['resumption', 'provisioned', 'texts'],
      provider: 'none',
      role: 'client',
      buffers: { receive: 2048, handshake: 0, transmit: 2048 },
    }),
    /function (createClient|mlKemEncapsulate|mlDsaVerify)\b/,
    20_000,
  ],
];

/** Characters, blanks together as one. */
const size = (code: string): number => code.replace(/\s+/g, ' ').length;

let all: Promise<string> | null = null;
for (const [name, change, mark, least] of MARKS) {
  test.serial(`a bundle without ${name} has nothing of it`, async (t) => {
    all ??= readable(t, 'esp32-s3-psram');
    const [whole, less] = [await all, await readable(t, 'esp32-s3-psram', change)];
    if (least > 0) t.true(mark.test(whole), 'the mark is one');
    t.is(mark.exec(less)?.[0], undefined);
    const saved = size(whole) - size(less);
    t.true(saved >= least, `${saved} characters less, ${least} are due`);
  });
}

test('a client has no code that signs, or makes keys', async (t) => {
  const change = ({ features }: Profile): Partial<Profile> => ({
    features: features.filter((name) => name !== 'rekey' && name !== 'identity'),
  });
  const code = await readable(t, 'esp32', change);
  t.deepEqual(
    code.match(/function (mlDsaSign|mlDsaKeygen|mlKemKeygen|mlKemDecapsulate)(Step|Begin)?\(/g),
    null,
  );
  t.true(code.includes('function mlDsaVerify'));
});

test('a Deno bundle that dials out only has no server, and no cryptography but the record ciphers', async (t) => {
  const { folder, size } = await buildSized(t, 'deno-worker-outbound');
  const code = await readFile(path.join(folder, 'qstp.js'), 'utf8');
  t.deepEqual(
    code.match(/Deno\.listen|function createServer\b|ml_kem768|ml_dsa65|function loadModule\b/g),
    null,
  );
  t.deepEqual(
    size.modules.filter(({ module }) => /noble|ml-kem|ml-dsa|ticket-store|server\.ts/.test(module)),
    [],
  );
});

for (const name of ['deno-edge', 'rtu-gateway']) {
  test(`${name}: nothing of noble, and the kernels over the Keccak of gateways`, async (t) => {
    const { size } = await buildSized(t, name);
    const modules = size.modules.map(({ module }) => module);
    t.deepEqual(
      modules.filter((module) => module.includes('noble')),
      [],
    );
    for (const kernel of ['gateway/keccak-f', 'micro/keccak-f', 'micro/ml-kem', 'micro/ml-dsa']) {
      t.true(modules.includes(`src/crypto/${kernel}.ts`), kernel);
    }
  });
}

test('a lean Deno worker has no cipher, no chooser and no sentences of its own', async (t) => {
  const { folder, size } = await buildSized(t, 'deno-worker-lean');
  const code = await readFile(path.join(folder, 'qstp.js'), 'utf8');
  t.deepEqual(
    size.modules.filter(({ module }) =>
      /rijndael|micro\/(aes|rcs|keccak)|qace\/(metrics|simple)|rekey|noble/.test(module),
    ),
    [],
  );
  t.regex(code, /^import .* from 'node:crypto';$/m);
  t.deepEqual(code.match(/createPathChooser|the peer closed the connection/g), null);
});

test('endpoints in their order are a feature by themselves', async (t) => {
  const order = /waitOf\(e, i, now\) < waitOf\(e, best, now\)/;
  const choice = /\.choose\(/;
  const code = await readable(t, 'deno-worker-lean');
  t.true(order.test(code));
  t.false(choice.test(code));
  t.false(order.test(await readable(t, 'deno-worker-lean', without('failover'))));
  const paths = await readable(t, 'deno-worker-lean', ({ features }) => ({
    features: features.map((name) => (name === 'failover' ? 'paths' : name)),
  }));
  t.true(order.test(paths));
  t.true(choice.test(paths));
});

test('records in the place of the kernels are for gateways', async (t) => {
  const mark = /function loadModule\b|\.forget\(/g;
  t.is((await readable(t, 'rtu-gateway')).match(mark)?.length, 3);
  t.deepEqual((await readable(t, 'esp32')).match(mark), null);
  t.deepEqual((await readable(t, 'espruino-pico-class')).match(mark), null);
});

test('names are shortened where nobody outside can use them, and only there', async (t) => {
  const { folder } = await buildSized(t, 'esp32');
  const code = await readFile(path.join(folder, 'qstp.min.js'), 'utf8');
  t.deepEqual(code.match(/followHandshake|receiveWaiting|giveHandshakeBuffer|cancelRetry/g), null);
  // Options, results, metrics, what users give and get.
  for (const name of ['pollMs', 'handshakeDeadlineMs', 'forwardSecrecySince', 'encapsulateInto', 'closed']) {
    t.true(code.includes(name), name);
  }
});

test("so they are on Deno, where a connection and the platform are the users'", async (t) => {
  for (const profile of ['deno-edge', 'deno-worker-lean']) {
    const { folder } = await buildSized(t, profile);
    const code = await readFile(path.join(folder, 'qstp.min.js'), 'utf8');
    t.deepEqual(code.match(/followHandshake|receiveWaiting|giveHandshakeBuffer|rxEpoch/g), null, profile);
    const ours = ['pollMs', 'forwardSecrecySince', 'fullHandshake', 'messageMax', 'endpoints', 'keygenInto'];
    const theirs = ['importKey', 'encapsulateBits', 'sharedKey', 'desiredSize', 'pull:', 'versionstamp'];
    for (const name of [...ours, ...theirs]) t.true(code.includes(name), `${profile}: ${name}`);
  }
});
