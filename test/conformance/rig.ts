// A device in its engine and the suite's gateway: what the checks and the scenario act on. One small driver for each
// kind of engine says how commands get there, and how time passes.
import { toHex } from '../../src/bytes.ts';
import { encodeKey } from '../../src/cert/key-file.ts';
import { BOOT_KEY } from '../../src/link/boot.ts';
import { provisionedSecret } from '../../src/session/secrets.ts';
import { espruinoValues } from '../../targets/node/provision/espruino.ts';
import { preferenceValues } from '../../targets/node/provision/moddable.ts';
import type { ModdableForm } from '../../targets/node/provision/moddable.ts';
import { newRecord } from '../../targets/node/provision/record.ts';
import type { ProvisionRecord } from '../../targets/node/provision/record.ts';
import { labelledRandom } from '../kat.ts';
import type { Profile } from '../profiles.ts';
import type { Fleet, Gateway } from './gateway.ts';
import type { Boot, Command, DeviceEvent } from './protocol.ts';

/** How a device in its engine is reached. */
export interface Driver {
  /** Milliseconds of the time that device and gateway live in. */
  now(): number;
  /** Waits until something happens, `ms` at the most. */
  pump(ms: number): Promise<void>;
  command(command: Command): void;
  /** The engine loses its power, and has it back; it is told `boot` next. */
  power(): Promise<void>;
  close(): Promise<void>;
}

export interface BootOptions {
  /**
   * What its maker put into it: a credential (`provisioned`), or whom to trust (`trusting`), each with a seed;
   * `seedless`: all but the seed; `unknown`: a credential that the gateway has not; `kept`: what it held before.
   */
  readonly holds?: 'provisioned' | 'trusting' | 'seedless' | 'unknown' | 'kept';
  readonly entropy?: boolean;
  readonly identity?: boolean;
  readonly pollMs?: number;
  readonly track?: boolean;
}

/** The entry of bundles that know of certificates what a handshake needs. */
const LEAN = 'targets/moddable/lean.ts';

/** Longest wait for anything, milliseconds of the device's time: engines that interpret take their time. */
const PATIENCE_MS = 120_000;

export class Rig {
  readonly profile: Profile;
  readonly gateway: Gateway;
  /** What the device has said: `connected`, `got TEXT`, `down REASON`, `stopped`, `threw CODE`. */
  readonly device: string[] = [];
  /** What the scenario saw, in its order. */
  readonly log: string[] = [];
  found = -1;
  /** The secret of its credential (X4). */
  readonly deviceSecret: Uint8Array;
  private ready = false;
  private withCredential = false;
  private starts = 0;
  private readonly fleet: Fleet;
  private readonly driver: Driver;
  private readonly stored = new Map<string, string>();
  private readonly record: ProvisionRecord;
  private readonly folder: string;

  constructor(profile: Profile, fleet: Fleet, folder: string, gateway: Gateway, driver: Driver) {
    this.profile = profile;
    this.fleet = fleet;
    this.gateway = gateway;
    this.driver = driver;
    this.folder = folder;
    this.record = newRecord({
      deviceId: 'rtu-1',
      profile: profile.name,
      root: fleet.root.bytes,
      server: fleet.server.bytes,
      random: labelledRandom()('device'),
      now: fleet.from,
      withCredential: true,
    });
    this.deviceSecret = this.record.credential!.deviceSecret;
  }

  get serverSerial(): Uint8Array {
    return this.fleet.server.serial;
  }

  has(feature: string): boolean {
    return this.profile.features.includes(feature);
  }

  /** What a device's event means here; the driver keeps those of sockets for itself. */
  take(event: DeviceEvent): void {
    if (event[0] === 'stored') {
      if (event[2] === null) this.stored.delete(event[1]);
      else this.stored.set(event[1], event[2]);
    } else if (event[0] === 'up') this.device.push('connected');
    else if (event[0] === 'found') this.found = event[1];
    else if (event[0] === 'thrown') this.device.push(`threw ${event[1]}`);
    else if (event[0] === 'ready') this.ready = true;
    else if (event[0] === 'stopped') this.device.push('stopped');
    else if (event[0] === 'got' || event[0] === 'down') this.device.push(`${event[0]} ${event[1]}`);
  }

  /** Values of the maker, as this profile's target keeps them. */
  private values(holds: NonNullable<BootOptions['holds']>): Boot['values'] {
    const { record } = this;
    const { target } = this.profile;
    const devices = target === 'moddable' || target === 'espruino';
    if (holds === 'kept') return devices ? null : [...this.stored];
    this.stored.clear();
    if (!devices) return [];
    const given = holds === 'trusting' ? { ...record, credential: null } : record;
    const wanted = ({ key }: { key: string }): boolean => holds !== 'seedless' || key !== BOOT_KEY;
    if (target === 'espruino')
      return espruinoValues(given)
        .filter(wanted)
        .map(({ key, value }) => [key, toHex(value)]);
    return preferenceValues(given, this.form)
      .filter(wanted)
      .map(({ namespace, key, value }) => [`${namespace}/${key}`, toHex(value)]);
  }

