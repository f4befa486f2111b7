import { Command } from 'commander';
import { errorDescription, errorToString } from '../../src/error.ts';
import { fields, show, UsageError } from '../ui.ts';

const CODES = 256;

/** The code that a word names: decimal, 0x and hexadecimal, or the name. */
function codeOf(word: string): number {
  if (/^(0x[0-9a-fA-F]{1,2}|\d{1,3})$/.test(word) && Number(word) < CODES) return Number(word);
  for (let code = 0; code < CODES; code++)
    if (errorToString(code) === word && word !== 'unknown') return code;
  throw new UsageError(`"${word}" is no error code: give 0x0b, 11, or a name such as ${errorToString(11)}`);
}

export function explainCommand(): Command {
  return new Command('explain')
    .description('what an error code says: bundles of devices give the number alone')
    .argument('[code...]', 'such as 0x0b, 11, or its name; none: all')
    .option('--json', 'as JSON')
    .action((words: string[], options: { json?: boolean }) => {
      const codes = words.length > 0 ? words.map(codeOf) : [...Array(CODES).keys()];
      const known = codes
        .map((code) => ({ code, name: errorToString(code), text: errorDescription(code) }))
        .filter(({ name }) => words.length > 0 || name !== 'unknown');
      show(options.json === true, known, () =>
        fields(
          known.map(({ code, name, text }) => [
            `0x${code.toString(16).padStart(2, '0')} ${String(code).padStart(3)}  ${name}`,
            text,
          ]),
        ),
      );
    });
}
