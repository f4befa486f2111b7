// The command on trust: client identities, revocation lists, renewals, rollovers, passphrases; and that bad input is one
// clear line after which nothing is lost.
import test from 'ava';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { toHex } from '../../src/bytes.ts';
import { loadIdentity } from '../../targets/node/identity.ts';
import { encodeCertificate } from '../../src/cert/certificate.ts';
import { readCertificate } from '../../src/cert/text.ts';
import { decodeRevocationList } from '../../src/cert/revocation.ts';
import { decodeSuccession } from '../../src/cert/succession.ts';
import { noble } from '../../src/crypto/noble.ts';
import { rootSignature } from '../../src/cert/issue.ts';
import { decodeKey } from '../../src/cert/key-file.ts';
import type { RootKey } from '../../src/cert/key-file.ts';
import { listOf, newWorld } from '../cert/trust.ts';

const COMMAND = path.resolve('bin/qstp.mjs');
const base = mkdtempSync(path.join(tmpdir(), 'qstp-trust-cli-'));
test.after.always(() => rmSync(base, { recursive: true, force: true }));

interface Result {
  code: number | null;
  out: string;
  err: string;
}

/** Runs the command in `cwd`; `secret` is a file that descriptor 3 reads. */
function run(
  cwd: string,
  args: string[],
  more: { secret?: string; env?: Record<string, string> } = {},
): Result {
  const third = more.secret === undefined ? 'ignore' : openSync(more.secret, 'r');
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...args], {
    cwd,
    env: { ...process.env, ...more.env },
    stdio: ['ignore', 'pipe', 'pipe', third],
    encoding: 'utf8',
  });
  if (typeof third === 'number') closeSync(third);
  return { code: status, out: stdout, err: stderr };
}

function good(cwd: string, args: string[]): string {
  const { code, out, err } = run(cwd, args);
  if (code !== 0) throw new Error(`${args.join(' ')}: ${err}`);
  return out;
}

const json = <T>(cwd: string, args: string[]): T => JSON.parse(good(cwd, [...args, '--json'])) as T;

/** A copy of a folder with a root, a signed server and a signed client of suite 1. */
let prepared: string | null = null;
function fleet(): string {
  if (prepared === null) {
    prepared = mkdtempSync(path.join(base, 'fleet-'));
    good(prepared, ['root', 'new', '--suite', '1', '--days', '700', '--issuer', 'fleet.qrr']);
    good(prepared, ['server', 'new', '--suite', '1', '--issuer', 'gateway.qrc']);
    good(prepared, ['client', 'new', '--suite', '1', '--issuer', 'device.qcc']);
    good(prepared, ['root', 'sign']);
    good(prepared, ['root', 'sign', 'client_public_cert.qcc']);
  }
  const made = mkdtempSync(path.join(base, 'case-'));
  cpSync(prepared, made, { recursive: true });
  return made;
}

function contents(cwd: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(cwd).map((name) => [
      name,
      name.includes('.') ? readFileSync(path.join(cwd, name)).toString('hex') : 'folder',
    ]),
  );
}

test.serial('client new, root sign, client show, cert verify', (t) => {
  const cwd = fleet();
  const shown = json<{ kind: string; issuer: string; signed: boolean }>(cwd, ['client', 'show']);
  t.like(shown, { kind: 'client', issuer: 'device.qcc', signed: true });
  t.regex(good(cwd, ['cert', 'verify', 'client_public_cert.qcc']), /good, signed by root_public_cert.qrr/);
  good(cwd, ['cert', 'convert', 'client_public_cert.qcc', 'client.txt']);
  t.regex(good(cwd, ['cert', 'show', 'client.txt']), /client certificate/);
  t.regex(
    run(cwd, ['server', 'show', 'client_public_cert.qcc']).err,
    /is a client certificate; a server certificate/,
  );
  t.regex(
    run(cwd, ['client', 'show', 'server_public_cert.qrc']).err,
    /is a server certificate; a client certificate/,
  );
  t.regex(
    run(cwd, ['serve', '--port', '0', '--cert', 'client_public_cert.qcc', '--key', 'client_secret_key.qsk'])
      .err,
    /is a client certificate; a server certificate is needed/,
  );
  t.regex(run(cwd, ['root', 'sign', 'root_public_cert.qrr']).err, /a server or client certificate is needed/);
});

