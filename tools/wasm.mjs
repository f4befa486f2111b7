// A small assembler of WebAssembly (core specification 2.0, §5, binary format): as much of it as our module needs.
//
// Code is nested arrays of bytes, in which a local is an object with its name; a function's locals are numbered when it is encoded.

/** LEB128 (§5.2.2), unsigned below 2^32 and signed of any width. */
export function unsigned(value) {
  const out = [];
  do {
    const low = value & 0x7f;
    value >>>= 7;
    out.push(value === 0 ? low : low | 0x80);
  } while (value !== 0);
  return out;
}
export function signed(value) {
  const out = [];
  for (let rest = BigInt(value); ;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    if (rest === (low & 0x40 ? -1n : 0n)) return [...out, low];
    out.push(low | 0x80);
  }
}

// ---- Instructions (§5.4)

const VECTOR = 0xfd;
const plain =
  (opcode) =>
  (...operands) => [...operands, opcode];
const vector =
  (opcode) =>
  (...operands) => [...operands, VECTOR, ...unsigned(opcode)];
/** Lanes side by side are read and written at any address: the alignment is a hint, and given as none. */
const memory =
  (opcode, ...prefix) =>
  (address, offset, ...operands) => [address, ...operands, ...prefix, opcode, 0, ...unsigned(offset)];

export const get = (local) => [{ op: 0x20, local }];
export const set = (local, value) => [value, { op: 0x21, local }];
export const tee = (local, value) => [value, { op: 0x22, local }];
export const call = (index, ...operands) => [...operands, 0x10, ...unsigned(index)];
/** Runs the body, and again for as long as the condition that follows it is not 0. */
export const repeat = (body, condition) => [0x03, 0x40, body, condition, 0x0d, 0, 0x0b];
/** Runs the body again and again, until {@link leaveIf} at its outermost level. */
export const forever = (body) => [0x02, 0x40, 0x03, 0x40, body, 0x0c, 0, 0x0b, 0x0b];
export const leaveIf = (condition) => [condition, 0x0d, 1];

export const i32 = {
  const: (value) => [0x41, ...signed(value)],
  add: plain(0x6a),
  eq: plain(0x46),
  ne: plain(0x47),
  ltU: plain(0x49),
};
export const i64 = {
  const: (value) => [0x42, ...signed(value)],
  load: memory(0x29),
  store: memory(0x37),
  /** 1 if it is 0, else 0. */
  isZero: (value) => [value, 0x50, 0xad],
  add: plain(0x7c),
  mul: plain(0x7e),
  and: plain(0x83),
  xor: plain(0x85),
  shl: plain(0x86),
  shrU: plain(0x88),
  rotl: plain(0x89),
};
export const v128 = {
  load: memory(0, VECTOR),
  store: memory(11, VECTOR),
  load32Splat: memory(9, VECTOR),
  const: (bytes) => [VECTOR, 12, ...bytes],
  /** Bytes of two vectors: 0..15 are those of the first, 16..31 those of the second. */
  shuffle: (a, b, bytes) => [a, b, VECTOR, 13, ...bytes],
  swizzle: vector(14),
  /** Two lanes of 64 bits. */
  splat64: vector(18),
  lane64: (value, lane) => [value, VECTOR, 29, lane],
  withLane64: (value, lane, other) => [value, other, VECTOR, 30, lane],
  and: vector(78),
  or: vector(80),
  xor: vector(81),
  eq8: vector(35),
  add32: vector(174),
  shl64: vector(203),
  shr64: vector(205),
};

// ---- Modules (§5.5)

export const TYPES = { i32: 0x7f, i64: 0x7e, v128: 0x7b };
const FUNCTION = 0x60;

const list = (items) => [...unsigned(items.length), ...items.flat()];
const section = (id, items) => {
  const body = list(items);
  return [id, ...unsigned(body.length), ...body];
};
const text = (name) => list([...Buffer.from(name)].map((byte) => [byte]));

/** Parameters and locals are objects of name to type. Locals of one type should stand together: each run takes two bytes. */
function encode({ parameters, locals, body }) {
  const numbers = new Map([...Object.keys(parameters), ...Object.keys(locals)].map((name, i) => [name, i]));
  const bytes = [];
  const flatten = (item) => {
    if (typeof item === 'number') bytes.push(item);
    else if (Array.isArray(item)) item.forEach(flatten);
    else if (!numbers.has(item.local)) throw new Error(`there is no local "${item.local}"`);
    else bytes.push(item.op, ...unsigned(numbers.get(item.local)));
  };
  flatten(body);
  const runs = [];
  for (const type of Object.values(locals)) {
    if (runs.at(-1)?.type === type) runs.at(-1).count++;
    else runs.push({ type, count: 1 });
  }
  const code = [...list(runs.map(({ type, count }) => [...unsigned(count), TYPES[type]])), ...bytes, 0x0b];
  return [...unsigned(code.length), ...code];
}

/**
 * A module with one memory of `pages` of 64 KiB, exported as `memory`, that begins with the bytes `data`. Functions are
 * {exported, parameters, locals, body}; `exported` is a name or null, and none has results.
 */
export function assemble({ pages, data, functions }) {
  const types = functions.map(({ parameters }) => [
    FUNCTION,
    ...list(Object.values(parameters).map((type) => [TYPES[type]])),
    0,
  ]);
  const exported = functions.flatMap((f, i) =>
    f.exported === null ? [] : [[...text(f.exported), 0, ...unsigned(i)]],
  );
  return Uint8Array.from([
    ...[0, ...Buffer.from('asm'), 1, 0, 0, 0],
    ...section(1, types),
    ...section(
      3,
      functions.map((_, i) => unsigned(i)),
    ),
    ...section(5, [[1, ...unsigned(pages), ...unsigned(pages)]]),
    ...section(7, [[...text('memory'), 2, 0], ...exported]),
    ...section(10, functions.map(encode)),
    ...section(11, [[0, ...i32.const(0), 0x0b, ...list([...data].map((byte) => [byte]))]]),
  ]);
}
