// Moddable for src/lean: a TCP socket as its stream, timers, preferences, and the hardware generator.

import Timer from 'timer';
import type { TimerId } from 'timer';
import { createClient, end, wakeIn, write } from '../../src/lean/client.ts';
import { startDevice } from '../../src/lean/device.ts';
import { createMore } from '../../src/lean/more.ts';
import { problem } from '../../src/lean/problem.ts';
import type { Client, Device, Emit, Host, LeanOptions, More } from '../../src/lean/types.ts';
import { espRandom, isRadioOn } from './entropy.ts';
import { preferenceFiles } from './lean-files.ts';
import { tcpStream } from './lean-stream.ts';
import type { Address, TcpStream } from './lean-stream.ts';
import { createCounter } from './platform.ts';

const BITS = 4;
/** Least time between two full handshakes, ms. */
const FULL_MIN_MS = 30000;

export interface LeanDeviceOptions {
  /** The preferences that it was provisioned in. Default "qstp". */
  readonly preferences?: string;
  /** True while the radio is on, so that the hardware generator is one. Default: the Wi-Fi station is connected. */
  readonly isRadioOn?: () => boolean;
  /** Least time between two full handshakes, ms. Default 30,000. */
  readonly fullHandshakeMinMs?: number;
}

export interface ConnectOptions extends LeanOptions, Address {
  /** What `openDevice` gave. */
  readonly qstp: LeanDevice;
}

/** A timer that may be over: Moddable's are not to be cleared then. */
interface Later {
  id: TimerId | undefined;
}

export class LeanClient {
  #client: Client;
  #ended: () => void;

  constructor(client: Client, ended: () => void) {
    this.#client = client;
    this.#ended = ended;
  }

  /** Sends bytes, a message for each part of the size the server takes. False: wait for `drain`. Throws `not_connected`. */
  write(data: Uint8Array): boolean {
    return write(this.#client, data);
  }

  /** Closes, and stays closed. */
  end(): void {
    this.#ended();
    end(this.#client);
  }

  /** True between `connect` and `close`. */
  connected(): boolean {
    return this.#client.up;
  }

  /** Milliseconds until the client needs the processor again if nothing comes in; -1: not by itself. */
  wakeIn(): number {
    return wakeIn(this.#client);
  }
}

/** What the connections of a device share, which are one at a time. Plain data: made by {@link openDevice}. */
export class LeanDevice {
  #options: LeanDeviceOptions;
  #device: Device | null = null;
  #more: More | null = null;
  #now = createCounter();
  /** A connection is there, or on its way. */
  #busy = false;
  /** The stream of the connection. */
  #stream: TcpStream | null = null;

  constructor(options: LeanDeviceOptions) {
    this.#options = options;
  }

  /** Connects. Throws `no_slot` while another connection is there, and as `startDevice` and `createMore`. */
  connect(options: ConnectOptions, emit: Emit): LeanClient {
    if (this.#busy) throw problem('no_slot');
    const host = this.#host(options);
    if (this.#more === null) {
      const {
        preferences = 'qstp',
        isRadioOn: isUp = isRadioOn,
        fullHandshakeMinMs = FULL_MIN_MS,
      } = this.#options;
      const up = isUp();
      const { fill } = espRandom(isUp, up, BITS);
      this.#device = startDevice(preferenceFiles(preferences), up, fill);
      this.#more = createMore(this.#device, fullHandshakeMinMs);
    }
    this.#busy = true;
    return new LeanClient(
      createClient(options, host, this.#device!, this.#more, (event, argument, more) => {
        if (event === 'close' && options.reconnect === false) this.#busy = false;
        emit(event, argument, more);
      }),
      () => {
        this.#busy = false;
      },
    );
  }

  /** The stream of the connection. */
  stream(): TcpStream {
    return this.#stream!;
  }

  #host(options: ConnectOptions): Host {
    const later: Host['later'] = (then, ms, client): Later => {
      const handle: Later = { id: undefined };
      handle.id = Timer.set(() => {
        handle.id = undefined;
        then(client);
      }, ms);
      return handle;
    };
    return {
      later,
      clearLater(handle) {
        if (handle !== 0) Timer.clear((handle as Later).id);
      },
      nowMs: () => this.#now() * 1000,
      openStream: (tell) => (this.#stream = tcpStream(options, tell)),
    };
  }
}

/** The device's end of its tunnel. Nothing is done before the first connection: the network has to be up by then. */
export function openDevice(options: LeanDeviceOptions = {}): LeanDevice {
  return new LeanDevice(options);
}
