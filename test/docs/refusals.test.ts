// docs/protocol.md, "Refusals", against the code: every reason an end can give, with its code; and every code.
import test from 'ava';
import { readdirSync, readFileSync } from 'node:fs';
import { ErrorCode, errorToString } from '../../src/error.ts';
import { rows, section, table } from './tables.ts';

const FILE = 'docs/protocol.md';

/** Not refusals of a session: what is dropped, and what the clock's own check says to its caller. */
const ELSEWHERE = ['ignored', 'clock_skew'];

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true })
    .map((name) => `${folder}/${String(name)}`)
    .filter((name) => name.endsWith('.ts'));
}

/** Every reason with the names of the codes it is given with. */
function reasons(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const file of [...sources('src'), ...sources('targets')]) {
    const code = readFileSync(file, 'utf8');
    const given = [
      ...code.matchAll(/\breject\(\s*'(\w+)',\s*([\w.]+)/g),
      ...code.matchAll(/\breason: '(\w+)',\s*code: ([\w.]+)/g),
    ];
    for (const [, reason, by] of given) {
      if (!found.has(reason!)) found.set(reason!, new Set());
      found.get(reason!)!.add(by!);
    }
  }
  return found;
}

const text = section(FILE, '## Refusals');
const refusals = rows(text).filter((row) => row.length === 5);

test('every reason of the code is in the tables, with the code it sends', (t) => {
  const found = reasons();
  t.true(found.size >= 50, `${found.size} reasons`);
  for (const [reason, codes] of found) {
    if (ELSEWHERE.includes(reason)) continue;
    const listed = refusals.filter((row) => row[0] === `\`${reason}\``);
    t.true(listed.length > 0, `${reason} is in no table`);
    if (listed.some((row) => row[3]!.startsWith('('))) continue;
    for (const by of codes) {
      if (!by.startsWith('ErrorCode.')) continue;
      const code = ErrorCode[by.slice('ErrorCode.'.length) as keyof typeof ErrorCode];
      const shown = `${code.toString(16).toUpperCase().padStart(2, '0')} ${errorToString(code)}`;
      t.true(
        listed.some((row) => row[3]!.includes(shown)),
        `${reason}: ${shown}`,
      );
    }
  }
});

test('no reason is in the tables that the code does not give', (t) => {
  const found = reasons();
  for (const row of refusals) {
    const reason = row[0]!.replace(/`/g, '');
    t.true(found.has(reason), reason);
    t.regex(row[1]!, /^[CSB]$/, reason);
    t.not(row[4], '', reason);
  }
});

test('the codes of the extensions', (t) => {
  const codes = table(text, '| code | name | meaning |');
  const ours = Object.values(ErrorCode).filter((code) => code >= 0x40);
  t.deepEqual(
    codes.map((row) => parseInt(row[0]!, 16)),
    ours,
  );
  for (const [code, name] of codes) t.is(name, `\`${errorToString(parseInt(code!, 16))}\``);
});
