// Server certificates whose chain verified in this process: reconnecting checks all but the signatures.

import type { RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';

const verifiedUnder = /* @__PURE__ */ new WeakMap<ServerCertificate, RootCertificate>();

/** `chain` if these two objects were verified before. */
export function verifiedBefore(root: RootCertificate, server: ServerCertificate): 'chain' | 'none' {
  return verifiedUnder.get(server) === root ? 'chain' : 'none';
}

/** A full handshake verified them. */
export function noteVerified(root: RootCertificate, server: ServerCertificate): void {
  verifiedUnder.set(server, root);
}
