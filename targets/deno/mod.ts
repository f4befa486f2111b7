// qstp-edge/deno: tunnels for Deno.

export { QstpError, errorToString, errorDescription } from '../../src/error.ts';
export type { Reject } from '../../src/error.ts';
export { noble } from '../../src/crypto/noble.ts';
