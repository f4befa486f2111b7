// The known-answer transcripts of the extensions (test/vectors/edge): both ends reproduce them byte for byte, and
// an implementation that shares nothing with src/ but the byte layouts of docs/protocol.md, on @noble/hashes and
// @noble/ciphers, derives the same secrets from them and opens their records.
import test from 'ava';
import { readFileSync, statSync } from 'node:fs';
import { gcm } from '@noble/ciphers/aes.js';
import { sha3_256 } from '@noble/hashes/sha3.js';
import { cshake256, kmac256 } from '@noble/hashes/sha3-addons.js';
import { ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import { newChain } from './pair.ts';
import { EDGE_FILES, edgeJson } from './edge-vectors.ts';
import type { CipherName, Connection, EdgeFile, Secrets } from './edge-vectors.ts';
import { hex, vectors } from '../vectors.ts';

const load = (cipher: CipherName): EdgeFile => vectors<EdgeFile>(`edge/${cipher}.json`);
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

for (const cipher of EDGE_FILES) {
  test(`${cipher}: both ends reproduce the transcript byte for byte`, (t) => {
    t.is(edgeJson(cipher), readFileSync(`test/vectors/edge/${cipher}.json`, 'utf8'));
  });
}

test('the files are small, and differ in what their cipher changes only', (t) => {
  const sizes = EDGE_FILES.map((cipher) => statSync(`test/vectors/edge/${cipher}.json`).size);
  t.true(sizes[0]! + sizes[1]! < 64000, sizes.join());
  const [rcs, aes] = [load('rcs'), load('gcm')];
  t.is(rcs.cookie, aes.cookie);
  // T covers nothing of S1, discovery byte included: that is why the hello echoes it.
  t.deepEqual(rcs.full.secrets, aes.full.secrets);
  t.notDeepEqual(rcs.full.traffic, aes.full.traffic);
  t.is(rcs.full.messages.length, 6);
  t.deepEqual(rcs.full.messages, aes.full.messages);
});

// ---- An independent reading ---------------------------------------------------------------------------------

const ascii = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const u32 = (n: number): Uint8Array => {
  const b = Buffer.alloc(4);
  b.writeUInt32LE(n);
  return new Uint8Array(b);
};

/** lab(x) over a key: x a name and what follows it. */
function lab(key: Uint8Array, length: number, name: string, ...rest: Uint8Array[]): Uint8Array {
  return cshake256(key, { personalization: join(ascii(`QSTP-EDGE-1 ${name}`), ...rest), dkLen: length });
}

const TRAFFIC = { rcs: [1, 64], gcm: [2, 36] } as const;

function traffic(chain: Uint8Array, cipher: CipherName, dir: number, epoch: number): Uint8Array {
  const [number, length] = TRAFFIC[cipher];
  return lab(chain, length, 'traffic', Uint8Array.of(number, dir), u32(epoch));
}

function secretsOf(kind: number, z: string, transcript: string): Secrets {
  const all = lab(hex(z), 96, 'secrets', Uint8Array.of(kind), hex(transcript));
  return { chain0: toHex(all.slice(0, 32)), chain1: toHex(all.slice(32, 64)), export: toHex(all.slice(64)) };
}

for (const cipher of EDGE_FILES) {
  test(`${cipher}: secrets, traffic keys and credentials recomputed`, (t) => {
    const file = load(cipher);
    for (const connection of [file.full, file.resumed]) {
      t.deepEqual(connection.secrets, secretsOf(connection.kind, connection.z, connection.transcript));
      for (const { dir, epoch, keys } of connection.traffic) {
        const chain = dir === 0 ? connection.secrets.chain0 : connection.secrets.chain1;
        t.is(keys, toHex(traffic(hex(chain), cipher, dir, epoch)));
      }
    }
    t.is(file.cookie, toHex(sha3_256(join(hex(file.rootHash), hex(file.serverHash)))));
    const { deviceSecret, id, anchor, secret } = file.provisioned;
    t.is(secret, toHex(lab(hex(deviceSecret), 32, 'provisioned', hex(id), hex(anchor))));
    const next = file.reprovisioned;
    t.is(next.secret, toHex(lab(hex(next.export), 32, 'reprovision', hex(next.id))));
  });

  test(`${cipher}: T and the proofs of a resumption recomputed`, (t) => {
    const { resumed, full } = load(cipher);
    const [r1, r2] = resumed.steps.map(({ packet }) => hex(packet));
    t.is(r1!.length, 102);
    t.is(r2!.length, 85);
    t.is(resumed.transcript, toHex(sha3_256(join(r1!, r2!))));
    t.is(resumed.z, full.tickets[0]!.secret);
    t.is(toHex(r1!.slice(21, 37)), full.tickets[0]!.id);
    const proof = (name: string, ...parts: Uint8Array[]): string =>
      toHex(
        kmac256(hex(resumed.z), join(...parts), { personalization: ascii(`QSTP-EDGE-1 ${name}`), dkLen: 32 }),
      );
    t.is(toHex(r1!.slice(70)), proof('R1', r1!.slice(0, 70)));
    t.is(toHex(r2!.slice(53)), proof('R2', r2!.slice(0, 21), r1!.slice(70), r2!.slice(21, 53)));
  });
}

test('T of the full handshake recomputed from its packets, and the freshness signature verified', (t) => {
  const { full, cookie, time } = load('rcs');
  const [s1, s2, s3, s4] = full.steps.map(({ packet }) => hex(packet));
  t.is(s1!.length, 79);
  const hash = s2!.slice(21 + 3309, 21 + 3309 + 32);
  t.is(toHex(hash), toHex(sha3_256(join(s2!.slice(0, 21), hex(cookie), s2!.slice(21 + 3309 + 32)))));
  const sch1 = sha3_256(join(hex(cookie), hash));
  t.is(full.transcript, toHex(sha3_256(join(sch1, s3!.slice(21)))));
  t.is(toHex(s4!.slice(21)), full.transcript);
  const signature = ml_dsa65.verify(
    s2!.slice(21, 21 + 3309),
    hash,
    newChain(2, 'edge-vectors').server.verifyKey,
  );
  t.true(signature);
  t.is(time, newChain(2, 'edge-vectors').now);
});

/** Reads a transcript of AES-256-GCM records as one who knows Z does. */
class Reader {
  readonly chains: Uint8Array[];
  exported: Uint8Array;
  readonly epoch = [0, 0];
  readonly next = [3, 3];
  readonly messages: string[] = [];
  readonly tickets: { id: string; secret: string }[] = [];
  readonly types: string[] = [];
  readonly bodies: Record<string, Uint8Array> = {};
  private readonly ss: string | null;
  private rekey: Uint8Array | null = null;

  constructor(connection: Connection) {
    const { chain0, chain1, export: exported } = connection.secrets;
    this.chains = [hex(chain0), hex(chain1)];
    this.exported = hex(exported);
    this.ss = connection.rekey === null ? null : connection.rekey.sharedSecret;
  }

  open(dir: number, packet: Uint8Array): void {
    const keys = traffic(this.chains[dir]!, 'gcm', dir, this.epoch[dir]!);
    const sequence = Buffer.from(packet).readBigUInt64LE(5);
    if (sequence !== BigInt(this.next[dir]!++)) throw new Error('a sequence number is left out');
    const nonce = join(keys.slice(32), packet.slice(5, 13));
    const body = gcm(keys.slice(0, 32), nonce, packet.slice(0, 21)).decrypt(packet.slice(21));
    if (packet[0] === 0x19) this.control(dir, body);
    else if (packet[0] === 0x04) this.messages.push(Buffer.from(body).toString());
    else this.types.push(`flag ${packet[0]!.toString(16)}: ${toHex(body)}`);
  }

  private enter(dir: number, chain: Uint8Array): void {
    this.chains[dir] = chain;
    this.epoch[dir]!++;
  }

  private kem(dir: number, epoch: number, chain: Uint8Array): Uint8Array {
    return lab(join(chain, hex(this.ss!)), 32, 'kem', Uint8Array.of(dir), u32(epoch), this.rekey!);
  }

  private control(dir: number, body: Uint8Array): void {
    const type = body[0]!.toString(16).padStart(2, '0');
    this.types.push(`${dir} ${type}`);
    if (type === '04' || type === '07' || type === '08') {
      this.bodies[type] = join(this.bodies[type] ?? new Uint8Array(0), body.slice(5));
    } else {
      this.bodies[type] = body;
    }
    if (type === '02') {
      const [id, nonce] = [body.slice(1, 17), body.slice(21)];
      this.tickets.push({ id: toHex(id), secret: toHex(lab(this.exported, 32, 'resume', id, nonce)) });
      this.exported = lab(this.exported, 32, 'next');
    } else if (type === '06') {
      this.enter(dir, lab(this.chains[dir]!, 32, 'chain', Uint8Array.of(dir), u32(this.epoch[dir]!)));
    } else if (type === '08') {
      this.rekey = sha3_256(join(this.bodies['07']!, this.bodies['08']!));
      this.enter(1, this.kem(1, this.epoch[1]!, this.chains[1]!));
    } else if (type === '05') {
      this.enter(0, this.kem(0, this.epoch[0]!, this.chains[0]!));
      this.exported = this.kem(2, 0, this.exported);
    }
  }
}

function read(connection: Connection, skip: number): Reader {
  const reader = new Reader(connection);
  for (const { from, packet } of connection.steps.slice(skip))
    reader.open(from === 'client' ? 0 : 1, hex(packet));
  return reader;
}

test('every AES-256-GCM record of both transcripts opened, through tickets, updates and the rekey', (t) => {
  const file = load('gcm');
  for (const [connection, skip] of [
    [file.full, 4],
    [file.resumed, 2],
  ] as const) {
    const reader = read(connection, skip);
    t.deepEqual(reader.messages, connection.messages);
    t.deepEqual(reader.tickets, connection.tickets);
    t.is(toHex(reader.chains[0]!), connection.after.chain0);
    t.is(toHex(reader.chains[1]!), connection.after.chain1);
    t.is(toHex(reader.exported), connection.after.export);
  }
});

test('what the control messages say', (t) => {
  const file = load('gcm');
  const full = read(file.full, 4);
  t.deepEqual(full.types, [
    ...Array.from({ length: 7 }, () => '1 04'),
    '1 01',
    '0 0b',
    '1 02',
    '1 02',
    '1 02',
    'flag 14: 0102030405060708',
    'flag 15: 0102030405060708090a0b0c',
    '0 06',
    '1 06',
    '0 07',
    '1 08',
    '0 05',
    '1 02',
    '1 02',
    '1 02',
    '1 0f',
  ]);
  const hello = Buffer.from(full.bodies['01']!);
  t.deepEqual(
    [...hello.subarray(1, 4)],
    [1, 13, 0],
    'version, discovery with AES-256-GCM and freshness, flags',
  );
  t.is(hello.readUInt32LE(4), 0x127);
  t.is(Number(hello.readBigUInt64LE(8)), file.time * 1000);
  t.is(hello.readUInt32LE(16), 60000);
  const answer = Buffer.from(full.bodies['0b']!);
  t.deepEqual([...answer.subarray(1, 4)], [1, 2, 3], 'version, clock synced, missed');
  t.is(answer.readUInt32LE(8), 1000);
  t.is(Buffer.from(full.bodies['02']!).readUInt32LE(17), 86400);
  const message = join(hex(file.full.transcript), hello.subarray(8, 16));
  const key = newChain(2, 'edge-vectors').server.verifyKey;
  const context = ascii('QSTP-EDGE-1/fresh');
  t.true(ml_dsa65.verify(full.bodies['04']!.slice(), message, key, { context }));
  t.false(ml_dsa65.verify(full.bodies['04']!.slice(), message, key));
  t.deepEqual(read(file.resumed, 2).types, ['1 01', '0 0b', '1 02']);
});
