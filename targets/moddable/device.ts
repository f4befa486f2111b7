// What all connections of a device share: whom it trusts, its generator, its clock, its tickets, and the slab that
// every connection's bytes lie in. It is made by the application when it starts, for nothing in it may be
// frozen into flash.

import Time from 'time';
import {
  WITH_FULL_HANDSHAKE,
  WITH_IDENTITY,
  WITH_REKEY,
  WITH_REVOCATION,
  WITH_SUCCESSION,
} from '../../src/features.ts';
import { ErrorCode, QstpError } from '../../src/error.ts';
import { wipe } from '../../src/bytes.ts';
import type { Reject } from '../../src/error.ts';
import {
  decodeClientCertificate,
  decodeRootCertificate,
  decodeServerCertificate,
} from '../../src/cert/certificate.ts';
import type { RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
import { micro } from '../../src/crypto/micro.ts';
import { boot } from '../../src/link/boot.ts';
import type { Entropy, EntropySource } from '../../src/link/boot.ts';
import type { ClientChain, ClientExtensions, ClientSide, ClientTrust } from '../../src/link/client.ts';
import type { Connection } from '../../src/link/connection.ts';
import { createCredentials } from '../../src/link/credentials.ts';
import type { Credentials } from '../../src/link/credentials.ts';
import { deviceCredential, readCredential } from '../../src/link/provisioned.ts';
import { askTrust } from '../../src/link/trust.ts';
import type { TrustEvents } from '../../src/link/trust.ts';
import { openTrust } from '../../src/link/trust-store.ts';
import { TrustedPairs } from '../../src/link/trusted-pairs.ts';
import { openUseCounter } from '../../src/link/use-counter.ts';
import { openWallet } from '../../src/link/wallet.ts';
import { createPool } from '../../src/pool/pool.ts';
import { bundleProfileHash, PROFILE, profileLimits, profilePool } from '../../src/profile.ts';
import {
  clockClose,
  ClockState,
  clockOver,
  clockTick,
  createClock,
  doubtClock,
  pinValidity,
  setClock,
} from '../../src/session/clock.ts';
import type { DeviceClock } from '../../src/session/clock.ts';
import type { Clock, Executor, Storage } from '../../src/platform.ts';
import { TIME_WINDOW } from '../../src/params.ts';
import { espRandom, isRadioOn } from './entropy.ts';
import { createCounter, moddableExecutor, moddableTimer } from './platform.ts';
import { preferenceStorage } from './storage.ts';

/** Bytes of a file: a resource, an array buffer, or an array. */
export type Bytes = Uint8Array | ArrayBuffer;

export interface DeviceOptions extends Omit<ClientExtensions, 'wallet' | 'credential'> {
  /** The trust anchor: the root's certificate, binary. */
  readonly root: Bytes;
  /** The server's certificate, binary, from out of band: QSTP pins it. */
  readonly server: Bytes;
  /** Where seed, clock and tickets are kept. Default: the preferences called "qstp". */
  readonly storage?: Storage | null;
  /** This device's certificate (.qcc) with its secret key in FIPS 204's encoding, for servers that ask (X6). */
  readonly identity?: { readonly certificate: Bytes; readonly key: Bytes };
  /** True while the radio is on, so that the hardware generator is one. Default: the Wi-Fi station is connected. */
  readonly isRadioOn?: () => boolean;
  /** Fills an array from the profile's source `feed` or `hwrng`. False if it cannot. */
  readonly fill?: (out: Uint8Array) => boolean;
  /** When the firmware was built, seconds since 1970. The clock does not start earlier. */
  readonly built?: number;
  /** Sets the system's clock when the server has told the time. Default true. */
  readonly setTime?: boolean;
  /** A handshake that takes longer is closed, milliseconds. Default: the profile's. */
  readonly handshakeDeadlineMs?: number;
  /** Least time between two full handshakes, milliseconds. Default 30,000. */
  readonly fullHandshakeMinMs?: number;
  /** Told in one line what is wrong with clock, storage or entropy. Default: the debugger. */
  readonly report?: (line: string) => void;
}

const FULL_HANDSHAKE_MIN_MS = 30000;
/** Outside a bundle: the sources of an ESP32. */
const SOURCES = [
  { source: 'espRandom', approved: true, bits: 4 },
  { source: 'deviceSeed', approved: true, bits: 8 },
] as const;

function bytesOf(bytes: Bytes): Uint8Array {
  return bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
}

function tell(line: string): void {
  trace('qstp: ' + line + '\n');
}

/** What a connection is made with. */
export interface DeviceSide extends ClientSide {
  readonly deviceClock: DeviceClock;
  readonly counter: () => number;
}

class TrustReport implements TrustEvents {
  private readonly say: (line: string) => void;

  constructor(say: (line: string) => void) {
    this.say = say;
  }

  kept(what: string): void {
    this.say('a ' + what + ' was taken');
  }

  refused(why: Reject): void {
    this.say('refused, ' + why.reason + ': ' + why.detail);
  }
}

function soon(act: () => void): void {
  moddableTimer.set(act, 0);
}

export class Device {
  readonly clock: Clock;
  readonly execute: Executor;
  readonly credentials: Credentials;
  readonly fullHandshakeMinMs: number;
  readonly handshakeDeadlineMs: number;
  readonly pool: ReturnType<typeof createPool>;
  private options: DeviceOptions;
  /** Told in one line what is wrong, or new. */
  readonly report: (line: string) => void;
  private storage: Storage | null;
  private deviceClock: DeviceClock;
  private counter: () => number;
  private side: DeviceSide | null = null;
  private trusted: TrustedPairs | null = null;
  /** Of a system clock that is not to be taken: its time less the counter's. NaN: none. */
  private refused = NaN;
  /** Who has the handshake, and who waits for it. */
  private holder: object | null = null;
  private waiting: { turn(): void }[] = [];
  private root: RootCertificate;
  private server: ServerCertificate;

  /** Throws `certificate_malformed`, `certificate_kind`, `unknown_suite`, `pool_invalid`. */
  constructor(options: DeviceOptions) {
    this.options = options;
    this.report = options.report ?? tell;
    this.root = decodeRootCertificate(bytesOf(options.root));
    this.server = decodeServerCertificate(bytesOf(options.server));
    this.storage = options.storage === undefined ? preferenceStorage() : options.storage;
    this.counter = createCounter();
    this.deviceClock = createClock(
      {
        ...(options.built === undefined ? {} : { built: options.built }),
        storage: PROFILE !== null && !PROFILE.clock.persist ? null : this.storage,
        report: (report) => {
          this.report('clock ' + report.event + (report.detail === '' ? '' : ': ' + report.detail));
          if (report.event === 'synced') this.setSystem();
        },
      },
      this.counter(),
    );
    pinValidity(this.deviceClock, this.server.from, this.server.to);
    this.clock = clockOver(this.deviceClock, this.counter);
    this.execute = moddableExecutor();
    this.credentials = createCredentials();
    this.fullHandshakeMinMs = options.fullHandshakeMinMs ?? FULL_HANDSHAKE_MIN_MS;
    this.handshakeDeadlineMs = options.handshakeDeadlineMs ?? profileLimits().handshakeDeadlineMs ?? 60000;
    this.pool = createPool(profilePool());
  }

  /**
   * What connections are made with. The first call starts the generator, so the network has to be up. Throws
   * `entropy_missing`, `entropy_failed`, `boot_counter` and what says that a credential is damaged.
   */
  start(): DeviceSide {
    // Booting goes deep into a device's stack: of what follows it, nothing stands there yet.
    if (this.side === null) this.begin(this.boot());
    return this.side!;
  }

  private begin(entropy: Entropy): void {
    const { random } = entropy;
    const storage = this.storage;
    const provisioned = storage === null ? null : readCredential(storage);
    const {
      root: _root,
      server: _server,
      fill: _fill,
      storage: _storage,
      identity,
      ...extensions
    } = this.options;
    this.side = {
      ...(PROFILE === null ? {} : PROFILE.keepalive),
      ...(PROFILE !== null && PROFILE.records === 'rcs' ? { gcm: false } : {}),
      ...extensions,
      ...(WITH_IDENTITY && identity !== undefined
        ? {
            identity: {
              certificate: decodeClientCertificate(bytesOf(identity.certificate)),
              signing: bytesOf(identity.key),
            },
          }
        : {}),
      crypto: WITH_FULL_HANDSHAKE || WITH_REKEY ? micro.suite(this.root.suite.id) : null,
      root: this.root,
      server: this.server,
      random,
      pool: this.pool,
      recordLimit: profileLimits().recordLimit,
      profileHash: extensions.profileHash ?? bundleProfileHash(),
      deviceClock: this.deviceClock,
      counter: this.counter,
      wallet: openWallet({
        serial: this.server.serial,
        storage,
        report: this.report,
        defer: soon,
      }),
      ...(provisioned === null
        ? {}
        : { credential: deviceCredential(provisioned, entropy.boots, openUseCounter(storage!), random) }),
      ...this.trust(),
    };
    this.trusted = new TrustedPairs(this.side, undefined);
    if (provisioned !== null) wipe(provisioned.deviceSecret);
  }

  /** Which certificates connections use. After {@link start}. */
  get pairs(): TrustedPairs {
    return this.trusted!;
  }

  /** What all connections trust as they go on (X7, X8): one store, for what one hears is for all. */
  private trust(): ClientTrust {
    if (!(WITH_REVOCATION || WITH_SUCCESSION)) return {};
    const { report: say } = this;
    return {
      trust: openTrust({
        root: this.root,
        server: this.server,
        storage: this.storage,
        bytesMax: PROFILE?.trust?.bytesMax,
        report: say,
      }),
      trustEvents: new TrustReport(say),
    };
  }

  private boot(): Entropy {
    const { fill } = this.options;
    const isUp = this.options.isRadioOn ?? isRadioOn;
    const sources: EntropySource[] = [];
    let seedApproved = false;
    const named = PROFILE === null ? SOURCES : PROFILE.entropy;
    for (let i = 0; i < named.length; i++) {
      const { source, approved, bits } = named[i]!;
      if (source === 'deviceSeed') seedApproved = approved;
      else if (source === 'espRandom') sources.push(espRandom(isUp, approved, bits));
      else sources.push({ name: source, approved, bits, fill: fill ?? (() => false) });
    }
    return boot({ sources, storage: this.storage, seedApproved, report: this.report });
  }

  // ---- Time -----------------------------------------------------------------------------------------------

  /** Takes the system's time where the profile says that a time server sets it, unless it is not to be taken. */
  noteTime(): void {
    const clock = this.deviceClock;
    if (PROFILE === null || PROFILE.clock.source === 'server') return;
    const now = Date.now() / 1000;
    const counter = this.counter();
    if (now < clock.floor || (clock.state === ClockState.synced && clock.own)) return;
    if (Math.abs(now - counter - this.refused) <= TIME_WINDOW) return;
    setClock(clock, now, counter);
  }

  /** A handshake ended for its time: whatever time was taken is doubted, and asked for anew. */
  noteEnd(why: Reject): void {
    if (why.code !== ErrorCode.messageTimeInvalid) return;
    const clock = this.deviceClock;
    if (clock.own) this.refused = clock.offset;
    clock.own = false;
    doubtClock(clock, "a server's time differs by more than 60 s");
  }

  /** Stores the time if it is due; at a clean close a minute is worth it. */
  tick(closing: boolean): void {
    if (closing) clockClose(this.deviceClock, this.counter());
    else clockTick(this.deviceClock, this.counter());
  }

  /** A connection of this device has heard from its peer. */
  keptAlive(connection: Connection, chain: ClientChain): void {
    this.tick(false);
    if ((WITH_REVOCATION || WITH_SUCCESSION) && this.side!.trust !== undefined)
      askTrust(connection, chain, this.clock.now());
  }

  private setSystem(): void {
    const clock = this.deviceClock;
    if (clock.own || this.options.setTime === false) return;
    const counter = this.counter();
    // What the server told is not to be taken for a time server's.
    this.refused = clock.offset;
    Time.set(Math.floor(counter + clock.offset));
  }

  // ---- One handshake at a time ------------------------------------------------------------------------------

  /** Calls `turn` when no other connection is in its handshake: at once, or later. */
  acquire(who: { turn(): void }): void {
    if (this.holder === null) {
      this.holder = who;
      who.turn();
    } else this.waiting.push(who);
  }

  /** Gives the turn back, or the place in the queue. */
  release(who: { turn(): void }): void {
    const at = this.waiting.indexOf(who);
    if (at >= 0) this.waiting.splice(at, 1);
    if (this.holder !== who) return;
    const next = this.waiting.shift();
    this.holder = next ?? null;
    if (next !== undefined) next.turn();
  }
}

/**
 * Opens the device's end of all its tunnels to one server, or several that share a certificate. Throws as the
 * certificates are malformed; the network need not be up yet.
 */
export function openDevice(options: DeviceOptions): Device {
  return new Device(options);
}

/** The device of an option that is one, or says how to make it. Throws `invalid_input`. */
export function deviceOf(option: Device | DeviceOptions | undefined): Device {
  if (option instanceof Device) return option;
  if (option === undefined || option === null) {
    throw new QstpError('invalid_input', 'give the socket its device: {qstp: openDevice({root, server})}');
  }
  return new Device(option);
}
