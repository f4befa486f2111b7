// Stand-ins for what Moddable gives a program: timers and a clock in virtual time, preferences with the limits and
// the habits of NVS, sockets as on lwip. No import, no global but the language, so that it runs on any engine.

/** What the modules `timer`, `time`, `preference` and `net` export by default. */
export interface Modules {
  timer: { set(callback: (id: object) => void, ms?: number): object; clear(id: object | undefined): void };
  time: { readonly ticks: number; set(seconds: number): void };
  preference: {
    get(domain: string, key: string): unknown;
    set(domain: string, key: string, value: unknown): void;
    delete(domain: string, key: string): void;
  };
  net: { get(what: string): string | undefined };
}

interface Alarm {
  at: number;
  /** A timer of the device's. */
  device?: boolean;
  run: (() => void) | null;
}

/** Time goes on only when nothing is left to do. */
export class World {
  /** Milliseconds since the start. */
  ms = 0;
  /** The true time at the start, seconds since 1970. */
  readonly epoch: number;
  private alarms: Alarm[] = [];

  constructor(epoch: number) {
    this.epoch = epoch;
  }

  get seconds(): number {
    return this.epoch + Math.floor(this.ms / 1000);
  }

  after(ms: number, run: () => void): Alarm {
    const alarm = { at: this.ms + ms, run };
    let i = this.alarms.length;
    this.alarms.push(alarm);
    for (; i > 0 && this.alarms[i - 1]!.at > alarm.at; i--) this.alarms[i] = this.alarms[i - 1]!;
    this.alarms[i] = alarm;
    return alarm;
  }

  /** When something is due, milliseconds since the start; -1: never. */
  get next(): number {
    return this.alarms[0]?.at ?? -1;
  }

  /** Runs what is due within `ms`. */
  run(ms: number): void {
    const end = this.ms + ms;
    while (this.alarms.length > 0 && this.alarms[0]!.at <= end) this.step();
    this.ms = end;
  }

  /** Runs what is due next; true if it was a timer of the device's. */
  step(): boolean {
    const next = this.alarms.shift()!;
    const { run } = next;
    this.ms = next.at;
    next.run = null;
    if (run !== null) run();
    return next.device === true;
  }

  /** Forgets all alarms, as a power cut does. */
  cut(): void {
    this.alarms = [];
  }
}

/** Thrown where power is cut. */
export class PowerCut extends Error {}

export const VALUE_BYTES_MAX = 4000;

/** What outlives a power cut. */
export class Flash {
  readonly values: Record<string, ArrayBuffer | undefined> = {};
  writes = 0;
  /** Power is cut at this write or deletion, before it (`cutBefore`) or after it. -1: never. */
  cutAt = -1;
  cutBefore = false;
  broken = false;
  /** Largest value it takes, bytes. */
  most = VALUE_BYTES_MAX;

  private step(): boolean {
    if (this.broken) throw new Error('nvs set fail');
    const cut = this.writes++ === this.cutAt;
    if (cut && this.cutBefore) throw new PowerCut('power cut');
    return cut;
  }

  erase(name: string): void {
    const cut = this.step();
    delete this.values[name];
    if (cut) throw new PowerCut('power cut');
  }

  write(name: string, value: ArrayBuffer): void {
    const cut = this.step();
    this.values[name] = value.slice(0);
    if (cut) throw new PowerCut('power cut');
  }
}

function checkName(name: string, what: string): string {
  if (name.length < 1 || name.length > 15)
    throw new Error(`nvs: ${what} "${name}" has not 1 to 15 characters`);
  return name;
}

/** Ticks begin a minute before their 32 bits wrap. */
const FIRST_TICK = 0x7fffffff - 60_000;

export interface Machine {
  readonly world: World;
  readonly flash: Flash;
  readonly modules: Modules;
  radio: boolean;
  /** The system's clock less the true time, seconds: it starts in 1970. */
  clockError: number;
}

/** A device that starts: time and flash go on, everything else is new. */
export function startMachine(world: World, flash: Flash): Machine {
  const machine: Machine = {
    world,
    flash,
    radio: true,
    clockError: -world.epoch,
    modules: {
      timer: {
        set(callback, ms = 0) {
          const id: { alarm?: Alarm } = {};
          id.alarm = world.after(ms, () => callback(id));
          id.alarm.device = true;
          return id;
        },
        clear(id) {
          if (id !== undefined) (id as { alarm: Alarm }).alarm.run = null;
        },
      },
      time: {
        get ticks() {
          return (FIRST_TICK + world.ms) | 0;
        },
        set(seconds) {
          machine.clockError = seconds - world.seconds;
        },
      },
      preference: {
        get: (domain, key) =>
          flash.values[`${checkName(domain, 'domain')}/${checkName(key, 'key')}`]?.slice(0),
        set(domain, key, value) {
          const name = `${checkName(domain, 'domain')}/${checkName(key, 'key')}`;
          if (!(value instanceof ArrayBuffer)) throw new Error('unsupported type');
          if (value.byteLength > flash.most) throw new Error('nvs set fail');
          // What is there is erased first.
          if (flash.values[name] !== undefined) flash.erase(name);
          flash.write(name, value);
        },
        delete: (domain, key) => flash.erase(`${checkName(domain, 'domain')}/${checkName(key, 'key')}`),
      },
      net: { get: (what) => (what === 'SSID' && machine.radio ? 'factory' : undefined) },
    },
  };
  return machine;
}

// ---- Sockets ----------------------------------------------------------------------------------------------

const WINDOW = 5744;
const LATENCY_MS = 20;