test.serial('cert show warns 60, 30 and 7 days before the end', (t) => {
  const cwd = fleet();
  const file = 'short.qrc';
  for (const [days, warning] of [
    [61, 0],
    [60, 60],
    [30, 30],
    [7, 7],
  ] as const) {
    const key = ['--key', 'short.qsk', '--cert', file, '--force', '--issuer', 'short.qrc'];
    good(cwd, ['server', 'new', '--suite', '1', '--days', String(days), ...key]);
    const [shown] = json<{ expiryWarning: number }[]>(cwd, ['cert', 'show', file]);
    t.is(shown!.expiryWarning, warning);
    const text = good(cwd, ['cert', 'show', file]);
    if (warning === 0) t.notRegex(text, /RENEW/);
    else t.regex(text, /days left: RENEW, `qstp server renew`\)/);
  }
});

test.serial('root revoke: makes a list, adds to it, issues it anew; crl shows and verifies it', (t) => {
  const cwd = fleet();
  interface Shown {
    number: number;
    count: number;
    serials: string[];
    added: string[];
    left: string[];
    state: string;
    nextUpdate: number;
    issued: number;
  }
  const { serial } = json<{ serial: string }>(cwd, ['client', 'show']);
  const first = json<Shown>(cwd, ['root', 'revoke', serial]);
  t.like(first, { number: 1, count: 1, serials: [serial], added: [serial], state: 'current' });
  t.is(first.nextUpdate - first.issued, 30 * 86400);
  const second = json<Shown>(cwd, ['root', 'revoke', 'server_public_cert.qrc', serial, '--next-update', '7']);
  t.like(second, { number: 2, count: 2 });
  t.is(second.added.length, 1);
  t.is(second.nextUpdate - second.issued, 7 * 86400);
  t.like(json<Shown>(cwd, ['root', 'revoke']), { number: 3, count: 2 });
  t.like(json<Shown>(cwd, ['root', 'revoke', '--number', '100']), { number: 100, count: 2 });
  t.like(json<Shown>(cwd, ['root', 'revoke', '--number', '5']), { number: 101 });
  t.regex(good(cwd, ['crl', 'verify']), /good, number 101, 2 serials, signed by root_public_cert.qrr/);
  t.like(json<Shown>(cwd, ['crl', 'show']), { number: 101, count: 2 });
  t.regex(good(cwd, ['crl', 'show']), new RegExp(serial));
  const list = decodeRevocationList(
    readFileSync(path.join(cwd, 'root_revocations.qrl')),
    noble.suite(1).suite,
  );
  t.is(list?.number, 101);
});

test.serial('root revoke: certificates that have expired leave the list, with --certs', (t) => {
  const cwd = fleet();
  mkdirSync(path.join(cwd, 'old'));
  const crypto = noble.suite(1);
  const key = decodeKey(readFileSync(path.join(cwd, 'root_secret_key.qsk'))) as RootKey;
  const root = readCertificate(readFileSync(path.join(cwd, 'root_public_cert.qrr')));
  const client = readCertificate(readFileSync(path.join(cwd, 'client_public_cert.qcc')));
  if (root.kind !== 'root') throw new Error();
  const expired = { ...client, serial: new Uint8Array(16).fill(5), to: client.from - 2 * 86400, from: 1 };
  const sign = rootSignature(crypto, root, key, new Uint8Array(32));
  writeFileSync(
    path.join(cwd, 'old/expired.qcc'),
    encodeCertificate(expired, client.verifyKey, root.serial, (hash) => sign(hash, new Uint8Array(0))),
  );
  good(cwd, ['root', 'revoke', 'old/expired.qcc', 'client_public_cert.qcc']);
  const kept = json<{ count: number; left: string[] }>(cwd, ['root', 'revoke', '--certs', 'old']);
  t.deepEqual([kept.count, kept.left], [1, ['05'.repeat(16)]]);
});

