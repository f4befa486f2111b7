// A certificate for people and for programs.

import { isZero, toHex } from '../src/bytes.ts';
import { certificateHash } from '../src/cert/certificate.ts';
import type { AnyCertificate } from '../src/cert/certificate.ts';
import { expirationCheck, expiryWarning } from '../src/cert/verify.ts';
import { nodeClock } from '../targets/node/platform.ts';
import { clean, dateText, fields } from './ui.ts';

/** What makes the certificate that follows. */
const RENEWAL = {
  root: '`qstp root rollover`',
  server: '`qstp server renew`',
  client: '`qstp client new`',
};

export function isSigned(certificate: AnyCertificate): boolean {
  return !isZero(certificate.signature);
}

export function certificateFields(certificate: AnyCertificate): Record<string, unknown> {
  const { kind, issuer, serial, suite, from, to, version } = certificate;
  return {
    kind,
    issuer,
    serial: toHex(serial),
    ...(certificate.kind !== 'root' ? { rootSerial: toHex(certificate.rootSerial) } : {}),
    suite: suite.id,
    configuration: suite.name,
    version,
    from,
    to,
    validity: expirationCheck(certificate, nodeClock.now()),
    expiryWarning: expiryWarning(certificate.to, nodeClock.now()),
    signed: isSigned(certificate),
    hash: toHex(certificateHash(certificate)),
  };
}

export function describe(certificate: AnyCertificate): string {
  const now = nodeClock.now();
  const state = expirationCheck(certificate, now);
  const left = Math.floor((certificate.to - now) / 86400);
  const warning = expiryWarning(certificate.to, now);
  const validity = {
    valid: `${left} days left${warning > 0 ? `: RENEW, ${RENEWAL[certificate.kind]}` : ''}`,
    expired: 'EXPIRED',
    not_yet_valid: 'NOT YET VALID',
  }[state];
  return fields([
    ['kind', `${certificate.kind} certificate${isSigned(certificate) ? '' : ', NOT SIGNED'}`],
    ['issuer', clean(certificate.issuer)],
    ['serial', toHex(certificate.serial)],
    ...(certificate.kind !== 'root' && isSigned(certificate)
      ? [['root serial', toHex(certificate.rootSerial)] as const]
      : []),
    ['suite', `${certificate.suite.id}  ${certificate.suite.name}`],
    ['valid from', dateText(certificate.from)],
    ['valid to', `${dateText(certificate.to)}  (${validity})`],
    ['hash', toHex(certificateHash(certificate))],
  ]);
}
