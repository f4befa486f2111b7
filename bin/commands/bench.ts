import { Command, Option } from 'commander';
import { fileURLToPath } from 'node:url';
import { bench, BENCH_ENGINES, benchTable, DEFAULT_ENGINES } from '../../bench/bench.ts';
import { runPart } from '../../bench/gateway.ts';
import { buildBundles, PROJECT, prepareEngines } from '../checkout.ts';
import { note, progress, show, UsageError } from '../ui.ts';

interface BenchOptions {
  engine: string;
  profile?: string;
  json?: boolean;
  part?: string;
}

export function benchCommand(): Command {
  return new Command('bench')
    .description('the figures of this build: steps, bytes, ratios')
    .option(
      '--engine <names>',
      `engines, separated by commas: ${BENCH_ENGINES.join(', ')}`,
      DEFAULT_ENGINES.join(','),
    )
    .option(
      '--profile <names>',
      'profiles whose bundles are weighed; default: all. With rtu-gateway named, also the figures of a gateway',
    )
    .option('--json', 'as one flat JSON object')
    .addOption(new Option('--part <name>', 'a part, in a process of its own').hideHelp())
    .action(run);
}

async function run(options: BenchOptions): Promise<void> {
  if (options.part !== undefined) {
    await runPart(options.part, process.argv[1]!);
    return;
  }
  const engines = options.engine.split(',');
  const unknown = engines.find((engine) => !BENCH_ENGINES.includes(engine));
  if (unknown !== undefined)
    throw new UsageError(`--engine takes ${BENCH_ENGINES.join(', ')}, not "${unknown}"`);
  const profiles = options.profile?.split(',');
  await buildBundles(profiles ?? []);
  const gateway = profiles?.includes('rtu-gateway') === true;
  if (gateway || engines.some((engine) => engine !== 'node')) await prepareEngines();
  const { figures, missing, over } = await bench({
    engines,
    root: fileURLToPath(PROJECT),
    program: process.argv[1]!,
    progress,
    ...(profiles === undefined ? {} : { profiles }),
  });
  progress('');
  show(options.json === true, figures, () => benchTable(figures));
  for (const line of missing) note(`not measured: ${line}`);
  for (const line of over) note(`over budget: ${line}`);
  if (missing.length > 0 || over.length > 0) process.exitCode = 1;
}
