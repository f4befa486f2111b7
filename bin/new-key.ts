// What `root new` and `server new` have in common.

import type { Command } from 'commander';
import { VALIDITY_DAYS_MAX } from '../src/params.ts';
import { wholeNumber } from './options.ts';
import { passphrase } from './passphrase.ts';
import { UsageError } from './ui.ts';

export interface NewKeyOptions {
  issuer: string;
  suite: string;
  days: number;
  key: string;
  cert: string;
  seal?: boolean;
  passphraseFd?: string;
  force?: boolean;
  json?: boolean;
}

export function newKeyOptions(command: Command): Command {
  return command
    .option('--suite <set>', 'parameter set: 1, 2, 3 or its name', '3')
    .option(
      '--days <n>',
      `validity, 1 to ${VALIDITY_DAYS_MAX}`,
      wholeNumber('--days', 1, VALIDITY_DAYS_MAX),
      365,
    )
    .option('--seal', 'seal the secret key with a passphrase')
    .option('--passphrase-fd <n>', 'with --seal: read the passphrase from this file descriptor')
    .option('--force', 'replace files that exist')
    .option('--json', 'as JSON');
}

/** The passphrase for the new key file, or null to leave it plain. */
export async function sealing(options: NewKeyOptions): Promise<Uint8Array | null> {
  if (options.seal !== true) {
    if (options.passphraseFd === undefined) return null;
    throw new UsageError('--passphrase-fd is for --seal: give both, or neither');
  }
  return passphrase(options.passphraseFd, `new passphrase for ${options.key}`, true);
}
