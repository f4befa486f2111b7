// Writes the figures of the documents anew, from what this tree prints: tables of sizes from dist/sizes.json, the
// output of the demo, and the figures of `qstp bench --json`.
//
//   node tools/docs-figures.mjs [--build] [--demo] [--bench FILE]
//
// A block that is written as a whole stands between <!-- figures: NAME --> and <!-- /figures -->. Figures of the bench
// are cells of a column "measured" or "bytes", in rows that name the metric, as `wire.handshake.{s1,s3}.bytes`.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** 1,234.5: kB of 1,000 bytes, to a tenth. */
const kB = (bytes) =>
  (bytes / 1000).toLocaleString('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const row = (cells) => `| ${cells.join(' | ')} |`;

/** Bundles whose size has a bar, kB of 1,024 bytes. */
const BARS = [
  ['Espruino-class, provisioned and resumption', 'espruino-puck-class', 14],
  ['Espruino-class, with the full handshake of suite 1', 'espruino-pico-class', 34],
  ['XS client', 'esp32-lean', 36],
  ['Deno, dials out only', 'deno-worker-lean', 64],
];

const PARTS = [
  ['ML-KEM and ML-DSA', /^src\/crypto\/micro\/ml-/],
  [
    'ciphers, hashes, generator, providers',
    /^src\/crypto\/|^src\/lean\/(gcm|hash|sbox)|^targets\/espruino\/keccak/,
  ],
  ['certificates', /^src\/cert\//],
  ['packets, sessions, slab', /^src\/(wire|session|pool|params|bytes)[/.]/],
  ['links: keep-alive, tickets, clock, entropy, trust', /^src\/(link|lean|qace)\//],
  ['the target: sockets, timers, storage, facade', /^targets\//],
  ['errors, the profile, what bundling adds', /./],
];

/** The blocks, by name: what stands between their marks. */
export const BLOCKS = {
  sizes: (sizes) => [
    row(['profile', 'readable', 'minified', 'gzip']),
    '|---|---:|---:|---:|',
    ...sizes.map((s) => row([`\`${s.profile}\``, kB(s.readableBytes), kB(s.minBytes), kB(s.gzipBytes)])),
  ],
  bars: (sizes) => [
    row(['bundle', 'bar, bytes', 'this build, bytes']),
    '|---|---:|---:|',
    ...BARS.map(([what, profile, bar]) => {
      const { minBytes } = sizes.find((s) => s.profile === profile);
      return row([
        `${what} (\`${profile}\`)`,
        (1024 * bar).toLocaleString('en'),
        minBytes.toLocaleString('en'),
      ]);
    }),
  ],
  parts: (sizes) => {
    const chosen = BARS.map(([, profile]) => sizes.find((s) => s.profile === profile));
    const partOf = (module) => PARTS.findIndex(([, files]) => files.test(module));
    const sum = ({ modules }, part) =>
      modules.reduce((all, { module, bytes }) => all + (partOf(module) === part ? bytes : 0), 0);
    return [
      row(['kB of', ...chosen.map(({ profile }) => `\`${profile}\``)]),
      `|---|${'---:|'.repeat(chosen.length)}`,
      ...PARTS.map(([what], part) => row([what, ...chosen.map((s) => kB(sum(s, part)))])),
    ];
  },
};

const DOCUMENTS = ['README.md', 'docs/performance.md', 'docs/profiles.md', 'docs/memory.md'];

/** `text` with what stands between the marks of block `name` replaced. Throws if there is no such block. */
export function withBlock(text, name, lines) {
  const begin = text.indexOf(`<!-- figures: ${name} -->\n`);
  const end = text.indexOf('<!-- /figures -->', begin);
  if (begin < 0 || end < 0) throw new Error(`there is no block "${name}"`);
  const from = text.indexOf('\n', begin) + 1;
  return `${text.slice(0, from)}\n${lines.join('\n')}\n\n${text.slice(end)}`;
}

/** The names of the blocks of a text. */
export const blocksOf = (text) => [...text.matchAll(/^<!-- figures: (\w+) -->$/gm)].map((match) => match[1]);

/** `a.{b,c}.d` as [a.b.d, a.c.d]. */
function metricsOf(name) {
  const braces = /^(.*)\{(.*)\}(.*)$/.exec(name);
  return braces === null ? [name] : braces[2].split(',').map((one) => braces[1] + one + braces[3]);
}

/** A text with the cells of measured figures replaced; those that were not measured stay. */
export function withMetrics(text, figures) {
  let column = -1;
  return text
    .split('\n')
    .map((line) => {
      if (!line.startsWith('|')) {
        column = -1;
        return line;
      }
      const cells = line.slice(1, -1).split('|');
      if (column < 0) column = cells.findIndex((cell) => /^(measured|bytes)$/.test(cell.trim()));
      const names = /`(\w+(?:\.[\w{},]+)+)`/.exec(line)?.[1];
      if (column < 0 || names === undefined) return line;
      const values = metricsOf(names).map((metric) => figures[metric]);
      if (values.some((value) => typeof value !== 'number')) return line;
      const unit = /\d( [a-z]+)? *$/.exec(cells[column])?.[1] ?? '';
      cells[column] = ` ${values.map((value) => value.toLocaleString('en')).join(' / ')}${unit} `;
      return `|${cells.join('|')}|`;
    })
    .join('\n');
}

function demo() {
  const program = path.join(ROOT, 'bin/qstp.mjs');
  return ['```', execFileSync(process.execPath, [program, 'demo'], { encoding: 'utf8' }).trimEnd(), '```'];
}

async function main() {
  const { values } = parseArgs({
    options: { build: { type: 'boolean' }, demo: { type: 'boolean' }, bench: { type: 'string' } },
  });
  if (values.build) {
    const { build } = await import('./build.mjs');
    const { buildProfiles } = await import('./bundles.mjs');
    await build();
    await buildProfiles();
  }
  const sizes = JSON.parse(readFileSync(path.join(ROOT, 'dist/sizes.json'), 'utf8'));
  const figures = values.bench === undefined ? {} : JSON.parse(readFileSync(values.bench, 'utf8'));
  for (const file of DOCUMENTS) {
    const before = readFileSync(path.join(ROOT, file), 'utf8');
    let text = withMetrics(before, figures);
    for (const name of blocksOf(text)) {
      if (BLOCKS[name] !== undefined) text = withBlock(text, name, BLOCKS[name](sizes));
      else if (name === 'demo' && values.demo) text = withBlock(text, name, demo());
    }
    if (text !== before) writeFileSync(path.join(ROOT, file), text);
    console.log(`${file}: ${text === before ? 'as it was' : 'written'}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await main();
  } catch (error) {
    console.error(`docs-figures: ${error.message}`);
    process.exitCode = 1;
  }
}
