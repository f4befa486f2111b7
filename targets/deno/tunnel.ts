// The Deno facade: a tunnel as a pair of web streams, like Deno.Conn.

import { ErrorCode, isOrderly, QstpError, reject } from '../../src/error.ts';
import type { Reject } from '../../src/error.ts';
import type { Connection, ConnectionEvents } from '../../src/link/connection.ts';

/** Bytes of one record at the most: small enough for a peer with modest buffers. */
const RECORD_BYTES = 16384;

export interface Tunnel extends AsyncDisposable {
  /** What the peer sends, a chunk a record. Errors unless the end is orderly. */
  readonly readable: ReadableStream<Uint8Array>;
  /** What goes to the peer; chunks over 16,384 bytes are split. Closing it closes the tunnel. */
  readonly writable: WritableStream<Uint8Array>;
  /** Resolves with the reason when the tunnel has ended. */
  readonly closed: Promise<Reject>;
  readonly connection: Connection;
  /** Closes with a notice to the peer. */
  close(): void;
}

/** The tunnel of a connection, and what the connection's events go to. */
export function createTunnel(connection: Connection): {
  tunnel: Tunnel;
  events: Required<Pick<ConnectionEvents, 'message' | 'drain' | 'closed'>>;
} {
  let incoming: ReadableStreamDefaultController<Uint8Array>;
  let outgoing: WritableStreamDefaultController;
  let drained: (() => void) | null = null;
  let end: (why: Reject) => void;
  const closed = new Promise<Reject>((resolve) => (end = resolve));

  const readable = new ReadableStream<Uint8Array>({
    start: (controller) => void (incoming = controller),
    pull: () => connection.resume(),
    cancel: () => connection.close(),
  });
  const writable = new WritableStream<Uint8Array>({
    start: (controller) => void (outgoing = controller),
    async write(chunk) {
      for (let at = 0, most = 0; at < chunk.length; at += most) {
        if (connection.session.state === 'closed') return;
        most = Math.min(connection.session.messageMax, RECORD_BYTES);
        if (!connection.send(chunk.subarray(at, at + most))) {
          await new Promise<void>((resolve) => (drained = resolve));
        }
      }
    },
    close: () => connection.close(),
    abort: (cause) => connection.fail(reject('stream_failed', ErrorCode.channelDown, String(cause))),
  });
  const release = (): void => {
    drained?.();
    drained = null;
  };
  return {
    tunnel: {
      readable,
      writable,
      closed,
      connection,
      close: () => connection.close(),
      async [Symbol.asyncDispose]() {
        connection.close();
        await closed;
      },
    },
    events: {
      message(bytes) {
        incoming.enqueue(bytes.slice());
        if ((incoming.desiredSize ?? 0) <= 0) connection.pause();
      },
      drain: release,
      closed(why) {
        end(why);
        release();
        const error = new QstpError(why.reason, why.detail);
        try {
          if (isOrderly(why)) incoming.close();
          else incoming.error(error);
        } catch {
          // The reader cancelled first.
        }
        outgoing.error(error);
      },
    },
  };
}
