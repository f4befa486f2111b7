// What of Espruino the target uses.

/** A TCP stream of `require("net")`. Data are binary strings: one character a byte. */
interface EspruinoSocket {
  on(event: 'data', listener: (data: string) => void): void;
  on(event: 'drain' | 'end' | 'close', listener: () => void): void;
  on(event: 'error', listener: (error: { code: number | string; message: string }) => void): void;
  /** False: more than the board can queue, wait for `drain`. */
  write(data: string): boolean;
  end(): void;
}

interface EspruinoNet {
  connect(options: { host: string; port: number }, connected: () => void): EspruinoSocket;
}

/** `require("Storage")`: files in flash, names of 28 characters at the most. */
interface EspruinoStorage {
  read(name: string): string | undefined;
  /** False if there is no room. What is there already is not written again. */
  write(name: string, data: string): boolean;
  erase(name: string): void;
}

declare const E: {
  /** 32 bits of the board's generator, which is not random on every board. */
  hwRand(): number;
};
