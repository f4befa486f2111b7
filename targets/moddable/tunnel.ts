// The Moddable facade: a tunnel as an ECMA-419 socket, in the place of TLSSocket. Moddable's MQTT, HTTP and
// WebSocket clients run over it as they are: socket: {io: QSTPSocket, TCP: {io: TCP}, qstp: device}.

import Timer from 'timer';
import type { TimerId } from 'timer';
import { ErrorCode, QstpError, reject } from '../../src/error.ts';
import type { Reject } from '../../src/error.ts';
import type { ServerCertificate } from '../../src/cert/certificate.ts';
import { clientSession, createClientChain } from '../../src/link/client.ts';
import { createConnection } from '../../src/link/connection.ts';
import type { Connection } from '../../src/link/connection.ts';
import {
  handshakeBegins,
  handshakeFailed,
  handshakeWorked,
  nextHandshake,
} from '../../src/link/credentials.ts';
import type { TrustedPair } from '../../src/link/trust-pair.ts';
import type { Session } from '../../src/session/session.ts';
import { openStream } from './connector.ts';
import { deviceOf } from './device.ts';
import type { Device, DeviceSide } from './device.ts';
import { moddableTimer } from './platform.ts';
import type { TcpTransport } from './platform.ts';
import type { SocketOptions, Writable, WriteOptions } from './socket-options.ts';
import { viewOf } from './views.ts';

export type { SocketOptions, Writable, WriteOptions } from './socket-options.ts';

/** Header and tag of a record, at the most. */
const OVERHEAD = 53;
/** Left free for keep-alives and what else a connection says of itself. */
const RESERVE = 128;
/** Longest record where there is no transmit buffer. */
const RECORD_BYTES = 1400;
const CONNECT_MS = 15000;

/** What is written, until it is sent. */
interface Held {
  bytes: Uint8Array;
  length: number;
}

export class QSTPSocket {
  target: unknown;
  private options: SocketOptions;
  private device: Device;
  private side: DeviceSide | null = null;
  private transport: TcpTransport | null = null;
  private connection: Connection | null = null;
  /** The certificates of that connection. */
  private pair: TrustedPair | null = null;
  /** The server's certificate that a full handshake of this socket failed with. */
  private failed: ServerCertificate | null = null;
  /** What of the connection under way is to be undone if it is given up: a wait, a stream. */
  private cancel: (() => void) | null = null;
  private ready = false;
  private closed = false;
  private numbers: boolean;
  /** The record that is being read. */
  private data: Uint8Array | null = null;
  private at = 0;
  private end = 0;
  /** The application has been told of it. */
  private told = false;
  private delivering = false;
  /** The connection waits until the record is read. */
  private holding = false;
  /** The tunnel is up, and the application is to be told. */
  private opened = false;
  private held: Held | null = null;
  /** What is held is to be sent: nothing more was announced. */
  private whole = false;
  private soon: TimerId | null = null;
  /** Why it has ended, until what came before is read. */
  private why: Reject | null = null;

  /**
   * Connects and does the handshake; `onWritable` tells when it is done, `onError` why it is not: without an entropy
   * source that works there is no connection. Throws `invalid_input`, and as `openDevice`.
   */
  constructor(options: SocketOptions) {
    this.options = options;
    this.numbers = false;
    if (options.format !== undefined) this.format = options.format;
    if (options.target !== undefined) this.target = options.target;
    this.device = deviceOf(options.qstp);
    // The application's stack may be deep here, and the engine's is short: 384 slots on an ESP32.
    this.cancel = moddableTimer.set(() => this.begin(), 0);
  }

  get format(): 'buffer' | 'number' {
    return this.numbers ? 'number' : 'buffer';
  }
  set format(format: 'buffer' | 'number') {
    if (format !== 'buffer' && format !== 'number')
      throw new RangeError('the format is "buffer" or "number"');
    this.numbers = format === 'number';
  }

  /** Closes with a notice to the peer. Nothing is called back after that. */
  close(): void {
    if (this.closed) return;
    this.flush();
    this.closed = true;
    this.held = null;
    this.data = null;
    if (this.soon !== null) Timer.clear(this.soon);
    if (this.cancel !== null) this.cancel();
    this.cancel = null;
    if (this.connection !== null) {
      if (this.ready) this.device.tick(true);
      else this.device.credentials.ticket = null;
      this.connection.close();
    }
    this.device.release(this);
  }

  // ---- Reading --------------------------------------------------------------------------------------------

