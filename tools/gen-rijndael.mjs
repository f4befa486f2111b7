// Writes src/crypto/micro/rijndael.ts (and the S-box alone, src/lean/sbox.ts): Rijndael in counter mode, bit-sliced: 128 bytes of key stream at a time, with
// no table, no index and no branch that depends on key or counter. `--check` compares instead; `--search` looks
// for bases with fewer gates and prints what it finds.
//
// A word holds one bit of every byte of one row of the state: 32 bytes, which are 4 blocks of 256 bits (RCS)
// or 8 of 128 (AES). The 32 words, 8 bits by 4 rows, are local variables. So
//   SubBytes      is a circuit over 8 words, the same for each row
//   ShiftRows     rotates the words of a row
//   MixColumns    combines words, and moves no bit
//   AddRoundKey   takes words in which a row's key bits stand apart by the number of blocks
// and blocks become words, and words blocks, by transposing a matrix of 32 x 32 bits.
//
// The circuit: x^-1 = x^16 / x^17 with the norm x^17 in GF(2^4), and that again over GF(2^2), where the inverse is the square.
// Over each pair of fields any basis will do. A multiplication is 9 products of sums of bits (3 in GF(2^2)); what comes
// between the products is linear, the affine map of the S-box included, and is reduced to few gates by sharing pairs.
import { readFileSync, writeFileSync } from 'node:fs';

const target = new URL('../src/crypto/micro/rijndael.ts', import.meta.url);
const sbox = new URL('../src/lean/sbox.ts', import.meta.url);

// ---- GF(2^8) (FIPS 197 §4) and its subfields

const mul = (a, b) => {
  let product = 0;
  for (; b !== 0; b >>= 1) {
    if (b & 1) product ^= a;
    a = (a << 1) ^ (a & 0x80 ? 0x11b : 0);
  }
  return product;
};
const pow = (a, n) => {
  let power = 1;
  for (; n !== 0; n >>= 1) {
    if (n & 1) power = mul(power, a);
    a = mul(a, a);
  }
  return power;
};
/** The linear part of the S-box's affine map (FIPS 197 §5.1.1). The constant 0x63 goes into the round keys. */
const affine = (x) => [0, 1, 2, 3, 4].reduce((sum, n) => sum ^ (x << n) ^ (x >> (8 - n)), 0) & 255;

const bit = (x, j) => (x >> j) & 1;
/** XOR of those `terms` whose bit is set in `mask`. */
const select = (mask, terms) => terms.reduce((sum, term, j) => (bit(mask, j) ? sum ^ term : sum), 0);
/** The mask of a linear function of `n` bits, given by its values. */
const linear = (n, f) => Array.from({ length: n }, (_, j) => f(1 << j) << j).reduce((a, b) => a | b);
/** Coordinates, as a number's bits, of what a basis spans. */
const coordinates = (basis) =>
  new Map(Array.from({ length: 1 << basis.length }, (_, x) => [select(x, basis), x]));

/** The sums of coordinates whose products make up a multiplication (Karatsuba's), as masks. */
const SUMS_2 = [1, 2, 3];
const SUMS_4 = [1, 2, 3, 4, 8, 12, 5, 10, 15];

/** Which products of the same sum of x and of y add up to the bilinear function, as a mask, or null. */
function products(sums, bits, bilinear) {
  const rows = [];
  for (let i = 0; i < bits; i++) {
    for (let j = 0; j < bits; j++) {
      rows.push({
        left: linear(sums.length, (k) => bit(sums[Math.log2(k)], i) & bit(sums[Math.log2(k)], j)),
        right: bilinear(1 << i, 1 << j),
        pivot: -1,
      });
    }
  }
  for (let k = 0; k < sums.length; k++) {
    const pivot = rows.find((row) => row.pivot < 0 && bit(row.left, k));
    pivot.pivot = k;
    for (const row of rows) {
      if (row === pivot || !bit(row.left, k)) continue;
      row.left ^= pivot.left;
      row.right ^= pivot.right;
    }
  }
  if (rows.some((row) => row.pivot < 0 && row.right)) return null;
  return rows.reduce((mask, row) => (row.pivot >= 0 && row.right ? mask | (1 << row.pivot) : mask), 0);
}

