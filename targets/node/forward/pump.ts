// Moves a TCP stream through a tunnel and back, with back-pressure and half-close in both directions.

import type { Socket } from 'node:net';
import { ErrorCode, isOrderly, reject } from '../../../src/error.ts';
import type { Reject } from '../../../src/error.ts';
import type { Connection } from '../../../src/link/connection.ts';
import { FORWARD_MESSAGE_BYTES, forwardMessage, ForwardType } from './records.ts';

export interface Pump {
  /** Takes a message of the tunnel. */
  message(bytes: Uint8Array): void;
  drain(): void;
  /** The tunnel is gone: so is the stream, cleanly only if both ends had closed it. */
  closed(why: Reject): void;
  /** Bytes moved, tunnel to socket and socket to tunnel. */
  readonly bytes: { in: number; out: number };
}

/** `socket` must be made with `allowHalfOpen`. The tunnel closes when both directions have ended. */
export function pump(connection: Connection, socket: Socket): Pump {
  const bytes = { in: 0, out: 0 };
  let sentEof = false;
  let gotEof = false;

  const open = (): boolean => connection.session.state === 'established';

  const endIfDone = (): void => {
    if (sentEof && gotEof) connection.close();
  };

  const failed = (detail: string): void => {
    connection.fail(reject('stream_failed', ErrorCode.connectionFailure, detail));
  };

  socket.on('data', (chunk) => {
    bytes.out += chunk.length;
    let free = true;
    const { messageMax } = connection.session;
    const most = (messageMax < FORWARD_MESSAGE_BYTES ? messageMax : FORWARD_MESSAGE_BYTES) - 1;
    for (let at = 0; at < chunk.length && open(); at += most) {
      const part = chunk.subarray(at, at + most);
      const message = new Uint8Array(1 + part.length);
      message.set(part, 1);
      free = connection.send(message);
    }
    if (!free) socket.pause();
  });
  socket.on('drain', () => connection.resume());
  socket.on('end', () => {
    sentEof = true;
    if (open()) connection.send(forwardMessage(ForwardType.eof));
    endIfDone();
  });
  socket.on('error', (error) => failed(`the forwarded stream failed: ${error.message}`));
  socket.on('close', () => connection.close());

  return {
    bytes,
    message(message) {
      if (message[0] === ForwardType.data) {
        bytes.in += message.length - 1;
        if (!socket.write(message.slice(1))) connection.pause();
      } else if (message[0] === ForwardType.eof) {
        gotEof = true;
        socket.end();
        endIfDone();
      } else {
        failed(`the peer sent a message of type ${message[0]} within a stream`);
      }
    },
    drain() {
      socket.resume();
    },
    closed(why) {
      socket.resume();
      // A reset tells the reader that what it got is not all there was.
      if (isOrderly(why)) socket.destroySoon();
      else socket.resetAndDestroy();
    },
  };
}
