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

export interface LeanClient {
  /** Sends bytes, a message for each part of the size the server takes. False: wait for `drain`. Throws `not_connected`. */
  write(data: Uint8Array): boolean;
  /** Closes, and stays closed. */
  end(): void;
  /** True between `connect` and `close`. */
  connected(): boolean;
  /** Milliseconds until the client needs the processor again if nothing comes in; -1: not by itself. */
  wakeIn(): number;
}

/** A byte stream to the server. */
export interface Stream {
  /** Keeps the bytes. False: the queue is full, wait for `drained`. */
  write(bytes: Uint8Array): boolean;
  end(): void;
}

/** What a stream tells the client; the reason it is gone with is the code of an error. */
export interface StreamEvents {
  opened(): void;
  received(bytes: Uint8Array): void;
  drained(): void;
  gone(why: string): void;
}

/** What the platform does for a client. */
export interface Host {
  openStream(events: StreamEvents): Stream;
  /** Calls back once after `ms`. */
  later(then: () => void, ms: number): unknown;
  /** Cancels what `later` gave, be it over or not; 0: nothing. */
  clearLater(handle: unknown): void;
  /** Milliseconds of a clock that may jump. */
  nowMs(): number;
}

/** Named values in flash. */
export interface Files {
  read(name: string): Uint8Array | null;
  /** False if it could not be kept. */
  write(name: string, value: Uint8Array): boolean;
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

export interface Device {
  readonly files: Files;
  /** Null only where there are other handshakes. */
  readonly ownCredential: Credential | null;
  /** `length` random bytes, 72 at the most. */
  randomBytes(length: number): Uint8Array;
  /** A nonce of 32 bytes, of so many random ones, that no start of this device has used or will use. */
  nonce(random: Uint8Array): Uint8Array;
}

/** Runs steps in order, with the device's other work in between. */
export type Steps = (list: readonly (() => void)[]) => void;

/** What a build has beside the resumption with the device's credential. */
export interface More {
  /** Bits of `Feature` besides keep-alive. */
  readonly features: number;
  /** What to resume with now; null: a full handshake is due. */
  credential(): Credential | null;
  /** How long to wait before the next attempt, ms. */
  waitMs(): number;
  /** Begins a full handshake: sends S1. */
  full(tools: Tools): void;
  /** A control message before the hello (a fragment of the freshness signature). False: it has no place here. */
  early(body: Uint8Array): boolean;
  /** The server's hello opened: goes on with `accept`, or fails. */
  hello(body: Uint8Array, tools: Tools, accept: () => void): void;
  /** A control message of an established connection. False: not one that was agreed on. */
  control(body: Uint8Array, exportSecret: Uint8Array, now: number): boolean;
  /** The attempt failed before it was connected, with the server's code, if it sent one. True: try again at once. */
  failed(code: number): boolean;
}

/** What a handshake works with. */
export interface Tools {
  readonly device: Device;
  readonly steps: Steps;
  send(packet: Uint8Array): boolean;
  /** The one packet that may come next: its flag, message length and low sequence number. */
  expectPacket(flag: number, length: number, sequence: number, take: (packet: Uint8Array) => void): void;
  /** The steps that derive the connection's keys from Z and T (X0); then the hello is waited for. */
  deriveKeys(kind: number, z: Uint8Array, transcript: () => Uint8Array): (() => void)[];
  /** Ends the attempt. `code` goes to the server; -1: it knows, or is not to be told. */
  fail(why: string, code: number): void;
}

/** Thrown, or given to listeners of `error`. `code` is one word for programs. */
export interface Problem extends Error {
  code: string;
}
