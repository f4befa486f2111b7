// Provisioning for Espruino: one script that writes the device's files into its flash when it is sent there, and what
// of the certificates a handshake needs.

import { QstpError } from '../../../src/error.ts';
import { copy, putTime } from '../../../src/bytes.ts';
import { decodeRootCertificate, decodeServerCertificate } from '../../../src/cert/certificate.ts';
import { sessionCookie } from '../../../src/cert/cookie.ts';
import { packStored, Stored } from '../../../src/session/stored.ts';
import { deviceValues, encodeRecord } from './record.ts';
import type { ProvisionOutput, ProvisionRecord, StoredValue } from './record.ts';

const VERSION = 1;
/** serial[16] | from u64 | to u64 | sch0[32] | verification key, as targets/espruino/full.ts reads it. */
const KEY_AT = 64;
const SUITE = 1;
/** Of the values of other targets these devices have no use: their clock is the server's, their nonces count the starts. */
const WANTED = ['qstp.boot', 'qstp.cred'];

/** The server as a device knows it that has no room for certificates: they must have been verified. Not before `floor`. */
function anchorOf(record: ProvisionRecord): StoredValue {
  const root = decodeRootCertificate(record.root);
  const server = decodeServerCertificate(record.server);
  const body = new Uint8Array(KEY_AT + server.verifyKey.length);
  copy(body, 0, server.serial, 0, server.serial.length);
  putTime(body, 16, record.epochFloor > server.from ? record.epochFloor : server.from);
  putTime(body, 24, server.to);
  copy(body, 32, sessionCookie(root.hash, server.hash), 0, 32);
  copy(body, KEY_AT, server.verifyKey, 0, server.verifyKey.length);
  return { key: 'qstp.anchor', value: packStored(Stored.anchor, VERSION, body), secret: false };
}

/** What a device's flash holds when it starts for the first time. Throws `invalid_input` for another set than 1. */
export function espruinoValues(record: ProvisionRecord): StoredValue[] {
  if (record.suite !== SUITE) {
    throw new QstpError(
      'invalid_input',
      `devices of this class speak parameter set 1; the certificates are of set ${record.suite}`,
    );
  }
  return [...deviceValues(record).filter(({ key }) => WANTED.includes(key)), anchorOf(record)];
}

/** A line for each file: text that is run on the device. It takes them all, or says which one it could not. */
export function provisioningScript(values: readonly StoredValue[]): string {
  const lines = values.map(({ key, value }) => {
    const text = Buffer.from(value).toString('base64');
    return `if (!require("Storage").write("${key}", atob("${text}"))) print("NOT WRITTEN: ${key}");`;
  });
  return [...lines, 'print("provisioned");', ''].join('\n');
}

/** The files of a device, and how they get into it. Of the record's certificates, that the chain was verified. */
export function provisionEspruino(record: ProvisionRecord): ProvisionOutput {
  const values = espruinoValues(record);
  return {
    files: [
      {
        name: 'provision.js',
        bytes: provisioningScript(values),
        secret: true,
        what: `writes ${values.map(({ key }) => key).join(', ')} into ${record.deviceId} alone`,
      },
      {
        name: 'device.cbor',
        bytes: encodeRecord(record),
        secret: true,
        what: 'the record: keep it where keys are kept, or remove it',
      },
    ],
    next: [
      `qstp build --profile ${record.profile}`,
      'espruino -p PORT OUT/provision.js',
      `espruino -p PORT --storage qstp:dist/${record.profile}/qstp.min.js`,
      'espruino -p PORT --storage .bootcde:app.js',
    ],
  };
}
