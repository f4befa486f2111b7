// Opening a root: for the commands that sign with it.

import type { Command } from 'commander';
import { QstpError } from '../src/error.ts';
import type { RootCertificate } from '../src/cert/certificate.ts';
import type { RootKey } from '../src/cert/key-file.ts';
import { verifyRoot } from '../src/cert/verify.ts';
import { micro } from '../src/crypto/micro.ts';
import type { SuiteCrypto } from '../src/crypto/provider.ts';
import { FILES, readRootCertificate, readRootKey } from '../targets/node/files.ts';
import { nodeClock } from '../targets/node/platform.ts';
import { passphrase, passphraseOptions } from './passphrase.ts';
import type { PassphraseOptions } from './passphrase.ts';
import { note } from './ui.ts';

export interface RootKeyOptions extends PassphraseOptions {
  key: string;
  root: string;
}

/** What a command needs that signs with the root. */
export function rootKeyOptions(command: Command): Command {
  command
    .option('--key <file>', "the root's secret key", FILES.rootKey)
    .option('--root <file>', "the root's certificate", FILES.rootCertificate);
  return passphraseOptions(command);
}

/** The root's certificate, verified. */
export function goodRoot(file: string): { crypto: SuiteCrypto; root: RootCertificate } {
  const root = readRootCertificate(file);
  const crypto = micro.suite(root.suite.id);
  const bad = verifyRoot(crypto, root, nodeClock.now());
  if (bad !== null) throw new QstpError(bad.reason, `${file}: ${bad.detail}`);
  return { crypto, root };
}

/** The root's secret key: wipe it after use. */
export function openRootKey(options: RootKeyOptions): Promise<RootKey> {
  return readRootKey(options.key, {
    warn: note,
    passphrase: () => passphrase(options, `passphrase of ${options.key}`),
  });
}
