// The text form of certificates (docs/protocol.md, "Text form"), byte for byte the reference's:
// labelled lines, base64 in lines of 64, LF, and one NUL at the end.

import { CERTIFICATE_VERSION, HASH_BYTES, SERIAL_BYTES, SUITES } from '../params.ts';
import { QstpError } from '../error.ts';
import { concat, copyOf, equal, fromHex, toHex } from '../bytes.ts';
import { sha3_256 } from '../crypto/micro/sponge.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { decodeCertificate, encodeCertificate } from './certificate.ts';
import type { AnyCertificate } from './certificate.ts';
import { configurationFromString } from './suite.ts';
import { formatTime, parseTime, TIME_TEXT_MAX } from './time.ts';

/** How the two forms are labelled: a client's certificate has a server's. The labels over base64 end in a space in the file. */
const FORMS = {
  root: {
    title: 'QSTP ROOT PUBLIC CERTIFICATE BLOCK',
    hash: 'Signed Certificate Key Hash:',
    key: 'Public Key:',
  },
  server: {
    title: 'QSTP CHILD PUBLIC CERTIFICATE BLOCK',
    hash: 'Root Signed Public Key Hash:',
    key: 'Public Signature Key:',
  },
} as const;

const LINE = 64;
const QUARTER_HOUR = 900;
/** Zones of the world, in quarter hours east of UTC. */
const ZONE_MIN = -12 * 4;
const ZONE_MAX = 14 * 4;
/** One end of the period may lie in summer time: the other then differs by this much, in quarter hours. */
const SUMMER = [0, 4, -4, 2, -2];

/** True if a file is a text certificate rather than a binary one. */
export function isCertificateText(file: Uint8Array): boolean {
  const begin = '------BEGIN QSTP';
  for (let i = 0; i < begin.length; i++) if (file[i] !== begin.charCodeAt(i)) return false;
  return true;
}

/** The text of a certificate, times in UTC, the closing NUL included. */
export function encodeCertificateText(certificate: AnyCertificate): string {
  if (/[^\x20-\x7e]/.test(certificate.issuer)) throw bad('cannot state an issuer with control characters');
  if (certificate.to > TIME_TEXT_MAX) throw bad('cannot state a validity after the year 9999');
  const form = FORMS[certificate.kind === 'root' ? 'root' : 'server'];
  const signedHash = concat([certificate.signature, certificate.hash]);
  return [
    `------BEGIN ${form.title}------`,
    `Issuer: ${certificate.issuer}`,
    `Serial: ${toHex(certificate.serial).toUpperCase()}`,
    `Valid From: ${formatTime(certificate.from)}`,
    `Valid To: ${formatTime(certificate.to)}`,
    `Algorithm: ${certificate.suite.name}`,
    'Version: 0x01',
    ...(certificate.kind !== 'root' ? [`Root Serial: ${toHex(certificate.rootSerial).toUpperCase()}`] : []),
    `${form.hash} `,
    base64Lines(signedHash),
    `${form.key} `,
    base64Lines(certificate.verifyKey),
    `------END ${form.title}------`,
    '\0',
  ].join('\n');
}

/**
 * Reads a text certificate by its labels, with LF or CRLF. The reference writes local times, so other
 * zones are tried until the hash fits; a hash that fits none is left to verification to refuse.
 * Throws `certificate_text`, naming the line that is wrong.
 */
