// Provisioning for Moddable: certificates as resources of the application, secrets as an image of the ESP32's NVS
// partition; for boards without one, as an application that writes them. The values lie there as
// targets/moddable/storage.ts reads them.

import { toHex } from '../../../src/bytes.ts';
import { QstpError } from '../../../src/error.ts';
import { bankName, splitValue } from '../../../src/link/storage-parts.ts';
import { anchoredValues } from './anchored.ts';
import { nvsImage } from './nvs.ts';
import type { NvsBlob } from './nvs.ts';
import { deviceValues, encodeRecord } from './record.ts';
import type { ProvisionFile, ProvisionOutput, ProvisionRecord } from './record.ts';

/** Where Moddable's projects for ESP32 have their NVS partition, and how large it is. */
export const NVS_AT = 0x9000;
export const NVS_BYTES = 0x6000;
/** The preferences that the device opens if it is not told others. */
const PREFERENCES = 'qstp';

/** What the bundle of a profile expects in its preferences. */
export interface ModdableForm {
  /** The bundle is of src/lean: no certificates, but what a handshake needs of them. */
  readonly lean?: boolean;
  /** It has full handshakes. Default true. */
  readonly fullHandshake?: boolean;
  /** Largest value that the platform's preferences take, bytes. */
  readonly valueBytes?: number;
}

export interface ModdableOptions extends ModdableForm {
  /** Offset of the NVS partition in flash. Default 0x9000. */
  readonly nvsAt?: number;
  /** Its size. Default 0x6000. */
  readonly nvsBytes?: number;
  /** What `mcconfig -p` is given. Default "esp32". */
  readonly platform?: string;
}

/** What the preferences of a device hold when it starts for the first time. Secret. */
export function preferenceValues(record: ProvisionRecord, form: ModdableForm): NvsBlob[] {
  const { lean = false, fullHandshake = true, valueBytes } = form;
  const values = lean ? anchoredValues(record, fullHandshake) : deviceValues(record);
  return values.flatMap(({ key, value }) =>
    splitValue(value, 0, valueBytes).map((part, i) => ({
      namespace: bankName(PREFERENCES, 0, i),
      key,
      value: part,
    })),
  );
}

/** The NVS partition that a device starts from. Secret. */
export function deviceImage(record: ProvisionRecord, bytes: number, form: ModdableForm = {}): Uint8Array {
  return nvsImage(preferenceValues(record, form), bytes);
}

/** An application for Moddable that writes `values` into preferences, reads them again, and says so. Secret. */
function writerOf(values: readonly NvsBlob[]): string {
  const list = values.map(({ namespace, key, value }) => [namespace, key, toHex(value)]);
  return `// Puts into the preferences of one device what it starts from: run once, then the application is flashed.
import Preference from "preference";

const values = ${JSON.stringify(list, null, 2)};

let good = true;
for (const [domain, key, hex] of values) {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  Preference.set(domain, key, bytes.buffer);
  const there = Preference.get(domain, key);
  const kept = there instanceof ArrayBuffer && new Uint8Array(there).join() === bytes.join();
  if (!kept) trace("NOT WRITTEN: " + domain + "/" + key + "\\n");
  good = good && kept;
}
if (good) trace("provisioned\\n");
`;
}

const WRITER_MANIFEST = {
  include: ['$(MODDABLE)/examples/manifest_base.json', '$(MODDABLE)/modules/files/preference/manifest.json'],
  modules: { '*': './main' },
};

/** How secrets get into a board: the file, or files, and the command. */
interface Secrets {
  readonly files: readonly ProvisionFile[];
  readonly command: string;
}

function asImage(record: ProvisionRecord, options: ModdableOptions): Secrets {
  const at = options.nvsAt ?? NVS_AT;
  const bytes = deviceImage(record, options.nvsBytes ?? NVS_BYTES, options);
  return {
    files: [{ name: 'nvs.bin', bytes, secret: true, what: `the NVS partition of ${record.deviceId} alone` }],
    command: `esptool.py write_flash 0x${at.toString(16)} OUT/nvs.bin`,
  };
}

/** Throws `invalid_input` for options of an NVS partition. */
function asWriter(record: ProvisionRecord, options: ModdableOptions, platform: string): Secrets {
  if (options.nvsAt !== undefined || options.nvsBytes !== undefined) {
    throw new QstpError(
      'invalid_input',
      `--nvs-at and --nvs-size are for ESP32: ${platform} has no NVS partition`,
    );
  }
  const values = preferenceValues(record, options);
  return {
    files: [
      {
        name: 'main.js',
        bytes: writerOf(values),
        secret: true,
        what: `an application that writes the preferences of ${record.deviceId} alone`,
      },
      {
        name: 'manifest.json',
        bytes: JSON.stringify(WRITER_MANIFEST, null, 2) + '\n',
        secret: false,
        what: 'its manifest',
      },
    ],
    command: `mcconfig -d -m -p ${platform} OUT/manifest.json`,
  };
}

/** The files of a device, and how they get into it. Throws `storage_full`, `invalid_input`. */
export function provisionModdable(record: ProvisionRecord, options: ModdableOptions = {}): ProvisionOutput {
  const { platform = 'esp32', lean } = options;
  const isEsp32 = platform.startsWith('esp32');
  const secrets = isEsp32 ? asImage(record, options) : asWriter(record, options, platform);
  const certificates = [
    { name: 'root.qrr', bytes: record.root, secret: false, what: "the root's certificate, a resource" },
    { name: 'server.qrc', bytes: record.server, secret: false, what: "the server's certificate, a resource" },
  ];
  const application = `mcconfig -d -m -p ${platform} ssid="NETWORK" password="PASSWORD"`;
  return {
    files: [
      ...(lean === true ? [] : certificates),
      ...secrets.files,
      {
        name: 'device.cbor',
        bytes: encodeRecord(record),
        secret: true,
        what: 'the record: keep it where keys are kept, or remove it',
      },
    ],
    next: [
      `qstp build --profile ${record.profile}`,
      // An application replaces the one before, and leaves preferences alone; an image replaces all preferences.
      ...(isEsp32 ? [application, secrets.command] : [secrets.command, application]),
    ],
  };
}
