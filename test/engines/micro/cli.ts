// Measures on an emulated microcontroller, from the project's root after `npx tsc -p .`:
//
//   node build/test/engines/micro/cli.js m4|rp2040 metrics            the operations, as JSON {metric: value}
//   node build/test/engines/micro/cli.js m4 bundle PROFILE             memory of a built bundle's first connection
//   node build/test/engines/micro/cli.js m4|rp2040 costs              single constructs of the language
//   node build/test/engines/micro/cli.js m4|rp2040 run FILE EXPR...   expressions after a script of your own

import { readFile } from 'node:fs/promises';
import { bundleMetrics } from './bundle.ts';
import { costs } from './costs.ts';
import { engine, metrics, type MicroEngine } from './operations.ts';
import type { Call } from './program.ts';

function table(rows: (string | number)[][]): string {
  const text = rows.map((row) =>
    row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : cell)),
  );
  const widths = text[0]!.map((_, k) => Math.max(...text.map((row) => row[k]!.length)));
  return text
    .map((row) =>
      row.map((cell, k) => (k === 0 ? cell.padEnd(widths[k]!) : cell.padStart(widths[k]!))).join('  '),
    )
    .join('\n');
}

function callRow(c: Call): (string | number)[] {
  if (c.count === undefined) return [c.expression, c.thrown ?? '', '', '', '', ''];
  const before = c.slots! + c.chunks!;
  return [
    c.expression,
    c.count,
    before,
    c.peakSlots! + c.peakChunks! - before,
    c.stack!,
    c.value ?? c.thrown ?? '',
  ];
}

async function main([name, what, file, ...expressions]: string[]): Promise<number> {
  if ((name !== 'm4' && name !== 'rp2040') || !/^(metrics|bundle|costs|run)$/.test(what ?? '')) {
    console.error('usage: m4|rp2040 metrics | costs | run FILE EXPR..., m4 bundle PROFILE');
    return 2;
  }
  const target: MicroEngine = name;
  if (what === 'metrics') {
    console.log(JSON.stringify(await metrics(target), null, 2));
  } else if (what === 'bundle' && target === 'm4') {
    console.log(JSON.stringify(await bundleMetrics(file ?? 'esp32'), null, 2));
  } else if (what === 'costs') {
    console.log(table((await costs(target)).map((c) => [c.construct, c.count])));
  } else {
    if (file === undefined || expressions.length === 0) {
      console.error('run needs a script and expressions');
      return 2;
    }
    const { prints, calls } = await engine(target)(await readFile(file, 'utf8'), { expressions });
    for (const line of prints) console.log(line);
    const head = ['expression', 'count', 'heap before', 'allocated', 'stack', 'value'];
    console.log(table([head, ...calls.map(callRow)]));
  }
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
