// Certificates for the TLS that a gateway is measured beside: a root and a server, of any key node:crypto signs with.

import { sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { concat } from '../src/bytes.ts';

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const OID = 0x06;
const BOOLEAN = 0x01;
const CONTEXT_0 = 0xa0;
const CONTEXT_3 = 0xa3;
const DNS_NAME = 0x82;

const COMMON_NAME = [0x55, 0x04, 0x03];
const BASIC_CONSTRAINTS = [0x55, 0x1d, 0x13];
const SUBJECT_ALT_NAME = [0x55, 0x1d, 0x11];

function der(tag: number, ...parts: (Uint8Array | readonly number[])[]): Uint8Array {
  const body = concat(parts.map((part) => (part instanceof Uint8Array ? part : new Uint8Array(part))));
  const n = body.length;
  const length = n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255];
  return concat([new Uint8Array([tag, ...length]), body]);
}

const text = (tag: number, value: string): Uint8Array => der(tag, new TextEncoder().encode(value));

function name(common: string): Uint8Array {
  return der(SEQUENCE, der(SET, der(SEQUENCE, der(OID, COMMON_NAME), text(UTF8_STRING, common))));
}

/** The AlgorithmIdentifier of a key, out of its SubjectPublicKeyInfo. ML-DSA signs under the same. */
function algorithmOf(spki: Uint8Array): Uint8Array {
  const skip = spki[1]! < 128 ? 2 : 2 + (spki[1]! & 127);
  return spki.slice(skip, skip + 2 + spki[skip + 1]!);
}

export interface Signing {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const VALID = der(SEQUENCE, text(UTC_TIME, '250101000000Z'), text(UTC_TIME, '491231235959Z'));

/** A certificate of `key` for `subject`, signed by `issuer`: PEM. Both keys are ML-DSA keys. */
export function certificate(
  subject: string,
  key: KeyObject,
  issuer: { readonly name: string; readonly key: KeyObject },
  options: { readonly serial: number; readonly authority: boolean },
): string {
  const spki = new Uint8Array(key.export({ format: 'der', type: 'spki' }));
  const algorithm = algorithmOf(spki);
  const constraints = der(SEQUENCE, ...(options.authority ? [der(BOOLEAN, [255])] : []));
  const extensions = der(
    SEQUENCE,
    der(SEQUENCE, der(OID, BASIC_CONSTRAINTS), der(BOOLEAN, [255]), der(OCTET_STRING, constraints)),
    der(SEQUENCE, der(OID, SUBJECT_ALT_NAME), der(OCTET_STRING, der(SEQUENCE, text(DNS_NAME, subject)))),
  );
  const body = der(
    SEQUENCE,
    der(CONTEXT_0, der(INTEGER, [2])),
    der(INTEGER, [options.serial]),
    algorithm,
    name(issuer.name),
    VALID,
    name(subject),
    spki,
    der(CONTEXT_3, extensions),
  );
  const signature = new Uint8Array(sign(null, body, issuer.key));
  const whole = der(SEQUENCE, body, algorithm, der(BIT_STRING, [0], signature));
  const lines = Buffer.from(whole).toString('base64').replace(/.{64}/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
