// The S-box of AES (FIPS 197 §5.1.1) less its constant 0x63 as a circuit of few gates, and the code that computes it. Run as
// a program it looks for bases with fewer gates for five minutes and prints what it finds.
//
// The circuit: x^-1 = x^16 / x^17 with the norm x^17 in GF(2^4), and that again over GF(2^2), where the inverse is the square.
// Over each pair of fields any basis will do. A multiplication is 9 products of sums of bits (3 in GF(2^2)); what comes
// between the products is linear, the affine map of the S-box included, and is reduced to few gates by sharing pairs.

import { fileURLToPath } from 'node:url';

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

/** What `search` found to take the fewest gates. */
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

// ---- Code

/** JavaScript: `read` a name, compute a `gate`, use its value here alone (`once`), or `keep` it under a name too. */
const JAVASCRIPT = {
  read: (name) => name,
  gate: (op, a, b) => `${a} ${op} ${b}`,
  once: (text) => `(${text})`,
  keep: (name, text) => `(${name} = ${text})`,
};

/**
 * Statements that compute a circuit; `assign` writes that of an output, given its number and expression. What is used once
 * is written in place, what is used again is assigned where it is first used, to the names t0, t1, ...; returns those too.
 */
export function statements({ outputs, gates }, ins, assign, syntax = JAVASCRIPT) {
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
      return syntax.read(name);
    }
    const { op, a, b } = gates[signal - 8];
    const text = syntax.gate(op, expression(a), expression(b));
    if (uses.get(signal) === 1) return syntax.once(text);
    let assigned = free.pop();
    if (assigned === undefined) temporaries.push((assigned = `t${temporaries.length}`));
    names.set(signal, assigned);
    uses.set(signal, uses.get(signal) - 1);
    return syntax.keep(assigned, text);
  };
  const lines = outputs.map((signal, i) => assign(i, expression(signal)));
  return { lines, temporaries };
}

export const range = (n) => Array.from({ length: n }, (_, i) => i);

/** The circuit: gates {op, a, b} over signals, of which 0..7 are x, and the signals of the S-box's bits. */
export function sboxCircuit() {
  const best = circuit(BASES, OR, OR_2, numbers(SEED), ATTEMPTS);
  verify(best);
  return best;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) search();