test.serial('server renew: a new key and certificate beside the old, under its issuer', (t) => {
  const cwd = fleet();
  const before = contents(cwd);
  t.regex(
    run(cwd, ['server', 'renew', '--days', '364']).err,
    /end before the present certificate does .*give more --days/,
  );
  t.deepEqual(contents(cwd), before);
  const renewed = json<{ issuer: string; signed: boolean; suite: number }>(cwd, [
    'server',
    'renew',
    '--days',
    '366',
  ]);
  t.like(renewed, { issuer: 'gateway.qrc', signed: false, suite: 1 });
  for (const name of Object.keys(before)) t.is(contents(cwd)[name], before[name]);
  t.regex(run(cwd, ['server', 'renew', '--days', '400']).err, /server_secret_key.next.qsk exists: .*--force/);
  good(cwd, ['root', 'sign', 'server_public_cert.next.qrc']);
  t.regex(good(cwd, ['cert', 'verify', 'server_public_cert.next.qrc']), /good, signed by/);
});

test.serial(
  'root rollover: new root, statement, certificates signed again; the revoked are left out',
  async (t) => {
    const cwd = fleet();
    const certs = path.join(cwd, 'certs');
    mkdirSync(certs);
    cpSync(path.join(cwd, 'server_public_cert.qrc'), path.join(certs, 'gateway.qrc'));
    cpSync(path.join(cwd, 'client_public_cert.qcc'), path.join(certs, 'device.qcc'));
    good(cwd, [
      'server',
      'new',
      '--suite',
      '1',
      '--issuer',
      'second.qrc',
      '--key',
      'second.qsk',
      '--cert',
      'certs/second.qrc',
    ]);
    good(cwd, [
      'client',
      'new',
      '--suite',
      '1',
      '--issuer',
      'lost.qcc',
      '--key',
      'lost.qsk',
      '--cert',
      'certs/lost.qcc',
    ]);
    good(cwd, ['root', 'sign', 'certs/lost.qcc']);
    good(cwd, ['root', 'revoke', 'certs/lost.qcc']);
    const before = contents(cwd);
    t.regex(run(cwd, ['root', 'rollover', '--days', '300']).err, /300 days end before the present root does/);
    t.deepEqual(contents(cwd), before);
    interface Rolled {
      number: number;
      keyHash: string;
      leftOut: string[];
      signed: { file: string; issuer: string; serial: string }[];
    }
    const rolled = json<Rolled>(cwd, ['root', 'rollover', '--certs', 'certs']);
    t.deepEqual(rolled.leftOut, ['lost.qcc']);
    t.deepEqual(
      rolled.signed.map(({ file }) => file),
      ['device.qcc', 'gateway.qrc', 'second.qrc'].map((name) => path.join('certs/next', name)),
    );
    t.regex(rolled.keyHash, /^[0-9a-f]{64}$/);
    for (const { file } of rolled.signed) {
      good(cwd, ['cert', 'verify', file, '--root', 'root_public_cert.next.qrr']);
    }
    t.not(rolled.signed[1]!.serial, json<{ serial: string }>(cwd, ['server', 'show']).serial);
    const statement = decodeSuccession(
      readFileSync(path.join(cwd, 'root_succession.qrn')),
      noble.suite(1).suite,
    )!;
    t.is(statement.number, rolled.number);
    for (const name of Object.keys(before)) t.is(contents(cwd)[name], before[name], name);
    // The key that the server has goes on under the new certificate.
    const identity = await loadIdentity({
      root: path.join(cwd, 'root_public_cert.next.qrr'),
      certificate: path.join(certs, 'next/gateway.qrc'),
      key: path.join(cwd, 'server_secret_key.qsk'),
    });
    t.is(toHex(identity.certificate.serial), rolled.signed[1]!.serial);
    // All or nothing: one file that is there stops all.
    rmSync(path.join(cwd, 'root_secret_key.next.qsk'));
    rmSync(path.join(cwd, 'root_succession.qrn'));
    t.regex(run(cwd, ['root', 'rollover', '--certs', 'certs']).err, /root_public_cert.next.qrr exists/);
    t.false(existsSync(path.join(cwd, 'root_secret_key.next.qsk')));
    t.false(existsSync(path.join(cwd, 'root_succession.qrn')));
  },
);