export function decodeCertificateText(text: string): AnyCertificate {
  const lines = text.replace(/\0[\s\S]*$/, '').split(/\r?\n/);
  const kind = lines[0] === `------BEGIN ${FORMS.server.title}------` ? 'server' : 'root';
  const form = FORMS[kind];
  if (lines[0] !== `------BEGIN ${form.title}------`) throw bad('does not begin with a BEGIN line of QSTP');
  const end = lines.indexOf(`------END ${form.title}------`);
  if (end < 0) throw bad('has no END line: it is cut off');
  const body = lines.slice(1, end);

  const algorithm = value(body, 'Algorithm:');
  const suite = SUITES[configurationFromString(algorithm) - 1];
  if (suite === undefined)
    throw bad(`is of a parameter set that is not in this build: "${quoted(algorithm)}"`);
  const version = value(body, 'Version:');
  if (version !== '0x01') throw bad(`has "Version: ${quoted(version)}", not 0x01`);
  const serial = hexValue(body, 'Serial:');
  const rootSerial = kind === 'server' ? hexValue(body, 'Root Serial:') : null;
  const issuer = value(body, 'Issuer:');
  if (issuer.length > 31) throw bad('has an issuer of more than 31 characters');
  const signedHash = block(body, form.hash, suite.signatureBytes + HASH_BYTES);
  const verifyKey = block(body, form.key, suite.verifyKeyBytes);
  const signature = signedHash.subarray(0, suite.signatureBytes);
  const hash = signedHash.subarray(suite.signatureBytes);
  const from = timeValue(body, 'Valid From:');
  const to = timeValue(body, 'Valid To:');

  const build = (fromZone: number, toZone: number): Uint8Array =>
    encodeCertificate(
      {
        suite,
        issuer,
        serial,
        from: from - fromZone * QUARTER_HOUR,
        to: to - toZone * QUARTER_HOUR,
        version: CERTIFICATE_VERSION,
      },
      verifyKey,
      rootSerial,
      () => signature,
    );
  const inZone = (fromZone: number, toZone: number): AnyCertificate | null => {
    const bytes = build(fromZone, toZone);
    return equal(sha3_256(bytes.subarray(suite.signatureBytes + HASH_BYTES)), hash)
      ? decodeCertificate(bytes)
      : null;
  };
  for (const summer of SUMMER) {
    for (let zone = 0; zone <= ZONE_MAX; zone++) {
      const found = inZone(zone, zone + summer) ?? (-zone >= ZONE_MIN ? inZone(-zone, summer - zone) : null);
      if (found !== null) return found;
    }
  }
  // No zone fits: keep the stated hash, so that verification sees the contradiction.
  const bytes = build(0, 0);
  bytes.set(hash, suite.signatureBytes);
  return decodeCertificate(bytes);
}

/** Decodes a certificate file of either form. Throws `certificate_malformed` or `certificate_text`. */
export function readCertificate(file: Uint8Array): AnyCertificate {
  if (!isCertificateText(file)) return decodeCertificate(copyOf(file));
  let text = '';
  for (let i = 0; i < file.length; i++) text += String.fromCharCode(file[i]!);
  return decodeCertificateText(text);
}

/** Base64 with a line end after every full line, and one more at the block's end (cut by the caller's join). */
function base64Lines(data: Uint8Array): string {
  const text = encodeBase64(data);
  let lines = '';
  for (let at = 0; at < text.length; at += LINE) {
    const line = text.slice(at, at + LINE);
    lines += line.length === LINE ? line + '\n' : line;
  }
  return lines;
}

/** A value of the file as it may go into a message: short, and without control characters. */
function quoted(text: string): string {
  return text.slice(0, 60).replace(/[^\x20-\x7e]/g, '?');
}

function bad(what: string): QstpError {
  return new QstpError('certificate_text', `the text certificate ${what}`);
}

/** The rest of the one line that begins with `label`, which must not be within a base64 block. */
function value(lines: readonly string[], label: string): string {
  const found = lines.filter((line) => line.startsWith(label));
  if (found.length !== 1) {
    throw bad(found.length === 0 ? `has no line "${label}"` : `has more than one line "${label}"`);
  }
  return found[0]!.slice(label.length).trim();
}

function hexValue(lines: readonly string[], label: string): Uint8Array {
  const bytes = fromHex(value(lines, label));
  if (bytes === null || bytes.length !== SERIAL_BYTES) {
    throw bad(`needs ${2 * SERIAL_BYTES} hexadecimal digits after "${label}"`);
  }
  return bytes;
}

function timeValue(lines: readonly string[], label: string): number {
  const seconds = parseTime(value(lines, label));
  if (seconds === null) throw bad(`needs a time YYYY-MM-DD hh-mm-ss after "${label}"`);
  return seconds;
}

/** The base64 lines after `label`, up to the next label or the end. */
function block(lines: readonly string[], label: string, length: number): Uint8Array {
  value(lines, label);
  let text = '';
  for (let i = lines.findIndex((line) => line.startsWith(label)) + 1; i < lines.length; i++) {
    const line = lines[i]!.trim();
    if (line.includes(':')) break;
    text += line;
  }
  const bytes = decodeBase64(text);
  if (bytes === null || bytes.length !== length) {
    throw bad(
      `needs ${length} bytes of base64 after "${label}", not ${bytes === null ? 'that' : bytes.length}`,
    );
  }
  return bytes;
}
