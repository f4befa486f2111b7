// docs/memory.md against the code: the slot's words, the sizes of slots, what buffers must take.
import test from 'ava';
import { FIRST_RECORD_MAX, GCM_TAG_BYTES, HEADER_BYTES, SUITES, TAG_BYTES } from '../../src/params.ts';
import { acquireSlot, createPool } from '../../src/pool/pool.ts';
import {
  Cipher,
  CIPHER_WORDS,
  SLOT_KEEPALIVE_WORDS,
  SLOT_WORDS,
  slotBytes,
  Word,
} from '../../src/pool/slot.ts';
import { KEEPALIVE_WORDS } from '../../src/link/keepalive.ts';
import { connectResponseBytes } from '../../src/wire/messages.ts';
import { CLIENT_HELLO_BYTES, SERVER_HELLO_BYTES } from '../../src/wire/edge.ts';
import { newChain, clientOf, serverOf } from '../session/pair.ts';
import { clientEdge, exchange, serverEdge, Tickets } from '../session/edge-pair.ts';
import { numberIn, section, table } from './tables.ts';

const FILE = 'docs/memory.md';

test('the table of a slot has every word, in order, without gaps', (t) => {
  const slot = table(section(FILE, '## A slot'), '| offset | words | name | what |');
  const names = slot.map((row) => row[2]!.replace(/`/g, ''));
  t.deepEqual(
    names,
    (Object.entries(Word) as [string, number][]).sort((a, b) => a[1] - b[1]).map((entry) => entry[0]),
  );
  let offset = 0;
  for (const [at, words, name] of slot) {
    t.is(numberIn(at!), offset, name);
    const index: number = Word[name!.replace(/`/g, '') as keyof typeof Word];
    t.is(index, offset / 4, name);
    offset += 4 * numberIn(words!);
  }
  t.is(offset, 4 * SLOT_WORDS);
  t.true(section(FILE, '## A slot').includes(`That is ${offset} bytes.`));
  const keepalive = slot.find((row) => row[2] === '`keepalive`')!;
  t.is(numberIn(keepalive[1]!), SLOT_KEEPALIVE_WORDS);
  t.true(SLOT_KEEPALIVE_WORDS >= KEEPALIVE_WORDS);
});

test('the sizes of a slot are those of the pool, and its views lie where the table says', (t) => {
  const sizes = table(
    section(FILE, '## A slot'),
    '| pool for | words a state | slot, bytes | slot with a receive buffer of 768 |',
  );
  t.is(sizes.length, 2);
  for (const [name, words, bare, buffered] of sizes) {
    const cipher = name === '`gcm`' ? 'gcm' : 'rcs';
    t.is(numberIn(words!), CIPHER_WORDS[Cipher[cipher]]!, name);
    t.is(numberIn(bare!), slotBytes(numberIn(words!), 0), name);
    t.is(numberIn(buffered!), slotBytes(numberIn(words!), 768), name);
    const pool = createPool({ slots: 2, cipher, receiveBytes: 768 });
    t.is(pool.slotBytes, numberIn(buffered!), name);
    for (let i = 0; i < 2; i++) {
      const slot = acquireSlot(pool);
      const at = i * pool.slotBytes;
      t.is(slot.words.byteOffset, at);
      t.is(slot.tx.byteOffset, at + 4 * SLOT_WORDS);
      t.is(slot.rx.byteOffset, at + 4 * SLOT_WORDS + 4 * numberIn(words!));
      t.is(slot.receive!.byteOffset, at + numberIn(bare!));
    }
  }
});

test('handshake buffers: the longest packets of each parameter set', (t) => {
  const most = table(
    section(FILE, '## Devices and gateways'),
    '| parameter set | client (S2) | server (S3) |',
  );
  t.is(most.length, SUITES.length);
  for (const [id, client, server] of most) {
    const suite = SUITES[numberIn(id!) - 1]!;
    t.is(numberIn(client!), HEADER_BYTES + connectResponseBytes(suite));
    t.is(numberIn(server!), HEADER_BYTES + suite.ciphertextBytes);
  }
});

const FIRST = table(section(FILE, '## Devices and gateways'), '| must fit | RCS-256 | AES-256-GCM |');

test('receive buffers: what the first packets have', (t) => {
  const bodies = [SERVER_HELLO_BYTES, FIRST_RECORD_MAX, CLIENT_HELLO_BYTES];
  t.is(FIRST.length, bodies.length);
  FIRST.forEach(([what, rcs, gcm], i) => {
    t.is(numberIn(rcs!), HEADER_BYTES + bodies[i]! + TAG_BYTES, what);
    t.is(numberIn(gcm!), HEADER_BYTES + bodies[i]! + GCM_TAG_BYTES, what);
  });
});

test('receive buffers: that many bytes connect, one less does not', (t) => {
  const chain = newChain(1, 'memory');
  const connects = (gcm: boolean, freshness: boolean, receiveBytes: number): boolean => {
    const tickets = new Tickets();
    const edge = clientEdge(chain, tickets, { gcm, freshness });
    const pool = createPool({ slots: 1, receiveBytes });
    const client = clientOf(chain, { verified: 'chain', edge, pool });
    const server = serverOf(chain, { edge: serverEdge(chain, tickets) });
    server.start(chain.now);
    client.start(chain.now);
    exchange(chain, { client, server, sent: { client: [], server: [] } });
    return client.state === 'established';
  };
  for (const [gcm, column] of [
    [false, 1],
    [true, 2],
  ] as const) {
    for (const [freshness, row] of [
      [false, 0],
      [true, 1],
    ] as const) {
      const least = Math.max(128, numberIn(FIRST[row]![column]!));
      t.true(connects(gcm, freshness, least), `${least}`);
      if (least > 128) t.false(connects(gcm, freshness, least - 1), `${least - 1}`);
    }
  }
  t.throws(() => createPool({ slots: 1, receiveBytes: 127 }), { code: 'pool_invalid' });
});
