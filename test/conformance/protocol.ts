// The line protocol between the suite and a device, which runs as an agent in its own engine: beside the built
// bundle, with the bundle's own facade behind a handful of commands.

/** What a device is started with. Bytes are hexadecimal. */
export interface Boot {
  readonly root: string;
  readonly server: string;
  /** Who the device is, of builds with identities (X6). */
  readonly identity: { readonly certificate: string; readonly key: string } | null;
  /** Provisioned credential (X4), where the engine's storage does not hold it. */
  readonly credential: { readonly id: string; readonly secret: string } | null;
  /** A folder with the same certificates and key as files. */
  readonly folder: string;
  /** What its storage holds: key and value. Null: what it held before. */
  readonly values: readonly (readonly [key: string, hex: string])[] | null;
  /** Largest value that its storage takes, bytes; null: the target's. */
  readonly valueBytes: number | null;
  /** Whether the board's own generator counts: radio on. */
  readonly entropy: boolean;
  readonly pollMs: number;
  readonly missed: number;
  /** Keeps hold of every buffer that the bundle makes, for `find`. */
  readonly track: boolean;
  /** True time, seconds since 1970. */
  readonly epoch: number;
  readonly host: string;
  readonly port: number;
  /** How often it was started before: what an engine without a generator gives for random is new at every start. */
  readonly starts: number;
}

export type Command =
  | readonly [name: 'boot', boot: Boot]
  | readonly [name: 'start' | 'end']
  /** Tells all that its storage holds, where that would be lost with the engine. */
  | readonly [name: 'flash']
  | readonly [name: 'write', text: string]
  /** Counts the buffers in which these bytes are. */
  | readonly [name: 'find', hex: string]
  // Where the engine has no sockets: what arrives on one, and its end.
  | readonly [name: 'data', socket: number, hex: string]
  | readonly [name: 'gone', socket: number];

export type DeviceEvent =
  | readonly [name: 'up' | 'stopped' | 'ready']
  /** A message; the tunnel's end with its reason; what a call threw. */
  | readonly [name: 'got' | 'down' | 'thrown', text: string]
  | readonly [name: 'found', count: number]
  | readonly [name: 'stored', key: string, hex: string | null]
  | readonly [name: 'open' | 'close', socket: number]
  | readonly [name: 'send', socket: number, hex: string];

/** What an engine without sockets and clock answers to commands at a time of the virtual clock. */
export interface Step {
  readonly out: readonly DeviceEvent[];
  /** When something is due there, milliseconds since the start; -1: never. */
  readonly next: number;
}

/** Milliseconds since the start at which commands are given. */
export type StepCall = (ms: number, commands: readonly Command[]) => Step;
