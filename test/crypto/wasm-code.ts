// Reads the code of a module of WebAssembly, to say whether its time can depend on what it computes with: only i32 is an
// address or a condition, so nothing may become an i32 but constants, parameters and sums of them.

/** Opcodes with the prefix of vectors are 0xfd00 and theirs. */
const VECTOR = 0xfd00;

/** Immediates of the instructions that are understood: so many numbers in LEB128, or `bytes`. */
const KNOWN: Readonly<Record<number, { readonly numbers?: number; readonly bytes?: number }>> = {
  0x02: { bytes: 1 }, // block
  0x03: { bytes: 1 }, // loop
  0x0b: {}, // end
  0x0c: { numbers: 1 }, // br
  0x0d: { numbers: 1 }, // br_if
  0x10: { numbers: 1 }, // call
  0x20: { numbers: 1 }, // local.get
  0x21: { numbers: 1 }, // local.set
  0x22: { numbers: 1 }, // local.tee
  0x29: { numbers: 2 }, // i64.load
  0x37: { numbers: 2 }, // i64.store
  0x41: { numbers: 1 }, // i32.const
  0x42: { numbers: 1 }, // i64.const
  0x46: {}, // i32.eq
  0x47: {}, // i32.ne
  0x49: {}, // i32.lt_u
  0x50: {}, // i64.eqz: the one that makes an i32 of something else
  0x6a: {}, // i32.add
  0x7c: {}, // i64.add
  0x7e: {}, // i64.mul
  0x83: {}, // i64.and
  0x85: {}, // i64.xor
  0x86: {}, // i64.shl
  0x88: {}, // i64.shr_u
  0x89: {}, // i64.rotl
  0xad: {}, // i64.extend_i32_u
  [VECTOR + 0]: { numbers: 2 }, // v128.load
  [VECTOR + 9]: { numbers: 2 }, // v128.load32_splat
  [VECTOR + 11]: { numbers: 2 }, // v128.store
  [VECTOR + 12]: { bytes: 16 }, // v128.const
  [VECTOR + 13]: { bytes: 16 }, // i8x16.shuffle
  [VECTOR + 14]: {}, // i8x16.swizzle
  [VECTOR + 18]: {}, // i64x2.splat
  [VECTOR + 29]: { bytes: 1 }, // i64x2.extract_lane
  [VECTOR + 30]: { bytes: 1 }, // i64x2.replace_lane
  [VECTOR + 35]: {}, // i8x16.eq
  [VECTOR + 78]: {}, // v128.and
  [VECTOR + 80]: {}, // v128.or
  [VECTOR + 81]: {}, // v128.xor
  [VECTOR + 174]: {}, // i32x4.add
  [VECTOR + 203]: {}, // i64x2.shl
  [VECTOR + 205]: {}, // i64x2.shr_u
};

const IS_ZERO = 0x50;
const EXTEND = 0xad;
const CODE_SECTION = 10;

class Reader {
  private readonly bytes: Uint8Array;
  at: number;
  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }
  byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new Error('the module ends too early');
    return byte;
  }
  /** A number in LEB128. That of a signed one is not its value. */
  number(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }
}

/** The opcodes of each function. Throws for an instruction that is not in the table. */
export function opcodesOf(module: Uint8Array): number[][] {
  const reader = new Reader(module, 8);
  while (reader.byte() !== CODE_SECTION) {
    const length = reader.number();
    reader.at += length;
  }
  reader.number();
  return Array.from({ length: reader.number() }, () => {
    const length = reader.number();
    const end = reader.at + length;
    for (let runs = reader.number(); runs > 0; runs--) {
      reader.number();
      reader.byte();
    }
    const opcodes: number[] = [];
    while (reader.at < end) {
      const first = reader.byte();
      const opcode = first === 0xfd ? VECTOR + reader.number() : first;
      const known = KNOWN[opcode];
      if (known === undefined) throw new Error(`instruction 0x${opcode.toString(16)} is not in the table`);
      for (let i = known.numbers ?? 0; i > 0; i--) reader.number();
      reader.at += known.bytes ?? 0;
      opcodes.push(opcode);
    }
    return opcodes;
  });
}

/** Where a function makes an i32 of what it computes with, other than to make an i64 of it at once. */
export function i32OfData(opcodes: readonly number[]): number[] {
  return opcodes.flatMap((opcode, i) => (opcode === IS_ZERO && opcodes[i + 1] !== EXTEND ? [i] : []));
}
