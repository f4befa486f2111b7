// Certificate and key files on disk. Secret keys have mode 0600 and may be sealed with a passphrase.

import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import {
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { QstpError } from '../../src/error.ts';
import { wipe } from '../../src/bytes.ts';
import type {
  AnyCertificate,
  ChildCertificate,
  ClientCertificate,
  RootCertificate,
  ServerCertificate,
} from '../../src/cert/certificate.ts';
import { decodeKey, encodeKey } from '../../src/cert/key-file.ts';
import type { AnyKey, ClientKey, RootKey, ServerKey } from '../../src/cert/key-file.ts';
import { isCertificateText, readCertificate } from '../../src/cert/text.ts';

/** Larger than any certificate or key, in either form. */
const FILE_BYTES_MAX = 65536;

/** Default file names: the reference's, where it has the file. */
export const FILES = {
  rootKey: 'root_secret_key.qsk',
  rootCertificate: 'root_public_cert.qrr',
  serverKey: 'server_secret_key.qsk',
  serverCertificate: 'server_public_cert.qrc',
  clientKey: 'client_secret_key.qsk',
  clientCertificate: 'client_public_cert.qcc',
  revocations: 'root_revocations.qrl',
  succession: 'root_succession.qrn',
} as const;

export interface KeyFileOptions {
  /** Asked for only if the file is sealed. */
  readonly passphrase?: () => Uint8Array | Promise<Uint8Array>;
  /** Told in one line if others may read the file. */
  readonly warn?: (line: string) => void;
}

/** Reads a certificate of any kind, binary or text. */
export function readCertificateFile(file: string): AnyCertificate {
  const bytes = readFile(file);
  return inFile(file, () => readCertificate(bytes));
}

/** True if the certificate file is in text form. */
export function isTextFile(file: string): boolean {
  return isCertificateText(readFile(file));
}

function otherKind(file: string, is: AnyCertificate | AnyKey, needed: string, what: string): QstpError {
  return new QstpError(`${what}_kind`, `${file} is a ${is.kind} ${what}; a ${needed} ${what} is needed here`);
}

export function readRootCertificate(file: string): RootCertificate {
  const certificate = readCertificateFile(file);
  if (certificate.kind === 'root') return certificate;
  throw otherKind(file, certificate, 'root', 'certificate');
}

export function readServerCertificate(file: string): ServerCertificate {
  const certificate = readCertificateFile(file);
  if (certificate.kind === 'server') return certificate;
  throw otherKind(file, certificate, 'server', 'certificate');
}

export function readClientCertificate(file: string): ClientCertificate {
  const certificate = readCertificateFile(file);
  if (certificate.kind === 'client') return certificate;
  throw otherKind(file, certificate, 'client', 'certificate');
}

/** A server's or a client's: what a root signs. */
export function readChildCertificate(file: string): ChildCertificate {
  const certificate = readCertificateFile(file);
  if (certificate.kind !== 'root') return certificate;
  throw otherKind(file, certificate, 'server or client', 'certificate');
}

export async function readRootKey(file: string, options: KeyFileOptions = {}): Promise<RootKey> {
  const key = await readKey(file, options);
  if (key.kind === 'root') return key;
  throw otherKind(file, key, 'root', 'key');
}

export async function readServerKey(file: string, options: KeyFileOptions = {}): Promise<ServerKey> {
  const key = await readKey(file, options);
  if (key.kind === 'server') return key;
  throw otherKind(file, key, 'server', 'key');
}

export async function readClientKey(file: string, options: KeyFileOptions = {}): Promise<ClientKey> {
  const key = await readKey(file, options);
  if (key.kind === 'client') return key;
  throw otherKind(file, key, 'client', 'key');
}

async function readKey(file: string, options: KeyFileOptions): Promise<AnyKey> {
  let bytes = readFile(file);
  if ((statSync(file).mode & 0o077) !== 0) {
    options.warn?.(`${file} can be read by others than its owner: chmod 600 ${file}`);
  }
  try {
    if (isSealed(bytes)) {
      if (options.passphrase === undefined) {
        throw new QstpError('passphrase_needed', `${file} is sealed: give its passphrase`);
      }
      const passphrase = await options.passphrase();
      const sealed = bytes;
      bytes = inFile(file, () => unsealKey(sealed, passphrase));
      wipe(passphrase);
    }
    return inFile(file, () => decodeKey(bytes));
  } finally {
    wipe(bytes);
  }
}

export interface NewFile {
  readonly path: string;
  readonly bytes: Uint8Array | string;
  readonly mode: number;
}

/** A key file, mode 0600, sealed if a passphrase is given. Its bytes are secret. */
export function keyFile(file: string, key: AnyKey, passphrase: Uint8Array | null): NewFile {
  const plain = encodeKey(key);
  if (passphrase === null) return { path: file, bytes: plain, mode: 0o600 };
  const bytes = sealKey(plain, passphrase);
  wipe(plain);
  return { path: file, bytes, mode: 0o600 };
}

export function publicFile(file: string, bytes: Uint8Array | string): NewFile {
  return { path: file, bytes, mode: 0o644 };
}

/**
 * Writes files whole, and all of them or none: nothing that exists is lost if one of them cannot be written.
 * Without `replace` an existing file is left alone and `file_exists` thrown.
 */
export function writeFiles(files: readonly NewFile[], replace: boolean): void {
  const drafts: string[] = [];
  const placed: string[] = [];
  try {
    if (new Set(files.map((file) => path.resolve(file.path))).size < files.length) {
      throw new QstpError(
        'file_exists',
        `${files[0]!.path} is named twice: give each file a name of its own`,
      );
    }
    for (const file of files) {
      if (existsSync(file.path)) {
        if (!replace) throw fileExists(file.path);
        if (!statSync(file.path).isFile())
          throw new QstpError('file_write', `${file.path} is not a file: choose another name`);
      }
      const draft = `${file.path}.${process.pid}.tmp`;
      writeFileSync(draft, file.bytes, { mode: file.mode, flag: 'wx', flush: true });
      drafts.push(draft);
    }
    files.forEach((file, i) => {
      if (replace) renameSync(drafts[i]!, file.path);
      else linkOrCopy(drafts[i]!, file.path);
      placed.push(file.path);
    });
  } catch (error) {
    if (!replace) for (const file of placed) rmSync(file, { force: true });
    if (error instanceof QstpError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw fileExists(files.find((file) => existsSync(file.path))?.path ?? files[0]!.path);
    throw new QstpError('file_write', `cannot write: ${message}`);
  } finally {
    for (const draft of drafts) rmSync(draft, { force: true });
  }
}

/** Takes the name only if it is free; by a copy where the file system has no links (FAT). */
function linkOrCopy(draft: string, file: string): void {
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error;
    copyFileSync(draft, file, constants.COPYFILE_EXCL);
  }
}

function fileExists(file: string): QstpError {
  return new QstpError('file_exists', `${file} exists: choose another name, or --force to replace it`);
}

/** What makes a file of this kind: for the one who looks for it. */
const MADE_BY: readonly (readonly [ending: string, hint: string])[] = [
  ['.qrr', '`qstp root new` makes a root certificate, and servers and clients get a copy of it'],
  ['.qrc', '`qstp server new` makes a server certificate, and `qstp root sign` signs it'],
  ['.qcc', '`qstp client new` makes a client certificate, and `qstp root sign` signs it'],
  ['.qsk', '`qstp root new`, `qstp server new` and `qstp client new` make secret keys'],
  ['.qrl', '`qstp root revoke` makes a revocation list'],
  ['.qrn', '`qstp root rollover` makes the statement of a new root'],
];

function missing(file: string): string {
  const made = MADE_BY.find(([ending]) => file.endsWith(ending));
  return `there is no file ${file}: check the path${made === undefined ? '' : `; ${made[1]}`}`;
}

/** A file's content, if it can be one of ours: at most 64 kB. */
export function readFile(file: string): Uint8Array {
  let problem: string;
  try {
    const { size } = statSync(file, { throwIfNoEntry: true });
    if (!statSync(file).isFile()) problem = `${file} is not a file: name one`;
    else if (size > FILE_BYTES_MAX)
      problem = `${file} has ${size} bytes: no certificate, key or list is that large`;
    else return new Uint8Array(readFileSync(file));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    problem = code === 'ENOENT' ? missing(file) : `cannot read ${file}: ${message}`;
  }
  throw new QstpError('file_read', problem);
}

/** Puts the file's name before what is wrong with it. */
export function inFile<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof QstpError) throw new QstpError(error.code, `${file}: ${error.message}`);
    throw error;
  }
}

