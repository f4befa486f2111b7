// docs/side-channels.md, checked: which elements of which arrays an operation touches, and in what order, is
// recorded by stand-ins for the arrays and must not depend on secrets where the page says that it does not.
import test from 'ava';
import { createArena } from '../../src/crypto/micro/arena.ts';
import type { Arena } from '../../src/crypto/micro/arena.ts';
import { AES_GCM_WORDS, aesGcmInit, aesGcmOpen, aesGcmSeal, ghash } from '../../src/crypto/micro/aes-gcm.ts';
import {
  ML_DSA_44,
  ML_DSA_65,
  ML_DSA_87,
  mlDsaKeygen,
  mlDsaSignBegin,
  mlDsaSignStep,
} from '../../src/crypto/micro/ml-dsa.ts';
import {
  ML_KEM_1024,
  ML_KEM_512,
  ML_KEM_768,
  mlKemBegin,
  mlKemDecapsulate,
  mlKemEncapsulate,
  mlKemKeygen,
  mlKemKeygenStep,
} from '../../src/crypto/micro/ml-kem.ts';
import { RCS256_WORDS, RCS512_WORDS, rcsInit, rcsOpen, rcsSeal } from '../../src/crypto/micro/rcs.ts';
import { ARENA_FREE } from '../../src/crypto/micro/arena.ts';
import { equal } from '../../src/bytes.ts';
import { draws } from '../random.ts';

/** A running digest (FNV-1a) and length of everything touched. */
class Trace {
  hash = 0x811c9dc5;
  length = 0;
  note(array: number, index: number, write: boolean): void {
    this.length++;
    this.hash = Math.imul(this.hash ^ (index * 32 + array * 2 + (write ? 1 : 0)), 0x01000193);
  }
  /** What was noted since the last call. */
  take(): string {
    const text = `${this.length}:${this.hash >>> 0}`;
    this.hash = 0x811c9dc5;
    this.length = 0;
    return text;
  }
}

/** A stand-in for `array` that notes each element's reading and writing as of array number `id`. */
function traced<T extends Uint8Array | Int16Array | Int32Array | Float64Array>(
  trace: Trace,
  id: number,
  array: T,
): T {
  return new Proxy(array, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) trace.note(id, +key, false);
      const value = Reflect.get(target, key, target) as unknown;
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
    set(target, key, value) {
      if (typeof key === 'string' && /^\d+$/.test(key)) trace.note(id, +key, true);
      return Reflect.set(target, key, value, target);
    },
  });
}

function tracedArena(trace: Trace, bytes: number): Arena {
  const arena = createArena(bytes);
  return {
    bytes: traced(trace, 1, arena.bytes),
    halves: traced(trace, 2, arena.halves),
    words: traced(trace, 3, arena.words),
    doubles: traced(trace, 4, arena.doubles),
    sponge: traced(trace, 5, arena.sponge),
    hash: traced(trace, 6, arena.hash),
  };
}

for (const [name, p] of [
  ['ML-KEM-512', ML_KEM_512],
  ['ML-KEM-768', ML_KEM_768],
  ['ML-KEM-1024', ML_KEM_1024],
] as const) {
  test(`${name}: one sequence of indices for every message, ciphertext and secret under one rho`, (t) => {
    const draw = draws(t);
    const trace = new Trace();
    const arena = tracedArena(trace, p.arenaBytes);
    const publicKey = new Uint8Array(p.publicKeyBytes);
    const secretKey = new Uint8Array(p.secretKeyBytes);
    const ciphertext = new Uint8Array(p.ciphertextBytes);
    mlKemKeygen(p, createArena(p.arenaBytes), draw.bytes(64), publicKey, secretKey);
    const encapsulations = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const out = traced(trace, 7, ciphertext);
      const secret = traced(trace, 8, new Uint8Array(32));
      t.true(mlKemEncapsulate(p, arena, publicKey, traced(trace, 9, draw.bytes(32)), out, secret));
      encapsulations.add(trace.take());
    }
    t.is(encapsulations.size, 1);
    // Decapsulation: a good ciphertext, one changed, one of noise; then other secrets s^ and z, which fit
    // neither key nor ciphertext but run all the same.
    const changed = ciphertext.slice();
    changed[draw.below(changed.length)]! ^= 1;
    const others = secretKey.slice();
    for (let i = 0; i < 256 * p.k; i += 2) {
      const [x, y] = [draw.below(3329), draw.below(3329)];
      others.set([x & 255, (x >> 8) | ((y & 15) << 4), y >> 4], (i / 2) * 3);
    }
    others.set(draw.bytes(32), others.length - 32);
    const decapsulations = new Set<string>();
    for (const [c, key] of [
      [ciphertext, secretKey],
      [changed, secretKey],
      [draw.bytes(ciphertext.length), secretKey],
      [ciphertext, others],
    ] as const) {
      const secret = traced(trace, 8, new Uint8Array(32));
      t.true(mlKemDecapsulate(p, arena, traced(trace, 7, c), traced(trace, 9, key), secret));
      decapsulations.add(trace.take());
    }
    t.is(decapsulations.size, 1);
    // Key generation: the steps that see s alone; those with the matrix depend on rho, which is public.
    const steps = new Set<string>();
    for (let i = 0; i < 3; i++) {
      mlKemBegin(arena);
      const seed = traced(trace, 9, draw.bytes(64));
      const out = [
        traced(trace, 7, new Uint8Array(p.publicKeyBytes)),
        traced(trace, 8, new Uint8Array(p.secretKeyBytes)),
      ] as const;
      let all = '';
      for (let step = 0; step <= p.k; step++) {
        mlKemKeygenStep(p, arena, seed, out[0], out[1]);
        all += trace.take() + ' ';
      }
      steps.add(all);
    }
    t.is(steps.size, 1);
  });
}