test.serial('passphrases: by descriptor or credential, for every command that opens a key', (t) => {
  const cwd = fleet();
  const credentials = path.join(cwd, 'credentials');
  mkdirSync(credentials);
  writeFileSync(path.join(credentials, 'root'), 'open sesame\n');
  writeFileSync(path.join(credentials, 'wrong'), 'open barley');
  writeFileSync(path.join(credentials, 'empty'), '\n');
  writeFileSync(path.join(cwd, 'lines'), 'open sesame\nanother one\n');
  const env = { CREDENTIALS_DIRECTORY: credentials };
  const by = ['--passphrase-credential', 'root'];
  const sealed = run(cwd, ['root', 'new', '--suite', '1', '--force', '--seal', '--days', '600', ...by], {
    env,
  });
  t.is(sealed.code, 0, sealed.err);
  t.is(readFileSync(path.join(cwd, 'root_secret_key.qsk')).subarray(0, 8).toString(), 'QSTPSEAL');
  good(cwd, ['server', 'new', '--suite', '1', '--force', '--issuer', 'gateway.qrc']);
  const before = contents(cwd);
  const { serial } = json<{ serial: string }>(cwd, ['client', 'show']);
  for (const args of [
    ['root', 'sign', '--out', 'signed.qrc'],
    ['root', 'revoke', serial],
    ['root', 'rollover'],
  ]) {
    const wrong = run(cwd, [...args, '--passphrase-credential', 'wrong'], { env });
    t.is(wrong.code, 1);
    t.regex(wrong.err, /^qstp: root_secret_key.qsk: the passphrase is wrong/);
    t.regex(run(cwd, args).err, /^qstp: there is no terminal .*--passphrase-fd N.*--passphrase-credential/);
    t.regex(run(cwd, [...args, ...by]).err, /no credential "root" here: .*LoadCredentialEncrypted=root/);
    t.regex(
      run(cwd, [...args, '--passphrase-credential', 'other'], { env }).err,
      /the service has no credential "other": name it in LoadCredential=/,
    );
    t.regex(run(cwd, [...args, '--passphrase-credential', 'empty'], { env }).err, /the passphrase is empty/);
    const outside = run(cwd, [...args, '--passphrase-credential', '../root'], { env });
    t.is(outside.code, 2);
    const both = run(cwd, [...args, ...by, '--passphrase-fd', '3'], { env });
    t.is(both.code, 2);
    t.regex(both.err, /exclude each other/);
    t.deepEqual(contents(cwd), before);
  }
  t.is(run(cwd, ['root', 'sign', ...by], { env }).code, 0);
  t.is(
    run(cwd, ['root', 'revoke', serial, '--passphrase-fd', '3'], { secret: path.join(cwd, 'lines') }).code,
    0,
  );
  // A line for each key: the present root's, then the new one's.
  const rolled = run(cwd, ['root', 'rollover', '--seal', '--passphrase-fd', '3'], {
    secret: path.join(cwd, 'lines'),
  });
  t.is(rolled.code, 0, rolled.err);
  writeFileSync(path.join(credentials, 'next'), 'another one');
  const next = [
    '--key',
    'root_secret_key.next.qsk',
    '--root',
    'root_public_cert.next.qrr',
    '--list',
    'next.qrl',
  ];
  t.is(run(cwd, ['root', 'revoke', ...next, '--passphrase-credential', 'next'], { env }).code, 0);
  t.regex(
    run(cwd, ['client', 'new', '--force', ...by], { env }).err,
    /--passphrase-credential is for --seal/,
  );
  const passed = run(cwd, ['root', 'sign', '--passphrase', 'open sesame'], {
    env: { QSTP_PASSPHRASE: 'open sesame' },
  });
  t.is(passed.code, 2, 'none is taken as an argument');
});

