// The firmware profile a bundle was built from. The build puts firmware-profiles/<name>.json in place of the
// value below (firmware-profiles/schema.json describes the fields).

import { HEADER_BYTES } from './params.ts';

export interface FirmwareProfile {
  readonly name: string;
  readonly target: 'deno' | 'node';
  /** The parameter set: 1, 2 or 3. */
  readonly suite: number;
  readonly role: 'client' | 'server' | 'both';
  readonly provider: 'noble';
  /** Most connections at a time. */
  readonly slots: number;
  /** Bytes of the largest packet a connection takes: header, record and tag. */
  readonly buffers: { readonly receive: number };
  /** A handshake that takes longer is closed, milliseconds. */
  readonly handshakeDeadline: number;
  readonly entropy: 'webcrypto';
  readonly clock: 'system';
}

/** Null outside a bundle. */
export const PROFILE: FirmwareProfile | null = null;

/** The limits of the profile a bundle was built from, as defaults of its connections; none outside a bundle. */
export function profileLimits(): {
  maxConnections?: number;
  handshakeDeadlineMs?: number;
  recordLimit?: number;
} {
  if (PROFILE === null) return {};
  return {
    maxConnections: PROFILE.slots,
    handshakeDeadlineMs: PROFILE.handshakeDeadline,
    recordLimit: PROFILE.buffers.receive - HEADER_BYTES,
  };
}
