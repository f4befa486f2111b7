// Prepares the JavaScript engines of the tests in test/engines/node_modules: installs the packages of
// test/engines/package-lock.json without their install scripts, and compiles the XS worker from the sources
// that @agoric/xsnap ships; and Duktape and the MQTT broker mosquitto, Debian packages. Quick when nothing changed.
//
//   node tools/engines.mjs          prepares them
//   node tools/engines.mjs --check  only says whether they are ready; exit 1 if not
//
// What was prepared is written to test/engines/node_modules/.engines.json, where test/engines/engines.ts
// finds the programs.

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './lock.mjs';

const FOLDER = fileURLToPath(new URL('../test/engines/', import.meta.url));
const MODULES = path.join(FOLDER, 'node_modules');
const STAMP = path.join(MODULES, '.engines.json');
const LOCK = path.join(FOLDER, '.prepare.lock');
/** Raised when the steps below change, so that what older steps prepared is not taken for ready. */
const RECIPE = 1;
/** Longest time for the whole preparation, milliseconds. */
const LIMIT = 15 * 60_000;

/** The makefile folder of the XS worker for this system. */
const XS_MAKE = { linux: 'lin', darwin: 'mac' };

function key() {
  const hash = createHash('sha256');
  hash.update(readFileSync(path.join(FOLDER, 'package-lock.json')));
  hash.update(`${process.platform} ${process.arch} ${RECIPE}`);
  return hash.digest('hex');
}

/** The programs that are ready, or null. */
function ready() {
  try {
    const stamp = JSON.parse(readFileSync(STAMP, 'utf8'));
    if (stamp.key !== key()) return null;
    return Object.values(stamp.programs).every((file) => existsSync(path.join(FOLDER, file)))
      ? stamp.programs
      : null;
  } catch {
    return null;
  }
}

/** Shows one line that changes on a terminal; elsewhere each step is a line of its own. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else process.stderr.write(`${text}\n`);
}

/** The start and the end of a program's output: npm says what is wrong first, a compiler last. */
function excerpt(output) {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  return lines.length <= 12 ? lines : [...lines.slice(0, 6), '...', ...lines.slice(-5)];
}

function run(title, command, args, cwd, hint) {
  return new Promise((resolve, reject) => {
    const start = Date.now();
    progress(`engines: ${title} ...`);
    const ticker = setInterval(() => {
      if (process.stderr.isTTY)
        progress(`engines: ${title} ... ${Math.round((Date.now() - start) / 1000)} s`);
    }, 1000);
    // GIT_DIR and the like, and npm's own configuration from an outer npm run, must not leak in.
    const env = { ...process.env };
    for (const name of Object.keys(env)) {
      if (/^(npm_config_|npm_package_|npm_lifecycle_|MAKE)/.test(name)) delete env[name];
    }
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: LIMIT });
    // Ended from outside: what we started must not go on alone, against the next preparation.
    const stop = () => {
      child.kill();
      process.exit(1);
    };
    process.once('SIGINT', stop).once('SIGTERM', stop);
    let output = '';
    const keep = (chunk) => (output += chunk);
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const fail = (why) => {
      clearInterval(ticker);
      reject(new Error([`${title} failed: ${why}. ${hint}`, ...excerpt(output)].join('\n')));
    };
    child.on('error', (error) => fail(error.code === 'ENOENT' ? `there is no "${command}"` : error.message));
    child.on('close', (code, signal) => {
      clearInterval(ticker);
      process.off('SIGINT', stop).off('SIGTERM', stop);
      if (code === 0) resolve();
      else fail(signal === null ? `exit code ${code}` : `ended by ${signal}`);
    });
  });
}

async function install() {
  rmSync(STAMP, { force: true });
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  await run(
    'installing the engine packages',
    npm,
    ['ci', '--ignore-scripts'],
    FOLDER,
    'They come from the npm registry: check that it can be reached.',
  );
}

