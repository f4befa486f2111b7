// Builds what the engines `m4` and `rp2040` run on, and the 32-bit XS worker:
//
//   node test/engines/micro/build.mjs [bytecode] [m4] [rp2040] [xs32]
//
// The engine is XS. Its sources come with the npm package @agoric/xsnap (tools/engines.mjs installs it),
// compilers and the emulator of the M4 from Debian; board support and bytecode compiler are the C files beside
// this one. Results go to build/engines/micro, object by object, and only what changed is built again.

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepare } from '../../../tools/engines.mjs';
import { withLock } from '../../../tools/lock.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(HERE, '../../..');
const OUT = join(ROOT, 'build/engines/micro');
const LOCK = join(OUT, 'lock');
const XS = join(ROOT, 'test/engines/node_modules/@agoric/xsnap/moddable/xs');

const PARALLEL = 2;
/** Installing from Debian included. */
const LOCK_WAIT_MS = 900_000;

/** Parts of XS that serve other hosts. */
const UNUSED = ['xsSnapshot', 'xsLockdown'];
/** The parser: not on the device. */
const PARSER = ['xsCode', 'xsLexical', 'xsScope', 'xsSourceMap', 'xsSyntaxical', 'xsTree'];

const COMMON = [
  '-DINCLUDE_XSPLATFORM',
  '-DXSPLATFORM="xs-platform.h"',
  '-DmxRun=1',
  '-DmxSloppy=1',
  '-DmxMinusZero=1',
  '-DmxBoundsCheck=1',
  '-DmxNoConsole=1',
  ...['includes', 'platforms', 'sources'].map((folder) => `-I${join(XS, folder)}`),
  `-I${HERE}`,
];
const DEVICE = ['-DMICRO_DEVICE=1', '-mthumb', '-O2', '-ffunction-sections', '-fdata-sections'];
const LINK = ['-nostartfiles', '-Wl,--gc-sections', `-L${HERE}`];

const TARGETS = {
  bytecode: {
    compiler: 'cc',
    flags: ['-DmxParse=1', '-O1'],
    own: ['bytecode.c'],
    without: UNUSED,
    link: [],
    output: 'bytecode',
  },
  m4: {
    compiler: 'arm-none-eabi-gcc',
    flags: [...DEVICE, '-mcpu=cortex-m4', '-mfpu=fpv4-sp-d16', '-mfloat-abi=hard'],
    own: ['host.c', 'board-m4.c'],
    without: [...UNUSED, ...PARSER],
    link: [...LINK, `-T${join(HERE, 'm4.ld')}`],
    output: 'm4.elf',
  },
  rp2040: {
    compiler: 'arm-none-eabi-gcc',
    flags: [...DEVICE, '-mcpu=cortex-m0plus'],
    own: ['host.c', 'board-rp2040.c'],
    without: [...UNUSED, ...PARSER],
    link: [...LINK, `-T${join(HERE, 'rp2040.ld')}`],
    output: 'rp2040.elf',
  },
  xs32: {
    compiler: 'cc',
    flags: ['-DMICRO_WORKER=1', '-DmxParse=1', '-DmxStress=1', '-m32', '-msse2', '-mfpmath=sse', '-O2'],
    own: ['worker32.c'],
    without: UNUSED,
    link: [],
    output: 'worker',
  },
};

/** A program, the Debian packages that bring it, and a file that only those have, if the program is not enough. */
const PROGRAMS = [
  { program: 'cc', packages: ['gcc', 'libc6-dev'], targets: ['bytecode', 'xs32'] },
  {
    program: 'cc',
    packages: ['gcc-multilib'],
    targets: ['xs32'],
    probe: ['-m32', '-print-file-name=libgcc.a'],
    missing: 'cc for 32 bits',
  },
  {
    program: 'arm-none-eabi-gcc',
    packages: ['gcc-arm-none-eabi', 'libnewlib-arm-none-eabi'],
    targets: ['m4', 'rp2040'],
    probe: ['-print-file-name=libc.a'],
  },
  { program: 'qemu-system-arm', packages: ['qemu-system-arm'], targets: ['m4'] },
];

function say(text) {
  process.stderr.write(`micro engines: ${text}\n`);
}

function present({ program, probe = ['--version'] }) {
  const result = spawnSync(program, probe, { encoding: 'utf8' });
  if (result.status !== 0) return false;
  // A file that is not there is answered with its bare name.
  return probe[0] === '--version' || result.stdout.trim().includes('/');
}

