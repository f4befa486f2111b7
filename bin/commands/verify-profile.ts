import { Command } from 'commander';
import { readFileSync, statSync } from 'node:fs';
import { QstpError } from '../../src/error.ts';
import { toHex } from '../../src/bytes.ts';
import { isVerified, verifyBundle } from '../../src/telemetry/profile-hash.ts';
import type { MeasuredProfile } from '../../src/telemetry/profile-hash.ts';
import { PROJECT } from '../checkout.ts';
import { show, UsageError } from '../ui.ts';

interface VerifyOptions {
  profile: string;
  json?: boolean;
}

/** Larger than any bundle. */
const BUNDLE_BYTES_MAX = 1 << 26;

export function verifyProfileCommand(): Command {
  return new Command('verify-profile')
    .description('measures a built bundle again, and compares with the hash that it says in its hello')
    .argument('<bundle>', 'the file that the device or gateway runs, as it was built')
    .requiredOption('--profile <name>', 'the firmware profile it was built from')
    .option('--json', 'as JSON')
    .action(verify);
}

function readProfile(name: string): MeasuredProfile {
  if (!/^[\w-]+$/.test(name)) throw new UsageError(`--profile takes a name, not "${name}"`);
  const file = new URL(`firmware-profiles/${name}.json`, PROJECT);
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as MeasuredProfile;
  } catch {
    throw new UsageError(`there is no profile "${name}": see firmware-profiles/`);
  }
}

function readBundle(file: string): Uint8Array {
  try {
    if (statSync(file).size > BUNDLE_BYTES_MAX) throw new Error('it is too large');
    return new Uint8Array(readFileSync(file));
  } catch (error) {
    throw new QstpError('file_read', `cannot read ${file}: ${(error as Error).message}`);
  }
}

function verify(file: string, options: VerifyOptions): void {
  const verdict = verifyBundle(readBundle(file), readProfile(options.profile));
  const verified = isVerified(verdict);
  const hash = toHex(verdict.hash);
  const claimed = verdict.claimed === null ? null : toHex(verdict.claimed);
  show(options.json === true, { profile: options.profile, hash, claimed, verified }, () =>
    verified
      ? `${hash}\nthe bundle is what its hash says, of profile ${options.profile}`
      : `measured ${hash}\nit says  ${claimed ?? 'nothing'}\nNOT VERIFIED: the bundle was altered after it was built, or is of another profile`,
  );
  if (!verified) process.exitCode = 1;
}
