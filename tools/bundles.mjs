// Builds the bundles of firmware profiles: OUT/<profile>/qstp.js, qstp.min.js and their source maps, and
// OUT/sizes.json. Fails, with the table, if a profile's budget is exceeded.
//
//   node tools/bundles.mjs [--profile P,...] [--out DIR] [--json] [--modules]

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundle } from './bundle.mjs';
import { BUILD_MS, withBuildLock, withLock } from './lock.mjs';
import { hasNames } from './names.mjs';
import { checkTogether, profileNames, readProfile } from './profiles.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Sizes of bundles that an earlier build left in `out` and that are still there. */
function readSizes(out) {
  try {
    const sizes = JSON.parse(readFileSync(path.join(out, 'sizes.json'), 'utf8'));
    return sizes.filter(({ profile }) => existsSync(path.join(out, profile, 'qstp.min.js')));
  } catch {
    return [];
  }
}

/** Rows of cells as lines, the numbers to the right. */
function table(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => String(row[i]).length)));
  const pad = (cell, width) => (typeof cell === 'number' ? String(cell).padStart(width) : cell.padEnd(width));
  return rows
    .map((row) =>
      row
        .map((cell, i) => pad(cell, widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The sizes as a table for people. */
export function sizeTable(sizes) {
  return table([
    ['profile', 'readable', 'min', 'gzip', 'budget', 'SHA-256 of qstp.min.js', ''],
    ...sizes.map((s) => [
      s.profile,
      s.readableBytes,
      s.minBytes,
      s.gzipBytes,
      s.budgetBytes,
      s.sha256['qstp.min.js'],
      s.over.length === 0 ? '' : `TOO LARGE: ${s.over.join(', ')}`,
    ]),
  ]);
}

/** The same with the share of each module. */
export function modulesTable(sizes) {
  return sizes
    .map(({ profile, minBytes, modules }) =>
      table([
        [profile, 'bytes', '%'],
        ...modules.map(({ module, bytes }) => [module, bytes, Math.round((1000 * bytes) / minBytes) / 10]),
      ]),
    )
    .join('\n\n');
}

/** Thrown when a bundle exceeds its profile's budget; nothing is replaced then. */
export class BudgetError extends Error {
  constructor(sizes) {
    super(`a bundle is larger than its profile allows\n${sizeTable(sizes)}`);
    this.name = 'BudgetError';
    this.sizes = sizes;
  }
}

/** Bundles at once: while terser's thread is at some, the next are put together. More would only take memory. */
const AT_ONCE = 3;

/** Builds each profile into a folder of its name in `parent`, and returns their sizes in the same order. */
async function buildAll(profiles, parent, progress) {
  const sizes = new Map();
  // What can be minified before names are known comes first: to find them takes seconds.
  const left = [...profiles].sort((a, b) => Number(hasNames(a)) - Number(hasNames(b)));
  const work = async () => {
    for (let profile = left.shift(); profile !== undefined; profile = left.shift()) {
      progress(`bundling ${profile.name}`);
      sizes.set(profile, await bundle(profile, path.join(parent, profile.name)));
    }
  };
  const all = await Promise.allSettled(Array.from({ length: AT_ONCE }, work));
  const failed = all.find(({ status }) => status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return profiles.map((profile) => sizes.get(profile));
}

/**
 * Builds profiles, given by name or as objects (all, if none are given), into `out` and returns their sizes. Each folder is
 * replaced as a whole, and only once all are built and within their budgets.
 */
export async function buildProfiles({ names = [], out = path.join(ROOT, 'dist'), progress = () => {} } = {}) {
  const chosen = names.length === 0 ? profileNames() : names;
  const profiles = chosen.map((profile) => (typeof profile === 'string' ? readProfile(profile) : profile));
  profiles.forEach(checkTogether);
  mkdirSync(out, { recursive: true });
  const exclusively =
    path.resolve(out) === path.join(ROOT, 'dist')
      ? withBuildLock
      : (waiting, work) => withLock(path.join(out, '.bundles.lock'), BUILD_MS, waiting, work);
  return exclusively(
    () => progress('waiting for another build'),
    async () => {
      const temporary = path.join(out, `.bundles-${process.pid}`);
      try {
        const sizes = await buildAll(profiles, temporary, progress);
        if (sizes.some((s) => s.over.length > 0)) throw new BudgetError(sizes);
        for (const { name } of profiles) {
          rmSync(path.join(out, name), { recursive: true, force: true });
          renameSync(path.join(temporary, name), path.join(out, name));
        }
        const others = readSizes(out).filter((old) => !sizes.some((s) => s.profile === old.profile));
        const all = [...others, ...sizes].sort((a, b) => (a.profile < b.profile ? -1 : 1));
        writeFileSync(path.join(out, 'sizes.json'), JSON.stringify(all, null, 2) + '\n');
        return sizes;
      } finally {
        rmSync(temporary, { recursive: true, force: true });
      }
    },
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { values } = parseArgs({
      options: {
        profile: { type: 'string' },
        out: { type: 'string' },
        json: { type: 'boolean' },
        modules: { type: 'boolean' },
      },
    });
    const sizes = await buildProfiles({
      names: values.profile?.split(',') ?? [],
      ...(values.out === undefined ? {} : { out: path.resolve(values.out) }),
      progress: (text) => process.stderr.isTTY && console.error(text),
    });
    if (values.json) console.log(JSON.stringify(sizes, null, 2));
    else console.log(values.modules ? `${modulesTable(sizes)}\n\n${sizeTable(sizes)}` : sizeTable(sizes));
  } catch (error) {
    console.error(`bundles: ${error.message}`);
    process.exitCode = 1;
  }
}