// ---- The circuit as layers of linear functions

// Signals of the first layer: 8 bits of x, 9 products that give the norm n in GF(2^4), 3 that give its norm.
const P = 8;
const P2 = 17;

/**
 * The layers for the basis {Y, Y0} of GF(2^8) over GF(2^4), {Z, Z0} of that over GF(2^2), {W, W0} of that, or null.
 * A product whose bit is set in `or` is a | b instead of a & b: then a ^ b comes free with it.
 */
function layers([Y, Y0, Z, Z0, W, W0], or, or2) {
  const e4 = [W, W0];
  const e16 = [Z, Z0].flatMap((z) => e4.map((e) => mul(e, z)));
  const e256 = [Y, Y0].flatMap((y) => e16.map((e) => mul(e, y)));
  const [c4, c16, c256] = [e4, e16, e256].map(coordinates);
  if (c256.size < 256) return null;
  const v4 = (x) => select(x, e4);
  const v16 = (x) => select(x, e16);
  const square = (a) => mul(a, a);

  // x = h Y + l Y0; the sums of their coordinates
  const x = Array.from({ length: 8 }, (_, j) => linear(8, (b) => bit(c256.get(b), j)));
  const sums = [0, 4].map((at) => SUMS_4.map((sum) => select(sum, x.slice(at, at + 4))));
  // n = x^17 = h^2 Y^17 + l^2 Y0^17 + h l (Y Y0^16 + Y^16 Y0)
  const trace = mul(Y, pow(Y0, 16)) ^ mul(pow(Y, 16), Y0);
  const n = [0, 1, 2, 3].map((j) => {
    const p = products(SUMS_4, 4, (a, b) => bit(c16.get(mul(trace, mul(v16(a), v16(b)))), j));
    if (p === null) return null;
    const squares = linear(8, (b) => {
      const c = c256.get(b);
      return bit(c16.get(mul(pow(Y, 17), square(v16(c & 15))) ^ mul(pow(Y0, 17), square(v16(c >> 4)))), j);
    });
    return (squares ^ select(p & or, sums[0]) ^ select(p & or, sums[1])) | (p << P);
  });
  // The inverse, which is the square, of n's norm n^5
  const trace2 = mul(Z, pow(Z0, 4)) ^ mul(pow(Z, 4), Z0);
  const d = [0, 1].map((j) => {
    const p = products(SUMS_2, 2, (a, b) => bit(c4.get(square(mul(trace2, mul(v4(a), v4(b))))), j));
    if (p === null) return null;
    const squares = linear(4, (b) =>
      bit(c4.get(square(mul(pow(Z, 5), square(v4(b & 3))) ^ mul(pow(Z0, 5), square(v4(b >> 2))))), j),
    );
    const free = select(p & or2, [1 | 4, 2 | 8, 3 | 12]);
    return select(squares ^ free, n) | (p << P2);
  });
  // 1 / n = n^4 / n^5
  const m2 = [0, 1].map((j) => products(SUMS_2, 2, (a, b) => bit(c4.get(mul(v4(a), v4(b))), j)));
  const m16 = [0, 1, 2, 3].map((j) => products(SUMS_4, 4, (a, b) => bit(c16.get(mul(v16(a), v16(b))), j)));
  if ([...n, ...d, ...m2, ...m16].includes(null)) return null;
  const inverse = [0, 1, 2, 3].map((j) => {
    const f = linear(4, (b) => bit(c16.get(mul(v4(b & 3), pow(Z, 4)) ^ mul(v4(b >> 2), pow(Z0, 4))), j));
    return select(f & 3, m2) | (select(f >> 2, m2) << 3);
  });
  // 1 / x = x^16 / n and the affine map
  const out = Array.from({ length: 8 }, (_, j) => {
    const f = linear(8, (b) => bit(affine(mul(v16(b & 15), pow(Y, 16)) ^ mul(v16(b >> 4), pow(Y0, 16))), j));
    return select(f & 15, m16) | (select(f >> 4, m16) << 9);
  });
  return {
    first: [
      ...sums.flat(),
      ...[1, 2, 3, 4, 8, 12].map((f) => select(f, n)),
      ...SUMS_2.map((f) => select(f, d)),
    ],
    second: SUMS_4.map((f) => select(f, inverse)),
    third: out,
  };
}

