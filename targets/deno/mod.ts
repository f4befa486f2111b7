// qstp-edge for Deno: tunnels over TCP as web streams, as a client and as a server.

import { micro } from '../../src/crypto/micro.ts';
import { katApi } from '../../src/selftest/parts.ts';
import type { KatApi } from '../../src/selftest/api.ts';

export { PROFILE } from '../../src/profile.ts';
export { micro };
export { denoNative, denoProvider } from './provider.ts';
export { denoRecords } from './records.ts';
export { QstpError, errorToString, errorDescription } from '../../src/error.ts';
export type { Reject } from '../../src/error.ts';
export { readCertificate } from '../../src/cert/text.ts';
export {
  decodeClientCertificate,
  decodeRootCertificate,
  decodeServerCertificate,
} from '../../src/cert/certificate.ts';
export type { ClientCertificate, RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
export { decodeKey } from '../../src/cert/key-file.ts';
export { verifyChain } from '../../src/cert/verify.ts';
export { serverIdentity } from '../../src/session/server.ts';
export type { ServerIdentity } from '../../src/session/server.ts';
export type { Connection } from '../../src/link/connection.ts';
export type { Peer } from '../../src/link/server.ts';
export { connectQstp } from './connect.ts';
export type { ConnectOptions } from './connect.ts';
export { openLink } from './link.ts';
export type { DenoLink, LinkOptions } from './link.ts';
export type { Endpoint } from './connector.ts';
export type { Link, LinkEvents, LinkMetrics, LinkState } from '../../src/link/driver.ts';
export type { ClientExtensions } from '../../src/link/client.ts';
export type { QueueOptions } from '../../src/link/exactly-once.ts';
export type { PathChooser, PathState } from '../../src/link/endpoints.ts';
export { openWallet } from '../../src/link/wallet.ts';
export type { Wallet } from '../../src/link/wallet.ts';
export { createTickets, memoryTicketStore } from '../../src/link/ticket-store.ts';
export type { Tickets, TicketStore } from '../../src/link/ticket-store.ts';
export type { Storage } from '../../src/platform.ts';
export { openKvStorage } from './kv-storage.ts';
export type { KvStorage, KvStorageOptions } from './kv-storage.ts';
export { kvTickets, kvTicketStore } from './kv-tickets.ts';
export type { KvTicketOptions } from './kv-tickets.ts';
export type { KeyValue, KvChanges, KvEntry, KvKey } from './kv.ts';
export { openProvisioned } from './provisioned.ts';
export type { Provisioned } from './provisioned.ts';
export { listenQstp } from './listen.ts';
export type { ListenOptions, QstpServer } from './listen.ts';
export type { Tunnel } from './tunnel.ts';

export { openTrust } from '../../src/link/trust-store.ts';
export type { TrustStore } from '../../src/link/trust-store.ts';
export { openRevocations } from '../../src/link/revocation-store.ts';
export { createServerTrust } from '../../src/link/server-trust.ts';
export type { ServerTrust, ServerTrustOptions, TrustedRoot } from '../../src/link/server-trust.ts';
export type { ClientCredential, ClientName } from '../../src/session/edge.ts';

/** What the self-test of this bundle tests. */
export const parts: KatApi = /* @__PURE__ */ katApi(micro);