/** Phases of signing whose indices depend on nothing: start, masks, low bits, response. */
const CONSTANT_PHASES = [0, 1, 4, 5];

for (const [name, p] of [
  ['ML-DSA-44', ML_DSA_44],
  ['ML-DSA-65', ML_DSA_65],
  ['ML-DSA-87', ML_DSA_87],
] as const) {
  test(`${name}: one sequence of indices a signing step for every key and message`, (t) => {
    const draw = draws(t);
    const trace = new Trace();
    const arena = tracedArena(trace, p.signArenaBytes);
    const seen = new Map<string, Set<string>>();
    for (let i = 0; i < 3; i++) {
      const publicKey = new Uint8Array(p.publicKeyBytes);
      const secretKey = new Uint8Array(p.secretKeyBytes);
      mlDsaKeygen(p, createArena(p.arenaBytes), draw.bytes(32), publicKey, secretKey);
      const [key, random, message] = [
        traced(trace, 9, secretKey),
        traced(trace, 8, draw.bytes(32)),
        traced(trace, 7, draw.bytes(64)),
      ];
      const signature = new Uint8Array(p.signatureBytes);
      mlDsaSignBegin(arena);
      for (let steps = 0, done = false; !done && steps < 1200; steps++) {
        // phase, row, column, attempt before the step; behind it, whether this attempt is still on
        const state = [0, 1, 2, 4].map((field) => arena.words[ARENA_FREE + field]);
        trace.take();
        done = mlDsaSignStep(p, arena, message, key, random, signature, null);
        const sequence = trace.take();
        if (!CONSTANT_PHASES.includes(state[0]!)) continue;
        const rejected = state[0]! >= 4 && [1, 3].includes(arena.words[ARENA_FREE]!);
        const label = state.join() + (rejected ? ' rejected' : '');
        seen.set(label, (seen.get(label) ?? new Set()).add(sequence));
      }
    }
    t.true(seen.size > 2 * p.l);
    for (const [label, sequences] of seen) t.is(sequences.size, 1, label);
  });
}

test('GHASH and comparison: one sequence of indices for every key and text', (t) => {
  const draw = draws(t);
  const trace = new Trace();
  const sequences = new Set<string>();
  for (let i = 0; i < 5; i++) {
    const g = new Int32Array(AES_GCM_WORDS);
    aesGcmInit(g, draw.bytes(32));
    // The first record makes the key of GHASH.
    aesGcmSeal(g, new Uint8Array(12), new Uint8Array(0), 0, new Uint8Array(16), 0, 0);
    ghash(traced(trace, 1, g), traced(trace, 2, draw.bytes(70)), 0, 70);
    sequences.add(trace.take());
  }
  t.is(sequences.size, 1);
  const a = draw.bytes(40);
  for (const b of [a.slice(), draw.bytes(40)]) {
    equal(traced(trace, 1, a), traced(trace, 2, b));
    sequences.add(trace.take());
  }
  t.is(sequences.size, 2);
});

