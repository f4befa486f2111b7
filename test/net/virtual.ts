// A network and clocks in virtual time, for tests of what takes hours: timers fire in order, streams have a
// latency, and can be cut, hung or refused. Nothing here waits for a real clock.
import type { Connector, Executor, Timer, Transport, TransportEvents } from '../../src/platform.ts';
import { runJob } from '../../src/crypto/job.ts';
import type { ServerLink } from '../../src/link/server.ts';

interface Entry {
  at: number;
  order: number;
  run: () => void;
}

/** Milliseconds since the start of the world, and what happens when. */
export class World {
  ms = 0;
  /** Seconds since 1970 at the start. */
  readonly epoch: number;
  private readonly entries: Entry[] = [];
  private order = 0;

  constructor(epoch = 1_800_000_100) {
    this.epoch = epoch;
  }

  after(ms: number, run: () => void): () => void {
    const entry = { at: this.ms + ms, order: this.order++, run };
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.entries[middle]!;
      if (other.at < entry.at || (other.at === entry.at && other.order < entry.order)) low = middle + 1;
      else high = middle;
    }
    this.entries.splice(low, 0, entry);
    return () => {
      const index = this.entries.indexOf(entry);
      if (index >= 0) this.entries.splice(index, 1);
    };
  }

  /** Lets `ms` pass. */
  run(ms: number): void {
    const until = this.ms + ms;
    while (this.entries.length > 0 && this.entries[0]!.at <= until) {
      const entry = this.entries.shift()!;
      if (entry.at > this.ms) this.ms = entry.at;
      entry.run();
    }
    this.ms = until;
  }

  /** Timers and operations that wait. */
  get pending(): number {
    return this.entries.length;
  }

  /** When the next thing happens, ms from now; -1 if nothing will. */
  get next(): number {
    return this.entries.length === 0 ? -1 : this.entries[0]!.at - this.ms;
  }

  readonly timer: Timer = {
    set: (callback, ms) => this.after(ms, callback),
    schedule: (waker, ms) => ({ cancel: this.after(ms, () => waker.wake()) }),
    cancel: (handle) => (handle as { cancel: () => void }).cancel(),
    now: () => this.ms % 4294967296,
  };

  readonly clock = { now: (): number => this.epoch + Math.floor(this.ms / 1000) };

  /** Operations take a millisecond. */
  readonly execute: Executor = (crypto, job, done) =>
    job.op === 'call' ? this.after(0, () => job.call(done)) : this.after(1, () => done(runJob(crypto, job)));
}

interface End {
  events: TransportEvents | null;
  gone: boolean;
  paused: boolean;
  held: Uint8Array[];
}

/** A stream between two ends. */
export class Wire {
  latency = 5;
  /** Bytes vanish without an error, as behind a router that forgot the connection. */
  hung = false;
  bytes = 0;
  /** By side: its queue is full, as of a peer that reads nothing. */
  readonly full: [boolean, boolean] = [false, false];
  /** When each write was, by direction, with its length: for timelines. */
  readonly writes: { at: number; fromClient: boolean; length: number }[] = [];
  private readonly world: World;
  private readonly ends: [End, End];

  constructor(world: World) {
    this.world = world;
    const end = (): End => ({ events: null, gone: false, paused: false, held: [] });
    this.ends = [end(), end()];
  }

  /** One end's transport; 0 is the client's. */
  bind(side: 0 | 1, events: TransportEvents): Transport {
    const [mine, theirs] = [this.ends[side], this.ends[side === 0 ? 1 : 0]];
    mine.events = events;
    const flush = (): void => {
      while (!mine.paused && !mine.gone && mine.held.length > 0) events.data(mine.held.shift()!);
    };
    return {
      write: (bytes, length) => {
        if (mine.gone || this.hung) return true;
        const copy = bytes.slice(0, length);
        this.bytes += length;
        this.writes.push({ at: this.world.ms, fromClient: side === 0, length });
        this.world.after(this.latency, () => {
          if (theirs.gone || theirs.events === null || this.hung) return;
          if (theirs.paused) theirs.held.push(copy);
          else theirs.events.data(copy);
        });
        return !this.full[side];
      },
      pause: () => {
        mine.paused = true;
      },
      resume: () => {
        mine.paused = false;
        this.world.after(0, flush);
      },
      end: (sent) => {
        this.world.after(0, sent);
        this.world.after(this.latency, () => this.lose(null));
      },
      destroy: () => this.lose(null),
    };
  }

  /** There is room again in the queue of a side. */
  drain(side: 0 | 1): void {
    this.full[side] = false;
    this.ends[side].events?.drain();
  }

  /** The client loses its end; what it sent is still on its way, and the server learns nothing. */
  abandon(error: string): void {
    const [client] = this.ends;
    if (client.gone) return;
    client.gone = true;
    if (client.events !== null) client.events.gone(error);
  }

  /** Both ends learn that the stream is gone. */
  lose(error: string | null): void {
    for (const end of this.ends) {
      if (end.gone) continue;
      end.gone = true;
      if (end.events !== null) end.events.gone(error);
    }
  }
}

/** What a listener does with a new stream. */
export type Accept = (wire: Wire) => void;

/** A server's link takes a stream, or there is no room. `gone` is told of its end, before the server. */
export function serveWire(
  server: ServerLink,
  wire: Wire,
  address = '10.0.0.1',
  gone: () => void = () => undefined,
): boolean {
  const admitted = server.accept(address, 1);
  if (admitted instanceof Uint8Array) {
    wire.lose(null);
    return false;
  }
  const transport = wire.bind(1, {
    data: (bytes) => admitted.connection.data(bytes),
    drain: () => admitted.connection.drain(),
    gone: (error) => {
      gone();
      admitted.gone();
      admitted.connection.gone(error);
    },
  });
  admitted.connection.start(transport);
  return true;
}

/** Servers by index, each a function that takes streams, or null where nobody listens. */
export class Network {
  readonly world: World;
  readonly servers: (Accept | null)[];
  readonly wires: Wire[] = [];
  /** Attempts, by time. */
  readonly attempts: number[] = [];
  /** How long the way to a server takes where that is not 5 ms, by index. Wires keep what they began with. */
  readonly latencies: number[] = [];

  constructor(world: World, servers: (Accept | null)[]) {
    this.world = world;
    this.servers = servers;
  }

  readonly connector: Connector = {
    open: (index, done) => {
      this.attempts.push(this.world.ms);
      const latency = this.latencies[index];
      return this.world.after(latency === undefined ? 3 : 2 * latency, () => {
        const accept = this.servers[index] ?? null;
        if (accept === null) {
          done(null, 'connection refused');
          return;
        }
        const wire = new Wire(this.world);
        if (latency !== undefined) wire.latency = latency;
        this.wires.push(wire);
        accept(wire);
        done((events) => wire.bind(0, events), '');
      });
    },
  };

  /** The stream opened last. */
  get last(): Wire {
    return this.wires[this.wires.length - 1]!;
  }
}
