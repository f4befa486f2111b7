import { Command } from 'commander';
import path from 'node:path';
import { QstpError } from '../../src/error.ts';
import { bundleTools } from '../checkout.ts';
import { progress, show } from '../ui.ts';

interface BuildOptions {
  profile?: string;
  all?: boolean;
  out?: string;
  json?: boolean;
}

export function buildCommand(): Command {
  return new Command('build')
    .description('bundles of firmware profiles, each in one self-contained file, with their sizes')
    .option('--profile <names>', 'profiles to build, separated by commas; default: all')
    .option('--all', 'all profiles')
    .option('--out <folder>', 'where the bundles go; default: dist/ of the checkout')
    .option('--json', 'as JSON')
    .action(build);
}

async function build(options: BuildOptions): Promise<void> {
  const { buildProfiles, sizeTable } = await bundleTools();
  const names = options.all === true || options.profile === undefined ? [] : options.profile.split(',');
  let sizes;
  try {
    sizes = await buildProfiles({
      names,
      progress,
      ...(options.out === undefined ? {} : { out: path.resolve(options.out) }),
    });
  } catch (error) {
    progress('');
    throw new QstpError('build_failed', (error as Error).message);
  }
  progress('');
  show(options.json === true, sizes, () => sizeTable(sizes));
}