/** Nonces whose counters carry out of a word, out of all words, and not at all. */
const edges = (bytes: number, random: Uint8Array): Uint8Array[] => {
  const carry = random.slice();
  carry.fill(255, 0, 4);
  return [random, carry, new Uint8Array(bytes).fill(255), new Uint8Array(bytes)];
};

for (const [name, words, keyBytes] of [
  ['RCS-256', RCS256_WORDS, 32],
  ['RCS-512', RCS512_WORDS, 64],
] as const) {
  test(`${name}: one sequence of indices for every key, nonce and text of a length`, (t) => {
    const draw = draws(t);
    const trace = new Trace();
    for (const length of [12, 64, 300]) {
      const sequences = { init: new Set<string>(), seal: new Set<string>(), open: new Set<string>() };
      const tag = keyBytes;
      for (const nonce of edges(32, draw.bytes(32))) {
        const key = draw.bytes(keyBytes);
        const [tx, rx] = [new Int32Array(words), new Int32Array(words)];
        rcsInit(traced(trace, 1, tx), traced(trace, 2, key), traced(trace, 3, nonce), new Uint8Array(0));
        sequences.init.add(trace.take());
        rx.set(tx);
        const data = new Uint8Array(length + tag);
        data.set(draw.bytes(length));
        rcsSeal(traced(trace, 1, tx), new Uint8Array(0), 0, traced(trace, 2, data), 0, length);
        sequences.seal.add(trace.take());
        const scratch = traced(trace, 3, new Uint8Array(tag));
        const [state, packet] = [traced(trace, 1, rx), traced(trace, 2, data)];
        t.true(rcsOpen(state, new Uint8Array(0), 0, packet, 0, length, scratch));
        sequences.open.add(trace.take());
      }
      for (const [what, set] of Object.entries(sequences)) t.is(set.size, 1, `${what} ${length}`);
    }
  });
}

test('AES-256-GCM: one sequence of indices for every key, nonce and text of a length', (t) => {
  const draw = draws(t);
  const trace = new Trace();
  for (const length of [0, 12, 64, 300]) {
    const sequences = {
      init: new Set<string>(),
      seal: new Set<string>(),
      open: new Set<string>(),
      first: new Set<string>(),
      roomy: new Set<string>(),
      refused: new Set<string>(),
    };
    for (const nonce of edges(12, draw.bytes(12))) {
      const g = traced(trace, 1, new Int32Array(AES_GCM_WORDS));
      aesGcmInit(g, traced(trace, 2, draw.bytes(32)));
      sequences.init.add(trace.take());
      const data = new Uint8Array(length + 16);
      data.set(draw.bytes(length));
      const [n, packet] = [traced(trace, 3, nonce), traced(trace, 2, data)];
      aesGcmSeal(g, n, new Uint8Array(0), 0, packet, 0, length);
      sequences.seal.add(trace.take());
      const scratch = traced(trace, 4, new Uint8Array(16));
      t.true(aesGcmOpen(g, n, new Uint8Array(0), 0, packet, 0, length, scratch));
      sequences.open.add(trace.take());
      data.set(draw.bytes(length + 16));
      trace.take();
      t.false(aesGcmOpen(g, n, new Uint8Array(0), 0, packet, 0, length, scratch));
      sequences.refused.add(trace.take());
      // A key whose first record is opened, not sealed.
      const key = draw.bytes(32);
      aesGcmInit(g, key);
      aesGcmSeal(g, n, new Uint8Array(0), 0, packet, 0, length);
      aesGcmInit(g, key);
      trace.take();
      t.true(aesGcmOpen(g, n, new Uint8Array(0), 0, packet, 0, length, scratch));
      sequences.first.add(trace.take());
      aesGcmInit(g, key);
      aesGcmSeal(g, n, new Uint8Array(0), 0, packet, 0, length);
      aesGcmInit(g, key);
      trace.take();
      const large = traced(trace, 4, new Uint8Array(16 + length));
      t.true(aesGcmOpen(g, n, new Uint8Array(0), 0, packet, 0, length, large));
      sequences.roomy.add(trace.take());
    }
    for (const [what, set] of Object.entries(sequences)) t.is(set.size, 1, `${what} ${length}`);
  }
});

test('the recorder tells sequences apart', (t) => {
  const trace = new Trace();
  const array = traced(trace, 1, new Uint8Array(4));
  array[0] = array[1]!;
  const first = trace.take();
  array[0] = array[2]!;
  t.not(trace.take(), first);
  array[0] = array[1]!;
  t.is(trace.take(), first);
});
