import test from 'ava';
import type { ExecutionContext } from 'ava';
import { ml_kem512 } from '@noble/post-quantum/ml-kem.js';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import { shake256 } from '@noble/hashes/sha3.js';
import * as rcs from '../../src/crypto/micro/rcs.ts';
import { noble } from '../../src/crypto/noble.ts';
import { encapsulate, keygen } from '../../src/crypto/provider.ts';
import { SUITES } from '../../src/params.ts';
import { toHex } from '../../src/bytes.ts';
import { kPkeDecrypt } from '../../src/selftest/k-pke.ts';
import { mesh1 } from '../../src/mesh/v1/index.ts';
import * as proto from '../../src/mesh/proto/index.ts';
import * as qace from '../../src/qace/index.ts';
import { katApi } from '../../src/selftest/parts.ts';
import { runKat, runKatText } from '../../src/selftest/run.ts';
import type { KatApi } from '../../src/selftest/run.ts';
import { vectors } from '../vectors.ts';
import { makeHsFile } from './hs-file.ts';

const api: KatApi = { ...katApi(noble), qace, mesh: mesh1({ allowLegacy: true }), proto };
const { hash } = api;

function run(kind: string, file: unknown, part: KatApi = api): { passed: number; failures: string[] } {
  let passed = 0;
  const failures: string[] = [];
  runKat(kind, file, part, (name, failure) => {
    if (failure === null) passed++;
    else failures.push(`${name}: ${failure}`);
  });
  return { passed, failures };
}

for (const [kind, name, checks] of [
  ['rcs', 'rcs.json', 177],
  ['hash', 'hash.json', 225],
  ['pq', 'pq.s3.json', 22],
  ['pq', 'pq.s5.json', 22],
  ['hs', 'hs.s3.json', 56],
  ['hs', 'hs.s5.json', 56],
  ['qace', 'qace.json', 101],
  ['tunnel', 'mesh/tunnel.json', 47],
  ['mesh-handshake', 'mesh/mesh-handshake.json', 11],
  ['pqc1', 'mesh/pqc1.json', 14],
  ['proto', 'mesh/proto.json', 20],
] as const) {
  test(`built-in ${name}: ${checks} checks pass`, (t) => {
    t.deepEqual(run(kind, vectors(name)), { passed: checks, failures: [] });
  });
}

// ---- Every answer in a file is compared: changing or removing any one of them fails ----------------------

type Json = Record<string, unknown> | unknown[];

/** Every field at any depth. */
function* fields(value: Json): Generator<[parent: Json, key: string | number]> {
  for (const [key, child] of Object.entries(value)) {
    if (typeof child === 'object' && child !== null) yield* fields(child as Json);
    else yield [value, key];
  }
}

function altered(value: unknown): unknown {
  if (value === null) return 'something';
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'number') return value + 1;
  const text = value as string;
  return text.slice(0, -1) + (text.endsWith('0') ? '1' : '0');
}

/** Free text, which no computation yields. */
const NOTES = /^(note|rng|provenance|label|message)$/;
/** Which bit of a ciphertext was altered: as long as the plaintext stays, the answer is the same. */
const BITS = /^(byte|xor|tamperedByte|tamperedXor)$/;

function neverUnnoticed(t: ExecutionContext, kind: string, file: Json, bits: RegExp = BITS): void {
  t.deepEqual(run(kind, file).failures, []);
  let tried = 0;
  for (const [parent, key] of fields(file)) {
    const holder = parent as Record<string | number, unknown>;
    const value = holder[key];
    if (NOTES.test(String(key)) || value === '') continue;
    tried++;
    holder[key] = altered(value);
    if (!bits.test(String(key))) t.not(run(kind, file).failures.length, 0, `changed ${key}`);
    holder[key] = undefined;
    t.not(run(kind, file).failures.length, 0, `removed ${key}`);
    holder[key] = value;
  }
  t.true(tried > 20, `${tried}`);
}

/** The first entries of each list: enough to try every field. */
function shortened(value: unknown, width: number): unknown {
  if (Array.isArray(value)) return value.slice(0, width).map((item) => shortened(item, width));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shortened(item, width)]));
}

for (const [kind, name] of [
  ['rcs', 'rcs.json'],
  ['hash', 'hash.json'],
] as const) {
  test(`${name}: no field can be changed or removed unnoticed`, (t) => {
    neverUnnoticed(t, kind, shortened(vectors(name), 2) as Json);
  });
}

