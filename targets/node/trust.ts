// A server's trust from files: its roots, what they revoked, the statements of roots that follow (X6 to X8).

import { QstpError } from '../../src/error.ts';
import type { Reject } from '../../src/error.ts';
import { equal, toHex } from '../../src/bytes.ts';
import type { RootCertificate } from '../../src/cert/certificate.ts';
import { decodeSuccession, successionJob } from '../../src/cert/succession.ts';
import { runJob } from '../../src/crypto/job.ts';
import type { Provider } from '../../src/crypto/provider.ts';
import { openRevocations } from '../../src/link/revocation-store.ts';
import type { TrustedRoot } from '../../src/link/server-trust.ts';
import type { ServerTrust } from '../../src/link/server-trust.ts';
import type { Storage } from '../../src/platform.ts';
import { readFile, readRootCertificate } from './files.ts';
import { nodeClock, nodeExecutor } from './platform.ts';
import { nodeProvider } from './provider.ts';

export interface RootFiles {
  readonly roots: readonly string[];
  /** Statements of roots that follow, as `qstp root rollover` writes them. */
  readonly statements?: readonly string[] | undefined;
}

export interface RootOptions {
  /** Where revocations are kept; null: until the server ends. */
  readonly storage: Storage | null;
  readonly report?: (line: string) => void;
  readonly provider?: Provider;
}

/** The statement that follows this root among those read; throws for one that no root of these signed. */
function statementsOf(
  files: readonly string[],
  roots: readonly RootCertificate[],
  provider: Provider,
): Map<RootCertificate, Uint8Array> {
  const found = new Map<RootCertificate, Uint8Array>();
  for (const file of files) {
    const bytes = readFile(file);
    const signer = roots.find((root) => {
      const statement = decodeSuccession(bytes, root.suite);
      return statement !== null && runJob(provider.suite(root.suite.id), successionJob(statement, root));
    });
    if (signer === undefined) {
      throw new QstpError(
        'succession_signature',
        `${file} is no statement that one of the roots signed: give the old root with --root too`,
      );
    }
    found.set(signer, bytes);
  }
  return found;
}

/** Reads roots and statements, and opens what is held of their revocations. */
export function loadRoots(files: RootFiles, options: RootOptions): TrustedRoot[] {
  const provider = options.provider ?? nodeProvider();
  const roots = files.roots.map(readRootCertificate);
  const statements = statementsOf(files.statements ?? [], roots, provider);
  return roots.map((root, index) => {
    if (roots.findIndex(({ serial }) => equal(serial, root.serial)) !== index) {
      throw new QstpError('invalid_input', `${files.roots[index]} is given twice: name each root once`);
    }
    const more = options.report === undefined ? {} : { report: options.report };
    // One store serves many roots: the name holds the beginning of the serial.
    const name = `q${toHex(root.serial.subarray(0, 6))}`;
    const revocations = openRevocations({ root, storage: options.storage, name, ...more });
    const succession = statements.get(root);
    const crypto = provider.suite(root.suite.id);
    return succession === undefined ? { crypto, revocations } : { crypto, revocations, succession };
  });
}

/** Loads a list that is newer than the one held. Null, or why it was refused; one that is held already is good. */
export function loadList(trust: ServerTrust, file: string): Promise<Reject | null> {
  const bytes = readFile(file);
  return new Promise((resolve) => {
    trust.importList(bytes, nodeClock.now(), nodeExecutor, (why) =>
      resolve(why !== null && why.reason === 'revocation_held' ? null : why),
    );
  });
}
