// Writes src/crypto/micro/keccak-f.ts: Keccak-f[1600] (FIPS 202 §3) with every lane half in a local variable.
// A typed-array access costs an interpreter about ten times a local variable, so the round is written out
// once, in place, and the state is loaded and stored once a permutation. A value is assigned where it is first
// used, which saves reading it back. `--check` compares instead.
//
// XS takes a slow path for `>>>` on a negative number: 3.6 times the instructions of `>>` and a mask on an emulated
// Cortex-M4, and a count that depends on the signs of the lanes. So a rotation shifts with `>>` and masks, at two
// steps more a half: 7 % more computrons, 22 % fewer instructions, and always the same number of them.
//
// targets/espruino/keccak-f.ts has `>>>` instead, which Espruino takes no longer for, and packed round constants.
import { readFileSync, writeFileSync } from 'node:fs';
import { rotation, roundConstants } from './keccak-parts.mjs';

const target = new URL('../src/crypto/micro/keccak-f.ts', import.meta.url);
/** The same for Espruino, which runs source text: what counts there is how much of it there is. */
const compactTarget = new URL('../targets/espruino/keccak-f.ts', import.meta.url);

const lanes = Array.from({ length: 25 }, (_, i) => i);
const L = (i) => `l${i}`;
const H = (i) => `h${i}`;

// These lanes are kept complemented between rounds: all but six of chi's 25 NOTs then vanish into AND against
// OR. No other choice of lanes leaves fewer (all 2^25 were tried).
// Which lanes are complemented behind theta, behind pi, and so what chi must compute, follows from them.
const kept = lanes.map((i) => ([1, 7, 8, 14, 17, 22].includes(i) ? 1 : 0));
const parity = [0, 1, 2, 3, 4].map((x) => lanes.filter((i) => i % 5 === x && kept[i]).length % 2);
const afterPi = [];
for (const i of lanes) {
  const [x, y] = [i % 5, (i - (i % 5)) / 5];
  afterPi[y + 5 * ((2 * x + 3 * y) % 5)] = kept[i] ^ parity[(x + 4) % 5] ^ parity[(x + 1) % 5];
}
/** chi's a ^ (~b & c) of lane i, given the three as they are held, complemented or not. */
const chi = (i, a, b, c) => {
  const row = i - (i % 5);
  const notB = afterPi[row + ((i + 1) % 5)];
  const notC = afterPi[row + ((i + 2) % 5)];
  const flip = afterPi[i] ^ kept[i];
  if (notB && !notC) return `${flip ? '~' : ''}${a} ^ (${b} & ${c})`;
  if (!notB && notC) return `${flip ? '' : '~'}${a} ^ (${b} | ${c})`;
  if (notB) return flip ? `${a} ^ (~${b} | ${c})` : `${a} ^ (${b} & ~${c})`;
  return flip ? `${a} ^ (${b} | ~${c})` : `${a} ^ (~${b} & ${c})`;
};
/** [low, high] expressions of a 64-bit value rotated left by n, with masks or with `>>>`; `v` gives its halves and is called in order. */
const rotl = (n, v, compact) => {
  const [a, b, m] = n < 32 ? ['l', 'h', n] : ['h', 'l', n - 32];
  const half = (p, q) =>
    m === 0
      ? v(p)
      : `(${v(p)} << ${m}) | (${v(q)} ${compact ? `>>> ${32 - m}` : `>> ${32 - m} & ${2 ** m - 1}`})`;
  return [half(a, b), half(b, a)];
};

/** The statements of a round. */
function round(compact) {
  const body = [];
  const emit = (line) => body.push('    ' + line);
  /** `(name = expression)` where the name is first needed, the name alone after that. */
  const known = new Set();
  const once = (name, expression) => {
    if (known.has(name)) return name;
    known.add(name);
    return `(${name} = ${expression})`;
  };

  // theta: column parities c0..c4 where they are first needed, d = c[x-1] ^ rotl(c[x+1], 1)
  const column = (p, x) => once(`c${p}${x}`, [0, 5, 10, 15, 20].map((y) => p + (x + y)).join(' ^ '));
  for (let x = 0; x < 5; x++) {
    const [before, after] = [(x + 4) % 5, (x + 1) % 5];
    for (const [p, q] of ['lh', 'hl']) {
      emit(`d${p}${x} = ${column(p, before)} ^ ((${column(p, after)} << 1) - (${column(q, after)} >> 31));`);
    }
  }
  // rho and pi, in place along the one cycle of 24 lanes: lane (y, 2x + 3y) takes lane (x, y)
  emit('l0 ^= dl0;');
  emit('h0 ^= dh0;');
  const cycle = [];
  for (let [x, y, t] = [1, 0, 0]; t < 24; t++) {
    cycle.push([x, y]);
    [x, y] = [y, (2 * x + 3 * y) % 5];
  }
  const [lastX, lastY] = cycle[23];
  emit(`tl = ${L(lastX + 5 * lastY)} ^ dl${lastX};`);
  emit(`th = ${H(lastX + 5 * lastY)} ^ dh${lastX};`);
  for (let t = 23; t > 0; t--) {
    const [x, y] = cycle[t - 1];
    const [tx, ty] = cycle[t];
    known.clear();
    const [l, h] = rotl(rotation(x, y), (p) => once('u' + p, `${p}${x + 5 * y} ^ d${p}${x}`), compact);
    emit(`${L(tx + 5 * ty)} = ${l};`);
    emit(`${H(tx + 5 * ty)} = ${h};`);
  }
  {
    const [l, h] = rotl(rotation(lastX, lastY), (p) => 't' + p, compact);
    emit(`l1 = ${l};`);
    emit(`h1 = ${h};`);
  }
  // chi and, in lane 0, iota, a row at a time; the two lanes that are needed again when they have changed are kept in tl and th
  for (let y = 0; y < 25; y += 5) {
    for (const [N, constant] of [
      [
        L,
        compact
          ? '((rc & 3) | ((rc & 4) << 1) | ((rc & 8) << 4) | ((rc & 16) << 11) | ((rc & 32) << 26))'
          : 'RC[round]!',
      ],
      [H, compact ? '((rc & 64) << 25)' : 'RC[round + 1]!'],
    ]) {
      const [b0, b1, b2, b3, b4] = [0, 1, 2, 3, 4].map((x) => N(y + x));
      emit(`${b0} = ${chi(y, `(tl = ${b0})`, `(th = ${b1})`, b2)}${y === 0 ? ` ^ ${constant}` : ''};`);
      emit(`${b1} = ${chi(y + 1, b1, b2, b3)};`);
      emit(`${b2} = ${chi(y + 2, b2, b3, b4)};`);
      emit(`${b3} = ${chi(y + 3, b3, b4, 'tl')};`);
      emit(`${b4} = ${chi(y + 4, b4, 'tl', 'th')};`);
    }
  }
  return body.join('\n');
}

