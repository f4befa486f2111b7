// Writes src/crypto/micro/rijndael.ts (and the S-box alone, src/lean/sbox.ts): Rijndael in counter mode, bit-sliced: 128 bytes of key stream at a time, with
// no table, no index and no branch that depends on key or counter. `--check` compares instead. The circuit is
// tools/sbox-circuit.mjs.
//
// A word holds one bit of every byte of one row of the state: 32 bytes, which are 4 blocks of 256 bits (RCS)
// or 8 of 128 (AES). The 32 words, 8 bits by 4 rows, are local variables. So
//   SubBytes      is a circuit over 8 words, the same for each row
//   ShiftRows     rotates the words of a row
//   MixColumns    combines words, and moves no bit
//   AddRoundKey   takes words in which a row's key bits stand apart by the number of blocks
// and blocks become words, and words blocks, by transposing a matrix of 32 x 32 bits.
import { readFileSync, writeFileSync } from 'node:fs';
import { range, sboxCircuit, statements } from './sbox-circuit.mjs';

const target = new URL('../src/crypto/micro/rijndael.ts', import.meta.url);
const sbox = new URL('../src/lean/sbox.ts', import.meta.url);

const ROWS = ['a', 'b', 'c', 'd'];
/** Word w of the 32: bit w % 8 of row w / 8; when they hold blocks, word w % (words a block) of each. */
const W = range(32).map((w) => ROWS[w >> 3] + (w & 7));

const found = sboxCircuit();
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