// ---- Few gates for a linear layer

/** Numbers in [0, 1), always the same (xorshift). */
function numbers(seed) {
  return () => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) / 2 ** 32;
  };
}

/** XOR gates for sums of `inputs` signals, greedily: the pair that most sums have first, ties at random. */
function shared(inputs, sums, random) {
  const rows = sums.map((sum) => Array.from({ length: inputs }, (_, j) => j).filter((j) => bit(sum, j)));
  const gates = [];
  for (;;) {
    const counts = new Map();
    const seen = new Set();
    for (const row of rows) {
      if (seen.has(row.join())) continue;
      seen.add(row.join());
      for (let i = 0; i < row.length; i++) {
        for (let j = i + 1; j < row.length; j++) {
          const pair = row[i] * 1024 + row[j];
          // A sum of two has to be made in any case.
          counts.set(pair, (counts.get(pair) ?? 0) + (row.length === 2 ? 1.001 : 1));
        }
      }
    }
    if (counts.size === 0) return { gates, roots: rows.map((row) => row[0]) };
    const most = Math.max(...counts.values());
    const best = [...counts.keys()].filter((pair) => counts.get(pair) === most);
    const pair = best[Math.floor(random() * best.length)];
    const [a, b] = [pair >> 10, pair & 1023];
    const gate = inputs + gates.length;
    gates.push([a, b]);
    for (const row of rows) {
      if (!row.includes(a) || !row.includes(b)) continue;
      row.splice(row.indexOf(a), 1);
      row.splice(row.indexOf(b), 1, gate);
      row.sort((p, q) => p - q);
    }
  }
}

/** The least of so many attempts. */
function fewest(attempts, inputs, sums, random) {
  let best = null;
  for (let i = 0; i < attempts; i++) {
    const found = shared(inputs, sums, random);
    if (best === null || found.gates.length < best.gates.length) best = found;
  }
  return best;
}

/** The whole circuit: gates {op, a, b} over signals, of which 0..7 are x, and the signals of the S-box's bits. */
function circuit(bases, or, or2, random, attempts) {
  const { first, second, third } = layers(bases, or, or2);
  const gates = [];
  const add = (op, a, b) => 8 + gates.push({ op, a, b }) - 1;
  /** Adds a layer's gates on demand, so that products may feed later sums of the same layer. */
  const layer = (signals, { gates: xors, roots }) => {
    const inputs = signals.length;
    const made = [];
    const signal = (i) => {
      if (i < inputs) return signals[i]();
      made[i - inputs] ??= add('^', signal(xors[i - inputs][0]), signal(xors[i - inputs][1]));
      return made[i - inputs];
    };
    return roots.map((root) => () => signal(root));
  };
  const lazy = (make) => {
    let value;
    return () => (value ??= make());
  };
  const product = (isOr, a, b) => lazy(() => add(isOr ? '|' : '&', a(), b()));

  const signals = Array.from({ length: 8 }, (_, j) => () => j);
  let roots = [];
  for (let k = 0; k < 9; k++)
    signals.push(
      product(
        bit(or, k),
        () => roots[k](),
        () => roots[9 + k](),
      ),
    );
  for (let k = 0; k < 3; k++)
    signals.push(
      product(
        bit(or2, k),
        () => roots[18 + k](),
        () => roots[21 + k](),
      ),
    );
  roots = layer(signals, fewest(attempts, 20, first, random));
  const [sums, n, d] = [roots.slice(0, 18), roots.slice(18, 24), roots.slice(24)];
  const inverse = layer(
    [0, 3].flatMap((at) => SUMS_2.map((_, k) => product(0, n[at + k], d[k]))),
    fewest(attempts, 6, second, random),
  );
  const bits = layer(
    [0, 9].flatMap((at) => SUMS_4.map((_, k) => product(0, sums[at + k], inverse[k]))),
    fewest(attempts, 18, third, random),
  );
  return { outputs: bits.map((make) => make()), gates };
}

