// docs/errors.md against the code: every code of a QstpError is in it, or in the tables of refusals; and the other way
// round, every code in it is thrown somewhere.
import test from 'ava';
import { readdirSync, readFileSync } from 'node:fs';
import { documentRows, plain, rowsOf, wordsOf } from '../../bin/doc-tables.ts';

const rows = documentRows(new URL(`file://${process.cwd()}/docs/`));
const FILE = 'docs/errors.md';

/** Where each code is written after `QstpError(`. */
function thrown(): Map<string, string> {
  const found = new Map<string, string>();
  for (const folder of ['src', 'targets', 'bin']) {
    for (const name of readdirSync(folder, { recursive: true })) {
      const file = `${folder}/${String(name)}`;
      if (!file.endsWith('.ts')) continue;
      const code = readFileSync(file, 'utf8');
      for (const [, word] of code.matchAll(/QstpError\(\s*'(\w+)'/g)) found.set(word!, file);
    }
  }
  return found;
}

test('every code of a QstpError is in a table', (t) => {
  const known = new Set(rows.flatMap(wordsOf));
  const found = thrown();
  t.true(found.size >= 80, `${found.size} codes`);
  for (const [word, file] of found) t.true(known.has(word), `${word} of ${file} is in no table`);
});

test('every code of docs/errors.md is one that the code names', (t) => {
  const sources = ['src', 'targets', 'bin']
    .flatMap((folder) => readdirSync(folder, { recursive: true }).map((name) => `${folder}/${String(name)}`))
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(name, 'utf8'))
    .join('\n');
  const own = rows.filter(({ file }) => file === FILE);
  t.true(own.length > 60, `${own.length} rows`);
  for (const row of own) {
    t.is(row.cells.length, 3, row.cells[0]);
    for (const word of wordsOf(row)) {
      const made = word.endsWith('_kind') ? '_kind`' : `'${word}'`;
      t.true(sources.includes(made), word);
    }
  }
});

test('no code has two rows in docs/errors.md', (t) => {
  const words = rows.filter(({ file }) => file === FILE).flatMap(wordsOf);
  t.deepEqual(
    words.filter((word, i) => words.indexOf(word) < i),
    [],
  );
});

test('tables are read with their heads and headings, and cells as plain text', (t) => {
  const [row] = rowsOf('x.md', '# A\n## B\n| code | b |\n|---|---|\n| `c`, `d` | see [e](f.md#g) |\n');
  t.like(row, { file: 'x.md', heading: 'B', head: ['code', 'b'] });
  t.deepEqual(wordsOf(row!), ['c', 'd']);
  t.is(plain(row!.cells[1]!), 'see e');
  t.deepEqual(wordsOf({ ...row!, head: ['file', 'b'] }), []);
});