for (const [kind, name] of [
  ['tunnel', 'mesh/tunnel.json'],
  ['mesh-handshake', 'mesh/mesh-handshake.json'],
] as const) {
  test(`${name}: no field can be changed or removed unnoticed`, (t) => {
    const file = vectors<{ vectors: Json[]; [other: string]: unknown }>(name);
    for (const vector of file.vectors) {
      const only = structuredClone({ ...file, vectors: [vector] });
      for (const words of Object.values(only).concat(only.vectors)) strip(words);
      neverUnnoticed(t, kind, only);
      // The rest once is enough.
      for (const other of Object.keys(file)) if (other !== 'vectors') delete file[other];
    }
  });
}

/** Takes away what no computation yields. */
function strip(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  const holder = value as Record<string, unknown>;
  for (const key of ['name', 'setup']) delete holder[key];
}

test('mesh/pqc1.json: no field can be changed or removed unnoticed', (t) => {
  neverUnnoticed(t, 'pqc1', vectors('mesh/pqc1.json'));
});

/** What a decision need not depend on: most metrics and routes, and the seed where the optimum is computed. */
const INPUTS = new RegExp(
  '_(ms|bps|score|changes|mbps|level)$|^(hop_count|qos_bias|freshness|viable|seed|generations|stale)$',
);

interface QaceVector {
  engine: string;
  name: string;
  metrics: { threat_score: number };
  decision: { score: number };
  exhaustive_optimum: { score: number };
}

test('qace.json: no answer can be changed, and no field removed unnoticed', (t) => {
  const { vectors: all } = vectors<{ vectors: QaceVector[] }>('qace.json');
  const some = all.filter(({ engine, name, decision, exhaustive_optimum }, i) => {
    if (engine === 'simple') return /guard|reroute|none|threat/.test(name);
    // The score of a search that missed the optimum tells only that it did.
    const first = all.findIndex((other) => other.name === name) === i;
    return first && decision.score === exhaustive_optimum.score;
  });
  t.true(some.length >= 12, `${some.length}`);
  const nameless = some.map(({ name: _, ...rest }) => structuredClone(rest));
  neverUnnoticed(t, 'qace', { vectors: nameless }, INPUTS);
});

test('qace.json: an answer that depends on an input tells that it changed', (t) => {
  const { vectors: all } = vectors<{ vectors: QaceVector[] }>('qace.json');
  const [one] = structuredClone(all.slice(0, 1));
  one!.metrics.threat_score++;
  t.regex(run('qace', { vectors: [one] }).failures.join(), /the score is 119749 instead of 119769/);
});

// ---- Other files of the same formats ---------------------------------------------------------------------

function bytes(length: number, seed: number): Uint8Array {
  return shake256(Uint8Array.of(seed), { dkLen: length });
}

function flipped(data: Uint8Array, byte: number, xor: number): Uint8Array {
  const out = data.slice();
  out[byte]! ^= xor;
  return out;
}

const S1 = 'dilithium-s1_kyber-s1_rcs-256_sha3-256';

function pqFileS1(list: boolean): Json {
  const kemSeed = bytes(64, 1);
  const coins = [bytes(32, 2), bytes(32, 3)];
  const k = ml_kem512.keygen(kemSeed);
  const enc = coins.map((m) => ml_kem512.encapsulate(k.publicKey, m));
  // One flipped bit in the lowest bits of a coefficient does not change the plaintext, so the reference's
  // re-encryption is the ciphertext itself.
  const z = k.secretKey.slice(-32);
  const last = enc[list ? 1 : 0]!;
  const rejected = toHex(shake256(Buffer.concat([z, last.cipherText]), { dkLen: 32 }));
  const seed = bytes(32, 4);
  const d = ml_dsa44.keygen(seed);
  const msgs = [bytes(7, 5), bytes(300, 6)];
  const signed = (msg: Uint8Array, context?: Uint8Array): string =>
    toHex(
      ml_dsa44.sign(msg, d.secretKey, {
        extraEntropy: new Uint8Array(32),
        ...(context === undefined ? {} : { context }),
      }),
    ) + toHex(msg);
  const sizes = { kemPk: 800, kemSk: 1632, kemCt: 768, dsaPk: 1312, dsaSk: 2560, dsaSig: 2420 };
  const kemKeys = { pk: toHex(k.publicKey), sk: toHex(k.secretKey) };
  const dsaKeys = { pk: toHex(d.publicKey), sk: toHex(d.secretKey) };
  if (list) {
    return {
      config: S1,
      sizes,
      kem: {
        keygenRng: [toHex(kemSeed)],
        ...kemKeys,
        encaps: enc.map((e, i) => ({
          label: `enc${i}`,
          rng: [toHex(coins[i]!)],
          ct: toHex(e.cipherText),
          ss: toHex(e.sharedSecret),
          decapsOk: true,
        })),
        tampered: [
          { byte: 0, xor: 1, return: false, ss: rejected },
          { byte: 767, xor: 1, return: false, ss: rejected },
        ],
      },
      dsa: {
        keygenRng: [toHex(seed)],
        ...dsaKeys,
        sigs: msgs.map((msg, i) => ({
          label: `sig${i}`,
          rng: [],
          msg: toHex(msg),
          signedMessage: signed(msg),
          verify: true,
        })),
      },
    };
  }
  return {
    config: S1,
    sizes,
    kem: {
      keygenCoins: toHex(kemSeed),
      ...kemKeys,
      encapsCoins: toHex(coins[0]!),
      ct: toHex(enc[0]!.cipherText),
      ss: toHex(enc[0]!.sharedSecret),
      decapsOk: true,
      tamperedByte: 10,
      tamperedXor: 1,
      tamperedReturn: false,
      tamperedSs: rejected,
    },
    dsa: {
      seed: toHex(seed),
      ...dsaKeys,
      msg: toHex(msgs[1]!),
      signedMessage: signed(msgs[1]!),
      verify: true,
      recovered: toHex(msgs[1]!),
      signedMessageCtx_ctx: signed(msgs[1]!, Buffer.from('ctx')),
      ctildeBitflipAccepted: 0,
    },
  };
}