  /**
   * In format `number` the next byte; else the next `count` bytes, all that are there, or as many as fit the given
   * buffer, and then their number. Undefined if there are none. Throws RangeError for more than there are.
   */
  read(count?: number | ArrayBuffer | ArrayBufferView): ArrayBuffer | number | undefined {
    const data = this.data;
    if (data === null) return undefined;
    const there = this.end - this.at;
    let result: ArrayBuffer | number;
    if (this.numbers) {
      result = data[this.at++]!;
    } else if (typeof count === 'object') {
      const into = viewOf(count);
      const length = into.length < there ? into.length : there;
      into.set(data.subarray(this.at, this.at + length));
      this.at += length;
      result = length;
    } else {
      const length = count ?? there;
      if (!(length >= 0 && length <= there)) throw new RangeError('there are ' + there + ' bytes to read');
      result = data.slice(this.at, this.at + length).buffer as ArrayBuffer;
      this.at += length;
    }
    if (this.at === this.end) {
      this.data = null;
      if (!this.delivering) this.later();
    }
    return result;
  }

  private record(bytes: Uint8Array, from: number, length: number): void {
    if (this.closed) return;
    this.data = bytes.slice(from, from + length);
    this.at = 0;
    this.end = length;
    // The next record waits until this one is read, and the peer with it.
    this.connection!.pause();
    this.holding = true;
    this.told = false;
    this.later();
  }

  /** Tells the application with a stack as short as it can be: what it does on being told takes the rest. */
  private later(): void {
    if (this.soon !== null) return;
    this.soon = Timer.set(() => {
      this.soon = null;
      this.tell();
    }, 0);
  }

  private tell(): void {
    const { onReadable } = this.options;
    this.flush();
    if (this.opened) {
      this.opened = false;
      this.drain();
    }
    if (this.data !== null && !this.told && !this.closed) {
      this.told = true;
      this.delivering = true;
      if (onReadable !== undefined) onReadable.call(this, this.end);
      this.delivering = false;
    }
    if (this.data !== null || this.closed) return;
    if (this.why !== null) this.tellError(this.why);
    else if (this.holding) {
      this.holding = false;
      this.connection!.resume();
    }
  }

  // ---- Writing --------------------------------------------------------------------------------------------

  /** How much more can be written now, bytes. */
  private get room(): number {
    const record = this.ready && this.transport !== null ? this.recordBytes : 0;
    // Nothing is sent over a tunnel that is closing.
    if (record === 0) return 0;
    const most = this.transport!.writable - RESERVE;
    const whole = Math.floor(most / (record + OVERHEAD));
    const rest = most - whole * (record + OVERHEAD) - OVERHEAD;
    const room = whole * record + (rest > 0 ? rest : 0) - (this.held === null ? 0 : this.held.length);
    return room > 0 ? room : 0;
  }

  private get recordBytes(): number {
    const { transmit } = this.device.pool;
    const fits = transmit === null ? RECORD_BYTES : transmit.length - OVERHEAD;
    const { messageMax } = this.connection!.session;
    return messageMax < fits ? messageMax : fits;
  }

  /**
   * Writes a byte in format `number`, else a buffer, and returns how much more can be written. Throws if it is
   * more than that.
   */
  write(data: Writable, options?: WriteOptions): number {
    if (!this.ready || this.closed) throw new QstpError('not_connected', 'wait for onWritable');
    if (this.connection!.session.state === 'closed') return 0;
    const bytes = typeof data === 'number' ? new Uint8Array([data]) : viewOf(data);
    if (bytes.length > this.room) {
      throw new QstpError('would_block', bytes.length + ' bytes: ' + this.room + ' can be written now');
    }
    const more = options !== undefined && options.more === true;
    this.hold(bytes, more ? (options.byteLength ?? 0) : bytes.length);
    if (!more) {
      // Sealed in a turn of its own: the application's stack may be deep here too.
      this.whole = true;
      this.later();
    }
    return this.room;
  }

  /** Sends what was written. */
  private flush(): void {
    const { held } = this;
    if (!this.whole || held === null) return;
    this.held = null;
    this.whole = false;
    if (this.connection!.session.state !== 'closed') this.send(held.bytes.subarray(0, held.length));
  }

  private hold(bytes: Uint8Array, expected: number): void {
    if (this.held === null) this.held = { bytes: new Uint8Array(expected), length: 0 };
    const held = this.held;
    const length = held.length + bytes.length;
    if (length > held.bytes.length) {
      const larger = new Uint8Array(length);
      larger.set(held.bytes.subarray(0, held.length));
      held.bytes = larger;
    }
    held.bytes.set(bytes, held.length);
    held.length = length;
  }

