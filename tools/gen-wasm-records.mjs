// Writes src/crypto/gateway/module.ts: the loops of RCS-256 and AES-256-GCM for gateways as a module of WebAssembly.
// `--check` compares instead.
//
//   xor(at, end)        XORs the key stream of the state onto [at, end) and up to 511 bytes behind it
//   absorb(at, count)   absorbs `count` blocks of 136 bytes into the state's sponge, with a permutation after each
//   gctr(at, end)       XORs AES's encryptions of the blocks 0, 1, 2, ... after a nonce onto [at, end) and up to 127 bytes
//                       behind it, that of all zeros in the place of the first: see tools/wasm-gcm.mjs
//   ghash(at, count)    takes `count` blocks of 16 bytes into Y
//
// The state is src/crypto/micro/rcs.ts's, at STATE. Rijndael is the bit-sliced one of tools/gen-rijndael.mjs over vectors: one bit of
// every byte of a row of 16 blocks. Byte 2c + h, bit k of a vector is the byte in column c of block 8h + k, so that ShiftRows moves
// whole bytes, and bits become bytes, and bytes bits, by eight vectors at a time.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { range, sboxCircuit, statements } from './sbox-circuit.mjs';
import { rotation, roundConstants } from './keccak-parts.mjs';
import { assemble, call, forever, get, i32, i64, leaveIf, repeat, set, tee, v128 } from './wasm.mjs';
import { gcmFunctions, transposeBits } from './wasm-gcm.mjs';

const target = new URL('../src/crypto/gateway/module.ts', import.meta.url);

const ROUNDS = 22;
const LANES = 25;
const RATE_LANES = 17;

// ---- Memory, in bytes

/** The round constants of Keccak. */
const CONSTANTS = 0;
/** For each row, which byte of a vector comes where in ShiftRows. */
const SHIFTED = 192;
const STATE = 256;
const COUNTER = STATE + 4 * 52;
const KEYS = STATE + 4 * 63;
const LAST_KEY = KEYS + 32 * ROUNDS;
/** Vector 8r + i: bit i of row r. */
const BITS = 1280;
/** Blocks of the counter. */
const BLOCKS = BITS + 512;
/** As BITS, for each round but the last: all bits of a key's bit alike. */
const WIDE_KEYS = BLOCKS + 512;
const WORK = WIDE_KEYS + 512 * ROUNDS;
const PAGES = 2;

const words = (name, n) => Object.fromEntries(range(n).map((i) => [name + i, null]));
const typed = (type, ...names) => Object.fromEntries(names.flat().map((name) => [name, type]));
const named = (name, n) => Object.keys(words(name, n));
const { xor, and, shuffle } = v128;
const next = (local, step) => tee(local, i32.add(get(local), i32.const(step)));

// ---- Keccak-f[1600] (FIPS 202 §3)

function permutation() {
  const a = (i) => get(`a${i}`);
  const sum = (terms) => terms.reduce((x, y) => i64.xor(x, y));
  const code = [];
  for (let x = 0; x < 5; x++) code.push(set(`c${x}`, sum([0, 5, 10, 15, 20].map((y) => a(x + y)))));
  for (let x = 0; x < 5; x++) {
    code.push(set(`d${x}`, i64.xor(get(`c${(x + 4) % 5}`), i64.rotl(get(`c${(x + 1) % 5}`), i64.const(1)))));
  }
  for (let y = 0; y < 5; y++) {
    for (let x = 0; x < 5; x++) {
      const lane = i64.xor(a(x + 5 * y), get(`d${x}`));
      const turned = rotation(x, y) === 0 ? lane : i64.rotl(lane, i64.const(rotation(x, y)));
      code.push(set(`b${y + 5 * ((2 * x + 3 * y) % 5)}`, turned));
    }
  }
  for (let i = 0; i < LANES; i++) {
    const row = i - (i % 5);
    const b = (n) => get(`b${row + ((i + n) % 5)}`);
    const chi = i64.xor(b(0), i64.and(i64.xor(b(1), i64.const(-1)), b(2)));
    code.push(set(`a${i}`, i === 0 ? i64.xor(chi, i64.load(get('round'), CONSTANTS)) : chi));
  }
  return code;
}

