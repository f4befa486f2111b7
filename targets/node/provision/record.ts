// What a device is given when it is made: whom to trust, its own secrets, and since when it cannot be earlier.
// One record serves all targets; moddable.ts and its like make of it what their flashing tools take.

import { NONCE_BYTES, SERIAL_BYTES, TICKET_ID_BYTES } from '../../../src/params.ts';
import { QstpError } from '../../../src/error.ts';
import { isZero } from '../../../src/bytes.ts';
import { decodeRootCertificate, decodeServerCertificate } from '../../../src/cert/certificate.ts';
import type { Random } from '../../../src/crypto/provider.ts';
import { provisionSeed, SEED_BYTES } from '../../../src/link/boot.ts';
import { CREDENTIAL_KEY, provisionCredential, provisionedId } from '../../../src/link/provisioned.ts';
import type { Provisioning } from '../../../src/link/provisioned.ts';
import { USE_COUNTER_KEY } from '../../../src/link/use-counter.ts';
import { BOOT_KEY } from '../../../src/link/boot.ts';
import { CLOCK_KEY, clockProved, createClock, setClock } from '../../../src/session/clock.ts';
import { memoryStorage } from '../../../src/link/storage-memory.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';
import type { CborMap, CborValue } from './cbor.ts';

export interface ProvisionRecord {
  /** The device's name: 1 to 31 characters of A-Z, a-z, 0-9, ".", "_" and "-". */
  readonly deviceId: string;
  /** The firmware profile of its bundle. */
  readonly profile: string;
  /** The parameter set: 1, 2 or 3. */
  readonly suite: number;
  /** The root's certificate, binary. */
  readonly root: Uint8Array;
  /** The server's certificate, binary. */
  readonly server: Uint8Array;
  /** The device's seed: 32 random bytes that nothing else has. Secret. */
  readonly seed32: Uint8Array;
  /** Seconds since 1970: no earlier time is possible. */
  readonly epochFloor: number;
  /** A provisioned credential (X4), for devices too small for ML-DSA, or to spare them its work. Secret. */
  readonly credential: Provisioning | null;
}

/** One thing to put into the storage of a device, under its key there. */
export interface StoredValue {
  readonly key: string;
  readonly value: Uint8Array;
  readonly secret: boolean;
}

/** A file that a target's provisioning makes; its name is relative to the output folder. */
export interface ProvisionFile {
  readonly name: string;
  readonly bytes: Uint8Array | string;
  readonly secret: boolean;
  /** One phrase for people. */
  readonly what: string;
}

/** What a target makes of a record. */
export interface ProvisionOutput {
  readonly files: readonly ProvisionFile[];
  /** The exact commands that come next, in order; `OUT` stands for the output folder. */
  readonly next: readonly string[];
}

const VERSION = 1;
const DEVICE_ID = /^[A-Za-z0-9._-]{1,31}$/;

export interface RecordOptions extends Pick<ProvisionRecord, 'deviceId' | 'profile' | 'root' | 'server'> {
  readonly random: Random;
  /** Seconds since 1970. */
  readonly now: number;
  readonly withCredential: boolean;
}

/** A record with fresh secrets. Throws `record_malformed` if it would not be one that {@link decodeRecord} takes. */
export function newRecord(options: RecordOptions): ProvisionRecord {
  const { deviceId, profile, root, server, random, now } = options;
  const anchor = decodeServerCertificate(server);
  const fresh = (bytes: number): Uint8Array => {
    const out = new Uint8Array(bytes);
    random(out);
    return out;
  };
  return checked({
    deviceId,
    profile,
    suite: anchor.suite.id,
    root,
    server,
    seed32: fresh(SEED_BYTES),
    epochFloor: now > anchor.from ? now : anchor.from,
    credential: options.withCredential
      ? { id: provisionedId(random), deviceSecret: fresh(NONCE_BYTES), anchor: new Uint8Array(anchor.serial) }
      : null,
  });
}

/** What is wrong with the name of a device, or null. */
export function whyNoDeviceId(name: string): string | null {
  if (DEVICE_ID.test(name)) return null;
  return `"${name}" is no device name: 1 to 31 of A-Z, a-z, 0-9, ".", "_", "-"`;
}

function malformed(why: string): QstpError {
  return new QstpError('record_malformed', `this is no provisioning record: ${why}`);
}

