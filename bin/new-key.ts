// What the commands that make keys have in common.

import type { Command } from 'commander';
import { DAY_SECONDS, SERIAL_BYTES, VALIDITY_DAYS_MAX } from '../src/params.ts';
import { QstpError } from '../src/error.ts';
import { wipe } from '../src/bytes.ts';
import { decodeCertificate, encodeCertificate } from '../src/cert/certificate.ts';
import type { AnyCertificate, ServerCertificate } from '../src/cert/certificate.ts';
import { generateClientKey, generateServerKey } from '../src/cert/issue.ts';
import type { ChildKey } from '../src/cert/key-file.ts';
import { suiteByName } from '../src/cert/suite.ts';
import { micro } from '../src/crypto/micro.ts';
import { keyFile, publicFile, writeFiles } from '../targets/node/files.ts';
import { nodeClock, nodeRandom } from '../targets/node/platform.ts';
import { certificateFields, describe } from './certificate-view.ts';
import { wholeNumber } from './options.ts';
import { passphrase, passphraseOptions } from './passphrase.ts';
import type { PassphraseOptions } from './passphrase.ts';
import { dateText, show, UsageError } from './ui.ts';

export interface NewKeyOptions extends PassphraseOptions {
  issuer: string;
  suite: string;
  days: number;
  key: string;
  cert: string;
  seal?: boolean;
  force?: boolean;
  json?: boolean;
}

export function daysOption(command: Command, days = 365): Command {
  return command.option(
    '--days <n>',
    `validity, 1 to ${VALIDITY_DAYS_MAX}`,
    wholeNumber('--days', 1, VALIDITY_DAYS_MAX),
    days,
  );
}

export function sealOptions(command: Command): Command {
  command.option('--seal', 'seal the secret key with a passphrase');
  return passphraseOptions(command, true)
    .option('--force', 'replace files that exist')
    .option('--json', 'as JSON');
}

export function newKeyOptions(command: Command): Command {
  command.option('--suite <set>', 'parameter set: 1, 2, 3 or its name', '3');
  return sealOptions(daysOption(command));
}

/** The passphrase for the new key file, or null to leave it plain. */
export async function sealing(
  options: PassphraseOptions & { seal?: boolean },
  file: string,
): Promise<Uint8Array | null> {
  if (options.seal === true) return passphrase(options, `new passphrase for ${file}`, true);
  for (const [name, given] of [
    ['--passphrase-fd', options.passphraseFd],
    ['--passphrase-credential', options.passphraseCredential],
  ]) {
    if (given !== undefined) throw new UsageError(`${name} is for --seal: give both, or neither`);
  }
  return null;
}

/** The line on where a secret key went. */
export function keyLine(file: string, sealed: boolean): string {
  return `secret key    ${file}${sealed ? '  (sealed)' : '  (not sealed: --seal protects it with a passphrase)'}`;
}

/** The unsigned certificate that a root signs. */
function request(key: ChildKey): AnyCertificate {
  const unsigned = new Uint8Array(key.suite.signatureBytes);
  return decodeCertificate(
    encodeCertificate(key, key.verifyKey, new Uint8Array(SERIAL_BYTES), () => unsigned),
  );
}

async function writeChild(key: ChildKey, options: NewKeyOptions, next: string): Promise<void> {
  const unsigned = request(key);
  const secret = await sealing(options, options.key);
  writeFiles(
    [keyFile(options.key, key, secret), publicFile(options.cert, unsigned.bytes)],
    options.force === true,
  );
  wipe(key.signingKey);
  show(
    options.json === true,
    { ...certificateFields(unsigned), key: options.key, certificate: options.cert },
    () =>
      [
        describe(unsigned),
        '',
        keyLine(options.key, secret !== null),
        `certificate   ${options.cert}  (not signed yet)`,
        `next: ${next}`,
      ].join('\n'),
  );
}

/** `qstp server new` and `qstp client new`. */
export async function newChild(kind: 'server' | 'client', options: NewKeyOptions): Promise<void> {
  const crypto = micro.suite(suiteByName(options.suite).id);
  const generate = kind === 'server' ? generateServerKey : generateClientKey;
  const key = generate(crypto, options.issuer, options.days, nodeClock.now(), nodeRandom);
  await writeChild(key, options, `\`qstp root sign ${options.cert}\` where the root key is`);
}

/** `qstp server renew`: a new key and certificate under the issuer and parameter set of `present`. */
export async function renewServer(present: ServerCertificate, options: NewKeyOptions): Promise<void> {
  const crypto = micro.suite(present.suite.id);
  const now = nodeClock.now();
  if (now + options.days * DAY_SECONDS <= present.to) {
    throw new QstpError(
      'period_invalid',
      `${options.days} days end before the present certificate does (${dateText(present.to)}): ` +
        'a successor lasts longer, so give more --days',
    );
  }
  const key = generateServerKey(crypto, present.issuer, options.days, now, nodeRandom);
  await writeChild(
    key,
    options,
    `\`qstp root sign ${options.cert}\` where the root key is; then serve both certificates until the old one ends`,
  );
}
