import { Command } from 'commander';
export function selftestCommand(): Command {
  return new Command('selftest');
}