/** What `--search` found to take the fewest gates. */
const BASES = [113, 192, 92, 1, 188, 1];
const OR = 334;
const OR_2 = 7;
const SEED = 2;
const ATTEMPTS = 60;

/** The outputs for the 8 words x. */
function evaluate({ outputs, gates }, x) {
  const values = [...x];
  for (const { op, a, b } of gates) {
    const [p, q] = [values[a], values[b]];
    values.push(op === '^' ? p ^ q : op === '&' ? p & q : p | q);
  }
  return outputs.map((signal) => values[signal]);
}

/** Throws unless the circuit is the S-box less its constant, for all 256 inputs. */
function verify(found) {
  for (let x = 0; x < 256; x++) {
    const bits = evaluate(
      found,
      Array.from({ length: 8 }, (_, j) => bit(x, j)),
    );
    if (bits.reduce((sum, b, j) => sum | (b << j), 0) !== affine(pow(x, 254)))
      throw new Error(`S-box of ${x}`);
  }
}

function search() {
  const random = numbers(Date.now() | 1);
  const field = (n) => Array.from({ length: 255 }, (_, x) => x + 1).filter((x) => pow(x, n) === x);
  const pick = (n, below) => {
    const inside = field(n).filter((x) => !field(below).includes(x));
    const x = inside[Math.floor(random() * inside.length)];
    return [x, random() < 0.5 ? 1 : pow(x, below)];
  };
  let best = Infinity;
  for (const end = Date.now() + 300_000; Date.now() < end;) {
    const bases = [...pick(256, 16), ...pick(16, 4), ...pick(4, 2)];
    const weigh = (or) => layers(bases, or, 0)?.first.join('');
    if (weigh(0) === undefined) continue;
    for (let i = 0; i < 8; i++) {
      const [or, or2] = [Math.floor(random() * 512), Math.floor(random() * 8)];
      const found = circuit(bases, or, or2, random, 2);
      if (found.gates.length >= best) continue;
      best = found.gates.length;
      console.log(best, JSON.stringify(bases), or, or2);
    }
  }
}

// ---- The functions

/**
 * Statements that compute a circuit; `assign` writes that of an output, given its number and expression. What is used once
 * is written in place, what is used again is assigned where it is first used, to the names t0, t1, ...; returns those too.
 */
function statements({ outputs, gates }, ins, assign) {
  const uses = new Map();
  const use = (signal) => uses.set(signal, (uses.get(signal) ?? 0) + 1);
  for (const { a, b } of gates) [a, b].forEach(use);
  outputs.forEach(use);
  const names = new Map(ins.map((name, j) => [j, name]));
  const free = [];
  const temporaries = [];
  const expression = (signal) => {
    const name = names.get(signal);
    if (name !== undefined) {
      uses.set(signal, uses.get(signal) - 1);
      if (uses.get(signal) === 0 && name.startsWith('t')) free.push(name);
      return name;
    }
    const { op, a, b } = gates[signal - 8];
    const text = `${expression(a)} ${op} ${expression(b)}`;
    if (uses.get(signal) === 1) return `(${text})`;
    let assigned = free.pop();
    if (assigned === undefined) temporaries.push((assigned = `t${temporaries.length}`));
    names.set(signal, assigned);
    uses.set(signal, uses.get(signal) - 1);
    return `(${assigned} = ${text})`;
  };
  const lines = outputs.map((signal, i) => assign(i, expression(signal)));
  return { lines, temporaries };
}

const range = (n) => Array.from({ length: n }, (_, i) => i);
const ROWS = ['a', 'b', 'c', 'd'];
/** Word w of the 32: bit w % 8 of row w / 8; when they hold blocks, word w % (words a block) of each. */
const W = range(32).map((w) => ROWS[w >> 3] + (w & 7));

const found = (() => {
  if (process.argv.includes('--search')) {
    search();
    process.exit(0);
  }
  const best = circuit(BASES, OR, OR_2, numbers(SEED), ATTEMPTS);
  verify(best);
  return best;
})();
const subBytes = statements(
  found,
  range(8).map((i) => `s${i}`),
  (i, bits) => `d${i} = (((x = ${bits}) >> n) & m) | (x << p);`,
);

