// The verification key of a certificate as X.509 SubjectPublicKeyInfo (RFC 9881 §4), for PKIX tools.
// The certificate itself has no X.509 form: its signature covers other bytes.

import { concat } from '../bytes.ts';
import { encodeBase64 } from './base64.ts';
import type { Certificate } from './certificate.ts';

/** Last arc of id-ml-dsa-44, -65, -87 (2.16.840.1.101.3.4.3.x), by suite id - 1. */
const LAST_ARC = [17, 18, 19];

/** PEM text "PUBLIC KEY". */
export function subjectPublicKeyInfo(certificate: Certificate): string {
  const oid = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, LAST_ARC[certificate.suite.id - 1]!];
  const algorithm = der(0x30, der(0x06, new Uint8Array(oid)));
  const key = der(0x03, concat([new Uint8Array(1), certificate.verifyKey]));
  const text = encodeBase64(der(0x30, concat([algorithm, key])));
  const lines = text.match(/.{1,64}/g)!;
  return ['-----BEGIN PUBLIC KEY-----', ...lines, '-----END PUBLIC KEY-----', ''].join('\n');
}

/** A DER value of up to 65,535 bytes (X.690 §10.1). */
function der(tag: number, body: Uint8Array): Uint8Array {
  const n = body.length;
  const length = n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255];
  return concat([new Uint8Array([tag, ...length]), body]);
}