test('pq of suite S1, single form: no field can be changed or removed unnoticed', (t) => {
  t.is(run('pq', pqFileS1(false)).passed, 22);
  neverUnnoticed(t, 'pq', pqFileS1(false));
});

test('pq of suite S1, list form: no field can be changed or removed unnoticed', (t) => {
  t.is(run('pq', pqFileS1(true)).passed, 27);
  neverUnnoticed(t, 'pq', pqFileS1(true));
});

test('hs of suite S1, other lengths and counts: no field can be changed or removed unnoticed', (t) => {
  const file = makeHsFile(1, [1, 85, 68, 3000]);
  t.is(run('hs', file).passed, 46);
  neverUnnoticed(t, 'hs', file as Json);
});

test('rcs of other lengths and other packet counts', (t) => {
  const key = bytes(32, 7);
  const nonce = bytes(32, 8);
  const state = new Int32Array(rcs.RCS256_WORDS);
  rcs.rcsInit(state, key, nonce, new Uint8Array(0));
  const packets = [1, 135, 136, 137, 2000].map((length) => {
    const msg = bytes(length, length & 255);
    const aad = bytes(length & 15, 9);
    const data = new Uint8Array(length + 32);
    data.set(msg);
    rcs.rcsSeal(state, aad, aad.length, data, 0, length);
    return { aad: toHex(aad), msg: toHex(msg), ct: toHex(data) };
  });
  const file = {
    mac: 'kmac-r24',
    single: [],
    multi: [{ key: toHex(key), nonce: toHex(nonce), packets }],
  };
  t.deepEqual(run('rcs', file), { passed: 15, failures: [] });
});

test('a part of the hash sections is a file too', (t) => {
  const file = { shake: [{ strength: 256, msg: '', out: toHex(shake256(new Uint8Array(0), { dkLen: 9 })) }] };
  t.deepEqual(run('hash', file), { passed: 1, failures: [] });
});

// ---- What is refused -------------------------------------------------------------------------------------

