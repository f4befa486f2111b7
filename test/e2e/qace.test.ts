import test from 'ava';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

function qstp(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.resolve('bin/qstp.mjs'), ...args]);
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

interface Row {
  scenario: string;
  action: string;
  primary: string;
  score: number;
  confidence: number;
  rationale: string;
  milliseconds: number;
}

test('qace ga-failover: the table of the original, with times and the optimum', async (t) => {
  const { code, out } = await qstp('qace', 'ga-failover');
  t.is(code, 0);
  t.regex(
    out,
    /^== QACE GA Failover Runbook ==\nscenario +action +primary +score +confidence +time +optimum\n/,
  );
  t.regex(out, /\nsteady-state +Reroute\(fractal\) +fractal +412 +1\.00 +0\.\d+ ms +412\n/);
  t.regex(out, /\ncongested-mesh +Reroute\(fractal\) +fractal +-5448 +1\.00 +0\.\d+ ms +-5448\n/);
  t.regex(out, /\nthreat-injection +Reroute\(fractal\) +fractal +-16368 +1\.00 +0\.\d+ ms +-16368\n/);
  t.regex(out, /target < 50 ms: met\n$/);
});

test('qace ga-failover --json: the same as data; the seed changes evolution only', async (t) => {
  interface Report {
    config: { rngSeed: number; populationSize: number };
    rows: (Row & { optimum: number; evolved: Row & { generations: number } })[];
    met: boolean;
  }
  const reports: Report[] = [];
  for (const seed of ['9', '9', '3']) {
    const { code, out } = await qstp('qace', 'ga-failover', '--seed', seed, '--json');
    t.is(code, 0);
    reports.push(JSON.parse(out) as Report);
  }
  const untimed = ({ rows }: Report): unknown[] =>
    rows.map(({ action, score, evolved }) => [
      action,
      score,
      evolved.action,
      evolved.score,
      evolved.generations,
    ]);
  t.deepEqual(untimed(reports[0]!), untimed(reports[1]!));
  t.notDeepEqual(untimed(reports[0]!), untimed(reports[2]!));
  for (const { rows, config, met } of reports) {
    t.is(config.populationSize, 48);
    t.true(met);
    t.deepEqual(
      rows.map(({ score, optimum, rationale }) => [score, optimum, rationale]),
      [
        [412, 412, 'ga-optimization'],
        [-5448, -5448, 'ga-optimization'],
        [-16368, -16368, 'ga-threat-reroute'],
      ],
    );
    for (const row of rows) {
      t.true(row.milliseconds > 0 && row.milliseconds < 1, `${row.milliseconds}`);
      t.true(row.evolved.score <= row.optimum);
    }
  }
});

test('qace deterministic-guard: the lines of the original, with times and the optimum', async (t) => {
  const { code, out } = await qstp('qace', 'deterministic-guard');
  t.is(code, 0);
  t.regex(out, /^threat scenario => action=Reroute\(shielded\), new_primary=shielded\n/);
  t.regex(out, /\nloss scenario => action=Rekey, score=119769\n/);
  t.regex(
    out,
    /\nthreat +Reroute\(shielded\) +shielded +118144 +threat-score-reroute +0\.\d+ ms +shielded +-3790\n/,
  );
  const { rows } = JSON.parse((await qstp('qace', 'deterministic-guard', '--json')).out) as { rows: Row[] };
  t.deepEqual(
    rows.map(({ scenario, action, primary, score }) => [scenario, action, primary, score]),
    [
      ['threat', 'Reroute(shielded)', 'shielded', 118144],
      ['loss', 'Rekey', 'primary', 119769],
    ],
  );
});

test('qace: wrong use exits with 2 and says what to do', async (t) => {
  for (const args of [['nothing'], ['ga-failover', '--seed', '-1'], ['ga-failover', '--seed', 'x']]) {
    const { code, err } = await qstp('qace', ...args);
    t.is(code, 2, args.join(' '));
    t.regex(err, /qstp: /);
  }
});

test('selftest --kat qace: passes the file, and fails one that was altered', async (t) => {
  const good = await qstp('selftest', '--kat', 'qace:test/vectors/qace.json');
  t.is(good.code, 0);
  t.regex(good.out, /^101 passed, 0 failed\n$/);
  const folder = mkdtempSync(path.join(tmpdir(), 'qstp-qace-'));
  try {
    const file = path.join(folder, 'altered.json');
    writeFileSync(file, readFileSync('test/vectors/qace.json', 'utf8').replace('119769', '119770'));
    const bad = await qstp('selftest', '--kat', `qace:${file}`);
    t.is(bad.code, 1);
    t.regex(bad.out, /the score is 119769 instead of 119770\n100 passed, 1 failed\n$/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
