// qstp-edge/node: tunnels over TCP for Node, as a client and as a server.

export { QstpError, errorToString, errorDescription } from '../../src/error.ts';
export type { Reject } from '../../src/error.ts';
export { noble } from '../../src/crypto/noble.ts';
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
  readCertificateFile,
  readRootCertificate,
  readRootKey,
  readServerCertificate,
  readServerKey,
  writeFile,
  writeKeyFile,
} from './files.ts';
