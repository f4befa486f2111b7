// The qstp command. Each group of subcommands is a file in commands/.

import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { benchCommand } from './commands/bench.ts';
import { buildCommand } from './commands/build.ts';
import { clientCommand } from './commands/client.ts';
import { certCommand } from './commands/cert.ts';
import { connectCommand } from './commands/connect.ts';
import { crlCommand } from './commands/crl.ts';
import { demoCommand } from './commands/demo.ts';
import { forwardCommand } from './commands/forward.ts';
import { provisionCommand } from './commands/provision.ts';
import { qaceCommand } from './commands/qace.ts';
import { rootCommand } from './commands/root.ts';
import { selftestCommand } from './commands/selftest.ts';
import { serveCommand } from './commands/serve.ts';
import { serverCommand } from './commands/server.ts';
import { fail } from './ui.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('qstp')
  .description('Post-quantum tunnels (QSTP 1.4)')
  .version(version)
  .showHelpAfterError('(qstp --help lists the commands; qstp COMMAND --help explains one)')
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'qstp: ')) });

for (const command of [
  demoCommand(),
  rootCommand(),
  serverCommand(),
  clientCommand(),
  certCommand(),
  provisionCommand(),
  crlCommand(),
  serveCommand(),
  connectCommand(),
  forwardCommand(),
  buildCommand(),
  qaceCommand(),
  selftestCommand(),
  benchCommand(),
]) {
  program.addCommand(command);
}

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
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else process.exitCode = fail(error);
}
