// qstp-edge for Deno where nothing may listen, as on hosts of workers: tunnels that dial out, and nothing else.

export { PROFILE } from '../../src/profile.ts';
export { denoProvider } from './provider.ts';
export { QstpError, errorToString, errorDescription } from '../../src/error.ts';
export type { Reject } from '../../src/error.ts';
export { readCertificate } from '../../src/cert/text.ts';
export { decodeRootCertificate, decodeServerCertificate } from '../../src/cert/certificate.ts';
export type { RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
export type { Connection } from '../../src/link/connection.ts';
export { connectQstp } from './connect.ts';
export type { ConnectOptions } from './connect.ts';
export { openLink } from './link.ts';
export type { DenoLink, LinkOptions } from './link.ts';
export type { Endpoint } from './connector.ts';
export type { Link, LinkEvents, LinkMetrics, LinkState } from '../../src/link/driver.ts';
export type { ClientExtensions } from '../../src/link/client.ts';
export type { PathChooser, PathState } from '../../src/link/endpoints.ts';
export { openWallet } from '../../src/link/wallet.ts';
export type { Wallet } from '../../src/link/wallet.ts';
export type { Storage } from '../../src/platform.ts';
export { openKvStorage } from './kv-storage.ts';
export type { KvStorage, KvStorageOptions } from './kv-storage.ts';
export type { KeyValue, KvChanges, KvEntry, KvKey } from './kv.ts';
export { openProvisioned } from './provisioned.ts';
export type { Provisioned } from './provisioned.ts';
export type { Tunnel } from './tunnel.ts';
