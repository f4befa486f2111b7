// docs/mesh.md against the code: its reasons, its control messages, its numbers.
import test from 'ava';
import { readFileSync } from 'node:fs';
import * as mesh from '../../src/mesh/index.ts';
import { Inner } from '../../src/mesh/params.ts';
import { rows, section } from './tables.ts';

const FILE = 'docs/mesh.md';
const all = readFileSync(FILE, 'utf8');

test('every refusal is in the table with its sentence, and no other', (t) => {
  const listed = rows(section(FILE, '## Refusals')).map(([reason, detail]) => `${reason} ${detail}`);
  const given = Object.values(mesh.Refusal)
    .filter((number) => number !== mesh.Refusal.control)
    .map((number) => mesh.refusal(number));
  t.deepEqual(listed.sort(), given.map(({ reason, detail }) => `\`${reason}\` ${detail}`).sort());
});

test('every control message is there', (t) => {
  const listed = rows(section(FILE, '## Frames')).filter((row) => /^\d$/.test(row[0]!) && row.length === 3);
  t.is(listed.length, Object.keys(Inner).length);
  for (const [name, number] of Object.entries(Inner)) {
    const row = listed.find((cells) => cells[0] === `${number}`);
    t.true(row !== undefined && row[2]!.includes(name), `${name} ${number}`);
  }
});

test('the numbers are those of the code', (t) => {
  const slot = mesh.MESH_SLOT_BYTES.toLocaleString('en');
  t.regex(all, new RegExp(`one slot of ${slot} bytes`));
  t.regex(all, new RegExp(`made at its start: ${slot} bytes each`));
  t.is(2 ** 20, mesh.FRAMES_PER_KEY);
  t.is(2 ** 24, mesh.FRAMES_PER_KEY_MAX);
  for (const [pattern, value, unit] of [
    [/Topics have 1 to (\d+) bytes/, mesh.TOPIC_BYTES_MAX, 1],
    [/routes at most (\d+) hops/, mesh.HOPS_MAX, 1],
    [/half-open place for (\d+) s/, mesh.HALF_OPEN_MS, 1000],
    [/at most every (\d+) s/, mesh.DECISION_INTERVAL_MS, 1000],
    [/the old one good for (\d+) s/, mesh.GRACE_MS, 1000],
  ] as const) {
    t.is(unit * Number(pattern.exec(all)?.[1]), value, pattern.source);
  }
  t.is(mesh.ALTERNATES_MAX, 4);
  t.regex(all, /at most four alternates/);
});