const absorb = {
  exported: 'absorb',
  parameters: typed('i32', 'at', 'count'),
  locals: {
    ...typed('i32', 'round'),
    ...typed('i64', named('a', LANES), named('b', LANES), named('c', 5), named('d', 5)),
  },
  body: [
    range(LANES).map((i) => set(`a${i}`, i64.load(i32.const(STATE), 8 * i))),
    repeat(
      [
        range(RATE_LANES).map((i) => set(`a${i}`, i64.xor(get(`a${i}`), i64.load(get('at'), 8 * i)))),
        set('round', i32.const(0)),
        repeat(permutation(), i32.ne(next('round', 8), i32.const(8 * 24))),
        set('at', i32.add(get('at'), i32.const(8 * RATE_LANES))),
      ],
      next('count', -1),
    ),
    range(LANES).map((i) => i64.store(i32.const(STATE), 8 * i, get(`a${i}`))),
  ],
};

// ---- Rijndael

/** Bytes of the vectors that `f` gives for each place. */
const bytes = (f) => range(16).map(f);

/** The eight vectors of each row, from bits of a block's byte to bytes of a bit, or back. */
const transpose = {
  exported: null,
  parameters: {},
  locals: { ...typed('i32', 'row'), ...typed('v128', named('u', 8), 'x') },
  body: [
    set('row', i32.const(BITS)),
    repeat(
      [
        range(8).map((i) => set(`u${i}`, v128.load(get('row'), 16 * i))),
        transposeBits('u', (step) => v128.const(bytes(() => [0, 0x55, 0x33, 0, 0x0f][step]))),
        range(8).map((i) => v128.store(get('row'), 16 * i, get(`u${i}`))),
      ],
      i32.ne(next('row', 128), i32.const(BITS + 512)),
    ),
  ],
};

/** Each word of the keys but the last has four bits of the eight bytes of a row. */
const widenKeys = [
  set('k', i32.const(0)),
  set('to', i32.const(WIDE_KEYS)),
  repeat(
    [
      set('u0', v128.load32Splat(get('k'), KEYS)),
      set(
        'u0',
        shuffle(
          get('u0'),
          get('u0'),
          bytes((i) => i >> 2),
        ),
      ),
      set('m', v128.const(bytes((i) => (i & 2 ? 0x10 : 1)))),
      range(4).map((i) => [
        v128.store(get('to'), 16 * i, v128.eq8(and(get('u0'), get('m')), get('m'))),
        set('m', v128.shl64(get('m'), i32.const(1))),
      ]),
      set('k', i32.add(get('k'), i32.const(4))),
    ],
    i32.ne(next('to', 64), i32.const(WORK)),
  ),
];

/** 16 blocks with the counters n0..n3 and up. */
const countBlocks = [
  set('to', i32.const(BLOCKS)),
  repeat(
    [
      range(4).map((i) => i64.store(get('to'), 8 * i, get(`n${i}`))),
      set('n0', i64.add(get('n0'), i64.const(1))),
      set('carry', i64.isZero(get('n0'))),
      range(3).map((i) => [
        set(`n${i + 1}`, i64.add(get(`n${i + 1}`), get('carry'))),
        i < 2 ? set('carry', i64.and(get('carry'), i64.isZero(get(`n${i + 1}`)))) : [],
      ]),
    ],
    i32.ne(next('to', 32), i32.const(BLOCKS + 512)),
  ),
];

