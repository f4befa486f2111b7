// qstp-edge/link: drives sessions over a platform's transport, timers and clock.

export * from './admission.ts';
export * from './connection.ts';
export * from './executor.ts';
export * from './reconnect.ts';
export * from './server.ts';
export type * from '../platform.ts';
