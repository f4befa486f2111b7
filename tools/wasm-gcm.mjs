// AES-256-GCM (FIPS 197, SP 800-38D) of the module that tools/gen-wasm-records.mjs writes.
//
// AES is bit-sliced over vectors: byte r + 4c of vector i holds bit i of the byte in row r, column c of eight blocks, a bit for
// each block. ShiftRows and the rotations of MixColumns move whole bytes. GHASH's products of polynomials are products of
// integers of which every fourth bit is taken: up to 16 terms meet at a place, and only at the last of 64 bits are there 16.
import { range, sboxCircuit, statements } from './sbox-circuit.mjs';
import { forever, get, i32, i64, leaveIf, repeat, set, tee, v128 } from './wasm.mjs';

const ROUNDS = 14;
const { xor, and, shuffle } = v128;
const bytes = (f) => range(16).map(f);
const typed = (type, ...names) => Object.fromEntries(names.flat().map((name) => [name, type]));
const named = (name, n) => range(n).map((i) => name + i);
const next = (local, step) => tee(local, i32.add(get(local), i32.const(step)));
/** The bytes of a local, to other places. */
const moved = (local, places) => shuffle(get(local), get(local), places);

// ---- AES

const BLOCKS = 8;

/** The bits of a byte whose number lacks a bit: a local each, for they are long. */
const MASKS = { e1: 0x55, e2: 0x33, e4: 0x0f };
const setMasks = Object.entries(MASKS).map(([name, byte]) => set(name, v128.const(bytes(() => byte))));

/**
 * The bits of each byte change places with the eight vectors `name`0 to 7: bits of blocks become bytes of a bit, and back.
 * `maskOf(step)` is the bits of a byte whose number lacks `step`; `x` is written over.
 */
export const transposeBits = (name, maskOf) =>
  [4, 2, 1].map((step) =>
    range(8)
      .filter((i) => (i & step) === 0)
      .map((i) => {
        const [p, q] = [`${name}${i}`, `${name}${i + step}`];
        const distance = i32.const(step);
        return [
          set('x', and(xor(v128.shr64(get(p), distance), get(q)), maskOf(step))),
          set(q, xor(get(q), get('x'))),
          set(p, xor(get(p), v128.shl64(get('x'), distance))),
        ];
      }),
  );
const transpose = transposeBits('s', (step) => get(`e${step}`));

const { lines: circuit, temporaries } = statements(sboxCircuit(), named('s', 8), (i, bits) => ({ i, bits }), {
  read: get,
  gate: (op, a, b) => ({ '^': v128.xor, '&': v128.and, '|': v128.or })[op](a, b),
  once: (value) => value,
  keep: tee,
});

/** AddRoundKey: the kernel keeps all round keys but the last by rows. */
const addKey = [
  set('x', v128.load(get('k'), 0)),
  set(
    'x',
    moved(
      'x',
      bytes((j) => 4 * (j & 3) + (j >> 2)),
    ),
  ),
  range(8).map((i) => {
    const bit = v128.const(bytes(() => 1 << i));
    return set(`s${i}`, xor(get(`s${i}`), v128.eq8(and(get('x'), bit), bit)));
  }),
];

/** SubBytes and ShiftRows. */
const substitute = circuit.map(({ i, bits }) => [
  set('x', bits),
  set(
    `r${i}`,
    moved(
      'x',
      bytes((j) => (j + 4 * (j & 3)) % 16),
    ),
  ),
]);

/** Each byte of a column is that `rows` below it. */
const below = (local, rows) =>
  moved(
    local,
    bytes((j) => (j & 12) + ((j + rows) & 3)),
  );

