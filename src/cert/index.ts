// qstp-edge/cert: certificates and keys. Files are read and written by the targets.

export * from './certificate.ts';
export * from './issue.ts';
export * from './issuer.ts';
export * from './key-file.ts';
export * from './revocation.ts';
export * from './succession.ts';
export * from './suite.ts';
export * from './text.ts';
export * from './verify.ts';
export { sessionCookie } from './cookie.ts';