test('a file that shows nothing is a failure', (t) => {
  const cases: [string, unknown, RegExp][] = [
    ['hash', {}, /no vectors/],
    ['hash', { kmac: [], shake: [], cshake: [], sha3_256: [] }, /no vectors/],
    ['hash', { sha3_512: [{ msg: '', out: '' }] }, /sha3_512: there is no check/],
    ['hash', { shake: {} }, /shake is not a list/],
    ['hash', { shake: [1] }, /shake\[0\] is not an object/],
    ['hash', { shake: [{ strength: 384, msg: '', out: '00' }] }, /strength is 384/],
    ['hash', { sha3_256: [{ msg: 'zz', out: '00' }] }, /msg is not a hexadecimal string/],
    ['rcs', { mac: 'kmac-r24' }, /no vectors/],
    ['rcs', { mac: 'kmac-r24', single: [], multi: [] }, /no vectors/],
    [
      'rcs',
      { mac: 'kmac-r24', multi: [{ key: '00'.repeat(32), nonce: '00'.repeat(32), packets: [] }] },
      /no vectors/,
    ],
    ['rcs', { mac: 'qmac', single: [] }, /"qmac" is not in this build/],
    ['rcs', { mac: 'kmac-r24', single: [{ key: '00', nonce: '' }] }, /nonceAfter is missing/],
    ['pq', {}, /config is missing/],
    ['pq', { config: 'rot13' }, /no parameter set is called "rot13"/],
    ['pq', { config: 'dilithium-s5_kyber-s6_rcs-256_sha3-256' }, /set 4 .* is not in this build/],
    ['pq', { config: 'sphincs-s1_mceliece-s1_rcs-256_sha3-256' }, /set 10 .* is not in this build/],
    ['pq', { config: S1 }, /kem is missing/],
    ['hs', {}, /config is missing/],
    ['hs', { config: 'dilithium-s5_kyber-s6_rcs-256_sha3-256' }, /set 4 .* is not in this build/],
    ['hs', { config: S1, mac: 'kmac-r12' }, /"kmac-r12" is not in this build/],
    ['hs', { config: S1, mac: 'kmac-r24', handshake: [] }, /is missing|has 0 packets/],
    ['qace', {}, /vectors is missing/],
    ['tunnel', {}, /vectors is missing/],
    ['mesh-handshake', {}, /vectors is missing/],
    ['pqc1', {}, /cases is missing/],
    ['qace', { vectors: [] }, /no vectors/],
    ['qace', { vectors: [{ engine: 'oracle' }] }, /metrics is missing/],
    ['proto', {}, /vectors is missing/],
    ['proto', { vectors: [] }, /no vectors/],
    ['proto', { vectors: [{ type: 'Oracle' }] }, /"Oracle" is not in this build/],
    ['qq', {}, /"qq" is no kind/],
    ['hash', [], /not a JSON object/],
    ['hash', null, /not a JSON object/],
  ];
  for (const [kind, file, expected] of cases) {
    const { passed, failures } = run(kind, file);
    t.is(passed, 0, kind);
    t.regex(failures.join('\n'), expected);
  }
});

test('text that is not JSON is a failure', (t) => {
  const failures: (string | null)[] = [];
  runKatText('hash', '{"shake": [', api, (_, failure) => failures.push(failure));
  t.is(failures.length, 1);
  t.regex(failures[0]!, /not JSON/);
});

test('a part that the build does not have is a failure', (t) => {
  t.regex(run('rcs', vectors('rcs.json'), {}).failures.join(), /this build has no RCS/);
  t.regex(run('qace', vectors('qace.json'), {}).failures.join(), /this build has no QACE/);
  t.regex(run('pqc1', vectors('mesh/pqc1.json'), {}).failures.join(), /this build has no mesh\/1/);
  t.regex(run('pq', vectors('pq.s3.json'), { hash: hash! }).failures.join(), /this build has no provider/);
});

test('a wrong implementation is found', (t) => {
  const wrongHash = { ...hash!, kmacReference: hash!.kmac };
  t.is(run('hash', vectors('hash.json'), { hash: wrongHash }).failures.length, 12);
  const hasty = () => ({ ...qace.createSimpleQace(), evaluate: qace.createSimpleQace('viable').evaluate });
  t.is(run('qace', vectors('qace.json'), { qace: { ...qace, createSimpleQace: hasty } }).failures.length, 12);
  const evolving = () => qace.createGaQace({ exactRoutes: 0 });
  t.true(
    run('qace', vectors('qace.json'), { qace: { ...qace, createGaQace: evolving } }).failures.length > 20,
  );
  const acceptsAll = { ...rcs, rcsOpen: () => true };
  t.true(run('rcs', vectors('rcs.json'), { rcs: acceptsAll }).failures.length > 30);
});

// ---- K-PKE.Decrypt, which the answers to altered ciphertexts need ----------------------------------------

for (const suite of SUITES) {
  test(`K-PKE.Decrypt undoes encapsulation, ${suite.name}`, (t) => {
    const { kem } = noble.suite(suite.id);
    const { publicKey, secretKey } = keygen(kem, bytes(64, 20));
    for (let i = 0; i < 4; i++) {
      const coins = bytes(32, 30 + i);
      const { ciphertext } = encapsulate(kem, publicKey, coins)!;
      t.deepEqual(kPkeDecrypt(suite, ciphertext, secretKey), coins);
      // The top bits of v carry the plaintext: flipping one flips its bit.
      const top = flipped(ciphertext, suite.ciphertextBytes - 1, 0x80);
      t.deepEqual(kPkeDecrypt(suite, top, secretKey), flipped(coins, 31, 0x80));
    }
  });
}
