// qstp-edge/link: drives sessions over a platform's transport, timers and clock.

export * from './admission.ts';
export * from './boot.ts';
export * from './client.ts';
export * from './connection.ts';
export * from './credentials.ts';
export * from './driver.ts';
export * from './endpoints.ts';
export * from './exactly-once.ts';
export * from './executor.ts';
export * from './provisioned.ts';
export * from './reconnect.ts';
export * from './revocation-store.ts';
export * from './server.ts';
export * from './server-trust.ts';
export * from './storage-memory.ts';
export * from './ticket-store.ts';
export * from './trust.ts';
export * from './trust-news.ts';
export { trustConfirmed, trustFailed, trustFollowed, trustPair, switchTrust } from './trust-pair.ts';
export type { TrustedPair } from './trust-pair.ts';
export { openTrust, resetTrust } from './trust-store.ts';
export type { TrustOptions, TrustStore } from './trust-store.ts';
export * from './turn.ts';
export * from './use-counter.ts';
export * from './wallet.ts';
export type * from '../platform.ts';
