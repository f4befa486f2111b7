import { Command } from 'commander';
import { errorDescription, errorToString } from '../../src/error.ts';
import { PROJECT } from '../checkout.ts';
import { documentRows, plain, wordsOf } from '../doc-tables.ts';
import type { Row } from '../doc-tables.ts';
import { fields, show, UsageError } from '../ui.ts';

const CODES = 256;

interface Explained {
  readonly name: string;
  /** What travels, where it does. */
  readonly code: number | null;
  readonly text: string | null;
  /** What the documents say of it, by their columns. */
  readonly documents: readonly (Readonly<Record<string, string>> & { file: string; heading: string })[];
}

function travelling(code: number): Explained {
  return { name: errorToString(code), code, text: errorDescription(code), documents: [] };
}

const all = [...Array(CODES).keys()].map(travelling).filter(({ name }) => name !== 'unknown');

/** Who gives a reason, in the tables of docs/protocol.md. */
const ENDS: Readonly<Record<string, string>> = { C: 'the client', S: 'the server', B: 'either end' };

function documented(row: Row): Explained['documents'][number] {
  const entry: Record<string, string> = {};
  row.cells.forEach((cell, i) => {
    const head = plain(row.head[i]!) || 'meaning';
    if (i > 0) entry[head] = head === 'by' ? ENDS[cell]! : plain(cell);
  });
  return { ...entry, file: row.file, heading: row.heading };
}

/** What a word says: a number that travels, its name, or a reason or code of the documents. */
function explain(word: string, rows: readonly Row[]): Explained {
  const number = /^(0x[0-9a-fA-F]{1,2}|\d{1,3})$/.test(word) && Number(word) < CODES ? Number(word) : null;
  const code = number === null ? all.find(({ name }) => name === word) : travelling(number);
  const name = code?.name ?? word;
  const documents = rows.filter((row) => wordsOf(row).includes(name)).map(documented);
  if (code === undefined && documents.length === 0) {
    throw new UsageError(
      `nothing is called "${word}": give 0x0b, 11, or a name such as ${errorToString(11)}`,
    );
  }
  return { name, code: code?.code ?? null, text: code?.text ?? null, documents };
}

function numbered({ name, code, text }: Explained): readonly [string, string] {
  return [`0x${code!.toString(16).padStart(2, '0')} ${String(code).padStart(3)}  ${name}`, text!];
}

function paragraph(one: Explained): string {
  const lines = [one.code === null ? one.name : numbered(one).join('  ')];
  for (const { file, heading, ...columns } of one.documents) {
    lines.push(`  ${file}, "${heading}"`);
    const shown = Object.entries(columns).filter(([, cell]) => cell !== '' && cell !== '-');
    lines.push(fields(shown).replace(/^/gm, '    '));
  }
  return lines.join('\n');
}

export function explainCommand(): Command {
  return new Command('explain')
    .description('what a reason or an error code says: bundles of devices give the word or the number alone')
    .argument('[word...]', 'such as keepalive_expired, 0x0b or 11; none: all numbers that travel')
    .option('--json', 'as JSON')
    .action((words: string[], options: { json?: boolean }) => {
      if (words.length === 0) {
        const known = all.map(({ documents: _, ...one }) => one);
        show(options.json === true, known, () => fields(all.map(numbered)));
        return;
      }
      const rows = documentRows(new URL('docs/', PROJECT));
      const known = words.map((word) => explain(word, rows));
      show(options.json === true, known, () => known.map(paragraph).join('\n\n'));
    });
}
