// Keccak-f[1600] (FIPS 202 §3.3) in few bytes of code: in the place of src/crypto/micro/keccak-f.ts, which has all fifty
// halves of the lanes in local variables, where a bundle's size counts and records are not RCS-256's.

const ROUNDS = 24;

/** Permutes 25 lanes in place: word 2i is the low half of lane i, word 2i + 1 its high half. */
export function keccakF1600(s: Int32Array): void {
  const c = new Int32Array(10);
  let lfsr = 1;
  for (let round = 0; round < ROUNDS; round++) {
    // theta
    for (let x = 0; x < 10; x++) c[x] = s[x]! ^ s[x + 10]! ^ s[x + 20]! ^ s[x + 30]! ^ s[x + 40]!;
    for (let x = 0; x < 10; x++) {
      const odd = x & 1;
      const right = (x + 2 - odd) % 10;
      const left = c[(x + 8) % 10]! ^ (c[right + odd]! << 1) ^ (c[right + 1 - odd]! >>> 31);
      for (let i = x; i < 50; i += 10) s[i]! ^= left;
    }
    // rho and pi: each lane goes where the next one of the walk lies. No offset is 0 or 32.
    let x = 1;
    let y = 0;
    let low = s[2]!;
    let high = s[3]!;
    for (let t = 1, offset = 1; t <= ROUNDS; t++, offset += t) {
      const next = (2 * x + 3 * y) % 5;
      x = y;
      y = next;
      const at = 2 * (x + 5 * y) + ((offset >> 5) & 1);
      const rotated = (low << offset) | (high >>> -offset);
      const other = (high << offset) | (low >>> -offset);
      low = s[at & -2]!;
      high = s[at | 1]!;
      s[at] = rotated;
      s[at ^ 1] = other;
    }
    // chi
    for (let row = 0; row < 50; row += 10) {
      for (let i = 0; i < 10; i++) c[i] = s[row + i]!;
      for (let i = 0; i < 10; i++) s[row + i]! ^= ~c[(i + 2) % 10]! & c[(i + 4) % 10]!;
    }
    // iota: the bits of RC are those of a shift register (§3.2.5), at the places 2^j - 1.
    for (let j = 0; j < 7; j++) {
      if (lfsr & 1) s[j === 6 ? 1 : 0]! ^= 1 << ((1 << j) - 1);
      lfsr = (lfsr << 1) ^ ((lfsr >> 7) * 0x171);
    }
  }
  c.fill(0);
}
