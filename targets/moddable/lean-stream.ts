// A TCP socket of Moddable (ECMA-419) as the stream of a lean client.

import Timer from 'timer';
import type { TimerId } from 'timer';
import { DRAINED, GONE, OPENED, RECEIVED } from '../../src/lean/types.ts';
import type { Stream, Tell } from '../../src/lean/types.ts';
import type { TcpOptions, TcpSocket } from './platform.ts';

/** Most bytes of one read. */
const READ_BYTES = 1024;

export interface Address {
  /** The server's address. */
  readonly address: string;
  /** Default 32119. */
  readonly port?: number;
  /** What the tunnel runs over: `{io: TCP}`. */
  readonly TCP: TcpOptions;
}

export interface TcpStream extends Stream {
  /** How much the socket takes now, bytes. */
  writable(): number;
  /** Leaves what comes in where it is, or takes it again. */
  hold(holding: boolean): void;
}

const PORT = 32119;

export function tcpStream({ TCP, address, port = PORT }: Address, tell: Tell): TcpStream {
  let socket: TcpSocket | null = null;
  let room = 0;
  let readable = 0;
  let up = false;
  let held = false;
  let ending = false;
  let soon: TimerId | undefined;
  const queue: Uint8Array[] = [];

  const drop = (why: string): void => {
    if (socket === null) return;
    const closing = socket;
    socket = null;
    Timer.clear(soon);
    closing.close();
    if (why !== '') tell(GONE, why);
  };

  const flush = (): void => {
    while (queue.length > 0 && room > 0 && socket !== null) {
      const first = queue[0]!;
      const part = first.subarray(0, room);
      try {
        room = socket.write(part) ?? room - part.length;
      } catch {
        drop('disconnected');
      }
      if (part.length === first.length) queue.shift();
      else queue[0] = first.subarray(part.length);
    }
    if (ending && queue.length === 0) drop('');
  };

  /** Reads in a turn of its own: what a record sets off needs the engine's stack, which has 384 slots on an ESP32. */
  const read = (): void => {
    if (soon !== undefined || held || readable === 0 || socket === null) return;
    soon = Timer.set(() => {
      soon = undefined;
      while (readable > 0 && !held && socket !== null) {
        const count = readable < READ_BYTES ? readable : READ_BYTES;
        const bytes = socket.read(count);
        readable -= count;
        if (bytes instanceof ArrayBuffer) tell(RECEIVED, new Uint8Array(bytes));
      }
    }, 0);
  };

  try {
    socket = new TCP.io({
      nodelay: true,
      ...TCP,
      address,
      port,
      onReadable(count) {
        readable = count;
        read();
      },
      onWritable(count) {
        room = count;
        if (!up) {
          up = true;
          tell(OPENED);
        } else {
          flush();
          if (queue.length === 0 && socket !== null) tell(DRAINED);
        }
      },
      onError: () => drop(up ? 'disconnected' : 'connect_failed'),
    });
  } catch {
    Timer.set(() => tell(GONE, 'connect_failed'), 0);
  }

  return {
    send(bytes) {
      queue.push(bytes);
      flush();
      return queue.length === 0;
    },
    close() {
      ending = true;
      flush();
    },
    writable: () => (queue.length === 0 ? room : 0),
    hold(holding) {
      held = holding;
      read();
    },
  };
}
