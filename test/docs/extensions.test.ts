// docs/extensions.md against the code: layouts, labels, bits, types.
import test from 'ava';
import { readFileSync } from 'node:fs';
import { ControlType, Discovery, Feature, HEADER_BYTES, SUITES } from '../../src/params.ts';
import type { Suite } from '../../src/params.ts';
import { rootCertificateBytes, serverCertificateBytes } from '../../src/cert/certificate.ts';
import { RevocationStatus } from '../../src/session/trust.ts';
import { FEATURES_OF_THIS_BUILD } from '../../src/session/edge.ts';
import * as edge from '../../src/wire/edge.ts';
import { KEEPALIVE_REQUEST_BYTES, KEEPALIVE_RESPONSE_BYTES } from '../../src/link/keepalive.ts';
import { numberIn, rows, section, table } from './tables.ts';

const FILE = 'docs/extensions.md';
const text = readFileSync(FILE, 'utf8');

/** Length of a layout whose rows follow each other without gaps. */
function total(t: import('ava').ExecutionContext, heading: string): number {
  let offset = 0;
  for (const [at, bytes, field] of table(section(FILE, heading), '| offset | bytes | field | |')) {
    t.is(numberIn(at!), offset, `${heading}: ${field}`);
    offset += numberIn(bytes!);
  }
  return offset;
}

test('layouts have no gaps and the lengths of the code', (t) => {
  t.is(total(t, '### Server hello, type 01'), edge.SERVER_HELLO_BYTES);
  t.is(total(t, '### Client hello, type 0B'), edge.CLIENT_HELLO_BYTES);
  t.is(total(t, '### Ticket, type 02'), edge.TICKET_BYTES);
  t.is(total(t, '### Holdings, type 11'), edge.HOLDINGS_BYTES);
  t.is(total(t, '### Single revocation, flag 10'), 18);
  const r1 = total(t, '### R1, flag 17');
  const r2 = total(t, '### R2, flag 18');
  t.is(r1, HEADER_BYTES + edge.RESUME_REQUEST_BYTES);
  t.is(r2, HEADER_BYTES + edge.RESUME_RESPONSE_BYTES);
  t.true(text.includes(`R1 has ${r1} bytes and R2 ${r2}.`));
  const keepalive = table(section(FILE, '## X3 Keep-alive'), '| offset | bytes | request | response |');
  t.deepEqual(
    keepalive.map((row) => numberIn(row[0]!)),
    [0, 4, KEEPALIVE_REQUEST_BYTES],
  );
  t.is(
    keepalive.reduce((sum, row) => sum + numberIn(row[1]!), 0),
    KEEPALIVE_RESPONSE_BYTES,
  );
  const fragment = table(section(FILE, '## Control messages and fragments'), '| offset | bytes | field |');
  t.is(numberIn(fragment[fragment.length - 1]![0]!), edge.FRAGMENT_HEAD_BYTES);
});

test('every field of the hellos, the ticket, R1 and R2 lies where the table says', (t) => {
  const bytes = (n: number, first: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => first + i);
  const at = (heading: string, field: string): number => {
    const row = table(section(FILE, heading), '| offset | bytes | field | |').find((r) => r[2] === field);
    return row === undefined ? -1 : numberIn(row[0]!);
  };
  const server = edge.encodeServerHello({
    discovery: 0xd1,
    mustAuthenticate: true,
    features: 0x04030201,
    serverTime: 0x060504030201,
    maxIdle: 0x14131211,
    maxRecord: 0x2221,
    deliveredLow: 0x34333231,
    deliveredHigh: 0x38373635,
    profileHash: bytes(32, 0x40),
    nonce: bytes(16, 0x70),
  });
  const s = '### Server hello, type 01';
  for (const [field, first] of [
    ['type', 1],
    ['version', 1],
    ['discovery', 0xd1],
    ['flags', 1],
    ['features', 1],
    ['serverTime', 1],
    ['maxIdle', 0x11],
    ['maxRecord', 0x21],
    ['delivered', 0x31],
    ['profileHash', 0x40],
    ['nonce', 0x70],
  ] as const) {
    t.is(server[at(s, field)], first, field);
  }
  const client = edge.encodeClientHello({
    clockState: 2,
    missed: 9,
    features: 0x04030201,
    poll: 0x14131211,
    maxRecord: 0x2221,
    deliveredLow: 0x34333231,
    deliveredHigh: 0x38373635,
    profileHash: bytes(32, 0x40),
    nonce: bytes(16, 0x70),
  });
  const c = '### Client hello, type 0B';
  for (const [field, first] of [
    ['type', 0x0b],
    ['version', 1],
    ['clock', 2],
    ['missed', 9],
    ['features', 1],
    ['poll', 0x11],
    ['maxRecord', 0x21],
    ['delivered', 0x31],
    ['profileHash', 0x40],
    ['nonce', 0x70],
  ] as const) {
    t.is(client[at(c, field)], first, field);
  }
  const ticket = edge.encodeTicket({ id: bytes(16, 0x20), lifetime: 0x04030201, nonce: bytes(32, 0x50) });
  t.is(ticket[at('### Ticket, type 02', 'ticketId')], 0x20);
  t.is(ticket[at('### Ticket, type 02', 'lifetime')], 1);
  t.is(ticket[at('### Ticket, type 02', 'nonce')], 0x50);
  const r1 = edge.encodeResumeRequest(bytes(16, 0x20), bytes(32, 0x50), 0xd1, 0);
  t.is(r1[at('### R1, flag 17', 'ticketId')], 0x20);
  t.is(r1[at('### R1, flag 17', 'clientNonce')], 0x50);
  t.is(r1[at('### R1, flag 17', 'discovery')], 0xd1);
  t.is(at('### R1, flag 17', 'proof'), edge.R1_PROOF);
  const r2 = edge.encodeResumeResponse(bytes(32, 0x50), 0);
  t.is(r2[at('### R2, flag 18', 'serverNonce')], 0x50);
  t.is(at('### R2, flag 18', 'proof'), edge.R2_PROOF);
});

