// Whom `qstp serve` trusts: its roots, their lists, and who of its clients may connect.

import { equal } from '../src/bytes.ts';
import { QstpError } from '../src/error.ts';
import type { ServerCertificate } from '../src/cert/certificate.ts';
import { expiryWarning } from '../src/cert/verify.ts';
import { createServerTrust } from '../src/link/server-trust.ts';
import type { ServerTrust } from '../src/link/server-trust.ts';
import type { Extensions } from '../src/session/edge.ts';
import type { ServerIdentity } from '../src/session/server.ts';
import type { Authorisation } from '../targets/node/authorisation.ts';
import { readRootCertificate, readServerCertificate } from '../targets/node/files.ts';
import { nodeClock } from '../targets/node/platform.ts';
import { fileStorage } from '../targets/node/storage.ts';
import { loadList, loadRoots } from '../targets/node/trust.ts';
import { note, UsageError } from './ui.ts';

export interface TrustChoices {
  extensions: Extensions;
  clients?: 'none' | 'optional' | 'required';
  requireCrl?: boolean;
  statement?: string[];
  /** Folder of the revocations. */
  trust?: string;
}

/** The file of the root that signed a certificate: with one root, that one. */
export function rootFileOf(roots: readonly string[], certificate: string): string {
  if (roots.length === 1) return roots[0]!;
  const { rootSerial } = readServerCertificate(certificate);
  const file = roots.find((root) => equal(readRootCertificate(root).serial, rootSerial));
  if (file !== undefined) return file;
  throw new QstpError(
    'certificate_foreign_root',
    `${certificate} is of a root that is not given: name its file with --root too`,
  );
}

export function serverTrust(
  roots: readonly string[],
  identities: readonly ServerIdentity[],
  options: TrustChoices,
  authorisation: Authorisation | null,
): ServerTrust {
  const clients = options.clients ?? (authorisation === null ? 'none' : 'required');
  if (authorisation !== null && clients !== 'required') {
    throw new UsageError('--authorise needs to know who a client is: use --clients required');
  }
  if (clients !== 'none' && options.extensions === 'never') {
    throw new UsageError('--clients needs the extensions: leave --extensions never out');
  }
  const storage = options.trust === undefined ? null : fileStorage(options.trust);
  const known = loadRoots({ roots, statements: options.statement }, { storage, report: note });
  return createServerTrust(
    {
      roots: known,
      clients,
      requireList: options.requireCrl === true,
      ...(authorisation === null ? {} : { authorise: (client) => authorisation.refuses(client) }),
    },
    identities,
  );
}

/** Loads lists; at the start one that is refused ends the command, later it is said. */
export async function loadLists(
  trust: ServerTrust,
  files: readonly string[],
  starting: boolean,
): Promise<void> {
  for (const file of files) {
    try {
      const why = await loadList(trust, file);
      if (why !== null) throw new QstpError(why.reason, `${file}: ${why.detail}`);
      note(`${file}: in force`);
    } catch (error) {
      if (starting) throw error;
      note((error as Error).message);
    }
  }
}

export function warnExpiry({ issuer, to }: ServerCertificate): void {
  const days = expiryWarning(to, nodeClock.now());
  if (days === 0) return;
  const when = days < 0 ? 'has ended' : `ends in less than ${days} days`;
  note(`warning: the certificate of ${issuer} ${when}: \`qstp server renew\`, then serve with both`);
}
