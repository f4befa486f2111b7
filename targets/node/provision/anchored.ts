// What a device with a client of src/lean is given: its seed, its credential, and of the certificates what a handshake needs.

import { copy, putTime } from '../../../src/bytes.ts';
import { decodeRootCertificate, decodeServerCertificate } from '../../../src/cert/certificate.ts';
import { sessionCookie } from '../../../src/cert/cookie.ts';
import { packStored, Stored } from '../../../src/session/stored.ts';
import { deviceValues } from './record.ts';
import type { ProvisionRecord, StoredValue } from './record.ts';

const VERSION = 1;
/** serial[16] | from u64 | to u64 | sch0[32] | verification key, if it is needed, as src/lean/anchor.ts reads it. */
const KEY_AT = 64;
/** Of the values of other targets these devices have no use: their clock is the server's, their nonces count the starts. */
const WANTED = ['qstp.boot', 'qstp.cred'];

/**
 * The server as a device knows it that has no room for certificates: they must have been verified. Not before `floor`.
 * `withKey`: it verifies signatures.
 */
function anchorOf(record: ProvisionRecord, withKey: boolean): StoredValue {
  const root = decodeRootCertificate(record.root);
  const server = decodeServerCertificate(record.server);
  const body = new Uint8Array(KEY_AT + (withKey ? server.verifyKey.length : 0));
  copy(body, 0, server.serial, 0, server.serial.length);
  putTime(body, 16, record.epochFloor > server.from ? record.epochFloor : server.from);
  putTime(body, 24, server.to);
  copy(body, 32, sessionCookie(root.hash, server.hash), 0, 32);
  if (withKey) copy(body, KEY_AT, server.verifyKey, 0, server.verifyKey.length);
  return { key: 'qstp.anchor', value: packStored(Stored.anchor, VERSION, body), secret: false };
}

/** The values of its storage. The chain must have been verified: the device cannot. `withKey`: it has full handshakes. */
export function anchoredValues(record: ProvisionRecord, withKey = true): StoredValue[] {
  return [...deviceValues(record).filter(({ key }) => WANTED.includes(key)), anchorOf(record, withKey)];
}
