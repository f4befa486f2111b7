// qstp-edge/node: tunnels over TCP for Node, as a client and as a server.

import { noble } from '../../src/crypto/noble.ts';
import { katApi } from '../../src/selftest/parts.ts';

export { PROFILE } from '../../src/profile.ts';
export { noble };
export { QstpError, errorToString, errorDescription } from '../../src/error.ts';
export type { Reject } from '../../src/error.ts';
export { serverIdentity } from '../../src/session/server.ts';
export type { ServerIdentity } from '../../src/session/server.ts';
export type { Connection, ConnectionEvents } from '../../src/link/connection.ts';
export { dial } from './dial.ts';
export type { DialOptions } from './dial.ts';
export { listen } from './listen.ts';
export type { ListenOptions, Peer, QstpServer, ServerEvents } from './listen.ts';
export { connectQstp, listenQstp, Tunnel } from './tunnel.ts';
export { loadIdentity } from './identity.ts';
export {
  FILES,
  keyFile,
  publicFile,
  readCertificateFile,
  readRootCertificate,
  readRootKey,
  readServerCertificate,
  readServerKey,
  writeFiles,
} from './files.ts';

/** What the self-test of this bundle tests. */
export const parts = /* @__PURE__ */ katApi(noble);