  private get valueBytes(): number | undefined {
    return (this.profile['storage'] as { valueBytes: number } | undefined)?.valueBytes;
  }

  /** What the bundle expects in Moddable's preferences. */
  private get form(): ModdableForm {
    const { valueBytes } = this;
    return {
      lean: this.profile['entry'] === LEAN,
      fullHandshake: this.has('fullHandshake'),
      ...(valueBytes === undefined ? {} : { valueBytes }),
    };
  }

  /** Power comes on; nothing is connected yet. */
  async boot(options: BootOptions = {}): Promise<void> {
    const { fleet, record } = this;
    const holds = options.holds ?? (this.has('fullHandshake') ? 'trusting' : 'provisioned');
    const { id, deviceSecret, anchor } = record.credential!;
    if (holds === 'provisioned') this.gateway.accept(record.credential!);
    if (holds !== 'kept') this.withCredential = holds === 'provisioned' || holds === 'unknown';
    await this.driver.power();
    const boot: Boot = {
      root: toHex(fleet.root.bytes),
      server: toHex(fleet.server.bytes),
      identity:
        options.identity === true
          ? { certificate: toHex(fleet.device.bytes), key: toHex(fleet.deviceKey.signingKey) }
          : null,
      credential: this.withCredential
        ? { id: toHex(id), secret: toHex(provisionedSecret(deviceSecret, id, anchor)) }
        : null,
      folder: this.folder,
      values: this.values(holds),
      valueBytes: this.valueBytes ?? null,
      entropy: options.entropy ?? true,
      pollMs: options.pollMs ?? 0,
      missed: 3,
      track: options.track ?? false,
      epoch: fleet.from + 100,
      host: '127.0.0.1',
      port: this.gateway.port,
      starts: this.starts++,
    };
    this.ready = false;
    this.driver.command(['boot', boot]);
    await this.until(() => this.ready, 'the engine is ready');
  }

  start(): void {
    this.driver.command(['start']);
  }

  write(text: string): void {
    this.driver.command(['write', text]);
  }

  end(): void {
    this.driver.command(['end']);
  }

  /** In how many of the bundle's buffers these bytes are. */
  async find(bytes: Uint8Array): Promise<number> {
    this.found = -1;
    this.driver.command(['find', toHex(bytes)]);
    await this.until(() => this.found >= 0, 'buffers are searched');
    return this.found;
  }

  now(): number {
    return this.driver.now();
  }

  /** Lets time pass. */
  async idle(ms: number): Promise<void> {
    const end = this.driver.now() + ms;
    while (this.driver.now() < end) await this.driver.pump(end - this.driver.now());
  }

  /** Lets time pass until it is so; throws, with what was said instead, if it is not in time. */
  async until(so: () => boolean, what: string, ms = PATIENCE_MS): Promise<void> {
    const end = this.driver.now() + ms;
    while (!so()) {
      const left = end - this.driver.now();
      if (left <= 0) {
        const said = `device: ${this.device.join('; ')}\ngateway: ${this.gateway.lines.join('; ')}`;
        throw new Error(`not within ${ms} ms: ${what}\n${said}\nbefore: ${this.log.join('; ')}`);
      }
      await this.driver.pump(left);
    }
  }

  /** Waits for a line of the device and one of the gateway, and logs all up to them: the device's first. */
  async see(device: RegExp | null, gateway: RegExp | null, ms = PATIENCE_MS): Promise<void> {
    const found = (lines: readonly string[], of: RegExp | null): number =>
      of === null ? -1 : lines.findIndex((line) => of.test(line));
    const both = (): boolean =>
      (device === null || found(this.device, device) >= 0) &&
      (gateway === null || found(this.gateway.lines, gateway) >= 0);
    await this.until(both, `${device?.source ?? ''} and ${gateway?.source ?? ''}`, ms);
    const upTo = (lines: string[], of: RegExp | null): string[] => lines.splice(0, found(lines, of) + 1);
    this.log.push(...upTo(this.device, device).map((line) => `device: ${line}`));
    this.log.push(...upTo(this.gateway.lines, gateway).map((line) => `gateway: ${line}`));
  }

  /** A request of the gateway and the device's answer. */
  async poll(register: number): Promise<void> {
    this.gateway.write(`read ${register}`);
    await this.see(new RegExp(`^got read ${register}$`), null);
    this.write(`${register} is ${register * 3}`);
    await this.see(null, new RegExp(`^got ${register} is ${register * 3}$`));
  }

  /** The gateway learns that the device's certificate is revoked. */
  async revoke(): Promise<void> {
    let done = false;
    const taken = this.gateway.revoke().then(() => (done = true));
    await Promise.all([taken, this.until(() => done, 'the list is taken')]);
  }

  async close(): Promise<void> {
    await this.driver.close();
    await this.gateway.close();
  }
}

/** Certificates and the device's key as files, for targets that read files. */
export function fleetFiles(fleet: Fleet): Readonly<Record<string, Uint8Array>> {
  return {
    'root.qrr': fleet.root.bytes,
    'server.qrc': fleet.server.bytes,
    'device.qcc': fleet.device.bytes,
    'device.qsk': encodeKey(fleet.deviceKey),
  };
}