/** Blocks k and 8 + k to the vectors k of the rows. */
const gather = [
  set('k', i32.const(0)),
  set('to', i32.const(BITS)),
  repeat(
    [
      // Columns 0 to 3 and 4 to 7 of both blocks, by rows: 0 and 1, 2 and 3.
      range(4).map((i) => {
        const [half, rows] = [16 * (i & 1), i & 2];
        const block = (n) => v128.load(get('k'), BLOCKS + 256 * n + half);
        return set(
          `u${i}`,
          shuffle(
            block(0),
            block(1),
            bytes((j) => 16 * (j & 1) + 2 * (j & 6) + rows + (j >> 3)),
          ),
        );
      }),
      range(4).map((row) => {
        const [low, high] = [get(`u${row & 2}`), get(`u${(row & 2) + 1}`)];
        return v128.store(
          get('to'),
          128 * row,
          shuffle(
            low,
            high,
            bytes((j) => (j & 7) + 2 * (j & 8) + 8 * (row & 1)),
          ),
        );
      }),
      set('k', i32.add(get('k'), i32.const(32))),
    ],
    i32.ne(next('to', 16), i32.const(BITS + 128)),
  ),
];

/** The way back, with the last round key, onto the message at `at`, which goes on by 256. */
const scatter = [
  set('to', i32.const(BITS)),
  repeat(
    [
      range(4).map((i) => {
        const rows = i & 2;
        const row = (n) => v128.load(get('to'), 128 * (rows + n));
        return set(
          `u${i}`,
          shuffle(
            row(0),
            row(1),
            bytes((j) => (j & 7) + 2 * (j & 8) + 8 * (i & 1)),
          ),
        );
      }),
      range(4).map((i) => {
        // Columns by i & 1, block by i & 2.
        const stream = shuffle(
          get(`u${i & 1}`),
          get(`u${2 + (i & 1)}`),
          bytes((j) => 8 * (j & 2) + 8 * (j & 1) + 2 * (j >> 2) + (i >> 1)),
        );
        const key = v128.load(i32.const(LAST_KEY), 16 * (i & 1));
        const offset = 16 * (i & 1) + 128 * (i & 2);
        return v128.store(get('at'), offset, xor(v128.load(get('at'), offset), xor(stream, key)));
      }),
      set('at', i32.add(get('at'), i32.const(32))),
    ],
    i32.ne(next('to', 16), i32.const(BITS + 128)),
  ),
];

const { lines: circuit, temporaries } = statements(
  sboxCircuit(),
  range(8).map((i) => `s${i}`),
  (i, bits) => ({ i, bits }),
  {
    read: get,
    gate: (op, a, b) => ({ '^': v128.xor, '&': v128.and, '|': v128.or })[op](a, b),
    once: (value) => value,
    keep: tee,
  },
);

/** Columns that ShiftRows moves a row by, for blocks of 256 bits. */
const SHIFTS = [0, 1, 3, 4];

/** AddRoundKey, SubBytes and ShiftRows, a row at a time; `k` goes on to the next round's keys. */
const substitute = [
  set('row', i32.const(BITS)),
  set('to', i32.const(SHIFTED)),
  repeat(
    [
      range(8).map((i) => set(`s${i}`, xor(v128.load(get('row'), 16 * i), v128.load(get('k'), 16 * i)))),
      set('m', v128.load(get('to'), 0)),
      circuit.map(({ i, bits }) => v128.store(get('row'), 16 * i, v128.swizzle(bits, get('m')))),
      set('k', i32.add(get('k'), i32.const(128))),
      set('to', i32.add(get('to'), i32.const(16))),
    ],
    i32.ne(next('row', 128), i32.const(BITS + 512)),
  ),
];

