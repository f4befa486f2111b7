// qstp-edge for Moddable: tunnels over TCP, as a socket for its network clients and as a link of messages.

export { PROFILE } from '../../src/profile.ts';
export { QstpError } from '../../src/error.ts';
export type { Reject } from '../../src/error.ts';
export { Device, openDevice } from './device.ts';
export type { Bytes, DeviceOptions } from './device.ts';
export { QSTPSocket } from './tunnel.ts';
export type { SocketOptions, WriteOptions } from './tunnel.ts';
export { openLink } from './link.ts';
export type { LinkOptions } from './link.ts';
export type { Endpoint } from './connector.ts';
export type { Link, LinkEvents, LinkMetrics, LinkState } from '../../src/link/driver.ts';
export { isRadioOn } from './entropy.ts';
export { preferenceStorage } from './storage.ts';
export type { Storage } from '../../src/platform.ts';
