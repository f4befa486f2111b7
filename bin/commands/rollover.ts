// `qstp root rollover`: the root that follows, the statement by which clients accept it, and the certificates of a
// folder signed by it.

import { Command } from 'commander';
import { existsSync, mkdirSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { QstpError } from '../../src/error.ts';
import { equal, isZero, toHex, wipe } from '../../src/bytes.ts';
import type { ChildCertificate, RootCertificate } from '../../src/cert/certificate.ts';
import {
  checkRootKey,
  generateRootKey,
  rootCertificate,
  rootSignature,
  signClientCertificate,
  signServerCertificate,
} from '../../src/cert/issue.ts';
import type { RootKey } from '../../src/cert/key-file.ts';
import { isRevoked } from '../../src/cert/revocation.ts';
import { decodeSuccession, encodeSuccession, rootKeyHash, successionJob } from '../../src/cert/succession.ts';
import { hashMatches, signatureJob } from '../../src/cert/verify.ts';
import { runJob } from '../../src/crypto/job.ts';
import { micro } from '../../src/crypto/micro.ts';
import { DAY_SECONDS, SERIAL_BYTES, VALIDITY_DAYS_MAX } from '../../src/params.ts';
import { FILES, keyFile, publicFile, writeFiles } from '../../targets/node/files.ts';
import type { NewFile } from '../../targets/node/files.ts';
import { nodeClock, nodeRandom } from '../../targets/node/platform.ts';
import { certificateFields, describe } from '../certificate-view.ts';
import { daysOption, keyLine } from '../new-key.ts';
import { wholeNumber } from '../options.ts';
import { passphrase } from '../passphrase.ts';
import { folderCertificates, readList, verifyList } from '../revocations.ts';
import { goodRoot, openRootKey, rootKeyOptions } from '../root-key.ts';
import type { RootKeyOptions } from '../root-key.ts';
import { clean, dateText, show, table } from '../ui.ts';
import { nextName } from './server.ts';

interface RolloverOptions extends RootKeyOptions {
  days: number;
  issuer?: string;
  newKey: string;
  newRoot: string;
  statement: string;
  number?: number;
  certs?: string;
  list?: string;
  out?: string;
  seal?: boolean;
  force?: boolean;
  json?: boolean;
}

export function rolloverCommand(): Command {
  const rollover = new Command('rollover').description(
    'make the root that follows, the statement by which clients accept it, and sign a folder of certificates with it',
  );
  daysOption(rootKeyOptions(rollover), VALIDITY_DAYS_MAX)
    .option('--issuer <name>', 'name in the new certificate; default: the present one')
    .option('--new-key <file>', 'where the new secret key goes', nextName(FILES.rootKey))
    .option('--new-root <file>', 'where the new certificate goes', nextName(FILES.rootCertificate))
    .option('--statement <file>', 'where the statement goes, signed by the present root', FILES.succession)
    .option(
      '--number <n>',
      "the statement's number; default: the time, so that it grows",
      wholeNumber('--number', 1, 0xffffffff),
    )
    .option('--certs <dir>', 'sign the server and client certificates in this folder with the new root')
    .option(
      '--list <file>',
      `revocation list: what it revokes is not signed again (default: ${FILES.revocations}, if it is there)`,
    )
    .option('--out <dir>', 'where these go, under their names; default: the folder `next` in it')
    .option('--seal', 'seal the new secret key with a passphrase')
    .option('--force', 'replace files that exist')
    .option('--json', 'as JSON')
    .action(rollOver);
  return rollover;
}

interface Signed {
  readonly file: string;
  readonly certificate: ChildCertificate;
}

async function rollOver(options: RolloverOptions): Promise<void> {
  const { crypto, root } = goodRoot(options.root);
  const now = nodeClock.now();
  if (now + options.days * DAY_SECONDS <= root.to) {
    throw new QstpError(
      'period_invalid',
      `${options.days} days end before the present root does (${dateText(root.to)}): give more --days`,
    );
  }
  const all = options.certs === undefined ? [] : folderCertificates(options.certs);
  const listFile = options.list ?? (existsSync(FILES.revocations) ? FILES.revocations : null);
  const list = listFile === null ? null : readList(listFile);
  if (list !== null) verifyList(list, listFile!, root);
  const certificates = all.filter(({ certificate }) => !isRevoked(list, certificate.serial));
  const leftOut = all
    .filter(({ certificate }) => isRevoked(list, certificate.serial))
    .map(({ name }) => name);
  for (const { name, certificate } of certificates)
    checkEntry(path.join(options.certs!, name), certificate, root);
  const key = await openRootKey(options);
  checkRootKey(root, key);
  const newKey = generateRootKey(crypto, options.issuer ?? root.issuer, options.days, now, nodeRandom);
  const secret =
    options.seal === true ? await passphrase(options, `new passphrase for ${options.newKey}`, true) : null;
  const newRoot = rootCertificate(crypto, newKey, hedge());
  const sign = rootSignature(crypto, root, key, hedge());
  const number = options.number ?? now;
  const statement = encodeSuccession(root, newRoot, number, sign);
  const decoded = decodeSuccession(statement, crypto.suite)!;
  if (!runJob(crypto, successionJob(decoded, root)) || !runJob(crypto, signatureJob(newRoot, newRoot))) {
    throw new QstpError('signing', 'the statement does not verify: the root key is damaged');
  }
  const out = options.out ?? path.join(options.certs ?? '.', 'next');
  const signed = certificates.map(({ name, certificate }) => ({
    file: path.join(out, name),
    certificate: signAgain(certificate, newRoot, newKey),
  }));
  const files: NewFile[] = [
    keyFile(options.newKey, newKey, secret),
    publicFile(options.newRoot, newRoot.bytes),
    publicFile(options.statement, statement),
    ...signed.map(({ file, certificate }) => publicFile(file, certificate.bytes)),
  ];
  if (signed.length > 0) mkdirSync(out, { recursive: true });
  writeFiles(files, options.force === true);
  wipe(key.signingKey);
  wipe(newKey.signingKey);
  report(options, newRoot, number, signed, leftOut, secret !== null);
}

function report(
  options: RolloverOptions,
  newRoot: RootCertificate,
  number: number,
  signed: readonly Signed[],
  leftOut: readonly string[],
  sealed: boolean,
): void {
  const keyHash = toHex(rootKeyHash(newRoot));
  show(
    options.json === true,
    {
      ...certificateFields(newRoot),
      key: options.newKey,
      certificate: options.newRoot,
      statement: options.statement,
      number,
      keyHash,
      leftOut,
      signed: signed.map(({ file, certificate }) => ({ file, ...certificateFields(certificate) })),
    },
    () =>
      [
        describe(newRoot),
        '',
        keyLine(options.newKey, sealed),
        `certificate   ${options.newRoot}  (give it to servers and new clients)`,
        `statement     ${options.statement}  (number ${number}: give it to every server; they tell their clients)`,
        `key hash      ${keyHash}`,
        ...(signed.length === 0 ? [] : ['', signedTable(signed)]),
        ...(leftOut.length === 0 ? [] : [`revoked, and not signed again: ${leftOut.map(clean).join(', ')}`]),
        'next: serve the new certificates beside the old ones until every client has moved; keep the old root until it ends',
      ].join('\n'),
  );
}

function signedTable(signed: readonly Signed[]): string {
  return table(
    ['signed by the new root', 'issuer', 'valid to'],
    signed.map(({ file, certificate }) => [file, clean(certificate.issuer), dateText(certificate.to)]),
  );
}

function hedge(): Uint8Array {
  return new Uint8Array(randomBytes(32));
}

function checkEntry(file: string, certificate: ChildCertificate, root: RootCertificate): void {
  if (!hashMatches(certificate)) {
    throw new QstpError('certificate_hash', `${file} does not match its own hash: it was damaged on its way`);
  }
  if (certificate.suite.id !== root.suite.id) {
    throw new QstpError(
      'suite_mismatch',
      `${file} is of suite ${certificate.suite.id}, the root of ${root.suite.id}: take it out of the folder`,
    );
  }
  if (isZero(certificate.signature)) return;
  const crypto = micro.suite(root.suite.id);
  const good = equal(certificate.rootSerial, root.serial) && runJob(crypto, signatureJob(certificate, root));
  if (!good) {
    throw new QstpError(
      'certificate_foreign_root',
      `${file} was not signed by the present root: take it out of the folder`,
    );
  }
  if (lastEnd(certificate) <= certificate.to) {
    throw new QstpError(
      'period_invalid',
      `${file} has a key of ${VALIDITY_DAYS_MAX} days already: put what \`qstp server renew\` makes in its place`,
    );
  }
}

/** No key serves longer than it might from its first certificate on. */
function lastEnd(certificate: ChildCertificate): number {
  return certificate.from + VALIDITY_DAYS_MAX * DAY_SECONDS;
}

/**
 * A certificate under the new root. An unsigned one is signed as it is. One of the old root goes on with its key under a
 * serial of its own, as clients name the certificate they want by its serial, and lasts as long as it may.
 */
function signAgain(certificate: ChildCertificate, root: RootCertificate, key: RootKey): ChildCertificate {
  const crypto = micro.suite(root.suite.id);
  const sign = certificate.kind === 'client' ? signClientCertificate : signServerCertificate;
  if (isZero(certificate.signature)) return sign(crypto, root, key, certificate, hedge());
  const serial = new Uint8Array(randomBytes(SERIAL_BYTES));
  return sign(crypto, root, key, { ...certificate, serial, to: lastEnd(certificate) }, hedge());
}
