// What the command prints: tables, one-line errors, JSON; progress on a terminal only.

import { QstpError } from '../src/error.ts';
import { formatTime } from '../src/cert/time.ts';

/** Wrong use of the command: exit code 2. */
export class UsageError extends Error {}

/** Prints text, or with `--json` the data. */
export function show(json: boolean, data: unknown, text: () => string): void {
  console.log(json ? JSON.stringify(data, null, 2) : text());
}

/** A line on what happens, on stderr so that stdout stays clean for data. */
export function note(line: string): void {
  console.error(line);
}

/** A line that replaces itself, on a terminal only. */
export function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

/** Two columns: names and values. */
export function fields(rows: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows.map(([name, value]) => name.padEnd(width) + value).join('\n');
}

/** A table with a header line; columns of numbers are aligned right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const right = header.map((_, column) => rows.every((row) => /^[-\d.,]*( \w+)?$/.test(row[column]!)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (right[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd();
  return [line(header), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

export function dateText(seconds: number): string {
  return formatTime(seconds).replace(/-(\d\d)-(\d\d)$/, ':$1:$2') + ' UTC';
}

/** Text from a file or peer without control characters. */
export function clean(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}

/** One line for people, and the exit code: 2 for wrong use, 1 for everything else. */
export function fail(error: unknown): number {
  if (error instanceof UsageError) {
    note(`qstp: ${error.message}`);
    return 2;
  }
  if (error instanceof QstpError || (error instanceof Error && 'code' in error)) {
    note(`qstp: ${error.message}`);
    return error instanceof QstpError && WRONG_USE.has(error.code) ? 2 : 1;
  }
  note(`qstp: unexpected: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return 1;
}

const WRONG_USE = /* @__PURE__ */ new Set([
  'unknown_suite',
  'issuer_invalid',
  'period_invalid',
  'endpoint_invalid',
  'forward_invalid',
]);
