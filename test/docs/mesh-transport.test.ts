// docs/mesh-transport.md against the code and proto/qstp.proto.
import test from 'ava';
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { Overlay } from '../../src/mesh/overlay/overlay.ts';
import { section, table } from './tables.ts';

const FILE = 'docs/mesh-transport.md';
const { root } = protobuf.parse(readFileSync('proto/qstp.proto', 'utf8'), { keepCase: true });

/** Numbers up to which fields are the original's. */
const ORIGINAL: Record<string, number> = { QstpFrame: 7, TupleMetadata: 10, QaceSignal: 4, QaceDecision: 4 };

test('the fields that were added are all listed', (t) => {
  const rows = table(section(FILE, '## Messages'), '| message | added | why |');
  t.deepEqual(rows.map(([message]) => message!.replace(/`/g, '')).sort(), Object.keys(ORIGINAL).sort());
  for (const [name, added] of rows.map((row) => [row[0]!.replace(/`/g, ''), row[1]!] as const)) {
    const { fieldsArray } = root.lookupType(`pqcnet.qstp.${name}`);
    const ours = fieldsArray
      .filter(({ id }) => id > ORIGINAL[name]!)
      .map((field) => `\`${field.name}\` ${field.id}`);
    t.is(added, ours.join(', '));
  }
});

test('the words for what is wrong with a message', (t) => {
  const code = readFileSync('src/mesh/proto/wire.ts', 'utf8');
  const words = [...code.matchAll(/^ {2}\| '(\w+)'/gm)].map((match) => `\`${match[1]}\``);
  const listed = table(section(FILE, '## Messages'), '| word | the input |');
  t.deepEqual(
    listed.map((row) => row[0]),
    words,
  );
});

test('the table of metrics has every field, in order', (t) => {
  const port = {
    resends: false,
    publish: () => undefined,
    subscribe: () => undefined,
    unsubscribe: () => undefined,
  };
  const listed = table(section(FILE, '## The overlay: MQTT'), '| field | what |');
  t.deepEqual(
    listed.map((row) => row[0]!.replace(/`/g, '')),
    Object.keys(new Overlay(port).metrics),
  );
});
