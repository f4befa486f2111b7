// The board for src/lean: its sockets and files, which are made of binary strings, its timers and its generator.

import { putU32 } from '../../src/bytes.ts';
import { WITH_FULL_HANDSHAKE } from '../../src/features.ts';
import { DRAINED, GONE, OPENED, RECEIVED } from '../../src/lean/types.ts';
import type { Files, Host } from '../../src/lean/types.ts';
import { fromBinary, toBinary } from './text.ts';

/** Where the server is. */
export interface Address {
  readonly host: string;
  /** Default 32119. */
  readonly port?: number;
}

const PORT = 32119;

export function boardHost(net: EspruinoNet, server: Address): Host {
  return {
    openStream(tell) {
      const socket = net.connect({ host: server.host, port: server.port || PORT }, () => {
        tell(OPENED);
      });
      socket.on('data', (data) => {
        tell(RECEIVED, fromBinary(data));
      });
      socket.on('drain', () => {
        tell(DRAINED);
      });
      socket.on('error', () => {
        tell(GONE, 'connect_failed');
      });
      socket.on('close', () => {
        tell(GONE, 'disconnected');
      });
      return {
        send: (bytes) => socket.write(toBinary(bytes)),
        close() {
          socket.end();
        },
      };
    },
    // What is called is given the arguments behind the time.
    later: setTimeout,
    // Espruino throws for an undefined id, and takes one that is over.
    clearLater: clearTimeout as (handle: unknown) => void,
    nowMs: Date.now,
  };
}

export function boardFiles(storage: EspruinoStorage): Files {
  return {
    load(name) {
      const text = storage.read(name);
      return text === undefined ? null : fromBinary(text);
    },
    save: (name, value) => storage.write(name, toBinary(value)),
  };
}

/**
 * Boards whose `E.hwRand` is a generator in hardware, by `process.env.BOARD`: nRF52 and RP2040. On ESP32, ESP8266 and Linux it
 * begins with the same seed every time.
 */
const RANDOM_BOARDS = /^(PUCKJS|PIXLJS|MDBT42Q|BANGLEJS|MICROBIT|JOLTJS|NRF52|RUUVITAG|THINGY52|RP2|RAK)/;

export function isRandomBoard(): boolean {
  return WITH_FULL_HANDSHAKE && RANDOM_BOARDS.test(process.env['BOARD']!);
}

export function fillFromBoard(out: Uint8Array): void {
  for (let i = 0; i < out.length; i += 4) putU32(out, i, E.hwRand());
}
