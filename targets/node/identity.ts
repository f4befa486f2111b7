// A server's identity from its files.

import { QstpError } from '../../src/error.ts';
import { verifyChain } from '../../src/cert/verify.ts';
import type { Provider } from '../../src/crypto/provider.ts';
import { serverIdentity } from '../../src/session/server.ts';
import type { ServerIdentity } from '../../src/session/server.ts';
import { readRootCertificate, readServerCertificate, readServerKey } from './files.ts';
import type { KeyFileOptions } from './files.ts';
import { nodeClock } from './platform.ts';
import { nodeProvider } from './provider.ts';

export interface IdentityFiles {
  readonly root: string;
  readonly certificate: string;
  readonly key: string;
}

/** Reads and verifies what a server needs to answer for one certificate. */
export async function loadIdentity(
  files: IdentityFiles,
  options: KeyFileOptions = {},
  provider: Provider = nodeProvider(),
): Promise<ServerIdentity> {
  const root = readRootCertificate(files.root);
  const certificate = readServerCertificate(files.certificate);
  const crypto = provider.suite(root.suite.id);
  const bad = verifyChain(crypto, root, certificate, nodeClock.now());
  if (bad !== null) throw new QstpError(bad.reason, `${files.certificate}: ${bad.detail}`);
  return serverIdentity(crypto, root, certificate, await readServerKey(files.key, options));
}
