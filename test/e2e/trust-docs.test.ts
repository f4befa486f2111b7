// docs/trust.md: every command in it is run, in order, and says what the page says.
import test from 'ava';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { REVOCATION_CONTEXT, REVOCATION_LIST_CONTEXT, revocationListMax } from '../../src/cert/revocation.ts';
import { SUCCESSION_CONTEXT } from '../../src/cert/succession.ts';
import { SUITES } from '../../src/params.ts';

interface Block {
  section: string;
  commands: string;
  prints: string[];
}

function blocks(): Block[] {
  const found: Block[] = [];
  let section = '';
  let lines: string[] | null = null;
  for (const line of readFileSync('docs/trust.md', 'utf8').split('\n')) {
    if (lines === null && line.startsWith('## ')) section = line.slice(3);
    if (line === '```sh') {
      lines = [];
    } else if (line === '```' && lines !== null) {
      const prints = lines.filter((one) => one.startsWith('# prints: '));
      found.push({ section, commands: lines.join('\n'), prints: prints.map((one) => one.slice(10)) });
      lines = null;
    } else if (lines !== null) {
      lines.push(line);
    }
  }
  return found;
}

test('every command of docs/trust.md does what the page says', (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'qstp-trust-'));
  t.teardown(() => {
    // A server that a failed block left behind.
    const script = `[ ! -f '${folder}/gateway/pid' ] || kill $(cat '${folder}/gateway/pid') 2>/dev/null`;
    spawnSync('sh', ['-c', script]);
    rmSync(folder, { recursive: true, force: true });
  });
  const bin = path.join(folder, '.bin');
  mkdirSync(bin);
  const shim = path.join(bin, 'qstp');
  writeFileSync(shim, `#!/bin/sh\nexec "${process.execPath}" "${path.resolve('bin/qstp.mjs')}" "$@"\n`);
  chmodSync(shim, 0o755);
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}`, TMPDIR: folder };
  const all = blocks();
  const sections = all.map((block) => block.section);
  for (const runbook of [
    'New device',
    'Lost device',
    'Server renewed',
    'Server key stolen',
    'Root rolled over',
  ]) {
    t.true(sections.includes(runbook), runbook);
  }
  t.is(sections.filter((section) => section === 'Root stolen').length, 2);
  let commands = 0;
  for (const block of all) {
    const result = spawnSync('sh', ['-e', '-c', block.commands], { cwd: folder, env, encoding: 'utf8' });
    t.is(result.status, 0, `${block.section}: ${result.stderr}`);
    for (const text of block.prints)
      t.true(result.stdout.includes(text), `${block.section}: ${text}\n${result.stdout}`);
    commands += block.commands.match(/^qstp /gm)?.length ?? 0;
  }
  t.true(commands >= 20, `${commands} commands`);
});

test('the numbers of the page are those of the code', (t) => {
  const text = readFileSync('docs/trust.md', 'utf8');
  const [one, two, three] = SUITES.map(revocationListMax);
  t.true(text.includes(`holds ${three} serials of parameter set 3 (${two} of set 2, ${one} of set 1)`));
  for (const context of [REVOCATION_LIST_CONTEXT, REVOCATION_CONTEXT, SUCCESSION_CONTEXT]) {
    t.true(text.includes(`\`${context}\``), context);
  }
  const reasons = readFileSync('docs/protocol.md', 'utf8');
  const refused = text.slice(text.indexOf('## What is refused')).matchAll(/`(\w+_\w+)`/g);
  for (const [, reason] of refused) t.true(reasons.includes(`| \`${reason}\` |`), reason);
});

test('every command that the page names is one of the command', (t) => {
  const named = new Set(
    [...readFileSync('docs/trust.md', 'utf8').matchAll(/`qstp (root|server|client|cert|crl) (\w+)/g)].map(
      ([, group, name]) => `${group} ${name}`,
    ),
  );
  t.true(named.size >= 10);
  for (const name of named) {
    const { status } = spawnSync(process.execPath, ['bin/qstp.mjs', ...name.split(' '), '--help']);
    t.is(status, 0, name);
  }
});