  private send(bytes: Uint8Array): void {
    const most = this.recordBytes;
    for (let at = 0; at < bytes.length && most > 0; at += most) {
      this.connection!.send(bytes.subarray(at, at + most));
    }
  }

  private drain(): void {
    const { onWritable } = this.options;
    if (!this.ready || this.closed || this.opened || onWritable === undefined) return;
    const room = this.room;
    if (room > 0) onWritable.call(this, room);
  }

  // ---- Connecting -----------------------------------------------------------------------------------------

  private begin(): void {
    this.cancel = null;
    try {
      this.side = this.device.start();
    } catch (error) {
      const { code, message } = error as QstpError;
      this.finish(reject(code, ErrorCode.none, message));
      return;
    }
    this.device.acquire(this);
  }

  /** The device has no other handshake under way: this one begins. */
  turn(): void {
    const { credentials, clock, fullHandshakeMinMs } = this.device;
    this.device.noteTime();
    const now = moddableTimer.now();
    const { waitMs } = nextHandshake(credentials, this.side!, clock.now(), now, fullHandshakeMinMs);
    if (waitMs > 0) this.cancel = moddableTimer.set(() => this.turn(), waitMs);
    else this.open();
  }

  private open(): void {
    this.cancel = openStream(this.options, this.options.TCP, undefined, CONNECT_MS, (transport, problem) => {
      this.cancel = null;
      if (transport !== null) this.handshake(transport);
      else this.finish(reject('connect_failed', ErrorCode.connectFailure, problem));
    });
  }

  private handshake(transport: TcpTransport): void {
    const { credentials, clock, execute, fullHandshakeMinMs, handshakeDeadlineMs, pool } = this.device;
    const device = this.device;
    const side = this.side!;
    const time = (): number => clock.now();
    const now = moddableTimer.now();
    const { ticket } = nextHandshake(credentials, side, time(), now, fullHandshakeMinMs);
    const pair = device.pairs.next(time());
    if ('reason' in pair) {
      transport.destroy();
      this.finish(pair);
      return;
    }
    this.pair = pair;
    handshakeBegins(credentials, ticket, now);
    const chain = createClientChain();
    let session: Session;
    try {
      session = clientSession({ ...side, chain }, ticket, device.pairs.verifiedOf(pair), time, pair);
    } catch (error) {
      // No slot, or a counter that cannot be stored.
      credentials.ticket = null;
      transport.destroy();
      const { code, message } = error as QstpError;
      this.finish(reject(code, ErrorCode.memoryAllocation, message));
      return;
    }
    const connection = createConnection(
      session,
      { timer: moddableTimer, clock, execute, handshakeDeadlineMs, transmit: pool.transmit },
      {
        established: () => {
          handshakeWorked(credentials);
          if (session.fullHandshake) device.pairs.confirm(pair);
          this.ready = true;
          this.opened = true;
          device.release(this);
          this.later();
        },
        record: (bytes, from, length) => this.record(bytes, from, length),
        drain: () => this.drain(),
        keepalive: () => device.keptAlive(connection, chain),
        closed: (why) => this.ended(connection, why),
      },
    );
    this.connection = connection;
    this.transport = transport;
    connection.start(transport.bind(connection));
  }

  private ended(connection: Connection, why: Reject): void {
    if (connection !== this.connection || this.closed) return;
    const { credentials } = this.device;
    const full = credentials.ticket === null;
    this.device.pairs.forsake(why);
    let other = false;
    if (!this.ready) {
      this.device.noteEnd(why);
      other = handshakeFailed(credentials, this.side!, connection.session) || (full && this.tryOther(why));
    }
    this.transport = null;
    if (other) {
      // A ticket was refused: another one may work, or a full handshake; or other certificates.
      this.connection = null;
      this.turn();
    } else {
      this.why = why;
      this.device.release(this);
      this.later();
    }
  }

  /** True if it may be for the certificates that a full handshake failed, and there are others, not tried yet. */
  private tryOther(why: Reject): boolean {
    const { pairs, clock } = this.device;
    const pair = this.pair!;
    pairs.failed(pair, why);
    const next = pairs.next(clock.now());
    const another = !('reason' in next) && next.server !== pair.server && this.failed !== next.server;
    this.failed = pair.server;
    return another;
  }

  private finish(why: Reject): void {
    this.device.release(this);
    if (!this.closed) this.tellError(why);
  }

  private tellError(why: Reject): void {
    const { onError } = this.options;
    this.why = why;
    this.connection = null;
    this.closed = true;
    if (this.soon !== null) Timer.clear(this.soon);
    if (onError !== undefined) onError.call(this, new QstpError(why.reason, why.detail));
  }
}
