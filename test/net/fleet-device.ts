// A device of a fleet in virtual time: it has a storage whose power can fail at any write, a clock that can be wrong,
// and starts anew each time it wakes.
import { decodeClientCertificate } from '../../src/cert/certificate.ts';
import type { RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
import { ErrorCode } from '../../src/error.ts';
import { equal } from '../../src/bytes.ts';
import type {
  Clock,
  Connector,
  Executor,
  Storage,
  Timer,
  Transport,
  TransportEvents,
} from '../../src/platform.ts';
import { Link } from '../../src/link/driver.ts';
import { createPool } from '../../src/pool/pool.ts';
import { nodeRecords } from '../../targets/node/records.ts';
import { memoryStorage } from '../../src/link/storage-memory.ts';
import { openTrust } from '../../src/link/trust-store.ts';
import { openWallet } from '../../src/link/wallet.ts';
import type { ClientCredential } from '../../src/session/edge.ts';
import { count, dice } from './fleet.ts';
import type { Counts, Fleet } from './fleet.ts';
import type { Wire } from './virtual.ts';

export interface DevicePlan {
  /** What happens to it, in words. */
  readonly group: string;
  /** Whether it wakes on a day of the year. */
  online(day: number): boolean;
  /** Stays on, instead of waking now and then. */
  readonly always?: boolean;
  /** Loses its stream while it is awake, and comes back to the other gateway. */
  readonly moves?: boolean;
  /** The power fails at one write in so many. */
  readonly cuts?: number;
  /** Seconds its clock is off by. */
  skew?(day: number): number;
  /** Days its own certificate lives. */
  readonly days?: number;
}

/** The name of an error code that a gateway sent. */
function nameOf(code: number): string {
  const found = Object.entries(ErrorCode).find(([, value]) => value === code);
  return found === undefined ? `code ${code}` : found[0];
}

const AWAKE_MS = 90_000;
const OWN = 'app.qcc';

export class Device {
  readonly fleet: Fleet;
  readonly number: number;
  readonly name: string;
  readonly plan: DevicePlan;
  identity: ClientCredential;
  root: RootCertificate;
  server: ServerCertificate;
  link: Link | null = null;
  /** Statements taken and refused, power cuts. */
  readonly counts: Counts = {};
  /** What became of attempts, by reason. */
  readonly whys: Counts = {};
  readonly lines: string[] = [];
  /** Why it is not connected; '' if it was the last time it woke. */
  lastWhy = '';
  /** Which gateway it tries first. */
  private first: number;
  private readonly stored: Storage = memoryStorage();
  private readonly random: () => number;
  /** Counts the starts: what belongs to one before is dead. */
  private life = 0;
  private wire: Wire | null = null;
  private until = 0;

  constructor(fleet: Fleet, number: number, plan: DevicePlan) {
    this.fleet = fleet;
    this.number = number;
    this.plan = plan;
    this.name = `device-${number}.qcc`;
    this.first = number % 2;
    this.random = dice(number * 7919 + 17);
    this.identity = fleet.credential(this.name, plan.days ?? 500);
    this.root = fleet.authority.root;
    this.server = fleet.newest;
    fleet.ledger.set(this.name, { at: fleet.now, until: this.server.to, full: 0, resumed: 0 });
  }

  /** Provisions it anew with what is in use now; what it has stored stays. */
  provision(): void {
    const { fleet } = this;
    this.identity = fleet.credential(this.name, this.plan.days ?? 500);
    this.root = fleet.authority.root;
    this.server = fleet.newest;
    this.stored.remove(OWN);
  }

  /** Wakes for a while, or for good. */
  wake(): void {
    const { world } = this.fleet;
    if (this.link !== null) return;
    this.until = this.plan.always === true ? Infinity : world.ms + AWAKE_MS;
    this.boot();
    if (this.plan.always !== true) world.after(AWAKE_MS, () => this.sleep());
  }

  sleep(): void {
    const { link } = this;
    if (link === null) return;
    this.harvest();
    link.stop();
    this.link = null;
  }

  /** Adds what its link has counted since the last call. */
  harvest(): void {
    if (this.link === null) return;
    const { metrics } = this.link;
    count(this.counts, 'taken', metrics.trustTaken);
    count(this.counts, 'refused', metrics.trustRefused);
    metrics.trustTaken = 0;
    metrics.trustRefused = 0;
  }

  /** The power fails, and is back after some seconds. */
  private die(): void {
    const { world } = this.fleet;
    const { wire } = this;
    this.life++;
    count(this.counts, 'cuts');
    this.harvest();
    this.link = null;
    // The gateway learns of it later.
    if (wire !== null) world.after(5000, () => wire.lose('the device is gone'));
    world.after(10_000, () => {
      if (world.ms < this.until && this.link === null) this.boot();
    });
  }

  private storage(life: number): Storage {
    const check = (): void => {
      if (life !== this.life) throw new Error('there is no power');
    };
    const write = (act: () => void): void => {
      check();
      const { cuts } = this.plan;
      const fails = cuts !== undefined && this.random() * cuts < 1;
      const after = this.random() < 0.5;
      if (!fails || after) act();
      if (!fails) return;
      this.die();
      check();
    };
    return {
      get: (key) => {
        check();
        return this.stored.get(key);
      },
      set: (key, value) => write(() => this.stored.set(key, value)),
      remove: (key) => write(() => this.stored.remove(key)),
    };
  }

  /** What the platform gives, until the power fails. */
  private platform(life: number): { timer: Timer; clock: Clock; execute: Executor; connector: Connector } {
    const { world } = this.fleet;
    const alive = (): boolean => life === this.life;
    const { timer } = world;
    const guarded = (events: TransportEvents): TransportEvents => ({
      data: (bytes) => alive() && events.data(bytes),
      drain: () => alive() && events.drain(),
      gone: (error) => alive() && events.gone(error),
    });
    const silent = (transport: Transport): Transport => ({
      ...transport,
      write: (bytes, length) => !alive() || transport.write(bytes, length),
    });
    const address = `10.0.${this.number >> 8}.${this.number & 255}`;
    const streams = this.fleet.connector(
      (index) => (index + this.first) % 2,
      address,
      (wire) => {
        this.wire = wire;
      },
    );
    return {
      timer: {
        ...timer,
        set: (callback, ms) => timer.set(() => alive() && callback(), ms),
        schedule: (waker, ms) => timer.schedule({ wake: () => alive() && waker.wake() }, ms),
      },
      clock: { now: () => world.clock.now() + (this.plan.skew?.(this.fleet.day) ?? 0) },
      execute: (crypto, job, done) => world.execute(crypto, job, (good) => alive() && done(good)),
      connector: {
        open: (index, done) =>
          streams.open(index, (bind, problem) => {
            if (!alive()) return;
            done(bind === null ? null : (events) => silent(bind(guarded(events))), problem);
          }),
      },
    };
  }

  private boot(): void {
    const { fleet, plan } = this;
    const life = ++this.life;
    const storage = this.storage(life);
    const report = (line: string): void => void this.lines.push(line);
    const renewed = storage.get(OWN);
    if (renewed !== null) this.identity = { ...this.identity, certificate: decodeClientCertificate(renewed) };
    const { root, server } = this;
    let trust;
    let wallet;
    try {
      trust = openTrust({ root, server, storage, report });
      wallet = openWallet({ serial: server.serial, storage, report });
    } catch {
      return;
    }
    const link: Link = new Link(
      {
        crypto: fleet.crypto,
        root,
        server,
        random: fleet.random,
        pool: createPool({ slots: 1, engine: nodeRecords }),
        endpoints: 2,
        pollMs: plan.always === true ? 6 * 3_600_000 : 0,
        missed: 2,
        firstMs: 5000,
        maxMs: plan.always === true ? 24 * 3_600_000 : 60_000,
        wallet,
        trust,
        identity: this.identity,
      },
      { ...this.platform(life), jitter: this.random },
      {
        state: (state, why) => {
          if (life !== this.life) return;
          if (why !== null && why.reason !== 'closed') {
            this.lastWhy = why.reason === 'peer_error' ? `told ${nameOf(why.code)}` : why.reason;
            count(this.whys, this.lastWhy);
          }
          if (state === 'connected') this.connected(link);
        },
        message: (bytes) => this.message(bytes, storage),
        trust: report,
      },
    );
    this.link = link;
    link.start();
  }

  private connected(link: Link): void {
    const { world } = this.fleet;
    this.lastWhy = '';
    link.send(new TextEncoder().encode(`${this.name}: a reading`));
    const { life, wire } = this;
    if (this.plan.moves !== true || link.metrics.connected > 1) return;
    world.after(5000, () => {
      if (life !== this.life || this.link !== link) return;
      this.first = 1 - this.first;
      wire!.lose('the radio was gone');
    });
  }

  /** The application's own way to a new certificate: what comes in the tunnel came from the gateway. */
  private message(bytes: Uint8Array, storage: Storage): void {
    const certificate = decodeClientCertificate(bytes.slice());
    if (!equal(certificate.verifyKey, this.identity.certificate.verifyKey)) throw new Error('of another key');
    const held = this.stored.get(OWN);
    if (held !== null && equal(held, bytes)) return;
    try {
      storage.set(OWN, bytes);
    } catch {
      // The power failed: it comes again.
    }
  }
}
