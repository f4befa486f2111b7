// Revocation lists on disk, and what a root revokes: used by `qstp root revoke` and `qstp crl`.

import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { equal, fromHex, toHex } from '../src/bytes.ts';
import { QstpError } from '../src/error.ts';
import type { AnyCertificate, ChildCertificate, RootCertificate } from '../src/cert/certificate.ts';
import {
  decodeRevocationList,
  encodeRevocation,
  revocationJob,
  revocationListMax,
  revocationListState,
  revokedSerials,
} from '../src/cert/revocation.ts';
import type { RevocationList, SignWith } from '../src/cert/revocation.ts';
import { runJob } from '../src/crypto/job.ts';
import { micro } from '../src/crypto/micro.ts';
import { SERIAL_BYTES, SUITES } from '../src/params.ts';
import { readCertificateFile, readFile } from '../targets/node/files.ts';
import { nodeClock } from '../targets/node/platform.ts';
import { dateText, fields, UsageError } from './ui.ts';

/** A list from a file, of any parameter set. */
export function readList(file: string): RevocationList {
  const bytes = readFile(file);
  for (const suite of SUITES) {
    const list = decodeRevocationList(bytes, suite);
    if (list !== null) return list;
  }
  throw new QstpError(
    'revocation_malformed',
    `${file}: ${bytes.length} bytes are no revocation list: use the file that \`qstp root revoke\` wrote`,
  );
}

/** Throws unless the list is this root's, and signed by it. */
export function verifyList(list: RevocationList, file: string, root: RootCertificate): void {
  if (!equal(list.rootSerial, root.serial)) {
    throw new QstpError(
      'revocation_foreign_root',
      `${file} is the list of another root (${toHex(list.rootSerial)}): give the certificate of that one with --root`,
    );
  }
  const crypto = micro.suite(root.suite.id);
  const fits = list.signature.length === root.suite.signatureBytes;
  if (!fits || !runJob(crypto, revocationJob(list, root))) {
    throw new QstpError(
      'revocation_signature',
      `${file} is not signed by the root, or was altered: use a good copy`,
    );
  }
}

export function listFields(list: RevocationList): Record<string, unknown> {
  const { number, issued, nextUpdate, count } = list;
  return {
    kind: 'revocation list',
    rootSerial: toHex(list.rootSerial),
    number,
    issued,
    nextUpdate,
    state: revocationListState(list, nodeClock.now()),
    count,
    serials: revokedSerials(list).map(toHex),
  };
}

export function describeList(list: RevocationList): string {
  const now = nodeClock.now();
  const stale = revocationListState(list, now) === 'stale';
  const left = Math.floor((list.nextUpdate - now) / 86400);
  const suite = SUITES.find((set) => set.signatureBytes === list.signature.length)!;
  return [
    fields([
      ['kind', 'revocation list'],
      ['root serial', toHex(list.rootSerial)],
      ['number', String(list.number)],
      ['issued', dateText(list.issued)],
      [
        'next update',
        `${dateText(list.nextUpdate)}  (${stale ? 'STALE: `qstp root revoke` issues a new one' : `${left} days left`})`,
      ],
      ['serials', `${list.count}, of ${revocationListMax(suite)} at the most`],
    ]),
    ...revokedSerials(list).map((serial) => `  ${toHex(serial)}`),
  ].join('\n');
}

/** A serial in hexadecimal, or that of a certificate file of this root. */
export function serialOf(text: string, root: RootCertificate): Uint8Array {
  const serial = fromHex(text);
  if (serial !== null && serial.length === SERIAL_BYTES && !existsSync(text)) {
    return checkSerial(serial, text, root);
  }
  if (!existsSync(text)) {
    throw new UsageError(
      `"${text}" is neither a serial (${2 * SERIAL_BYTES} hexadecimal digits) nor a certificate file`,
    );
  }
  const certificate = readCertificateFile(text);
  if (certificate.kind !== 'root' && !equal(certificate.rootSerial, root.serial)) {
    throw new QstpError(
      'revocation_foreign_root',
      `${text} was not signed by this root: revoke it with the root that signed it`,
    );
  }
  return checkSerial(certificate.serial, text, root);
}

function checkSerial(serial: Uint8Array, text: string, root: RootCertificate): Uint8Array {
  if (!equal(serial, root.serial)) return serial;
  throw new QstpError(
    'revocation_root',
    `${text} is the root itself, which a list cannot revoke: \`qstp root rollover\` replaces it`,
  );
}

/** The certificates in a folder, by name: all that end in `.qrc` or `.qcc`. */
export function folderCertificates(folder: string): { name: string; certificate: ChildCertificate }[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT'
        ? 'there is no such folder: check the path'
        : code === 'ENOTDIR'
          ? 'it is a file: name the folder it is in'
          : message;
    throw new QstpError('file_read', `${folder}: ${why}`);
  }
  return names
    .filter((name) => /\.q[rc]c$/.test(name))
    .map((name) => ({ name, certificate: readCertificateFile(path.join(folder, name)) }))
    .filter((entry): entry is { name: string; certificate: ChildCertificate } => isChild(entry.certificate));
}

function isChild(certificate: AnyCertificate): certificate is ChildCertificate {
  return certificate.kind !== 'root';
}

/** The bodies that revoke serials one by one: what a server is sent. */
export function signRevocations(serials: readonly Uint8Array[], sign: SignWith): Uint8Array[] {
  return serials.map((serial) => encodeRevocation(serial, sign));
}
