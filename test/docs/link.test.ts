// docs/link.md against the code: the metrics, and the limits of a server.
import test from 'ava';
import { readFileSync } from 'node:fs';
import { Link } from '../../src/link/driver.ts';
import { SLEEP_BYTES_MAX } from '../../src/link/sleep.ts';
import { newChain } from '../session/pair.ts';
import { World } from '../net/virtual.ts';
import { numberIn, section, table } from './tables.ts';

const FILE = 'docs/link.md';

test('the table of metrics has every field, in order', (t) => {
  const chain = newChain(1, 'docs');
  const world = new World();
  const link = new Link(
    {
      crypto: chain.crypto,
      root: chain.root,
      server: chain.server,
      random: chain.random('docs'),
      endpoints: 1,
    },
    {
      timer: world.timer,
      clock: world.clock,
      execute: world.execute,
      connector: { open: () => () => undefined },
      jitter: () => 0,
    },
    {},
  );
  const fields = table(section(FILE, '## Metrics'), '| field | unit | what |');
  t.deepEqual(
    fields.map((row) => row[0]!.replace(/`/g, '')),
    Object.keys(link.metrics),
  );
  const unknown = fields
    .filter((row) => row[2]!.includes('-1 before'))
    .map((row) => row[0]!.replace(/`/g, ''));
  t.deepEqual(
    unknown,
    Object.keys(link.metrics).filter((name) => link.metrics[name as keyof typeof link.metrics] === -1),
  );
});

test('the bytes kept over a deep sleep', (t) => {
  let offset = 0;
  for (const [at, bytes, field] of table(section(FILE, '## Deep sleep'), '| offset | bytes | field | |')) {
    t.is(numberIn(at!), offset, field);
    offset += numberIn(bytes!);
  }
  t.is(offset, SLEEP_BYTES_MAX);
});

test('the states of the diagram are those of the link', (t) => {
  const code = readFileSync('src/link/link-settings.ts', 'utf8');
  const states = /export type LinkState = ([^;]+);/.exec(code)![1]!.match(/\w+/g)!;
  const diagram = section(FILE, '## States');
  const drawn = new Set([...diagram.matchAll(/^ {2}(\w+) --> /gm)].map((match) => match[1]!));
  t.deepEqual([...drawn].sort(), [...states].sort());
});
