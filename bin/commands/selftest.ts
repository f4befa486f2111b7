import { Command } from 'commander';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { QstpError } from '../../src/error.ts';
import { micro } from '../../src/crypto/micro.ts';
import { noble } from '../../src/crypto/noble.ts';
import type { Provider } from '../../src/crypto/provider.ts';
import { mesh1 } from '../../src/mesh/v1/index.ts';
import * as proto from '../../src/mesh/proto/index.ts';
import * as qace from '../../src/qace/index.ts';
import { katApi } from '../../src/selftest/parts.ts';
import { checkNative, KAT_KINDS, runKatText } from '../../src/selftest/run.ts';
import { DUKTAPE_KINDS, selftestOnDuktape } from '../../test/engines/duktape.ts';
import type { MicroEngine } from '../../test/engines/micro/operations.ts';
import { MICRO_KINDS, selftestOnMicro } from '../../test/engines/micro/selftest.ts';
import { selftestOnDeno, selftestOnXs } from '../../test/engines/selftest.ts';
import type { DenoProvider, KatFile, SelftestResult } from '../../test/engines/selftest.ts';
import { nodeRandom } from '../../targets/node/platform.ts';
import { nodeNative } from '../../targets/node/provider.ts';
import { buildBundles, PROJECT, prepareEngines } from '../checkout.ts';
import { collect } from '../options.ts';
import { progress, UsageError } from '../ui.ts';

interface SelftestOptions {
  engine: string;
  provider?: string;
  kat?: string[];
  json?: boolean;
}

interface Engine {
  /** Kinds of the built-in vectors that its program can check. */
  readonly kinds: readonly string[];
  /** Built-in vectors of those kinds that it cannot. */
  readonly except?: RegExp;
  /** Providers it can be run over, the default first. */
  readonly providers: readonly string[];
  run(files: readonly KatFile[], provider: string): Promise<SelftestResult>;
}

const ENGINES: Record<string, Engine> = {
  node: { kinds: KAT_KINDS, providers: ['micro', 'noble', 'native'], run: onNode },
  deno: { kinds: KAT_KINDS, providers: ['micro', 'noble', 'native'], run: onDeno },
  duktape: {
    kinds: DUKTAPE_KINDS,
    except: /^pq\.s5/,
    providers: ['micro'],
    run: onDuktape,
  },
  xs: { kinds: KAT_KINDS, providers: ['micro'], run: onXs },
  m4: { kinds: MICRO_KINDS, providers: ['micro'], run: (files) => onMicro('m4', files) },
  // The share of them that SHARES says: its emulator is slow.
  rp2040: {
    kinds: ['hash', 'rcs', 'qace'],
    providers: ['micro'],
    run: (files) => onMicro('rp2040', files),
  },
};

export function selftestCommand(): Command {
  return new Command('selftest')
    .description('known answers of the protocol and its primitives')
    .option('--engine <name>', `where to run: ${Object.keys(ENGINES).join(', ')}`, 'node')
    .option(
      '--provider <name>',
      'post-quantum provider: on node and deno micro, noble or native, on devices micro',
    )
    .option(
      '--kat <kind:file>',
      `a known-answer file; again for more. Kinds: ${KAT_KINDS.join(', ')}`,
      collect,
    )
    .option('--json', 'as JSON')
    .addHelpText('after', '\nWithout --kat: all built-in vectors that the engine can check.')
    .action(selftest);
}

async function selftest(options: SelftestOptions): Promise<void> {
  const engine = ENGINES[options.engine];
  if (engine === undefined) {
    throw new UsageError(`--engine takes ${Object.keys(ENGINES).join(', ')}, not "${options.engine}"`);
  }
  const provider = options.provider ?? engine.providers[0]!;
  if (!engine.providers.includes(provider)) {
    throw new UsageError(
      `--provider takes ${engine.providers.join(', ')} on ${options.engine}, not "${provider}"`,
    );
  }
  const files = options.kat?.map(parseKat) ?? builtIn(engine);
  const { passed, failures, engine: by, left = [] } = await engine.run(files, provider);
  progress('');
  const failed = failures.length;
  if (options.json === true) {
    console.log(
      JSON.stringify({ engine: options.engine, provider, by, passed, failed, failures, left }, null, 2),
    );
  } else {
    if (by !== undefined) console.log(`native cryptography by ${by}; micro where the randomness is given`);
    for (const what of left) console.log(`micro's: ${what}`);
    for (const failure of failures) console.log(`FAILED ${failure}`);
    console.log(`${passed} passed, ${failed} failed`);
  }
  if (failed > 0 || passed === 0) process.exitCode = 1;
}

