import { Command } from 'commander';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { QstpError } from '../../src/error.ts';
import { verifyChain } from '../../src/cert/verify.ts';
import { noble } from '../../src/crypto/noble.ts';
import { acceptCredential } from '../../src/link/provisioned.ts';
import { FILES, readRootCertificate, readServerCertificate, writeFiles } from '../../targets/node/files.ts';
import { nodeClock, nodeRandom } from '../../targets/node/platform.ts';
import { provisionEspruino } from '../../targets/node/provision/espruino.ts';
import { provisionModdable } from '../../targets/node/provision/moddable.ts';
import type { ModdableOptions } from '../../targets/node/provision/moddable.ts';
import { decodeRecord, newRecord } from '../../targets/node/provision/record.ts';
import type { ProvisionOutput, ProvisionRecord } from '../../targets/node/provision/record.ts';
import { folderTickets } from '../../targets/node/tickets.ts';
import { fromCheckout } from '../checkout.ts';
import { wholeNumber } from '../options.ts';
import { fields, note, show, table, UsageError } from '../ui.ts';

interface ProvisionOptions {
  profile?: string;
  device?: string;
  record?: string;
  root: string;
  cert: string;
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
}

/** What makes files of a record, for each target. */
const TARGETS: Readonly<
  Record<string, (record: ProvisionRecord, options: ModdableOptions) => ProvisionOutput>
> = { moddable: provisionModdable, espruino: provisionEspruino };

const DAY = 86400;

export function provisionCommand(): Command {
  return new Command('provision')
    .description('what a device starts from: whom it trusts, and secrets of its own')
    .option('--profile <name>', 'the firmware profile of its bundle')
    .option('--device <name>', 'its name')
    .option('--record <file>', 'files for the device of this record, instead of a new one')
    .option('--root <file>', 'root certificate: the trust anchor', FILES.rootCertificate)
    .option('--cert <file>', "the server's certificate", FILES.serverCertificate)
    .option('--out <folder>', 'where the files go', 'provision')
    .option('--credential <dir>', 'a credential too, put into the tickets (--tickets) of its server')
    .option('--days <n>', 'how long the credential is accepted', wholeNumber('--days', 1, 36500), 730)
    .option('--nvs-at <offset>', "where an ESP32's NVS partition is, such as 0x9000", number('--nvs-at'))
    .option('--nvs-size <bytes>', 'how large it is, such as 0x6000', number('--nvs-size'))
    .option('--force', 'replace files that exist')
    .option('--json', 'as JSON')
    .action(provision);
}

function number(name: string): (text: string) => number {
  return (text) => {
    if (/^(0x[0-9a-fA-F]{1,8}|\d{1,9})$/.test(text)) return Number(text);
    throw new UsageError(`${name} takes a number such as 0x9000, not "${text}"`);
  };
}

async function provision(options: ProvisionOptions): Promise<void> {
  const { readProfile, isLean } = await fromCheckout<{
    readProfile(name: string): Profile;
    isLean(profile: Profile): boolean;
  }>('tools/profiles.mjs');
  const record = options.record === undefined ? freshRecord(options) : savedRecord(options.record);
  let profile: Profile;
  try {
    profile = readProfile(record.profile);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const make = TARGETS[profile.target];
  if (make === undefined) {
    throw new UsageError(
      `the profile ${profile.name} is for ${profile.target}; there is provisioning for ${Object.keys(TARGETS).join(', ')}`,
    );
  }
  if (profile.suite !== record.suite) {
    throw new UsageError(
      `the profile ${profile.name} is of parameter set ${profile.suite}, the certificates of ${record.suite}: make them with --suite ${profile.suite}`,
    );
  }
  const { nvsAt, nvsSize, out } = options;
  const { files, next } = make(record, {
    ...(nvsAt === undefined ? {} : { nvsAt }),
    ...(nvsSize === undefined ? {} : { nvsBytes: nvsSize }),
    lean: isLean(profile),
  });
  mkdirSync(out, { recursive: true });
  // A seed that two devices have is none.
  const placed = files.map((file) => ({ ...file, path: path.join(out, file.name) }));
  writeFiles(
    placed.map(({ path: name, bytes, secret }) => ({ path: name, bytes, mode: secret ? 0o600 : 0o644 })),
    options.force === true,
  );
  if (options.credential !== undefined) await keep(record, options.credential, options.days);
  const commands = next.map((line) => line.replaceAll('OUT', out));
  show(
    options.json === true,
    {
      device: record.deviceId,
      profile: profile.name,
      files: placed.map(({ path: name, secret, what }) => ({ path: name, secret, what })),
      next: commands,
    },
    () =>
      [
        fields([
          ['device', record.deviceId],
          ['profile', profile.name],
          [
            'credential',
            record.credential === null ? 'none: its first connection is a full handshake' : 'yes',
          ],
        ]),
        '',
        table(
          ['file', '', 'what'],
          placed.map(({ path: name, secret, what }) => [name, secret ? 'SECRET' : 'public', what]),
        ),
        '',
        'next:',
        ...commands.map((line) => `  ${line}`),
      ].join('\n'),
  );
}

function freshRecord(options: ProvisionOptions): ProvisionRecord {
  const { profile, device } = options;
  if (profile === undefined || device === undefined) {
    throw new UsageError('name the profile and the device: --profile esp32 --device sensor-1');
  }
  const root = readRootCertificate(options.root);
  const server = readServerCertificate(options.cert);
  const now = nodeClock.now();
  const bad = verifyChain(noble.suite(root.suite.id), root, server, now);
  if (bad !== null) throw new QstpError(bad.reason, `${options.cert}: ${bad.detail}`);
  return newRecord({
    deviceId: device,
    profile,
    root: root.bytes,
    server: server.bytes,
    random: nodeRandom,
    now,
    withCredential: options.credential !== undefined,
  });
}

function savedRecord(file: string): ProvisionRecord {
  if (!existsSync(file)) throw new QstpError('file_read', `there is no file ${file}`);
  return decodeRecord(new Uint8Array(readFileSync(file)));
}

/** Puts the credential into the tickets of its server, which takes it when it starts. */
function keep(record: ProvisionRecord, folder: string, days: number): Promise<void> {
  const { credential } = record;
  if (credential === null) {
    throw new UsageError('the record has no credential: make a new one with --credential');
  }
  const now = nodeClock.now();
  const tickets = folderTickets(folder, { report: note });
  return new Promise((resolve, fail) => {
    acceptCredential(tickets, credential, null, now, now + days * DAY, (kept) => {
      if (kept) resolve();
      else fail(new QstpError('storage_failed', `${folder} does not take the credential`));
    });
  });
}