/** The same for the bits of the four bytes of a word. */
const subWord = statements(
  found,
  range(8).map((i) => `s${i}`),
  (i, bits) => (i === 0 ? `y = ${bits};` : `y ^= (${bits}) << ${i};`),
);

/** Rotates the word indices' five bits by one: word w goes to 2w + w / 16. Cycles, with x for the one in hand. */
function perfectShuffle() {
  const lines = [];
  const to = (w) => ((w << 1) | (w >> 4)) & 31;
  const seen = new Set();
  for (let start = 0; start < 32; start++) {
    if (seen.has(start) || to(start) === start) continue;
    const cycle = [start];
    while (to(cycle.at(-1)) !== start) cycle.push(to(cycle.at(-1)));
    cycle.forEach((w) => seen.add(w));
    lines.push(`x = ${W[cycle.at(-1)]};`);
    for (let i = cycle.length - 1; i > 0; i--) lines.push(`${W[cycle[i]]} = ${W[cycle[i - 1]]};`);
    lines.push(`${W[start]} = x;`);
  }
  return lines;
}

/** Transposes the 32 words as a matrix of bits: word i, bit j to word j, bit i. */
const transpose = () => [
  'for (n = 16, m = 0xffff; n > 0; n >>= 1, m ^= m << n) {',
  ...range(16).map((i) => {
    const [p, q] = [W[i], W[i + 16]];
    return `  x = ((${p} >> n) ^ ${q}) & m; ${q} ^= x; ${p} ^= x << n;`;
  }),
  ...perfectShuffle().map((line) => '  ' + line),
  '}',
];

/** MixColumns (FIPS 197 §5.1.3) in place, from bit 7 down: 2 (p ^ q) ^ q ^ r ^ s for rows p, q, r, s. */
function mixColumns() {
  const lines = [];
  // p ^ q of each row and of the bit at hand, of the bit below it, and of bit 7
  const sum = (set, row) => `${set}${row}`;
  for (let row = 0; row < 4; row++) lines.push(`u${row} = ${ROWS[row]}7 ^ ${ROWS[(row + 1) % 4]}7;`);
  for (let row = 0; row < 4; row++) lines.push(`w${row} = u${row};`);
  for (let i = 7; i >= 0; i--) {
    const [here, below] = i & 1 ? ['u', 'v'] : ['v', 'u'];
    const twice = (row) => {
      const [p, q] = [ROWS[row], ROWS[(row + 1) % 4]];
      const t = i === 0 ? sum('w', row) : `(${sum(below, row)} = ${p}${i - 1} ^ ${q}${i - 1})`;
      return [1, 3, 4].includes(i) ? `${t} ^ ${sum('w', row)}` : t;
    };
    // The last row needs the first as it was.
    lines.push(`x = ${twice(3)} ^ a${i} ^ ${sum(here, 1)};`);
    lines.push(`a${i} = ${twice(0)} ^ b${i} ^ ${sum(here, 2)};`);
    lines.push(`b${i} = ${twice(1)} ^ c${i} ^ ${sum(here, 3)};`);
    lines.push(`c${i} = ${twice(2)} ^ d${i} ^ ${sum(here, 0)};`);
    lines.push(`d${i} = x;`);
  }
  return lines;
}

/**
 * The rounds: `blocks` of 32 / `blocks` bytes each. A row at a time, the rows changing places: AddRoundKey, SubBytes and
 * ShiftRows. `keyWords` is how many words hold a row's key bits.
 */