async function buildXs() {
  const system = XS_MAKE[process.platform];
  if (system === undefined)
    throw new Error(`the XS worker cannot be built on ${process.platform}: use Linux or macOS`);
  const xsnap = path.join(MODULES, '@agoric/xsnap');
  const version = JSON.parse(readFileSync(path.join(xsnap, 'package.json'), 'utf8')).version;
  const make = path.join(xsnap, 'xsnap-native/xsnap/makefiles', system);
  await run(
    `compiling XS (xsnap ${version})`,
    'make',
    [
      `-j${cpus().length}`,
      `MODDABLE=${path.join(xsnap, 'moddable')}`,
      'GOAL=release',
      `XSNAP_VERSION=${version}`,
      'CC=cc "-D__has_builtin(x)=1"',
      '-f',
      'xsnap-worker.mk',
    ],
    make,
    'It needs a C compiler and make (Debian: apt-get install build-essential).',
  );
  return path.join('node_modules/@agoric/xsnap/xsnap-native/xsnap/build/bin', system, 'release/xsnap-worker');
}

/** The program `file` that an npm package ships for one system. */
function shipped(file) {
  if (existsSync(path.join(FOLDER, file))) return file;
  const system = `${process.platform} ${process.arch}`;
  throw new Error(
    `there is no ${file} for ${system}: run the tests on Linux on x64, or add the package of this system`,
  );
}

/** Programs of Debian packages, as they are tried: without a file Duktape would be interactive. */
const DUKTAPE = { name: 'Duktape', programs: ['duk'], args: ['-e', '0'], debian: 'duktape' };
// Debian puts it where not everybody's path leads.
const MOSQUITTO = {
  name: 'mosquitto',
  programs: ['mosquitto', '/usr/sbin/mosquitto'],
  args: ['-h'],
  debian: 'mosquitto',
};

function has({ programs, args }) {
  const runs = (program) =>
    spawnSync(program, args, { stdio: 'ignore', timeout: 10_000 }).error === undefined;
  return programs.some(runs);
}

/** Root installs a Debian package, others are told to. */
async function ensure(what) {
  if (has(what)) return;
  const { name, debian } = what;
  const advice = `apt-get install ${debian}`;
  if (process.getuid?.() !== 0) throw new Error(`there is no ${name}. On Debian: ${advice}`);
  const get = (...args) =>
    run(
      `apt-get ${args[0]} for ${name}`,
      'apt-get',
      ['-o', 'DPkg::Lock::Timeout=300', '-q', '-y', ...args],
      FOLDER,
      `Try: apt-get update && ${advice}`,
    );
  const install = () => get('install', '--no-install-recommends', debian);
  try {
    await install();
  } catch {
    await get('update');
    await install();
  }
  if (!has(what)) throw new Error(`${name} was installed, but does not run`);
}

/** The MQTT broker of the tests of the mesh. */
export function prepareBroker() {
  return ensure(MOSQUITTO);
}

/** Prepares what is not ready; returns the programs {xs, deno, node24}, relative to test/engines. */
export async function prepare() {
  await ensure(DUKTAPE);
  const before = ready();
  if (before !== null) return before;
  const waiting = (pid) => progress(`engines: process ${pid} is preparing them, waiting ...`);
  return withLock(LOCK, LIMIT, waiting, async () => {
    const meanwhile = ready();
    if (meanwhile !== null) return meanwhile;
    await install();
    const programs = {
      xs: await buildXs(),
      deno: shipped(`node_modules/@deno/${process.platform}-${process.arch}-glibc/deno`),
      node24: shipped(`node_modules/node-${process.platform}-${process.arch}/bin/node`),
    };
    // Last, so that an interrupted preparation is done again.
    writeFileSync(STAMP, JSON.stringify({ key: key(), programs }, null, 2) + '\n');
    progress('engines: ready\n');
    return programs;
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--check')) {
    if (ready() === null || !has(DUKTAPE) || !has(MOSQUITTO)) {
      console.error('The engines are not ready. Run: node tools/engines.mjs');
      process.exitCode = 1;
    }
  } else {
    try {
      await prepare();
      await prepareBroker();
    } catch (error) {
      console.error(`\nengines: ${error.message}`);
      process.exitCode = 1;
    }
  }
}
