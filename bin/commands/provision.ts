import { Command } from 'commander';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { QstpError } from '../../src/error.ts';
import { verifyChain } from '../../src/cert/verify.ts';
import { micro } from '../../src/crypto/micro.ts';
import { equal } from '../../src/bytes.ts';
import type { RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
import { acceptCredential } from '../../src/link/provisioned.ts';
import type { Provisioning } from '../../src/link/provisioned.ts';
import type { Tickets } from '../../src/link/ticket-store.ts';
import {
  FILES,
  inFile,
  keyFile,
  readRootCertificate,
  readServerCertificate,
  readServerKey,
  writeFiles,
} from '../../targets/node/files.ts';
import { nodeClock, nodeRandom } from '../../targets/node/platform.ts';
import { provisionEspruino } from '../../targets/node/provision/espruino.ts';
import { provisionModdable } from '../../targets/node/provision/moddable.ts';
import type { ModdableOptions } from '../../targets/node/provision/moddable.ts';
import { decodeRecord, newRecord, whyNoDeviceId } from '../../targets/node/provision/record.ts';
import type { ProvisionOutput, ProvisionRecord } from '../../targets/node/provision/record.ts';
import { provisionDeno } from '../../targets/node/provision/deno.ts';
import { GATEWAY_FILES, provisionGateway } from '../../targets/node/provision/gateway.ts';
import { folderTickets } from '../../targets/node/tickets.ts';
import { fromCheckout } from '../checkout.ts';
import { clientIdentity, collect, wholeNumber } from '../options.ts';
import { passphrase, passphraseOptions } from '../passphrase.ts';
import type { PassphraseOptions } from '../passphrase.ts';
import { fields, note, show, table, UsageError } from '../ui.ts';

interface ProvisionOptions extends PassphraseOptions {
  profile?: string;
  device?: string;
  record?: string;
  root: string;
  cert: string;
  key?: string;
  seal?: boolean;
  accept?: string[];
  identity?: string;
  identityKey?: string;
  out: string;
  credential?: string;
  days: number;
  nvsAt?: number;
  nvsSize?: number;
  force?: boolean;
  json?: boolean;
}

/** Of a firmware profile, what provisioning goes by. */
interface Profile {
  readonly name: string;
  readonly target: string;
  readonly suite: number;
  readonly features: readonly string[];
  readonly engine: { readonly platform?: string };
  readonly storage?: { readonly valueBytes: number };
}

/** What makes files of a record, for each target of devices. */
const DEVICES: Readonly<
  Record<string, (record: ProvisionRecord, options: ModdableOptions) => ProvisionOutput>
> = { moddable: provisionModdable, espruino: provisionEspruino };

const DAY = 86400;

export function provisionCommand(): Command {
  const command = new Command('provision')
    .description(
      'what a device, a Deno client or a gateway starts from: whom it trusts, and secrets of its own',
    )
    .option('--profile <name>', 'the firmware profile of its bundle')
    .option('--device <name>', 'its name')
    .option('--record <file>', 'files for the device of this record, instead of a new one')
    .option('--root <file>', 'root certificate: the trust anchor', FILES.rootCertificate)
    .option('--cert <file>', "the server's certificate", FILES.serverCertificate)
    .option('--out <folder>', 'where the files go', 'provision')
    .option('--credential <dir>', 'a credential too, put into the tickets (--tickets) of its server')
    .option('--days <n>', 'how long credentials are accepted', wholeNumber('--days', 1, 36500), 730)
    .option('--nvs-at <offset>', "where an ESP32's NVS partition is, such as 0x9000", number('--nvs-at'))
    .option('--nvs-size <bytes>', 'how large it is, such as 0x6000', number('--nvs-size'))
    .option('--identity <file>', "a Deno client's certificate (.qcc), for gateways that ask")
    .option('--identity-key <file>', `its secret key (default: ${FILES.clientKey})`)
    .option('--key <file>', `a gateway's secret key (default: ${FILES.serverKey})`)
    .option(
      '--accept <record>',
      "a gateway takes the credential of this device's record; again for more",
      collect,
    )
    .option('--seal', "seal the gateway's key with a passphrase")
    .option('--force', 'replace files that exist')
    .option('--json', 'as JSON');
  return passphraseOptions(command).action(provision);
}

function number(name: string): (text: string) => number {
  return (text) => {
    if (/^(0x[0-9a-fA-F]{1,8}|\d{1,9})$/.test(text)) return Number(text);
    throw new UsageError(`${name} takes a number such as 0x9000, not "${text}"`);
  };
}

/** Options that are for some targets only. */
const ONLY: readonly (readonly [option: keyof ProvisionOptions, name: string, targets: readonly string[]])[] =
  [
    ['record', '--record', Object.keys(DEVICES)],
    ['credential', '--credential', Object.keys(DEVICES)],
    ['nvsAt', '--nvs-at', ['moddable']],
    ['nvsSize', '--nvs-size', ['moddable']],
    ['identity', '--identity', ['deno']],
    ['identityKey', '--identity-key', ['deno']],
    ['key', '--key', ['node']],
    ['seal', '--seal', ['node']],
    ['accept', '--accept', ['node']],
  ];

interface Profiles {
  readProfile(name: string): Profile;
  isLean(profile: Profile): boolean;
}

async function provision(options: ProvisionOptions): Promise<void> {
  const { readProfile, isLean } = await fromCheckout<Profiles>('tools/profiles.mjs');
  const record = options.record === undefined ? null : savedRecord(options.record);
  const name = record?.profile ?? options.profile;
  if (name === undefined) {
    throw new UsageError('name the profile: --profile esp32 --device sensor-1, or --profile rtu-gateway');
  }
  let profile: Profile;
  try {
    profile = readProfile(name);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  for (const [option, words, targets] of ONLY) {
    if (options[option] !== undefined && !targets.includes(profile.target)) {
      throw new UsageError(
        `${words} is for ${targets.join(' and ')}; ${profile.name} is for ${profile.target}`,
      );
    }
  }
  if (profile.target === 'node') await gateway(options, profile);
  else if (profile.target === 'deno') await denoClient(options, profile);
  else await device(options, profile, record ?? freshRecord(options), isLean(profile));
}

/** Writes all files or none. What it returns says what they are and what comes next. */
function place(
  options: ProvisionOptions,
  output: ProvisionOutput,
  about: readonly (readonly [string, string])[],
): () => void {
  const { out } = options;
  try {
    mkdirSync(out, { recursive: true });
  } catch (error) {
    throw new QstpError('file_write', `cannot make the folder ${out}: ${(error as Error).message}`);
  }
  const placed = output.files.map((file) => ({ ...file, path: path.join(out, file.name) }));
  writeFiles(
    placed.map(({ path: name, bytes, secret }) => ({ path: name, bytes, mode: secret ? 0o600 : 0o644 })),
    options.force === true,
  );
  const next = output.next.map((line) => line.replaceAll('OUT', out));
  const files = placed.map(({ path: name, secret, what }) => ({ path: name, secret, what }));
  const text = (): string =>
    [
      fields(about),
      '',
      table(
        ['file', '', 'what'],
        files.map(({ path: name, secret, what }) => [name, secret ? 'SECRET' : 'public', what]),
      ),
      '',
      'next:',
      ...next.map((line) => `  ${line}`),
    ].join('\n');
  return () => show(options.json === true, { ...Object.fromEntries(about), files, next }, text);
}

async function device(
  options: ProvisionOptions,
  profile: Profile,
  record: ProvisionRecord,
  lean: boolean,
): Promise<void> {
  if (profile.suite !== record.suite) {
    throw new UsageError(
      `the profile ${profile.name} is of parameter set ${profile.suite}, the certificates of ${record.suite}: make them with --suite ${profile.suite}`,
    );
  }
  if (record.credential !== null && !profile.features.includes('provisioned')) {
    throw new UsageError(`${profile.name} has no provisioned credentials: leave --credential out`);
  }
  if (record.credential === null && !profile.features.includes('fullHandshake')) {
    throw new UsageError(
      `${profile.name} connects by its credential alone: give it one with --credential tickets`,
    );
  }
  const { nvsAt, nvsSize } = options;
  // A seed that two devices have is none.
  const output = DEVICES[profile.target]!(record, {
    ...(nvsAt === undefined ? {} : { nvsAt }),
    ...(nvsSize === undefined ? {} : { nvsBytes: nvsSize }),
    ...(profile.engine.platform === undefined ? {} : { platform: profile.engine.platform }),
    ...(profile.storage ?? {}),
    lean,
    fullHandshake: profile.features.includes('fullHandshake'),
  });
  const say = place(options, output, [
    ['device', record.deviceId],
    ['profile', profile.name],
    ['credential', record.credential === null ? 'none: its first connection is a full handshake' : 'yes'],
  ]);
  if (options.credential !== undefined) {
    await keep([credentialOf(record)], folderTickets(options.credential, { report: note }), options.days);
  }
  say();
}

/** The chain that everything begins with. Throws what is wrong with it. */
function chainOf(options: ProvisionOptions): { root: RootCertificate; server: ServerCertificate } {
  const root = readRootCertificate(options.root);
  const server = readServerCertificate(options.cert);
  const bad = verifyChain(micro.suite(root.suite.id), root, server, nodeClock.now());
  if (bad !== null) throw new QstpError(bad.reason, `${options.cert}: ${bad.detail}`);
  return { root, server };
}

async function denoClient(options: ProvisionOptions, profile: Profile): Promise<void> {
  const identity = await clientIdentity(options);
  if (identity !== null && !profile.features.includes('identity')) {
    throw new UsageError(`${profile.name} has no identities: use deno-edge, or leave --identity out`);
  }
  const output = provisionDeno(
    {
      profile: profile.name,
      ...chainOf(options),
      identity:
        identity === null
          ? null
          : { certificate: identity.certificate, signingKey: identity.signing as Uint8Array },
    },
    nodeRandom,
  );
  place(options, output, [
    ['client', identity?.certificate.issuer ?? 'anonymous'],
    ['profile', profile.name],
  ])();
}

async function gateway(options: ProvisionOptions, profile: Profile): Promise<void> {
  const { root, server } = chainOf(options);
  const records = (options.accept ?? []).map(savedRecord);
  const credentials = records.map(credentialOf);
  const file = options.key ?? FILES.serverKey;
  const key = await readServerKey(file, {
    warn: note,
    passphrase: () => passphrase(options, `passphrase of ${file}`),
  });
  if (!equal(key.verifyKey, server.verifyKey)) {
    throw new QstpError(
      'key_mismatch',
      `${file} is not the key of ${options.cert}: name the pair with --key`,
    );
  }
  const { key: name, tickets, ticketKey } = GATEWAY_FILES;
  const seal = options.seal === true;
  const secret = seal
    ? await passphrase(options, `new passphrase for ${path.join(options.out, name)}`, true)
    : null;
  const keyBytes = keyFile(name, key, secret).bytes as Uint8Array;
  const patient = records.some(({ suite }) => suite === 1);
  const say = place(options, provisionGateway({ root, server, keyFile: keyBytes, sealed: seal, patient }), [
    ['gateway', server.issuer],
    ['profile', profile.name],
    ['devices', records.length === 0 ? 'none' : records.map(({ deviceId }) => deviceId).join(', ')],
  ]);
  const folder = path.join(options.out, tickets);
  const kept = folderTickets(folder, { keyFile: path.join(options.out, ticketKey), report: note });
  await keep(credentials, kept, options.days);
  say();
}

function freshRecord(options: ProvisionOptions): ProvisionRecord {
  const { profile, device } = options;
  if (profile === undefined || device === undefined) {
    throw new UsageError('name the profile and the device: --profile esp32 --device sensor-1');
  }
  const unnamed = whyNoDeviceId(device);
  if (unnamed !== null) throw new UsageError(unnamed);
  const { root, server } = chainOf(options);
  return newRecord({
    deviceId: device,
    profile,
    root: root.bytes,
    server: server.bytes,
    random: nodeRandom,
    now: nodeClock.now(),
    withCredential: options.credential !== undefined,
  });
}

function savedRecord(file: string): ProvisionRecord {
  if (!existsSync(file)) throw new UsageError(`there is no file ${file}`);
  return inFile(file, () => decodeRecord(new Uint8Array(readFileSync(file))));
}

function credentialOf({ credential, deviceId }: ProvisionRecord): Provisioning {
  if (credential !== null) return credential;
  throw new UsageError(`the record of ${deviceId} has no credential: make a new one with --credential`);
}

/** Puts credentials into the tickets of their server, which takes them when it starts. */
async function keep(credentials: readonly Provisioning[], tickets: Tickets, days: number): Promise<void> {
  const now = nodeClock.now();
  for (const credential of credentials) {
    await new Promise<void>((resolve, fail) => {
      acceptCredential(tickets, credential, null, now, now + days * DAY, (kept) => {
        if (kept) resolve();
        else fail(new QstpError('storage_failed', "the server's tickets do not take the credential"));
      });
    });
  }
}