const constants = roundConstants();
const rows = [];
for (let i = 0; i < constants.length; i += 8) rows.push('  ' + constants.slice(i, i + 8).join(', ') + ',');
const not = (i) => (kept[i] ? '~' : '');
const names = (prefixes, n) => prefixes.flatMap((p) => Array.from({ length: n }, (_, i) => p + i));

/** XS likes variables that hold a number from the start; in source that is run they are bytes. */
const declared = (list, compact) => list.map((n) => n + (compact ? ': number' : ' = 0')).join(', ');

const code = (
  head,
  loop,
  open,
  close,
  compact,
) => `// Generated by tools/gen-keccak.mjs; change that, not this.
// Keccak-f[1600] (FIPS 202 §3.3) on int32 halves, all fifty in local variables.

${head}

${open}
  let ${declared(names(['cl', 'ch'], 5), compact)};
  let ${declared(names(['dl', 'dh'], 5), compact)};
  let ${declared(['tl', 'th', 'ul', 'uh'], compact)};
${loop}
${round(compact)}
  }
${close}
`;

const DOC = `/**
 * Permutes a state of 25 lanes: \`state[2i]\` is the low and \`state[2i + 1]\` the high half of lane i.
 * Words past the fiftieth are not touched.
 */
export function keccakF1600(state: Int32Array): void {`;
const text = code(
  `/** Round constants (FIPS 202 §3.2.5): low half, high half. */
const RC = [
${rows.join('\n')}
];`,
  '  for (let round = 0; round < 48; round += 2) {',
  `${DOC}
${lanes.map((i) => `  let l${i} = ${not(i)}state[${2 * i}]!, h${i} = ${not(i)}state[${2 * i + 1}]!;`).join('\n')}`,
  `${lanes.map((i) => `  state[${2 * i}] = ${not(i)}l${i}; state[${2 * i + 1}] = ${not(i)}h${i};`).join('\n')}
}`,
  false,
);

/** The halves as arguments, and as what is returned: a third of the bytes that loading and storing each one takes. */
const halves = lanes.flatMap((i) => [`l${i}`, `h${i}`]);
const inverted = lanes.filter((i) => kept[i]).flatMap((i) => [`l${i}`, `h${i}`]);

/** Of the bits 0, 1, 3, 7, 15, 31 and 63, which is all there are, one each. */
const BITS = [0, 1, 3, 7, 15, 31, 63];
const packed = [];
for (let i = 0; i < constants.length; i += 2) {
  const set = (bit) => (constants[i + (bit >> 5)] >>> (bit & 31)) & 1;
  packed.push(BITS.reduce((sum, bit, at) => sum | (set(bit) << at), 0));
}

const compactText = code(
  `/** Round constants (FIPS 202 §3.2.5): their bits 0, 1, 3, 7, 15, 31 and 63. */
const RC = [
  ${packed.slice(0, 12).join(', ')},
  ${packed.slice(12).join(', ')},
];`,
  `${inverted.map((name) => `  ${name} = ~${name};`).join('\n')}
  for (let round = 0; round < 24; round++) {
    const rc = RC[round]!;`,
  `/** The halves of all lanes, in order; yields the permuted ones. */
function permuted(
  ${halves.map((name) => `${name}: number`).join(', ')},
): number[] {`,
  `  return [
    ${lanes.flatMap((i) => [`${not(i)}l${i}`, `${not(i)}h${i}`]).join(', ')},
  ];
}

${DOC}
  state.set(permuted.apply(null, state as unknown as Parameters<typeof permuted>));
}`,
  true,
);

for (const [file, wanted] of [
  [target, text],
  [compactTarget, compactText],
]) {
  if (!process.argv.includes('--check')) {
    writeFileSync(file, wanted);
  } else if (readFileSync(file, 'utf8') !== wanted) {
    console.error(
      `${file.pathname} is not what tools/gen-keccak.mjs writes: run \`node tools/gen-keccak.mjs\``,
    );
    process.exit(1);
  }
}
