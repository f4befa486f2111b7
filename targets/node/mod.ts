// qstp-edge/node: tunnels over TCP for Node, as a client and as a server.

import { micro } from '../../src/crypto/micro.ts';
import { katApi } from '../../src/selftest/parts.ts';

export { PROFILE } from '../../src/profile.ts';
export { micro };
export { describeProvider, nodeNative, nodeProvider } from './provider.ts';
export { QstpError, errorToString, errorDescription } from '../../src/error.ts';
export type { Reject } from '../../src/error.ts';
export { serverIdentity } from '../../src/session/server.ts';
export type { ServerIdentity } from '../../src/session/server.ts';
export type { Connection, ConnectionEvents } from '../../src/link/connection.ts';
export { dial } from './dial.ts';
export type { DialOptions } from './dial.ts';
export { listen } from './listen.ts';
export type { ListenOptions, Peer, QstpServer, ServerEvents } from './listen.ts';
export { openLink } from './link.ts';
export type { LinkOptions } from './link.ts';
export type { Link, LinkEvents, LinkMetrics, LinkState } from '../../src/link/driver.ts';
export type { ClientExtensions } from '../../src/link/client.ts';
export type { Extensions } from '../../src/session/edge.ts';
export type { QueueOptions } from '../../src/link/exactly-once.ts';
export type { PathChooser, PathState } from '../../src/link/endpoints.ts';
export { openWallet } from '../../src/link/wallet.ts';
export type { Wallet } from '../../src/link/wallet.ts';
export type { Tickets } from '../../src/link/ticket-store.ts';
export { folderTickets, memoryTickets } from './tickets.ts';
export type { FolderTicketsOptions } from './tickets.ts';
export { nodeRecords } from './records.ts';
export { fileStorage } from './storage.ts';
export type { Storage } from '../../src/platform.ts';
export { connectQstp, listenQstp, Tunnel } from './tunnel.ts';
export { loadIdentity } from './identity.ts';
export {
  FILES,
  keyFile,
  publicFile,
  readCertificateFile,
  readClientCertificate,
  readClientKey,
  readRootCertificate,
  readRootKey,
  readServerCertificate,
  readServerKey,
  writeFiles,
} from './files.ts';

export { openTrust } from '../../src/link/trust-store.ts';
export type { TrustStore } from '../../src/link/trust-store.ts';
export { createServerTrust } from '../../src/link/server-trust.ts';
export type { ServerTrust, ServerTrustOptions, TrustedRoot } from '../../src/link/server-trust.ts';
export type { ClientCredential, ClientName } from '../../src/session/edge.ts';
export { loadList, loadRoots } from './trust.ts';
export { parseAuthorisation, readAuthorisation } from './authorisation.ts';

/** What the self-test of this bundle tests. */
export const parts = /* @__PURE__ */ katApi(micro);
