// Figures in the documents against the last build: written by tools/docs-figures.mjs.
import test from 'ava';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { rows } from './tables.ts';

interface Size {
  profile: string;
  readableBytes: number;
  minBytes: number;
  gzipBytes: number;
  modules: { module: string; bytes: number }[];
}
interface Tool {
  BLOCKS: Record<string, (sizes: readonly Size[]) => string[]>;
  blocksOf(text: string): string[];
  withBlock(text: string, name: string, lines: readonly string[]): string;
  withMetrics(text: string, figures: Record<string, number>): string;
}

// The tool is plain JavaScript outside the compiled tree; the tests run from the project's root.
const tool = (await import(pathToFileURL(path.resolve('tools/docs-figures.mjs')).href)) as Tool;
const FILES = ['docs/profiles.md', 'docs/performance.md'];

/** What is written of a build is not of another one: a hundredth, and what rounding takes. */
const near = (written: number, measured: number): boolean =>
  Math.abs(written - measured) <= 0.1 + measured / 100;

/** The number in a cell, or null. */
const figure = (cell: string): number | null =>
  /^[\d,.]+( kB)?$/.test(cell) ? parseFloat(cell.replace(/,/g, '')) : null;

/** What of a block in `text` is not what `sizes` say. */
function stale(text: string, name: string, sizes: readonly Size[]): string[] {
  const from = text.indexOf(`<!-- figures: ${name} -->`);
  const written = rows(text.slice(from, text.indexOf('<!-- /figures -->', from)));
  const measured = rows(tool.BLOCKS[name]!(sizes).join('\n'));
  if (written.length !== measured.length) return [`${name}: ${written.length} rows`];
  const wrong: string[] = [];
  measured.forEach((row, i) =>
    row.forEach((cell, j) => {
      const [is, was] = [figure(cell), figure(written[i]![j] ?? '')];
      if (is === null || was === null ? cell !== written[i]![j] : !near(was, is))
        wrong.push(`${name}: ${row[0]}: ${written[i]![j]} is ${cell} now: npm run figures`);
    }),
  );
  return wrong;
}

for (const file of FILES) {
  test(`${file}: sizes are those of the build`, (t) => {
    const sizes = JSON.parse(readFileSync('dist/sizes.json', 'utf8')) as Size[];
    const text = readFileSync(file, 'utf8');
    const names = tool.blocksOf(text);
    t.true(names.length > 0);
    for (const name of names) t.deepEqual(stale(text, name, sizes), []);
  });
}

test('a size that has grown is found, and so is a profile that is missing', (t) => {
  const sizes = ['a', 'b'].map((profile) => ({
    profile,
    readableBytes: 200_000,
    minBytes: 100_000,
    gzipBytes: 40_000,
    modules: [],
  }));
  const empty = '<!-- figures: sizes -->\n<!-- /figures -->\n';
  const text = tool.withBlock(empty, 'sizes', tool.BLOCKS['sizes']!(sizes));
  t.deepEqual(stale(text, 'sizes', sizes), []);
  const grown = (minBytes: number): Size[] => [sizes[0]!, { ...sizes[1]!, minBytes }];
  t.deepEqual(stale(text, 'sizes', grown(100_900)), []);
  t.is(stale(text, 'sizes', grown(102_000)).length, 1);
  t.is(stale(text, 'sizes', sizes.slice(1)).length, 1);
  t.is(tool.withBlock(text, 'sizes', tool.BLOCKS['sizes']!(sizes)), text);
  t.throws(() => tool.withBlock(text, 'other', []));
});

test('figures of the bench take the place of what was written, by the name of the metric', (t) => {
  const text =
    '| what | measured | metric |\n|---|---:|---|\n| x | 1,234 / 5 bytes | `a.{b,c}.d` |\n| y | 7 | `a.e` |';
  t.is(
    tool.withMetrics(text, { 'a.b.d': 9999, 'a.c.d': 10 }),
    '| what | measured | metric |\n|---|---:|---|\n| x | 9,999 / 10 bytes | `a.{b,c}.d` |\n| y | 7 | `a.e` |',
  );
  t.is(tool.withMetrics(text, { 'a.b.d': 9999 }), text);
});
