// qstp-edge/session: the protocol without socket, clock or timer.

export { createClient } from './client.ts';
export type { ClientOptions } from './client.ts';
export { createServer, externalIdentity, serverIdentity } from './server.ts';
export type { ServerIdentity, ServerOptions } from './server.ts';
export { createResumption } from './resume.ts';
export type { ResumeOptions } from './resume.ts';
export { createSession, Session } from './session.ts';
export type { SessionOptions } from './session.ts';
export { SessionEvent } from './core.ts';
export type { SessionState } from './core.ts';
export {
  clockClose,
  clockProved,
  clockNow,
  clockOver,
  clockTick,
  createClock,
  doubtClock,
  pinValidity,
  setClock,
  systemClock,
} from './clock.ts';
export type { ClockOptions, ClockReport, DeviceClock } from './clock.ts';
export { FEATURES_OF_THIS_BUILD } from './edge.ts';
export type {
  ClientEdge,
  ClockState,
  Extensions,
  FoundTicket,
  HandshakeKeys,
  IssuedTicket,
  ServerEdge,
  SessionClock,
  TicketDesk,
} from './edge.ts';
export type { Handshake, Step } from './handshake.ts';
export type { ExternalSigner, SigningKey } from '../crypto/signing.ts';
export { runJob } from '../crypto/job.ts';
export type { Job } from '../crypto/job.ts';
