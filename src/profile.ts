// The firmware profile a bundle was built from. The build puts firmware-profiles/<name>.json in place of the
// value below (firmware-profiles/schema.json describes the fields).

export interface FirmwareProfile {
  readonly name: string;
  readonly target: 'deno' | 'node';
  /** The parameter set: 1, 2 or 3. */
  readonly suite: number;
  readonly role: 'client' | 'server' | 'both';
  readonly provider: 'noble';
  /** Most connections at a time. */
  readonly slots: number;
  /** Bytes a connection may hold. */
  readonly buffers: { readonly receive: number; readonly send: number };
  /** A handshake that takes longer is closed, milliseconds. */
  readonly handshakeDeadline: number;
  readonly entropy: 'webcrypto';
  readonly clock: 'system';
}

/** Null outside a bundle. */
export const PROFILE: FirmwareProfile | null = null;
