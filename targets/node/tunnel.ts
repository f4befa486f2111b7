// The Node facade: a tunnel as a Duplex stream.

import { Duplex } from 'node:stream';
import { ErrorCode, isOrderly, QstpError, reject } from '../../src/error.ts';
import type { Reject } from '../../src/error.ts';
import type { Connection, ConnectionEvents } from '../../src/link/connection.ts';
import { turnFailed } from '../../src/link/turn.ts';
import { dialTurn, dialTurns } from './dial.ts';
import type { DialOptions } from './dial.ts';
import { listen } from './listen.ts';
import type { ListenOptions, Peer, QstpServer, ServerEvents } from './listen.ts';

/** Bytes of one record at the most: small enough for a peer with modest buffers. */
const RECORD_BYTES = 16384;

/**
 * An established tunnel. Bytes written come out at the other end in order; a chunk of up to 16,384 bytes
 * travels as one record. QSTP has no half-close: `end()` closes the tunnel after what was written.
 * An orderly end ends the stream, and drops what is still being written; anything else destroys it with a
 * QstpError whose `code` is the reason. `destroy(error)` tells the peer that the end is not orderly.
 */
export class Tunnel extends Duplex {
  readonly connection: Connection;
  /** Why it ended; null while it is open. */
  reason: Reject | null = null;
  /** Told of a server's answer to a revocation (X7). */
  onRevocationAnswer: ((status: number, serial: Uint8Array) => void) | null = null;
  private blockedWrite: (() => void) | null = null;

  constructor(connection: Connection) {
    super({ allowHalfOpen: false });
    this.connection = connection;
  }

  /** What the connection tells goes here. */
  readonly events: Pick<ConnectionEvents, 'message' | 'drain' | 'closed'> = {
    message: (bytes) => {
      if (!this.push(bytes.slice())) this.connection.pause();
    },
    drain: () => {
      const go = this.blockedWrite;
      this.blockedWrite = null;
      go?.();
    },
    closed: (why) => {
      this.reason = why;
      if (isOrderly(why)) {
        this.push(null);
        this.events.drain!();
      } else {
        this.destroy(new QstpError(why.reason, why.detail));
      }
    },
  };

  override _read(): void {
    this.connection.resume();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    const next = (at: number): void => {
      while (at < chunk.length) {
        // Nobody is there to take the rest; failing here would throw away what the peer sent before its end.
        if (this.reason !== null) break;
        const { messageMax } = this.connection.session;
        const most = messageMax < RECORD_BYTES ? messageMax : RECORD_BYTES;
        const free = this.connection.send(chunk.subarray(at, at + most));
        at += most;
        if (!free) {
          this.blockedWrite = () => next(at);
          return;
        }
      }
      done();
    };
    next(0);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.connection.close();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (error === null) this.connection.close();
    else this.connection.fail(reject('stream_failed', ErrorCode.channelDown, error.message));
    done(error);
  }
}

/**
 * Connects and resolves with the tunnel, or rejects with a QstpError whose `code` is the reason. With a `wallet`, it
 * resumes by ticket; tickets that are refused cost a round trip each, then a full handshake follows.
 */
export function connectQstp(options: DialOptions): Promise<Tunnel> {
  return new Promise((resolve, fail) => {
    const turn = dialTurns(options);
    let tunnel: Tunnel | null = null;
    let opening = true;
    const attempt = (): void => {
      const connection = dialTurn(options, turn, {
        established() {
          const made = new Tunnel(connection);
          tunnel = made;
          // What came in the same segment may end the tunnel before the caller could listen for its errors.
          setImmediate(() => {
            opening = false;
            if (made.reason === null || isOrderly(made.reason)) resolve(made);
            else fail(new QstpError(made.reason.reason, made.reason.detail));
          });
        },
        message: (bytes) => tunnel!.events.message!(bytes),
        drain: () => tunnel?.events.drain!(),
        revocationAnswered: (status, serial) => tunnel?.onRevocationAnswer?.(status, serial),
        closed(why) {
          const again = turnFailed(turn, why, tunnel === null);
          if (again) attempt();
          else if (tunnel === null) fail(new QstpError(why.reason, why.detail));
          else if (opening && !isOrderly(why)) tunnel.reason = why;
          else tunnel.events.closed!(why);
        },
      });
    };
    attempt();
  });
}

/** Starts a server that hands each client over as a tunnel. */
export function listenQstp(
  options: ListenOptions,
  onTunnel: (tunnel: Tunnel, peer: Peer) => void,
  refused?: ServerEvents['refused'],
): Promise<QstpServer> {
  if (options.queue !== undefined) {
    throw new QstpError(
      'invalid_input',
      'a tunnel is a stream, whose chunks are not kept: take "queue" away, or use listen and peer.send',
    );
  }
  return listen(options, {
    connected(peer) {
      const tunnel = new Tunnel(peer.connection);
      onTunnel(tunnel, peer);
      return tunnel.events;
    },
    ...(refused === undefined ? {} : { refused }),
  });
}
