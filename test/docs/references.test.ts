// What the documents point at exists: files, headings, commands with their options, scripts and tasks.
import test from 'ava';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { commands } from '../../bin/commands/index.ts';

const FILES = [
  'README.md',
  'SECURITY.md',
  'test/vectors/README.md',
  ...readdirSync('docs').map((name) => `docs/${name}`),
].filter((file) => file.endsWith('.md'));

const textOf = (file: string): string => readFileSync(file, 'utf8');

/** A document's text without its code, where brackets are no links. */
function prose(text: string): string {
  return text.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, '');
}

/** The anchors of a document's headings, as forges make them. */
function anchors(file: string): string[] {
  const seen: Record<string, number> = {};
  return [...textOf(file).matchAll(/^#{1,6} (.+)$/gm)].map((match) => {
    const words = match[1]!.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '');
    const anchor = words.trim().replace(/\s/g, '-');
    const before = (seen[anchor] = (seen[anchor] ?? -1) + 1);
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
}

/** What is wrong with the links of a text that stands in `file`. */
function brokenLinks(file: string, text: string): string[] {
  const broken: string[] = [];
  for (const [, target] of prose(text).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target!)) continue;
    const [to, anchor] = target!.split('#');
    const at = to === '' ? file : path.posix.join(path.posix.dirname(file), to!);
    if (!existsSync(at)) broken.push(`${file}: ${target}: there is no ${at}`);
    else if (anchor !== undefined && !anchors(at).includes(anchor))
      broken.push(`${file}: ${target}: no heading`);
  }
  return broken;
}

/** Lines of code blocks, those that go on after a backslash joined, and the code between backticks. */
function codeOf(text: string): string[] {
  const blocks = [...text.matchAll(/^```.*?\n(.*?)^```$/gms)].flatMap((match) =>
    match[1]!.replace(/\\\n\s*/g, ' ').split('\n'),
  );
  const spans = [...text.replace(/^```.*?^```$/gms, '').matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
  return [...blocks, ...spans];
}

const COMMANDS = commands();
const find = (among: readonly Command[], name: string): Command | undefined =>
  among.find((command) => command.name() === name);

/** What is wrong with one use of the command, given what follows its name. */
function wrongUse(words: readonly string[]): string | null {
  const first = words[0];
  if (first === undefined || !/^[a-z]/.test(first)) return null;
  let command = find(COMMANDS, first);
  if (command === undefined) return `there is no command "${first}"`;
  const [second] = words.slice(1);
  if (command.commands.length > 0 && second !== undefined && /^[a-z]/.test(second)) {
    const inner = second.split('|').map((name) => find(command!.commands, name));
    if (inner.includes(undefined)) return `"${first}" has no subcommand "${second}"`;
    command = inner[0]!;
  }
  const options = new Set(command.options.flatMap(({ long, short }) => [long, short]));
  options.add('--help');
  for (const word of words) {
    const name = /^--?[a-zA-Z][a-z-]*/.exec(word)?.[0];
    if (name !== undefined && !options.has(name)) return `"${command.name()}" has no option ${name}`;
  }
  return null;
}

/** The uses of the command in a line of code: the words after its name. */
function usesOf(line: string): string[][] {
  return line
    .replace(/\s#\s.*$/, '')
    .split(/ && | \|\| | \| |; | &$/)
    .map((part) => /(?:^|\s|\/)qstp(?:\.mjs)?(?: --)?((?: .*)?)$/.exec(part.trim()))
    .filter((use) => use !== null && !use.input.includes(' = '))
    .map((use) => use![1]!.split(/\s+/).filter((word) => word !== ''));
}

function wrongUses(line: string): string[] {
  return usesOf(line)
    .map((words) => wrongUse(words))
    .filter((problem) => problem !== null);
}

const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
const { tasks } = JSON.parse(textOf('deno.json')) as { tasks: Record<string, unknown> };
const OURS = /^(?:src|bin|tools|test|targets|bench|examples|firmware-profiles|proto)\/[\w./-]+\.\w+$/;

for (const file of FILES) {
  test(`${file}: links lead somewhere`, (t) => t.deepEqual(brokenLinks(file, textOf(file)), []));

  test(`${file}: its commands and files are there`, (t) => {
    for (const line of codeOf(textOf(file))) {
      t.deepEqual(wrongUses(line), []);
      if (OURS.test(line)) t.true(existsSync(line), line);
      for (const [, name] of line.matchAll(/npm run (?:-s )?([\w:]+)/g)) t.true(name! in scripts, line);
      for (const [, name] of line.matchAll(/deno task ([\w:]+)/g)) t.true(name! in tasks, line);
    }
  });
}

test('every document is in the list of the README', (t) => {
  const listed = textOf('README.md');
  for (const file of FILES.filter((name) => name.startsWith('docs/')))
    t.true(listed.includes(`](${file})`), file);
});

test('uses of the command are found', (t) => {
  const uses = FILES.flatMap((file) => codeOf(textOf(file)).flatMap(usesOf));
  t.true(uses.length > 100, `${uses.length}`);
});

test('what is wrong is found', (t) => {
  t.is(brokenLinks('README.md', '[a](docs/nothing.md) [b](docs/link.md#nothing) [c](#nothing)').length, 3);
  t.deepEqual(brokenLinks('docs/link.md', '[a](../README.md#security) [b](#states) `[c](d)`'), []);
  t.is(wrongUses('qstp root make').length, 1);
  t.is(wrongUses('qstp destroy --all').length, 1);
  t.is(wrongUses('npm run -s qstp -- bench --engines xs').length, 1);
  t.is(wrongUses('qstp root new && qstp root sign --everything x').length, 1);
  t.deepEqual(wrongUses('npm run -s qstp -- bench --engine xs   # qstp things'), []);
});
