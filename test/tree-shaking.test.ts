// What a profile leaves out is not in its bundle: by size, and by what only its code says.

import test from 'ava';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { buildSized } from './profiles.ts';
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
    /function (sendHoldings|receiveTrust|receiveStatement)\b/,
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
  ['gcm', () => ({ records: 'rcs' }), /function (aesGcmSeal|aesGcmOpen)\b/, 3000],
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

/** Where all of it is. */
const FULL = 'esp32-s3-psram';
const full = test.macro(
  async (t, change: (profile: Profile) => Partial<Profile>, mark: RegExp, least: number) => {
    const [all, less] = [await buildSized(t, FULL), await buildSized(t, FULL, change)];
    const read = (folder: string): Promise<string> => readFile(path.join(folder, 'qstp.js'), 'utf8');
    if (least > 0) t.regex(await read(all.folder), mark, 'the mark is one');
    t.notRegex(await read(less.folder), mark);
    const saved = all.size.minBytes - less.size.minBytes;
    t.true(saved >= least, `${saved} bytes less, ${least} are due`);
  },
);
for (const [name, change, mark, least] of MARKS) {
  test.serial(`a bundle without ${name} has nothing of it`, full, change, mark, least);
}

test('a client has no code that signs, or makes keys', async (t) => {
  const change = ({ features }: Profile): Partial<Profile> => ({
    features: features.filter((name) => name !== 'rekey' && name !== 'identity'),
  });
  const { folder } = await buildSized(t, 'esp32', change);
  const code = await readFile(path.join(folder, 'qstp.js'), 'utf8');
  t.notRegex(code, /function (mlDsaSign\w*|mlDsaKeygen\w*|mlKemKeygen\w*|mlKemDecapsulate\w*)\(/);
  t.regex(code, /function mlDsaVerify/);
});

test('a Deno bundle that dials out only has no server, and no cryptography but the record ciphers', async (t) => {
  const { folder, size } = await buildSized(t, 'deno-worker-outbound');
  const code = await readFile(path.join(folder, 'qstp.js'), 'utf8');
  t.notRegex(code, /Deno\.listen|function createServer\b|ml_kem768|ml_dsa65/);
  t.deepEqual(
    size.modules.filter(({ module }) => /noble|ml-kem|ml-dsa|ticket-store|server\.ts/.test(module)),
    [],
  );
});

test('names are shortened where nobody outside can use them, and only there', async (t) => {
  const { folder } = await buildSized(t, 'deno-edge');
  const code = await readFile(path.join(folder, 'qstp.min.js'), 'utf8');
  t.notRegex(code, /followHandshake|receiveWaiting|giveHandshakeBuffer|cancelRetry/);
  // Options, results, metrics, what users give and get.
  for (const name of [
    'pollMs',
    'handshakeDeadlineMs',
    'forwardSecrecySince',
    'encapsulateInto',
    'readable',
    'closed',
  ]) {
    t.true(code.includes(name), name);
  }
});