test('the sizes of identities, lists and roots are those of the parameter sets', (t) => {
  const sizes = (heading: string, row: number): number[] =>
    rows(section(FILE, heading))
      .filter((cells) => /^\d|^then/.test(cells[0]!))
      [row]![1]!.match(/[\d,]*\d/g)!
      .map((n) => Number(n.replace(/,/g, '')));
  const by = (of: (suite: Suite) => number): number[] => SUITES.map(of);
  const signatures = by(({ signatureBytes }) => signatureBytes);
  t.deepEqual(sizes('### Identity, type 03', 0), by(serverCertificateBytes));
  t.deepEqual(sizes('### Identity, type 03', 1), signatures);
  t.deepEqual(sizes('### Single revocation, flag 10', 0), signatures);
  t.deepEqual(sizes('### Revocation list, type 0A', 6), signatures);
  t.deepEqual(sizes('### New root, type 0D', 0), by(rootCertificateBytes));
  t.deepEqual(sizes('### New root, type 0D', 2), signatures);
  const largest = SUITES[SUITES.length - 1]!;
  const most = serverCertificateBytes(largest) + largest.signatureBytes;
  t.true(text.includes(`at most ${most.toLocaleString('en')} bytes, for as long as a handshake may last`));
  const statuses = table(
    section(FILE, '### Single revocation, flag 10'),
    '| status | meaning | the connection |',
  );
  t.deepEqual(
    statuses.map((row) => numberIn(row[0]!)),
    Object.values(RevocationStatus),
  );
});

test('the names of X0 are those that secrets.ts derives with', (t) => {
  const code = readFileSync('src/session/secrets.ts', 'utf8');
  const derived = [...code.matchAll(/\blab\(\w+, '(\w+)'/g)].map((match) => match[1]!);
  t.true(derived.length >= 8);
  const listed = table(section(FILE, '## X0 Secrets'), '| name | over | input | bytes | gives |');
  t.deepEqual(listed.map((row) => row[0]!.replace(/`/g, '')).sort(), derived.sort());
});

test('control types, discovery bits and features', (t) => {
  const types = table(
    section(FILE, '## Control messages and fragments'),
    '| type | from | message | fragments | in this build |',
  );
  t.deepEqual(
    types.map((row) => parseInt(row[0]!, 16)),
    Object.values(ControlType).sort((a, b) => a - b),
  );
  const bits = rows(section(FILE, '## X1 Discovery')).filter((row) => /^\d$/.test(row[0]!));
  t.deepEqual(
    bits.map((row) => 1 << numberIn(row[0]!)),
    Object.values(Discovery),
  );
  const offered = /This build offers ([\d, and]+), and 3 and 7/.exec(text)![1]!;
  const sum = [...offered.matchAll(/\d/g)].reduce((all, match) => all | (1 << Number(match[0])), 0);
  t.is(sum, FEATURES_OF_THIS_BUILD);
  t.true(Object.values(Feature).every((bit) => new RegExp(`\\b${Math.log2(bit)} [a-z]`).test(text)));
});