// ---- Sealed keys -----------------------------------------------------------------------------------------
//
//   "QSTPSEAL" | version 1 | log2 N | r | p | salt[16] | nonce[12] | AES-256-GCM ciphertext | tag[16]
//
// The key is scrypt(passphrase, salt, N, r, p) (RFC 7914); everything before the ciphertext is associated.

const MAGIC = 'QSTPSEAL';
const PREFIX_BYTES = 12;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const SEAL_HEADER_BYTES = PREFIX_BYTES + SALT_BYTES + NONCE_BYTES;
const GCM_TAG_BYTES = 16;
/** 128 MiB and about half a second: the interactive setting with some to spare. */
const SCRYPT = { logN: 17, r: 8, p: 1 } as const;
/** Files that ask for more than 1 GiB are refused rather than obeyed. */
const SCRYPT_LOG_N_MAX = 20;

export function isSealed(file: Uint8Array): boolean {
  return Buffer.from(file.subarray(0, MAGIC.length)).toString('latin1') === MAGIC;
}

export function sealKey(key: Uint8Array, passphrase: Uint8Array): Uint8Array {
  const header = Buffer.concat([
    Buffer.from(MAGIC),
    Buffer.from([1, SCRYPT.logN, SCRYPT.r, SCRYPT.p]),
    randomBytes(SALT_BYTES + NONCE_BYTES),
  ]);
  const sealing = stretch(passphrase, header);
  const cipher = createCipheriv('aes-256-gcm', sealing, header.subarray(PREFIX_BYTES + SALT_BYTES));
  cipher.setAAD(header);
  const sealed = Buffer.concat([header, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
  wipe(sealing);
  return new Uint8Array(sealed);
}

/** Throws `passphrase_wrong`, or `key_malformed` for a file that is cut or asks for too much memory. */
export function unsealKey(file: Uint8Array, passphrase: Uint8Array): Uint8Array {
  const [version, logN, r, p] = file.subarray(MAGIC.length);
  const end = file.length - GCM_TAG_BYTES;
  if (
    end <= SEAL_HEADER_BYTES ||
    version !== 1 ||
    logN! < 1 ||
    logN! > SCRYPT_LOG_N_MAX ||
    r !== SCRYPT.r ||
    p !== SCRYPT.p
  ) {
    throw new QstpError('key_malformed', 'the sealed key file is cut off or of another version');
  }
  const header = file.subarray(0, SEAL_HEADER_BYTES);
  const sealing = stretch(passphrase, header);
  const decipher = createDecipheriv('aes-256-gcm', sealing, header.subarray(PREFIX_BYTES + SALT_BYTES));
  decipher.setAAD(header);
  decipher.setAuthTag(file.subarray(end));
  const key = new Uint8Array(decipher.update(file.subarray(SEAL_HEADER_BYTES, end)));
  wipe(sealing);
  try {
    decipher.final();
  } catch {
    wipe(key);
    throw new QstpError('passphrase_wrong', 'the passphrase is wrong, or the file was altered');
  }
  return key;
}

function stretch(passphrase: Uint8Array, header: Uint8Array): Uint8Array {
  const [logN, r, p] = header.subarray(MAGIC.length + 1);
  const N = 2 ** logN!;
  const salt = header.subarray(PREFIX_BYTES, PREFIX_BYTES + SALT_BYTES);
  return scryptSync(passphrase, salt, 32, { N, r: r!, p: p!, maxmem: 256 * N * r! });
}
