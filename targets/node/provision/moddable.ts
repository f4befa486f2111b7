// Provisioning for Moddable: certificates as resources of the application, secrets as an image of the ESP32's NVS
// partition. The values lie there as targets/moddable/storage.ts reads them.

import { bankName, splitValue } from '../../../src/link/storage-parts.ts';
import { anchoredValues } from './anchored.ts';
import { nvsImage } from './nvs.ts';
import type { NvsBlob } from './nvs.ts';
import { deviceValues, encodeRecord } from './record.ts';
import type { ProvisionOutput, ProvisionRecord } from './record.ts';

/** Where Moddable's projects for ESP32 have their NVS partition, and how large it is. */
export const NVS_AT = 0x9000;
export const NVS_BYTES = 0x6000;
/** The preferences that the device opens if it is not told others. */
const PREFERENCES = 'qstp';

export interface ModdableOptions {
  /** Offset of the NVS partition in flash. Default 0x9000. */
  readonly nvsAt?: number;
  /** Its size. Default 0x6000. */
  readonly nvsBytes?: number;
  /** The bundle is of src/lean: no certificates, but what a handshake needs of them. */
  readonly lean?: boolean;
}

/** What the preferences of a device hold when it starts for the first time. Secret. */
export function preferenceValues(record: ProvisionRecord, lean: boolean): NvsBlob[] {
  const values = lean ? anchoredValues(record) : deviceValues(record);
  return values.flatMap(({ key, value }) =>
    splitValue(value, 0).map((part, i) => ({ namespace: bankName(PREFERENCES, 0, i), key, value: part })),
  );
}

/** The NVS partition that a device starts from. Secret. */
export function deviceImage(record: ProvisionRecord, bytes: number, lean = false): Uint8Array {
  return nvsImage(preferenceValues(record, lean), bytes);
}

/** The files of a device, and how they get into it. Throws `storage_full`. */
export function provisionModdable(record: ProvisionRecord, options: ModdableOptions = {}): ProvisionOutput {
  const at = options.nvsAt ?? NVS_AT;
  const image = deviceImage(record, options.nvsBytes ?? NVS_BYTES, options.lean);
  const certificates = [
    { name: 'root.qrr', bytes: record.root, secret: false, what: "the root's certificate, a resource" },
    { name: 'server.qrc', bytes: record.server, secret: false, what: "the server's certificate, a resource" },
  ];
  return {
    files: [
      ...(options.lean === true ? [] : certificates),
      { name: 'nvs.bin', bytes: image, secret: true, what: `the NVS partition of ${record.deviceId} alone` },
      {
        name: 'device.cbor',
        bytes: encodeRecord(record),
        secret: true,
        what: 'the record: keep it where keys are kept, or remove it',
      },
    ],
    next: [
      'mcconfig -d -m -p esp32 ssid="NETWORK" password="PASSWORD"',
      `esptool.py --chip esp32 write_flash 0x${at.toString(16)} OUT/nvs.bin`,
    ],
  };
}