function parseKat(text: string): KatFile {
  const at = text.indexOf(':');
  const kind = text.slice(0, at);
  if (at < 0 || !KAT_KINDS.includes(kind)) {
    throw new UsageError(`--kat takes KIND:FILE with a kind of ${KAT_KINDS.join(', ')}, not "${text}"`);
  }
  const file = text.slice(at + 1);
  try {
    return { kind, text: readFileSync(file, 'utf8') };
  } catch (error) {
    throw new QstpError('file_read', `cannot read ${file}: ${(error as Error).message}`);
  }
}

/** Folders of the vectors that come with the package, as KIND.json or KIND.SUITE.json. */
const FOLDERS = ['test/vectors/', 'test/vectors/mesh/'];

/** Those of an engine's kinds. */
function builtIn({ kinds, except }: Engine): KatFile[] {
  return FOLDERS.flatMap((name) => {
    const folder = new URL(name, PROJECT);
    if (!existsSync(folder))
      throw new QstpError('no_vectors', `there are no vectors in ${fileURLToPath(folder)}`);
    return readdirSync(folder)
      .filter((file) => file.endsWith('.json') && kinds.includes(file.split('.')[0]!))
      .filter((file) => except === undefined || !except.test(file))
      .map((file) => ({ kind: file.split('.')[0]!, text: readFileSync(new URL(file, folder), 'utf8') }));
  });
}

async function onNode(files: readonly KatFile[], provider: string): Promise<SelftestResult> {
  const result: SelftestResult = { passed: 0, failures: [] };
  const chosen = providerByName(provider);
  const parts = { ...katApi(chosen), qace, mesh: mesh1({ allowLegacy: true }), proto };
  const report = (name: string, failure: string | null): void => {
    if (failure === null) result.passed++;
    else result.failures.push(`${name}: ${failure}`);
  };
  for (const { kind, text } of files) {
    progress(`checking ${kind}`);
    runKatText(kind, text, parts, report);
  }
  if (chosen.name === 'native') {
    progress('checking round trips');
    result.engine = chosen.engine;
    result.left = await new Promise((done) => checkNative(chosen, noble, nodeRandom, report, done));
  }
  return result;
}

function providerByName(name: string): Provider {
  if (name === 'micro') return micro;
  if (name === 'noble') return noble;
  const native = nodeNative();
  if (native !== null) return native;
  throw new QstpError(
    'no_native',
    `Node ${process.versions.node} has no ML-KEM and ML-DSA: run this with Node 24.7 or later, or use --provider micro`,
  );
}

async function onDeno(files: readonly KatFile[], provider: string): Promise<SelftestResult> {
  await prepareEngines();
  await buildBundles(['deno-edge']);
  return selftestOnDeno(files, { root: fileURLToPath(PROJECT), provider: provider as DenoProvider });
}

async function onXs(files: readonly KatFile[]): Promise<SelftestResult> {
  await prepareEngines();
  return selftestOnXs(files, { root: fileURLToPath(PROJECT) });
}

async function onMicro(engine: MicroEngine, files: readonly KatFile[]): Promise<SelftestResult> {
  await prepareEngines();
  progress(`checking on ${engine}`);
  return selftestOnMicro(engine, files, fileURLToPath(PROJECT));
}

async function onDuktape(files: readonly KatFile[]): Promise<SelftestResult> {
  await prepareEngines();
  progress('checking on Duktape');
  return selftestOnDuktape(files, fileURLToPath(PROJECT));
}
