// Provisioning for Espruino: one script that writes the device's files into its flash when it is sent there.

import { QstpError } from '../../../src/error.ts';
import { anchoredValues } from './anchored.ts';
import { encodeRecord } from './record.ts';
import type { ProvisionOutput, ProvisionRecord, StoredValue } from './record.ts';

const SUITE = 1;

/** What a device's flash holds when it starts for the first time. Throws `invalid_input` for another set than 1. */
export function espruinoValues(record: ProvisionRecord): StoredValue[] {
  if (record.suite !== SUITE) {
    throw new QstpError(
      'invalid_input',
      `devices of this class speak parameter set 1; the certificates are of set ${record.suite}`,
    );
  }
  return anchoredValues(record);
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
