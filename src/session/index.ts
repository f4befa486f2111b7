// qstp-edge/session: the protocol without socket, clock or timer.

export { createClient } from './client.ts';
export type { ClientOptions } from './client.ts';
export { createServer, serverIdentity } from './server.ts';
export type { ServerIdentity, ServerOptions } from './server.ts';
export { createSession } from './session.ts';
export type { Session, SessionOptions } from './session.ts';
export { channelStateBytes } from './channel.ts';
export type { Channel } from './channel.ts';
export type { Handshake, Step } from './handshake.ts';
export { runJob } from '../crypto/job.ts';
export type { Job } from '../crypto/job.ts';
