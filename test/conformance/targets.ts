// The engines of the suite, each with the profiles whose built bundles it runs: dist/<profile>/qstp.min.js.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { World } from '../net/virtual.ts';
import type { Profile } from '../profiles.ts';
import { espruinoClassEngine } from './drivers/duktape.ts';
import { ProcessDriver } from './drivers/process.ts';
import { VirtualDriver } from './drivers/virtual.ts';
import type { VirtualEngine } from './drivers/virtual.ts';
import { vmEngine, xsEngine } from './drivers/xs.ts';
import { newFleet, TcpGateway, VirtualGateway } from './gateway.ts';
import type { GatewayOptions } from './gateway.ts';
import { fleetFiles, Rig } from './rig.ts';

export type EngineName = 'XS' | 'XS, frozen' | 'Node as XS' | 'Espruino-class' | 'Deno' | 'Node';

export interface Target {
  readonly engine: EngineName;
  readonly profile: Profile;
  /** A device of the profile, and its gateway. */
  open(options?: GatewayOptions): Promise<Rig>;
}

/** A time at which everything is valid, for virtual clocks. */
const EPOCH = 1_800_000_000;

/** A file of a profile's bundle, as the build left it. */
function built(profile: Profile, name: string): string {
  const file = path.join('dist', profile.name, name);
  if (!existsSync(file)) throw new Error(`${file} is not built: run node tools/bundles.mjs`);
  return file;
}

/** Of one parameter set: certificates take long to make on an engine that interprets, so there is one fleet. */
const fleets = new Map<string, ReturnType<typeof newFleet>>();
function fleetOf(suite: number, from: number): ReturnType<typeof newFleet> {
  const key = `${suite} ${from}`;
  let fleet = fleets.get(key);
  if (fleet === undefined) fleets.set(key, (fleet = newFleet(suite, from)));
  return fleet;
}

async function openVirtual(profile: Profile, engine: VirtualEngine, options: GatewayOptions): Promise<Rig> {
  const world = new World(EPOCH + 100);
  const fleet = fleetOf(profile['suite'] as number, EPOCH);
  const gateway = new VirtualGateway(world, fleet, options);
  const driver = new VirtualDriver(engine, world, gateway);
  const rig = new Rig(profile, fleet, '', gateway, driver);
  driver.told = (event) => rig.take(event);
  return rig;
}

async function openProcess(profile: Profile, engine: 'deno' | 'node', options: GatewayOptions): Promise<Rig> {
  const fleet = fleetOf(profile['suite'] as number, startOfHour());
  const folder = await mkdtemp(path.join(tmpdir(), 'qstp-suite-'));
  await mkdir(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(fleetFiles(fleet))) {
    await writeFile(path.join(folder, name), bytes, { mode: 0o600 });
  }
  const driver = new ProcessDriver(engine, built(profile, 'qstp.min.js'), folder);
  const gateway = await TcpGateway.open(fleet, { ...options, told: () => driver.notify() });
  const rig = new Rig(profile, fleet, folder, gateway, driver);
  driver.told = (event) => rig.take(event);
  const close = rig.close.bind(rig);
  rig.close = async () => {
    await close();
    await rm(folder, { recursive: true, force: true });
  };
  return rig;
}

const HOUR = 3600;
const startOfHour = (): number => Math.floor(Date.now() / 1000 / HOUR) * HOUR - HOUR;

const entryOf = (profile: Profile): string => profile['entry'] as string;

const PROFILE_HASH = /[0-9a-f]{64}/;

const OPEN: Readonly<Record<EngineName, (profile: Profile, options: GatewayOptions) => Promise<Rig>>> = {
  async XS(profile, options) {
    const code = await readFile(built(profile, 'qstp.min.js'), 'utf8');
    return openVirtual(profile, await xsEngine(entryOf(profile), code, ''), options);
  },
  async 'XS, frozen'(profile, options) {
    const minified = await readFile(built(profile, 'qstp.min.js'), 'utf8');
    const readable = await readFile(built(profile, 'qstp.js'), 'utf8');
    // Each file says the hash of its own in its hello: here that of the other engines' file, for they are compared.
    // Clients without a full handshake say none.
    const hash = PROFILE_HASH.exec(minified);
    const alike = hash === null ? readable : readable.replace(PROFILE_HASH, hash[0]);
    return openVirtual(profile, await xsEngine(entryOf(profile), '', alike, { preload: true }), options);
  },
  async 'Node as XS'(profile, options) {
    const code = await readFile(built(profile, 'qstp.min.js'), 'utf8');
    return openVirtual(profile, await vmEngine(entryOf(profile), code), options);
  },
  async 'Espruino-class'(profile, options) {
    const code = await readFile(built(profile, 'qstp.min.js'), 'utf8');
    // As long as such a device may take for the keys of a resumption.
    return openVirtual(profile, await espruinoClassEngine(code), { halfOpenMs: 60_000, ...options });
  },
  Deno: (profile, options) => openProcess(profile, 'deno', options),
  Node: (profile, options) => openProcess(profile, 'node', options),
};

/** A device of a Moddable profile on Node, with a bundle that was changed. */
export async function openChanged(profile: Profile, change: (readable: string) => string): Promise<Rig> {
  const code = await readFile(built(profile, 'qstp.js'), 'utf8');
  return openVirtual(profile, await vmEngine(entryOf(profile), change(code)), {});
}

/** A device of a profile on an engine of the caller's. */
export async function openOn(
  name: string,
  engine: VirtualEngine,
  { root = '.', gateway = {} }: { root?: string; gateway?: GatewayOptions } = {},
): Promise<Rig> {
  return openVirtual((await tools(root)).readProfile(name), engine, gateway);
}

/** The engines that run bundles of a target. */
const ENGINES: Readonly<Record<string, readonly EngineName[]>> = {
  moddable: ['XS', 'XS, frozen', 'Node as XS'],
  espruino: ['Espruino-class'],
  deno: ['Deno'],
  node: ['Node'],
};

interface Tools {
  profileNames(): string[];
  readProfile(name: string): Profile;
}

function tools(root = '.'): Promise<Tools> {
  return import(pathToFileURL(path.resolve(root, 'tools/profiles.mjs')).href) as Promise<Tools>;
}

/** A node of a mesh dials no gateway, so that nothing of the suite is about it: test/mesh has its own. */
const NO_CLIENTS: readonly string[] = ['targets/moddable/mesh.ts'];

/** Every profile on every engine that runs it. */
export async function targets(): Promise<Target[]> {
  const { profileNames, readProfile } = await tools();
  return profileNames()
    .map(readProfile)
    .filter(({ entry }) => !NO_CLIENTS.includes(entry as string))
    .flatMap((profile) =>
      (ENGINES[profile.target] ?? []).map((engine) => ({
        engine,
        profile,
        open: (options: GatewayOptions = {}) => OPEN[engine](profile, options),
      })),
    );
}
