// What a lean client is made of: what its application gives it, what its platform does, and what the parts of it are
// for each other.

/** What the application says of its server and of its own traffic. */
export interface LeanOptions {
  /** Period of the application's traffic, which keep-alives align with, ms; 0: none. Default 20,000. */
  readonly pollMs?: number;
  /** Polls without a sign of life until the server counts as dead. Default 3. */
  readonly missed?: number;
  /** Longest message taken, bytes: 79 at least, 512 with full handshakes. Default 256, or 512. */
  readonly receive?: number;
  /** From the attempt to the connection, ms. Default 120,000. */
  readonly deadlineMs?: number;
  /** Least time between two full handshakes, ms. Default 300,000. */
  readonly fullHandshakeMinMs?: number;
  /** False: a connection that ends is not made again. */
  readonly reconnect?: boolean;
}

/**
 * What a client tells its application: `connect` (the longest message that the server takes, bytes); `data` (bytes, one message, lent for the call); `drain`; `progress`
 * (steps done, steps in all); `time` (the server's, ms since 1970); `error` ({code}); `end` (the server closed in
 * order); `close` (true: by a failure).
 */
export type Emit = (event: string, argument?: unknown, more?: unknown) => void;

/** A byte stream to the server. */
export interface Stream {
  /** Keeps the bytes. False: the queue is full, wait for `drained`. */
  send(bytes: Uint8Array): boolean;
  close(): void;
}

/** What a stream has to tell; `gone` comes with the code of an error, `received` with bytes that are the client's then. */
export const OPENED = 0;
export const RECEIVED = 1;
export const DRAINED = 2;
export const GONE = 3;

/** Called by a stream, never before `openStream` has returned. */
export type Tell = (what: number, argument?: Uint8Array | string) => void;

/** What the platform does for a client. */
export interface Host {
  openStream(tell: Tell): Stream;
  /** Calls `then` once after `ms`, with `c`. */
  later(then: (c: Client) => void, ms: number, c: Client): unknown;
  /** Cancels what `later` gave, be it over or not; 0: nothing. */
  clearLater(handle: unknown): void;
  /** Milliseconds of a clock that may jump. */
  nowMs(): number;
}

/** Named values in flash. */
export interface Files {
  load(name: string): Uint8Array | null;
  /** False if it could not be kept. */
  save(name: string, value: Uint8Array): boolean;
}

/** What connects without certificates: a provisioned credential, or a ticket. */
export interface Credential {
  /** 16 bytes. */
  readonly id: Uint8Array;
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** Its nonces begin with the number of starts and of uses since; those of a ticket are random. */
  readonly counts: boolean;
}

/** What a device is since its start: made by `startDevice` (device.ts), which has what is done with it. */
export interface Device {
  readonly files: Files;
  /** Null only where there are other handshakes. */
  readonly ownCredential: Credential | null;
  /** Of the random generator, 64 bytes. */
  readonly seed: Uint8Array;
  /** Number of this start, u32 first. */
  readonly boot: Uint8Array;
  /** Nonces that were counted since. */
  uses: number;
}

/** The server, as its device knows it (anchor.ts). */
export interface Anchor {
  /** Of the server's certificate, 16 bytes. */
  readonly serial: Uint8Array;
  /** Seconds since 1970 between which the certificate is good. */
  readonly from: number;
  readonly to: number;
  /** What the session cookie starts from, 32 bytes. */
  readonly sch0: Uint8Array;
  /** The server's verification key; empty where there are no full handshakes. */
  readonly key: Uint8Array;
}

/** What a device holds for its server (tickets.ts). */
export interface Tickets {
  readonly files: Files;
  readonly name: string;
  /** Of the server's certificate. */
  readonly serial: Uint8Array;
  list: Uint8Array[];
}

/** What a device connects with that can do more than resume by its credential (more.ts). */
export interface More {
  readonly device: Device;
  /** Least time between two full handshakes, ms. */
  readonly fullMinMs: number;
  readonly anchor: Anchor;
  readonly tickets: Tickets;
  /** Seconds since 1970, as the server said last. */
  time: number;
  ticket: Uint8Array | null;
  refusals: number;
  credentialRefusals: number;
  using: Credential | null;
  fullAt: number;
  /** Of the full handshake under way: T, the freshness signature and how much of it is here. */
  transcript: Uint8Array | null;
  fresh: Uint8Array | null;
  freshBytes: number;
  /** Of the connection's tickets. */
  since: number;
  resumptions: number;
}

/** A client and its connection: made by `createClient` (client.ts). */
export interface Client {
  readonly options: LeanOptions;
  readonly platform: Host;
  readonly device: Device;
  /** Null in builds without it. */
  readonly beyond: More | null;
  readonly emit: Emit;
  /** Goes on with what came in while a step ran, and connects anew: what tunnel.ts asks of client.ts. */
  readonly resumed: (c: Client) => void;
  readonly open: (c: Client) => void;
  /** Of the keep-alive (src/link/keepalive.ts); its first word is 0 while there is none. */
  readonly schedule: Int32Array;
  /** What seals, what opens, and the export secret; empty before and after a connection (records.ts). */
  readonly keyed: (Int32Array | Uint8Array)[];
  stopped: boolean;
  up: boolean;
  /** The steps that run: what arrives waits for them. */
  running: readonly (() => void)[] | null;
  /** Of the attempt, or the connection; null between two. */
  pipe: Stream | null;
  alarm: unknown;
  /** Longest pause before the next attempt, ms. */
  bound: number;
  /** When the connection was made, ms of the clock. */
  upSince: number;
  /** Time of day less the clock, ms. */
  skew: number;
  /** What came and is not a whole packet yet. */
  waiting: Uint8Array | null;
  /** Of the packet that comes next. */
  dueSequence: number;
  // While there are no keys, the one that may come.
  dueFlag: number;
  dueLength: number;
  take: ((packet: Uint8Array) => void) | null;
  txSequence: number;
  /** Longest message that the server takes. */
  most: number;
  /** Random bytes of an attempt: 32 of its nonce, 16 of its hello. */
  draw: Uint8Array | null;
}

/** Thrown, or given to listeners of `error`. `code` is one word for programs. */
export interface Problem extends Error {
  code: string;
}