function checked(record: ProvisionRecord): ProvisionRecord {
  const root = decodeRootCertificate(record.root);
  const server = decodeServerCertificate(record.server);
  if (root.suite.id !== record.suite || server.suite.id !== record.suite) {
    throw malformed(`its certificates are of the sets ${root.suite.id} and ${server.suite.id}`);
  }
  const unnamed = whyNoDeviceId(record.deviceId);
  if (unnamed !== null) throw malformed(unnamed);
  if (record.seed32.length !== SEED_BYTES || isZero(record.seed32)) throw malformed('it has no seed');
  if (!(record.epochFloor > 0 && record.epochFloor <= server.to)) {
    throw malformed("its earliest time is after the certificate's end");
  }
  return record;
}

/** The record as CBOR: `{v, deviceId, profile, suite, root, server, seed32, epochFloor, credential}`. Secret. */
export function encodeRecord(record: ProvisionRecord): Uint8Array {
  const { deviceId, profile, suite, root, server, seed32, epochFloor, credential } = record;
  const secret: CborValue =
    credential === null
      ? null
      : { id: credential.id, secret: credential.deviceSecret, anchor: credential.anchor };
  const fields = { deviceId, profile, suite, root, server, seed32, epochFloor, credential: secret };
  return new Uint8Array(encodeCbor({ v: VERSION, ...fields }));
}

function readBytes(map: CborMap, key: string, length?: number): Uint8Array {
  const value = map[key];
  if (value instanceof Uint8Array && (length === undefined || value.length === length)) return value;
  throw malformed(`"${key}" is missing, or not ${length ?? 'a string of'} bytes`);
}

function readText(map: CborMap, key: string): string {
  const value = map[key];
  if (typeof value === 'string') return value;
  throw malformed(`"${key}" is missing, or no text`);
}

function readNumber(map: CborMap, key: string): number {
  const value = map[key];
  if (typeof value === 'number') return value;
  throw malformed(`"${key}" is missing, or no number`);
}

function isMap(value: CborValue | undefined): value is CborMap {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
}

/** The record in CBOR, or in the text form of {@link armorRecord}. Throws `record_malformed`. */
export function decodeRecord(bytes: Uint8Array): ProvisionRecord {
  const map = decodeCbor(unarmor(bytes));
  if (!isMap(map)) throw malformed('it is no map');
  if (map['v'] !== VERSION) throw malformed(`its version is not ${VERSION}`);
  const inner = map['credential'];
  return checked({
    deviceId: readText(map, 'deviceId'),
    profile: readText(map, 'profile'),
    suite: readNumber(map, 'suite'),
    root: readBytes(map, 'root'),
    server: readBytes(map, 'server'),
    seed32: readBytes(map, 'seed32', SEED_BYTES),
    epochFloor: readNumber(map, 'epochFloor'),
    credential: isMap(inner)
      ? {
          id: readBytes(inner, 'id', TICKET_ID_BYTES),
          deviceSecret: readBytes(inner, 'secret', NONCE_BYTES),
          anchor: readBytes(inner, 'anchor', SERIAL_BYTES),
        }
      : null,
  });
}

const BEGIN = '-----BEGIN QSTP DEVICE-----';
const END = '-----END QSTP DEVICE-----';
const LINE = 64;

/** The record for people to copy: base64 between two marks. As secret as the record. */
export function armorRecord(record: ProvisionRecord): string {
  const text = Buffer.from(encodeRecord(record)).toString('base64');
  const lines = text.match(new RegExp(`.{1,${LINE}}`, 'g')) ?? [];
  return [BEGIN, ...lines, END, ''].join('\n');
}

function unarmor(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  if (!text.trimStart().startsWith(BEGIN)) return bytes;
  const inner = text.slice(text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)).replace(/\s/g, '');
  if (!text.includes(END) || !/^[A-Za-z0-9+/]+={0,2}$/.test(inner))
    throw malformed('its text form is damaged');
  return new Uint8Array(Buffer.from(inner, 'base64'));
}

/** What a device's storage holds when it starts for the first time, whatever its engine. */
export function deviceValues(record: ProvisionRecord): StoredValue[] {
  const storage = memoryStorage();
  provisionSeed(storage, record.seed32);
  const clock = createClock({ storage }, 0);
  setClock(clock, record.epochFloor, 0);
  clockProved(clock, 0);
  const secrets = [BOOT_KEY];
  const plain = [CLOCK_KEY];
  if (record.credential !== null) {
    provisionCredential(storage, record.credential);
    secrets.push(CREDENTIAL_KEY);
    plain.push(USE_COUNTER_KEY);
  }
  const read = (secret: boolean) => (key: string) => ({ key, value: storage.get(key)!, secret });
  return [...secrets.map(read(true)), ...plain.map(read(false))];
}