const rounds = (state, keyWords, blocks, shift) => [
  'for (;;) {',
  '  for (row = 0; row < 32; row += 8) {',
  `    k0 = ${state}[k]!;`,
  ...(keyWords === 2 ? [`    k1 = ${state}[k + 1]!;`] : []),
  `    k += ${keyWords};`,
  ...range(8).map((i) => {
    const name = keyWords === 2 && i > 3 ? 'k1' : 'k0';
    const by = keyWords === 2 ? i & 3 : i;
    const mask = blocks === 4 ? '0x11111111' : '0x1010101';
    const bits = `((x = ${by === 0 ? name : `(${name} >> ${by})`} & ${mask}) << ${blocks}) - x`;
    return `    s${i} = a${i} ^ (${bits}); a${i} = b${i}; b${i} = c${i}; c${i} = d${i};`;
  }),
  `    n = ${shift}; p = 32 - n; m = ~(-2 << (31 - n));`,
  ...subBytes.lines.map((line) => '    ' + line),
  '  }',
  '  if (k === end) break;',
  ...mixColumns().map((line) => '  ' + line),
  '}',
];

const locals = [
  ...W,
  ...range(8).map((i) => `s${i}`),
  ...subBytes.temporaries,
  ...['u', 'v', 'w'].flatMap((set) => range(4).map((row) => set + row)),
];
const declare = (names) => {
  const lines = [];
  for (let i = 0; i < names.length; i += 12) {
    lines.push(
      `  let ${names
        .slice(i, i + 12)
        .map((name) => `${name} = 0`)
        .join(', ')};`,
    );
  }
  return lines;
};
const indent = (n, lines) => lines.map((line) => ' '.repeat(n) + line).join('\n');

/** `data[at ..] ^= ` the bytes of four words, or what is left of them. */
const xorWords = (words) => [
  'if (stop - at >= 16) {',
  ...words.flatMap((word, j) =>
    range(4).map(
      (i) => `  data[at${4 * j + i ? ` + ${4 * j + i}` : ''}]! ^= ${word}${i ? ` >> ${8 * i}` : ''};`,
    ),
  ),
  '} else {',
  ...words.map(
    (word, j) => `  xorWord(data, at${j ? ` + ${4 * j}` : ''}, ${word}, stop - at${j ? ` - ${4 * j}` : ''});`,
  ),
  '}',
  'at += 16;',
];
/** Moves the words of blocks 1, 2, ... to blocks 0, 1, ... */
const nextBlock = (blocks) =>
  range(32 / blocks).map((word) =>
    range(blocks - 1)
      .map((b) => `${W[word * blocks + b]} = ${W[word * blocks + b + 1]};`)
      .join(' '),
  );
const counter = range(8).map((i) => `n${i}`);
const last = range(8).map((i) => `s${i}`);