/** MixColumns (FIPS 197 §5.1.3), from bit 7 down: 2 (p ^ q) ^ q ^ r ^ s for rows p, q, r, s. */
function mixColumns() {
  /** The rows' bits, and each with the next one's. */
  const load = (bits, sums, i) => [
    range(4).map((row) => set(bits + row, v128.load(i32.const(BITS), 128 * row + 16 * i))),
    range(4).map((row) => set(sums + row, xor(get(bits + row), get(bits + ((row + 1) % 4))))),
  ];
  const code = [load('p', 'u', 7), range(4).map((row) => set(`w${row}`, get(`u${row}`)))];
  for (let i = 7; i >= 0; i--) {
    const [bits, sums] = i & 1 ? ['p', 'u'] : ['q', 'v'];
    const [bitsBelow, sumsBelow] = i & 1 ? ['q', 'v'] : ['p', 'u'];
    if (i > 0) code.push(load(bitsBelow, sumsBelow, i - 1));
    for (let row = 0; row < 4; row++) {
      const double = get((i > 0 ? sumsBelow : 'w') + row);
      const twice = [1, 3, 4].includes(i) ? xor(double, get(`w${row}`)) : double;
      const rest = xor(get(bits + ((row + 1) % 4)), get(sums + ((row + 2) % 4)));
      code.push(v128.store(i32.const(BITS), 128 * row + 16 * i, xor(twice, rest)));
    }
  }
  return code;
}

const xorStream = {
  exported: 'xor',
  parameters: typed('i32', 'at', 'end'),
  locals: {
    ...typed('i32', 'k', 'to', 'row'),
    ...typed('i64', named('n', 4), 'carry'),
    ...typed(
      'v128',
      named('s', 8),
      temporaries,
      'x',
      'm',
      ['p', 'q', 'u', 'v', 'w'].flatMap((name) => named(name, 4)),
    ),
  },
  body: [
    range(4).map((i) => set(`n${i}`, i64.load(i32.const(COUNTER), 8 * i))),
    widenKeys,
    repeat(
      [
        countBlocks,
        gather,
        call(0),
        set('k', i32.const(WIDE_KEYS)),
        forever([substitute, leaveIf(i32.eq(get('k'), i32.const(WORK))), mixColumns()]),
        call(0),
        scatter,
        set('at', i32.add(get('at'), i32.const(256))),
      ],
      i32.ltU(get('at'), get('end')),
    ),
  ],
};

// ---- The file

const data = new Uint8Array(STATE);
roundConstants().forEach((half, i) => new DataView(data.buffer).setInt32(4 * i, half, true));
SHIFTS.forEach((columns, row) =>
  data.set(
    bytes((j) => (j + 2 * columns) % 16),
    SHIFTED + 16 * row,
  ),
);
const gcm = gcmFunctions(STATE);
const functions = [transpose, absorb, xorStream, ...gcm.functions];
const module = assemble({ pages: PAGES, data, functions });
if (!WebAssembly.validate(module)) throw new Error('the module is not valid');

const text = `// Generated by tools/gen-wasm-records.mjs; change that, not this.

/** Where a record's state lies in the module's memory, and where there is room for its message. Bytes. */
export const STATE = ${STATE};
export const WORK = ${WORK};
/** What is between them is the module's. */
export const MEMORY_BYTES = ${PAGES * 65536};

/**
 * Of AES-256-GCM: the round keys as the kernel keeps them; the nonce and the first counter, low byte first; H and Y, blocks as
 * they stand in a record; and where there is room for its text. Bytes.
 */
export const AES_KEYS = ${gcm.KEYS};
export const AES_COUNTER = ${gcm.COUNTER};
export const GHASH_H = ${gcm.H};
export const GHASH_Y = ${gcm.Y};
export const GCM_WORK = ${gcm.WORK};

/** The module, ${module.length} bytes. */
export const MODULE =
  '${Buffer.from(module).toString('base64')}';
`;

if (!process.argv.includes('--check')) {
  mkdirSync(new URL('.', target), { recursive: true });
  writeFileSync(target, text);
} else if (readFileSync(target, 'utf8') !== text) {
  console.error(
    `${target.pathname} is not what tools/gen-wasm-records.mjs writes: run \`node tools/gen-wasm-records.mjs\``,
  );
  process.exit(1);
}