/** MixColumns (§5.1.3): 2 (p ^ q) ^ q ^ r ^ s for a byte p and those below it, where r ^ s is p ^ q of two rows below. */
const mixColumns = [
  range(8).map((i) => [set(`s${i}`, below(`r${i}`, 1)), set(`d${i}`, xor(get(`r${i}`), get(`s${i}`)))]),
  range(8).map((i) => {
    const twice =
      i === 0 ? get('d7') : [1, 3, 4].includes(i) ? xor(get(`d${i - 1}`), get('d7')) : get(`d${i - 1}`);
    return set(`s${i}`, xor(xor(twice, get(`s${i}`)), below(`d${i}`, 2)));
  }),
];

/** The counter's bytes, low first in a vector, stand high first in a block. */
const countBlocks = range(BLOCKS).map((i) => [
  set(
    `s${i}`,
    moved(
      'n',
      bytes((j) => (j < 12 ? j : 27 - j)),
    ),
  ),
  set('n', v128.add32(get('n'), v128.const(bytes((j) => (j === 12 ? 1 : 0))))),
]);

const gctr = (at, LAST_KEY = at.KEYS + 16 * ROUNDS) => ({
  exported: 'gctr',
  parameters: typed('i32', 'at', 'end'),
  locals: {
    ...typed('i32', 'k'),
    ...typed(
      'v128',
      named('s', 8),
      named('r', 8),
      named('d', 8),
      temporaries,
      'x',
      'n',
      'first',
      Object.keys(MASKS),
    ),
  },
  body: [
    setMasks,
    set('n', v128.load(i32.const(at.COUNTER), 0)),
    // The block of zeros takes the place of the counter 0, and only there.
    set('first', v128.const(bytes(() => 0))),
    repeat(
      [
        countBlocks,
        set('s0', and(get('s0'), get('first'))),
        set('first', v128.const(bytes(() => 255))),
        set('k', i32.const(at.KEYS)),
        // To bits, and with all rounds done back to blocks.
        forever([
          transpose,
          leaveIf(i32.eq(get('k'), i32.const(LAST_KEY))),
          forever([
            addKey,
            substitute,
            set('k', i32.add(get('k'), i32.const(16))),
            leaveIf(i32.eq(get('k'), i32.const(LAST_KEY))),
            mixColumns,
          ]),
          range(8).map((i) => set(`s${i}`, get(`r${i}`))),
        ]),
        set('x', v128.load(get('k'), 0)),
        range(BLOCKS).map((i) =>
          v128.store(get('at'), 16 * i, xor(v128.load(get('at'), 16 * i), xor(get(`s${i}`), get('x')))),
        ),
        set('at', i32.add(get('at'), i32.const(16 * BLOCKS))),
      ],
      i32.ltU(get('at'), get('end')),
    ),
  ],
});

// ---- GHASH

/** Bits of each byte the other way round: a polynomial's coefficients are in a block from high bits to low ones. */
const reverseBits = (name) =>
  [4, 2, 1].map((step) => {
    const mask = get(`e${step}`);
    const distance = i32.const(step);
    return set(
      name,
      xor(v128.shl64(and(get(name), mask), distance), and(v128.shr64(get(name), distance), mask)),
    );
  });
/** Bytes of each half the other way round. */
const reverseBytes = (local) =>
  set(
    local,
    moved(
      local,
      bytes((j) => j ^ 7),
    ),
  );

/** Every fourth bit, from bit `i` on. */
const HOLES = 0x1111111111111111n;
const setHoles = range(4).map((i) => set(`c${i}`, i64.const(BigInt.asIntN(64, HOLES << BigInt(i)))));

/** The low 64 bits of the product of two polynomials of 64 bits. */
function product(to, a, b) {
  const sum = (terms) => terms.reduce((x, y) => i64.xor(x, y));
  return [
    range(4).map((i) => [
      set(`f${i}`, i64.and(get(a), get(`c${i}`))),
      set(`g${i}`, i64.and(get(b), get(`c${i}`))),
    ]),
    set(
      to,
      sum(
        range(4).map((place) =>
          i64.and(
            sum(range(4).map((i) => i64.mul(get(`f${i}`), get(`g${(place - i + 4) % 4}`)))),
            get(`c${place}`),
          ),
        ),
      ),
    ),
  ];
}

