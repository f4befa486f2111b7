// `--config FILE`: options of a command from JSON, by their long names. Files are named relative to the one they are in;
// what is given on the command line goes before it.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command, Option } from 'commander';
import { UsageError } from './ui.ts';

/** An option's values, as the command line would have them. */
function wordsOf(file: string, name: string, value: unknown, option: Option): string[] | boolean {
  if (!option.required && !option.optional) {
    if (typeof value === 'boolean') return value;
    throw new UsageError(`${file}: "${name}" takes true or false`);
  }
  const list = Array.isArray(value) ? (value as unknown[]) : [value];
  if (list.length > 0 && list.every((word) => typeof word === 'string' || typeof word === 'number')) {
    return list.map(String);
  }
  throw new UsageError(`${file}: "${name}" takes a string or a number, or a list of them`);
}

/**
 * Reads the file that `--config` names into the command's options; `files`: the long names of options that name
 * files, with words such as `memory` that do not. Throws a UsageError that names file and field.
 */
export function readConfig(
  command: Command,
  file: string,
  files: Readonly<Record<string, readonly string[]>>,
): void {
  let config: unknown;
  if (!existsSync(file)) throw new UsageError(`there is no file ${file}: check the path`);
  try {
    config = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new UsageError(`${file}: must be an object of options`);
  }
  for (const [name, value] of Object.entries(config)) {
    const option = command.options.find(({ long }) => long === `--${name}`);
    if (option === undefined || name === 'config') {
      const names = command.options.map(({ long }) => long!.slice(2)).filter((known) => known !== 'config');
      throw new UsageError(
        `${file}: "${name}" is no option of ${command.name()}; there are ${names.join(', ')}`,
      );
    }
    const key = option.attributeName();
    const words = wordsOf(file, name, value, option);
    if (command.getOptionValueSource(key) === 'cli') continue;
    if (typeof words === 'boolean') {
      if (words) command.setOptionValueWithSource(key, true, 'config');
      continue;
    }
    const here = files[name];
    const parse = option.parseArg as ((word: string, previous: unknown) => unknown) | undefined;
    let result: unknown;
    for (const word of words) {
      const given = here === undefined || here.includes(word) ? word : path.resolve(path.dirname(file), word);
      try {
        result = parse === undefined ? given : parse(given, result);
      } catch (error) {
        throw new UsageError(`${file}: ${(error as Error).message}`);
      }
    }
    command.setOptionValueWithSource(key, result, 'config');
  }
}
