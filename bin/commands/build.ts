import { Command } from 'commander';
import path from 'node:path';
import { buildBundles, bundleTools } from '../checkout.ts';
import { show } from '../ui.ts';

interface BuildOptions {
  profile?: string;
  all?: boolean;
  out?: string;
  json?: boolean;
  modules?: boolean;
}

export function buildCommand(): Command {
  return new Command('build')
    .description('bundles of firmware profiles, each in one self-contained file, with their sizes')
    .option('--profile <names>', 'profiles to build, separated by commas; default: all')
    .option('--all', 'all profiles')
    .option('--out <folder>', 'where the bundles go; default: dist/ of the checkout')
    .option('--modules', 'with the share of each module')
    .option('--json', 'as JSON')
    .action(build);
}

async function build(options: BuildOptions): Promise<void> {
  const names = options.all === true || options.profile === undefined ? [] : options.profile.split(',');
  const sizes = await buildBundles(names, options.out === undefined ? undefined : path.resolve(options.out));
  const { modulesTable, sizeTable } = await bundleTools();
  const shares = options.modules === true ? `${modulesTable(sizes)}\n\n` : '';
  show(options.json === true, sizes, () => shares + sizeTable(sizes));
}
