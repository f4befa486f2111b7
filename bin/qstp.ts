// The qstp command.

import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { commands } from './commands/index.ts';
import { fail } from './ui.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('qstp')
  .description('Post-quantum tunnels (QSTP 1.4)')
  .version(version)
  .showHelpAfterError('(qstp --help lists the commands; qstp COMMAND --help explains one)')
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'qstp: ')) });

for (const command of commands()) program.addCommand(command);

/** Commander's own complaints are thrown, in every subcommand, so that wrong use exits with 2. */
function throwInstead(command: Command): void {
  command.exitOverride();
  command.copyInheritedSettings(program);
  for (const inner of command.commands) throwInstead(inner);
}
throwInstead(program);

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of a pipe went away: nothing more to say.
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`qstp: cannot write the output: ${error.message}\n`);
  process.exit(1);
});

try {
  await program.parseAsync();
} catch (error) {
  const usage = error instanceof CommanderError;
  const code = usage ? (error.exitCode === 0 ? 0 : 2) : fail(error);
  // What was begun before it failed (a terminal that is read, a port that is open) does not keep the process.
  process.exitCode = code;
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}