/** `name`0 and `name`1 are the halves of a polynomial, `name`2 their sum; after `name`r the same with all bits reversed. */
const factors = (name) => [
  range(2).map((i) => set(`${name}${i}`, v128.lane64(get('v'), i))),
  set(`${name}2`, i64.xor(get(`${name}0`), get(`${name}1`))),
  set('w', get('v')),
  reverseBits('w'),
  reverseBytes('w'),
  range(2).map((i) => set(`${name}r${i}`, v128.lane64(get('w'), i))),
  set(`${name}r2`, i64.xor(get(`${name}r0`), get(`${name}r1`))),
];

const xorTo = (to, ...values) =>
  set(
    to,
    values.reduce((x, y) => i64.xor(x, y), get(to)),
  );
/** x^128 = 1 + x + x^2 + x^7 (SP 800-38D §6.3): 64 coefficients, 128 places down, into the words `low` and `high`. */
const fold = (from, low, high) => [
  xorTo(low, get(from), ...[1, 2, 7].map((n) => i64.shl(get(from), i64.const(n)))),
  xorTo(high, ...[63, 62, 57].map((n) => i64.shrU(get(from), i64.const(n)))),
];

const ghash = (at) => ({
  exported: 'ghash',
  parameters: typed('i32', 'at', 'count'),
  locals: {
    ...typed(
      'i64',
      ['y', 'yr', 'h', 'hr', 'l', 'm'].flatMap((name) => named(name, 3)),
      named('f', 4),
      named('g', 4),
      named('p', 4),
      named('c', 4),
    ),
    ...typed('v128', 'v', 'w', 'y', Object.keys(MASKS)),
  },
  body: [
    setMasks,
    setHoles,
    set('v', v128.load(i32.const(at.H), 0)),
    reverseBits('v'),
    factors('h'),
    set('y', v128.load(i32.const(at.Y), 0)),
    reverseBits('y'),
    repeat(
      [
        set('v', v128.load(get('at'), 0)),
        reverseBits('v'),
        set('v', xor(get('v'), get('y'))),
        factors('y'),
        // Karatsuba's three products: l their low halves, m their high ones, bits reversed and one place up.
        range(3).map((i) => [product(`l${i}`, `y${i}`, `h${i}`), product(`m${i}`, `yr${i}`, `hr${i}`)]),
        ['l', 'm'].map((name) => xorTo(`${name}2`, get(`${name}0`), get(`${name}1`))),
        set('v', v128.withLane64(v128.splat64(get('m0')), 1, get('m2'))),
        reverseBits('v'),
        reverseBytes('v'),
        set('w', v128.splat64(get('m1'))),
        reverseBits('w'),
        reverseBytes('w'),
        set('p0', get('l0')),
        set('p1', i64.xor(get('l2'), i64.shrU(v128.lane64(get('v'), 0), i64.const(1)))),
        set('p2', i64.xor(get('l1'), i64.shrU(v128.lane64(get('v'), 1), i64.const(1)))),
        set('p3', i64.shrU(v128.lane64(get('w'), 0), i64.const(1))),
        fold('p3', 'p1', 'p2'),
        fold('p2', 'p0', 'p1'),
        set('y', v128.withLane64(v128.splat64(get('p0')), 1, get('p1'))),
        set('at', i32.add(get('at'), i32.const(16))),
      ],
      next('count', -1),
    ),
    reverseBits('y'),
    v128.store(i32.const(at.Y), 0, get('y')),
  ],
});

/** The functions, and where their parts of the memory are: from `base` on, a multiple of 16. */
export function gcmFunctions(base) {
  const KEYS = base;
  const COUNTER = KEYS + 16 * (ROUNDS + 1);
  const H = COUNTER + 16;
  const Y = H + 16;
  const WORK = Y + 16;
  const at = { KEYS, COUNTER, H, Y, WORK };
  return { ...at, functions: [gctr(at), ghash(at)] };
}