test.serial('bad input: one clear line and exit code 1 or 2, and nothing is lost', (t) => {
  const cwd = fleet();
  good(cwd, ['root', 'revoke', 'client_public_cert.qcc']);
  const stranger = newWorld(1, 'stranger');
  const list = readFileSync(path.join(cwd, 'root_revocations.qrl'));
  const altered = list.map((byte, i) => (i === 45 ? byte ^ 1 : byte));
  writeFileSync(path.join(cwd, 'altered.qrl'), altered);
  writeFileSync(path.join(cwd, 'cut.qrl'), list.subarray(0, 99));
  writeFileSync(path.join(cwd, 'foreign.qrl'), listOf(stranger, []));
  writeFileSync(path.join(cwd, 'foreign.qcc'), stranger.client.bytes);
  writeFileSync(path.join(cwd, 'foreign.qrr'), stranger.root.bytes);
  mkdirSync(path.join(cwd, 'mixed'));
  writeFileSync(path.join(cwd, 'mixed/foreign.qcc'), stranger.client.bytes);
  mkdirSync(path.join(cwd, 'broken'));
  writeFileSync(path.join(cwd, 'broken/x.qrc'), 'junk');
  const before = contents(cwd);
  const { serial: rootSerial } = json<{ serial: string }>(cwd, ['root', 'show']);
  const cases: [string[], number, RegExp][] = [
    [
      ['root', 'revoke', 'abc'],
      2,
      /"abc" is neither a serial \(32 hexadecimal digits\) nor a certificate file/,
    ],
    [['root', 'revoke', rootSerial], 1, /is the root itself.*root rollover/],
    [['root', 'revoke', 'root_public_cert.qrr'], 1, /is the root itself/],
    [['root', 'revoke', 'foreign.qcc'], 1, /foreign.qcc was not signed by this root/],
    [['root', 'revoke', '--list', 'altered.qrl'], 1, /altered.qrl is not signed by the root, or was altered/],
    [['root', 'revoke', '--list', 'cut.qrl'], 1, /cut.qrl: 99 bytes are no revocation list/],
    [['root', 'revoke', '--list', 'foreign.qrl'], 1, /foreign.qrl is the list of another root/],
    [['root', 'revoke', '--list', 'mixed'], 1, /mixed is not a file: name one/],
    [['root', 'revoke', '--next-update', '0'], 2, /--next-update takes a whole number from 1 to 730/],
    [['root', 'revoke', '--number', 'x'], 2, /--number takes a whole number/],
    [
      ['root', 'revoke', '--root', 'foreign.qrr', '--list', 'n.qrl'],
      1,
      /key does not belong to the root|ended|valid from/,
    ],
    [['root', 'revoke', '--certs', 'absent'], 1, /absent: there is no such folder/],
    [['root', 'revoke', '--certs', 'cut.qrl'], 1, /cut.qrl: it is a file: name the folder/],
    [['root', 'revoke', '--key', 'client_secret_key.qsk'], 1, /is a client key; a root key is needed/],
    [
      ['crl', 'show', 'absent.qrl'],
      1,
      /there is no file absent.qrl: check the path; `qstp root revoke` makes/,
    ],
    [['crl', 'verify', 'altered.qrl'], 1, /altered.qrl is not signed by the root/],
    [['crl', 'verify', '--root', 'absent.qrr'], 1, /there is no file absent.qrr: .*`qstp root new`/],
    [['cert', 'show', 'root_revocations.qrl'], 1, /are no certificate of this build/],
    [['server', 'renew', 'absent.qrc'], 1, /there is no file absent.qrc: .*`qstp server new`/],
    [['server', 'renew', 'client_public_cert.qcc'], 1, /is a client certificate/],
    [['server', 'renew', '--days', '800'], 2, /--days takes/],
    [['client', 'new', '--issuer', 'device.qrc', '--force'], 2, /must be .* end in .qcc/],
    [['client', 'show', 'absent.qcc'], 1, /there is no file absent.qcc: .*`qstp client new`/],
    [['root', 'sign', '--key', 'absent.qsk'], 1, /there is no file absent.qsk: .*make secret keys/],
    [['root', 'rollover', '--certs', 'mixed'], 1, /mixed.foreign.qcc was not signed by the present root/],
    [['root', 'rollover', '--certs', 'broken'], 1, /broken.x.qrc: 4 bytes are no certificate/],
    [['root', 'rollover', '--certs', 'absent'], 1, /absent: there is no such folder/],
    [['root', 'rollover', '--list', 'foreign.qrl'], 1, /is the list of another root/],
    [['root', 'rollover', '--new-root', 'root_public_cert.qrr'], 1, /root_public_cert.qrr exists/],
    [['root', 'rollover', '--new-key', 'no/such/folder'], 1, /cannot write/],
  ];
  for (const [args, code, message] of cases) {
    const { code: ended, out, err } = run(cwd, args);
    t.is(ended, code, `${args.join(' ')}: ${err}`);
    t.regex(err, message, args.join(' '));
    t.regex(err, /^qstp: [^\n]*\n$/, args.join(' '));
    t.is(out, '');
    t.deepEqual(contents(cwd), before, args.join(' '));
  }
});