const text = `// Generated by tools/gen-rijndael.mjs; change that, not this.
// Rijndael (FIPS 197 §5.1; for RCS with blocks of 256 bits) in counter mode, bit-sliced, 128 bytes at a time; an S-box of
// ${found.gates.length} gates. Neither indices nor branches depend on keys or data.
//
// A round key here is a sequence of words a row of the state, with bits of the same column of all its bytes together:
//   RCS   two words a row; bit 4c + i of word 2r + h is bit 4h + i of the byte in row r, column c
//   AES   one word a row; bit 8c + i of word r is bit i of the byte in row r, column c
// The last one is left as columns.

/** XORs the low \`count\` bytes, four at the most, of \`word\` onto the data. */
function xorWord(data: Uint8Array, at: number, word: number, count: number): void {
  for (let i = 0; i < count && i < 4; i++) data[at + i]! ^= word >> (8 * i);
}

/**
 * Brings \`rounds\` + 1 round keys, 8 columns each from \`r[at]\` on, to the order that rcsXor takes: all but the last are
 * transposed, and all but the first contain the S-box's constant.
 */
export function rcsOrder(r: Int32Array, at: number, rounds: number): void {
  const end = at + 8 * rounds;
  let constant = 0, x = 0;
  for (; at < end; at += 8) {
    let ${range(8)
      .map((i) => `k${i} = r[at${i ? ` + ${i}` : ''}]! ^ constant`)
      .join(',\n      ')};
${indent(
  4,
  [4, 2, 1].flatMap((step) =>
    range(8)
      .filter((i) => (i & step) === 0)
      .map((i) => {
        const n = 4 * step;
        const mask = { 16: '0xffff', 8: '0xff00ff', 4: '0xf0f0f0f' }[n];
        return `x = ((k${i} >> ${n}) ^ k${i + step}) & ${mask}; k${i + step} ^= x; k${i} ^= x << ${n};`;
      }),
  ),
)}
${indent(
  4,
  range(8).map((i) => `r[at${i ? ` + ${i}` : ''}] = k${i};`),
)}
    constant = 0x63636363;
  }
  for (; at < end + 8; at++) r[at]! ^= constant;
}

/**
 * XORs the key stream of the counter block \`r[counterAt .. counterAt + 8)\` (256 bits, low word first) and those that
 * follow it onto \`data[at .. at + length)\`. The counter block stays. \`r[keysAt ..]\` are the \`rounds\` + 1 round keys.
 */
export function rcsXor(
  r: Int32Array, counterAt: number, keysAt: number, rounds: number, data: Uint8Array, at: number, length: number,
): void {
  const stop = at + length;
  const end = keysAt + 8 * rounds;
${declare(locals).join('\n')}
  let k = 0, k0 = 0, k1 = 0, n = 0, m = 0, p = 0, x = 0, row = 0, pass = 0;
  let ${counter.map((name, i) => `${name} = r[counterAt${i ? ` + ${i}` : ''}]!`).join(',\n    ')};
  while (at < stop) {
    for (n = 0; n < 4; n++) {
${indent(
  6,
  nextBlock(4).map((moves, word) => `${moves} ${W[4 * word + 3]} = n${word};`),
)}
      if (
        (n0 = (n0 + 1) | 0) === 0 &&
        ${range(6)
          .map((i) => `(n${i + 1} = (n${i + 1} + 1) | 0) === 0`)
          .join(' &&\n        ')}
      ) {
        n7 = (n7 + 1) | 0;
      }
    }
    for (pass = 0; ; pass++) {
${indent(6, transpose())}
      if (pass > 0) break;
      k = keysAt;
${indent(6, rounds('r', 2, 4, '(0x100c0400 >> row) & 31'))}
    }
${indent(
  4,
  last.map((name, i) => `${name} = r[end${i ? ` + ${i}` : ''}]!;`),
)}
    for (n = 0; n < 4 && at < stop; n++) {
${indent(
  6,
  [0, 4].flatMap((half) => [
    ...range(4).map((i) => `u${i} = ${W[4 * (half + i)]} ^ s${half + i};`),
    ...xorWords(range(4).map((i) => `u${i}`)),
  ]),
)}
${indent(6, nextBlock(4))}
    }
  }
}

/**
 * KeyExpansion (FIPS 197 §5.2) of the key at \`g[0 .. 8)\` to the 15 round keys of AES-256, 4 columns each, at \`g[0 .. 60)\`.
 */
export function aesExpand(g: Int32Array): void {
${declare([...range(8).map((i) => `s${i}`), ...subWord.temporaries]).join('\n')}
  let rcon = 1, x = 0, y = 0;
  for (let i = 8; i < 60; i += 4) {
    x = g[i - 1]!;
    if ((i & 4) === 0) x = ((x >> 8) & 0xffffff) | (x << 24);
${indent(
  4,
  range(8).map((i) => `s${i} = ${i ? `(x >> ${i})` : 'x'} & 0x1010101;`),
)}
${indent(4, subWord.lines)}
    x = y ^ 0x63636363;
    if ((i & 4) === 0) {
      x ^= rcon;
      rcon <<= 1;
    }
${indent(
  4,
  range(4).map((i) => `g[i${i ? ` + ${i}` : ''}] = x ^= g[i - ${8 - i}]!;`),
)}
  }
}

/**
 * Brings the 15 round keys of AES-256, 4 columns each at \`g[0 .. 60)\`, to the order that aesXor takes: all but the last are
 * transposed, and all but the first contain the S-box's constant.
 */
export function aesOrder(g: Int32Array): void {
  let constant = 0, x = 0;
  for (let at = 0; at < 56; at += 4) {
    let ${range(4)
      .map((i) => `k${i} = g[at${i ? ` + ${i}` : ''}]! ^ constant`)
      .join(',\n      ')};
${indent(
  4,
  [2, 1].flatMap((step) =>
    range(4)
      .filter((i) => (i & step) === 0)
      .map((i) => {
        const n = 8 * step;
        return `x = ((k${i} >> ${n}) ^ k${i + step}) & ${n === 16 ? '0xffff' : '0xff00ff'}; k${i + step} ^= x; k${i} ^= x << ${n};`;
      }),
  ),
)}
${indent(
  4,
  range(4).map((i) => `g[at${i ? ` + ${i}` : ''}] = k${i};`),
)}
    constant = 0x63636363;
  }
  for (let i = 56; i < 60; i++) g[i]! ^= constant;
}

/**
 * Encrypts the block whose first 12 bytes are \`g[60 .. 63)\`, low bytes first, and whose last are \`counter\`, high byte first,
 * into \`g[60 .. 64)\`, and XORs the encryptions of the blocks with the counters behind it onto \`data[at .. at + length)\`.
 * With \`hash\` the encryption of the block of zeros goes into \`g[68 .. 72)\`, low bytes first. \`g[0 .. 60)\` are the round keys.
 */
export function aesXor(
  g: Int32Array, counter: number, data: Uint8Array, at: number, length: number, hash: boolean,
): void {
  const stop = at + length;
  const n0 = g[60]!, n1 = g[61]!, n2 = g[62]!, end = 56;
${declare(locals).join('\n')}
  let k = 0, k0 = 0, n = 0, m = 0, p = 0, x = 0, row = 0, pass = 0;
  // What the next block is: that of zeros, the first of the counter's, the data's.
  let step = hash ? 0 : 1;
  while (step < 2 || at < stop) {
${indent(
  4,
  range(3).map(
    (word) =>
      `${range(8)
        .map((b) => W[8 * word + b])
        .join(' = ')} = n${word};`,
  ),
)}
    for (n = step === 0 ? 1 : 0; n < 8; n++) {
      ${nextBlock(8)[3]}
      d7 = ((counter >> 24) & 255) | ((counter >> 8) & 0xff00) | ((counter & 0xff00) << 8) | (counter << 24);
      counter = (counter + 1) | 0;
    }
    if (step === 0) a0 = b0 = c0 = d0 = 0;
    for (pass = 0; ; pass++) {
${indent(6, transpose())}
      if (pass > 0) break;
      k = 0;
${indent(6, rounds('g', 1, 8, 'row'))}
    }
${indent(
  4,
  last.slice(0, 4).map((name, i) => `${name} = g[end + ${i}]!;`),
)}
    for (n = 0; n < 8; n++) {
${indent(
  6,
  range(4).map((i) => `u${i} = ${W[8 * i]} ^ s${i};`),
)}
      if (step < 2) {
        k = step === 0 ? 68 : 60;
        step++;
${indent(
  8,
  range(4).map((i) => `g[k${i ? ` + ${i}` : ''}] = u${i};`),
)}
      } else {
        if (at >= stop) break;
${indent(8, xorWords(range(4).map((i) => `u${i}`)))}
      }
${indent(6, nextBlock(8))}
    }
  }
}
`;

// ---- The circuit alone, for targets whose code is counted in bytes

const inPlace = statements(
  found,
  range(8).map((i) => `s${i}`),
  (i, bits) => `q[${i}] = ${bits};`,
);

const sboxText = `// Generated by tools/gen-rijndael.mjs; change that, not this.
// The S-box of AES (FIPS 197 §5.1.1) less its constant 0x63, as a circuit of ${found.gates.length} gates.

/** In place: bit j of 32 bytes is \`q[j]\`. */
export function subBytes(q: Int32Array): void {
  const ${range(8)
    .map((i) => `s${i} = q[${i}]!`)
    .join(', ')};
${declare(inPlace.temporaries).join('\n').replaceAll(' = 0', ': number')}
${indent(2, inPlace.lines)}
}
`;

for (const [file, wanted] of [
  [target, text],
  [sbox, sboxText],
]) {
  if (!process.argv.includes('--check')) {
    writeFileSync(file, wanted);
  } else if (readFileSync(file, 'utf8') !== wanted) {
    console.error(
      `${file.pathname} is not what tools/gen-rijndael.mjs writes: run \`node tools/gen-rijndael.mjs\``,
    );
    process.exit(1);
  }
}