function ensurePrograms(targets) {
  const missing = PROGRAMS.filter((p) => p.targets.some((t) => targets.includes(t)) && !present(p));
  if (missing.length === 0) return;
  const packages = missing.flatMap((p) => p.packages);
  const advice = `apt-get install ${packages.join(' ')}`;
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0) {
    throw new Error(`${missing.map((p) => p.missing ?? p.program).join(', ')} not found. Install: ${advice}`);
  }
  say(`installing ${packages.join(' ')} (a minute or so)`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const wait = ['-o', 'DPkg::Lock::Timeout=300', '-q'];
  const apt = (...args) => spawnSync('apt-get', [...wait, ...args], { env, stdio: ['ignore', 2, 2] }).status;
  const install = () => apt('install', '-y', '--no-install-recommends', ...packages);
  if (install() !== 0 && (apt('update') !== 0 || install() !== 0)) {
    throw new Error(`could not install them. Try: apt-get update && ${advice}`);
  }
  if (!missing.every(present)) throw new Error(`installed, but still not usable: ${packages.join(' ')}`);
}

// ---- Compiling -------------------------------------------------------------------------------------------

function run(program, args) {
  return new Promise((done, failed) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (output += data));
    child.on('error', failed);
    child.on('close', (status) =>
      status === 0 ? done(output) : failed(new Error(`${program} ${args.at(-1)}:\n${output}`)),
    );
  });
}

function digest(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}

function filesOf(folder, extension) {
  return readdirSync(folder)
    .filter((name) => name.endsWith(extension))
    .sort()
    .map((name) => join(folder, name));
}

/** What every object depends on: the headers and the compiler. */
function environmentOf(compiler) {
  const headers = [join(XS, 'includes'), join(XS, 'platforms'), join(XS, 'sources'), HERE].flatMap((folder) =>
    filesOf(folder, '.h'),
  );
  const version = spawnSync(compiler, ['--version'], { encoding: 'utf8' }).stdout;
  return digest(version, ...headers.map((file) => readFileSync(file)));
}

function upToDate(output, stamp) {
  return (
    existsSync(output) && existsSync(`${output}.stamp`) && readFileSync(`${output}.stamp`, 'utf8') === stamp
  );
}

/** Compiles what is out of date and links. */
async function buildTarget(name) {
  const target = TARGETS[name];
  const folder = join(OUT, name);
  mkdirSync(folder, { recursive: true });
  const environment = environmentOf(target.compiler);
  const sources = [
    ...filesOf(join(XS, 'sources'), '.c').filter((file) => !target.without.includes(basename(file, '.c'))),
    ...target.own.map((file) => join(HERE, file)),
  ];
  const objects = [];
  const todo = [];
  const stamps = [];
  for (const source of sources) {
    const own = dirname(source) === HERE;
    // Warnings are ours to heed in our own files only.
    const args = [...COMMON, ...target.flags, ...(own ? ['-Wall', '-Wno-unused-function'] : ['-w'])];
    const object = join(folder, `${basename(source, '.c')}.o`);
    const stamp = digest(environment, args.join(' '), readFileSync(source));
    objects.push(object);
    stamps.push(stamp);
    if (!upToDate(object, stamp)) todo.push({ object, stamp, args: [...args, '-c', '-o', object, source] });
  }
  const total = todo.length;
  if (total > 0) say(`${name}: compiling ${total} of ${sources.length} files`);
  const worker = async () => {
    for (let job = todo.shift(); job !== undefined; job = todo.shift()) {
      rmSync(`${job.object}.stamp`, { force: true });
      const output = await run(target.compiler, job.args);
      if (output.trim() !== '') process.stderr.write(output);
      writeFileSync(`${job.object}.stamp`, job.stamp);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));

  const output = join(folder, target.output);
  const scripts = filesOf(HERE, '.ld').map((file) => readFileSync(file));
  const stamp = digest(environment, ...stamps, target.link.join(' '), ...scripts);
  if (upToDate(output, stamp)) return output;
  rmSync(`${output}.stamp`, { force: true });
  await run(target.compiler, [...target.flags, ...target.link, ...objects, '-lm', '-o', output]);
  if (name === 'rp2040')
    await run('arm-none-eabi-objcopy', ['-O', 'binary', output, join(folder, 'rp2040.bin')]);
  writeFileSync(`${output}.stamp`, stamp);
  return output;
}

async function main(names) {
  const targets = names.length > 0 ? names : Object.keys(TARGETS);
  const unknown = targets.filter((name) => !Object.hasOwn(TARGETS, name));
  if (unknown.length > 0) {
    say(`unknown: ${unknown.join(', ')}. Known: ${Object.keys(TARGETS).join(', ')}`);
    return 2;
  }
  try {
    await prepare();
    mkdirSync(OUT, { recursive: true });
    await withLock(
      LOCK,
      LOCK_WAIT_MS,
      (pid) => say(`process ${pid} is building, waiting`),
      async () => {
        ensurePrograms(targets);
        for (const name of targets) await buildTarget(name);
      },
    );
    return 0;
  } catch (error) {
    say(error.message);
    return 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
