import { Command } from 'commander';
import { runDemo } from '../demo/demo.ts';
import { suiteByName } from '../../src/cert/suite.ts';

export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'the whole story on loopback: an RTU dials out and is polled over Modbus/TCP through its tunnel',
    )
    .option('--suite <set>', 'parameter set: 1, 2, 3 or its name', '3')
    .option('--json', 'as JSON')
    .action(async (options: { suite: string; json?: boolean }) => {
      const good = await runDemo(suiteByName(options.suite).id, options.json === true);
      if (!good) process.exitCode = 1;
    });
}
