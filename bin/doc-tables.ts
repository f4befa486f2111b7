// The tables of the documents: what they say of a reason or an error code is what `qstp explain` prints.

import { readdirSync, readFileSync } from 'node:fs';

export interface Row {
  /** The document, such as `docs/link.md`, and the heading the table is under. */
  readonly file: string;
  readonly heading: string;
  /** Heads of the columns; one may be empty. */
  readonly head: readonly string[];
  readonly cells: readonly string[];
}

const RULE = /^\|[-: |]+\|$/;

function cellsOf(line: string): string[] {
  return line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim());
}

/** Every row of every table of a document in Markdown, heads and rules left out. */
export function rowsOf(file: string, text: string): Row[] {
  const found: Row[] = [];
  const lines = text.split('\n');
  let heading = '';
  let head: string[] = [];
  lines.forEach((line, i) => {
    const title = /^#+ (.*)/.exec(line);
    if (title !== null) heading = title[1]!;
    if (!line.startsWith('|') || RULE.test(line)) return;
    if (RULE.test(lines[i + 1] ?? '')) head = cellsOf(line);
    else found.push({ file, heading, head, cells: cellsOf(line) });
  });
  return found;
}

/** Text of a cell for a terminal. */
export function plain(cell: string): string {
  return cell.replace(/\[([^\]]*)\]\(([^)]*)\)/g, '$1').replace(/`/g, '');
}

/** The words that rows about reasons and codes are of. */
export function wordsOf(row: Row): string[] {
  if (!/^(reason|code)$/.test(plain(row.head[0] ?? ''))) return [];
  return [...row.cells[0]!.matchAll(/`([a-z_0-9]+)`/g)].map(([, word]) => word!);
}

/** The documents of the package at `folder`, which ends in a slash. */
export function documentRows(folder: URL): Row[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .sort()
    .flatMap((name) => rowsOf(`docs/${name}`, readFileSync(new URL(name, folder), 'utf8')));
}