/** The far end of a connection. */
export interface FarEnd {
  data(bytes: Uint8Array): void;
  /** The device has closed. */
  gone(): void;
}

/** What a server does with a connection. */
export type Answer = (wire: Wire) => FarEnd;

/** The server's hold on a connection. */
export class Wire {
  private readonly socket: Socket;
  private over = false;
  constructor(socket: Socket) {
    this.socket = socket;
  }
  send(bytes: Uint8Array): void {
    if (this.over) return;
    const copy = bytes.slice();
    this.socket.net.world.after(LATENCY_MS, () => this.socket.arrive(copy));
  }
  /** Ends the stream, after what was sent. */
  end(): void {
    this.over = true;
    this.socket.net.world.after(LATENCY_MS, () => this.socket.ended());
  }
}

export class Net {
  readonly world: World;
  /** Answers at `address:port`. */
  readonly servers: Record<string, Answer | undefined> = {};
  /** Bytes of what devices sent, a connection each. */
  readonly sent: number[] = [];
  /** Of the device's sockets: opened and not closed. */
  open = 0;
  /** Bytes the device may have unread, and unacknowledged. */
  window = WINDOW;

  constructor(world: World) {
    this.world = world;
  }

  /** The class that `embedded:io/socket/tcp` exports. */
  get TCP(): new (options: SocketOptions) => Socket {
    const net = this;
    return class extends Socket {
      constructor(options: SocketOptions) {
        super(net, options);
      }
    };
  }
}

export interface SocketOptions {
  address: string;
  port: number;
  onReadable?(count: number): void;
  onWritable?(count: number): void;
  onError?(): void;
}

/** No regular expression: on XS these take whatever is left of the stack, which is measured. */
function isAddress(text: string): boolean {
  for (let i = 0; i < text.length; i++) if ('0123456789.'.indexOf(text[i]!) < 0) return false;
  return text.length > 0;
}

export class Socket {
  readonly net: Net;
  format = 'buffer';
  private readonly options: SocketOptions;
  private far: FarEnd | null = null;
  private ready = false;
  private over = false;
  private closed = false;
  private writable: number;
  private unread: Uint8Array[] = [];
  private waiting: Uint8Array[] = [];
  private triggered = false;
  private readonly index: number;

  constructor(net: Net, options: SocketOptions) {
    this.net = net;
    this.options = options;
    this.writable = net.window;
    this.index = net.sent.push(0) - 1;
    if (typeof options.address !== 'string' || !isAddress(options.address)) {
      throw new Error('invalid address');
    }
    if (!(options.port >= 0 && options.port <= 65535)) throw new RangeError('invalid port');
    net.open++;
    net.world.after(2 * LATENCY_MS, () => this.connect());
  }

  private connect(): void {
    if (this.closed) return;
    const answer = this.net.servers[`${this.options.address}:${this.options.port}`];
    if (answer === undefined) {
      this.over = true;
      this.options.onError?.call(this);
      return;
    }
    this.ready = true;
    this.far = answer(new Wire(this));
    this.options.onWritable?.call(this, this.writable);
  }

  private check(): void {
    if (this.closed) throw new Error('the socket is closed');
  }

  read(count?: number): ArrayBuffer | undefined {
    this.check();
    const there = this.available;
    if (there === 0) return undefined;
    const wanted = count ?? there;
    if (wanted <= 0 || wanted > there) throw new Error('invalid');
    const out = new Uint8Array(wanted);
    for (let at = 0; at < wanted;) {
      const first = this.unread[0]!;
      const part = first.subarray(0, wanted - at);
      out.set(part, at);
      at += part.length;
      if (part.length === first.length) this.unread.shift();
      else this.unread[0] = first.subarray(part.length);
    }
    this.takeWaiting();
    if (this.over && this.available === 0) this.trigger();
    return out.buffer;
  }

  write(bytes: Uint8Array): number | undefined {
    this.check();
    if (!this.ready) throw new Error('not ready');
    if (this.over) return undefined;
    if (bytes.length > this.writable) throw new Error('would block');
    const copy = bytes.slice();
    this.writable -= copy.length;
    this.net.sent[this.index]! += copy.length;
    this.net.world.after(LATENCY_MS, () => this.far?.data(copy));
    this.net.world.after(2 * LATENCY_MS, () => {
      this.writable += copy.length;
      if (!this.closed && !this.over) this.options.onWritable?.call(this, this.writable);
    });
    return this.writable;
  }

  close(): void {
    this.check();
    this.closed = true;
    this.net.open--;
    this.net.world.after(LATENCY_MS, () => this.far?.gone());
  }

  private get available(): number {
    let sum = 0;
    for (const bytes of this.unread) sum += bytes.length;
    return sum;
  }

  private takeWaiting(): void {
    while (this.waiting.length > 0 && this.available < this.net.window) {
      this.unread.push(this.waiting.shift()!);
      this.trigger();
    }
  }

  arrive(bytes: Uint8Array): void {
    if (this.closed) return;
    // As much at a time as a segment holds.
    for (let at = 0; at < bytes.length; at += 1440) this.waiting.push(bytes.subarray(at, at + 1440));
    this.takeWaiting();
  }

  ended(): void {
    if (this.closed) return;
    this.over = true;
    if (this.available === 0) this.trigger();
  }

  private trigger(): void {
    if (this.triggered) return;
    this.triggered = true;
    this.net.world.after(0, () => {
      this.triggered = false;
      if (this.closed) return;
      if (this.available > 0) this.options.onReadable?.call(this, this.available);
      else if (this.over) this.options.onError?.call(this);
    });
  }
}
