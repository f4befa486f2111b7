// Certificate and key files on disk. Secret keys have mode 0600 and may be sealed with a passphrase.

import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import { linkSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { QstpError } from '../../src/error.ts';
import { wipe } from '../../src/bytes.ts';
import type { RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
import { decodeKey, encodeKey } from '../../src/cert/key-file.ts';
import type { RootKey, ServerKey } from '../../src/cert/key-file.ts';
import { isCertificateText, readCertificate } from '../../src/cert/text.ts';

/** Default file names: the reference's. */
export const FILES = {
  rootKey: 'root_secret_key.qsk',
  rootCertificate: 'root_public_cert.qrr',
  serverKey: 'server_secret_key.qsk',
  serverCertificate: 'server_public_cert.qrc',
} as const;

export interface KeyFileOptions {
  /** Asked for only if the file is sealed. */
  readonly passphrase?: () => Uint8Array | Promise<Uint8Array>;
  /** Told in one line if others may read the file. */
  readonly warn?: (line: string) => void;
}

/** Reads a certificate of either kind, binary or text. */
export function readCertificateFile(path: string): RootCertificate | ServerCertificate {
  const bytes = readBytes(path);
  return inFile(path, () => readCertificate(bytes));
}

/** True if the certificate file is in text form. */
export function isTextFile(path: string): boolean {
  return isCertificateText(readBytes(path));
}

export function readRootCertificate(path: string): RootCertificate {
  const certificate = readCertificateFile(path);
  if (certificate.kind === 'root') return certificate;
  throw new QstpError(
    'certificate_kind',
    `${path} is a server certificate; a root certificate is needed here`,
  );
}

export function readServerCertificate(path: string): ServerCertificate {
  const certificate = readCertificateFile(path);
  if (certificate.kind === 'server') return certificate;
  throw new QstpError(
    'certificate_kind',
    `${path} is a root certificate; a server certificate is needed here`,
  );
}

export async function readRootKey(path: string, options: KeyFileOptions = {}): Promise<RootKey> {
  const key = await readKey(path, options);
  if (key.kind === 'root') return key;
  throw new QstpError('key_kind', `${path} is a server key; a root key is needed here`);
}

export async function readServerKey(path: string, options: KeyFileOptions = {}): Promise<ServerKey> {
  const key = await readKey(path, options);
  if (key.kind === 'server') return key;
  throw new QstpError('key_kind', `${path} is a root key; a server key is needed here`);
}

async function readKey(path: string, options: KeyFileOptions): Promise<RootKey | ServerKey> {
  let bytes = readBytes(path);
  if ((statSync(path).mode & 0o077) !== 0) {
    options.warn?.(`${path} can be read by others than its owner: chmod 600 ${path}`);
  }
  if (isSealed(bytes)) {
    if (options.passphrase === undefined) {
      throw new QstpError('passphrase_needed', `${path} is sealed: give its passphrase`);
    }
    const passphrase = await options.passphrase();
    const sealed = bytes;
    bytes = inFile(path, () => unsealKey(sealed, passphrase));
    wipe(passphrase);
  }
  const key = inFile(path, () => decodeKey(bytes));
  wipe(bytes);
  return key;
}

/** Writes a key file, mode 0600, sealed if a passphrase is given. Never replaces one unless told to. */
export function writeKeyFile(
  path: string,
  key: RootKey | ServerKey,
  passphrase: Uint8Array | null,
  replace = false,
): void {
  const bytes = encodeKey(key);
  const file = passphrase === null ? bytes : sealKey(bytes, passphrase);
  writeFile(path, file, 0o600, replace);
  wipe(bytes);
}

/**
 * Writes a file whole or not at all. Without `replace` an existing file is left alone and `file_exists`
 * thrown.
 */
export function writeFile(path: string, bytes: Uint8Array | string, mode: number, replace: boolean): void {
  const draft = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(draft, bytes, { mode, flag: 'wx', flush: true });
    if (replace) {
      renameSync(draft, path);
    } else {
      linkSync(draft, path);
      unlinkSync(draft);
    }
  } catch (error) {
    try {
      unlinkSync(draft);
    } catch {
      // It was never made.
    }
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') {
      throw new QstpError('file_exists', `${path} exists: choose another name, or --force to replace it`);
    }
    throw new QstpError('file_write', `cannot write ${path}: ${message}`);
  }
}

function readBytes(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new QstpError(
      'file_read',
      code === 'ENOENT' ? `there is no file ${path}` : `cannot read ${path}: ${message}`,
    );
  }
}

/** Puts the file's name before what is wrong with it. */
function inFile<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof QstpError) throw new QstpError(error.code, `${path}: ${error.message}`);
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
