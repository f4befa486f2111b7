// Reads the tables of a document, so that tests can hold them to the code.
import { readFileSync } from 'node:fs';
import { rowsOf } from '../../bin/doc-tables.ts';

/** The text of a document from a heading to the next one of the same or a higher level. */
export function section(file: string, heading: string): string {
  const lines = readFileSync(file, 'utf8').split('\n');
  const from = lines.indexOf(heading);
  if (from < 0) throw new Error(`${file} has no heading "${heading}"`);
  const level = heading.indexOf(' ');
  let to = from + 1;
  while (to < lines.length && !new RegExp(`^#{1,${level}} `).test(lines[to]!)) to++;
  return lines.slice(from, to).join('\n');
}

/** The cells of every row of every table, heads and rules left out. */
export function rows(text: string): string[][] {
  return rowsOf('', text).map(({ cells }) => [...cells]);
}

/** The first of several tables in a text that has this head. */
export function table(text: string, head: string): string[][] {
  const lines = text.split('\n');
  const from = lines.findIndex((line) => line.replace(/\s+/g, ' ') === head);
  if (from < 0) throw new Error(`there is no table with the head "${head}"`);
  let to = from;
  while (to < lines.length && lines[to]!.startsWith('|')) to++;
  return rows(lines.slice(from, to).join('\n'));
}

/** A number as the documents write it, with commas. */
export function numberIn(cell: string): number {
  const text = cell.replace(/,/g, '');
  if (!/^-?\d+$/.test(text)) throw new Error(`"${cell}" is not a number`);
  return Number(text);
}
