// The one table of Rijndael (FIPS 197 §5.1.1, §5.1.3): 1 kB, serves RCS and AES.
//
// TABLE[x], with s = S-box(x), is the MixColumns column of a byte in row 0: {2s, s, s, 3s} as a word, low
// byte first. Row n takes the same word rotated left by 8n bits; s itself is bytes 1 and 2.

function rotl(byte: number, n: number): number {
  return (byte << n) | (byte >> (8 - n));
}

function rijndaelTable(): Int32Array {
  const table = new Int32Array(256);
  // p runs through the powers of the generator 3, q through those of its inverse: q = 1/p.
  let p = 1;
  let q = 1;
  for (let i = 0; i < 256; i++) {
    const s = i === 255 ? 0x63 : (q ^ rotl(q, 1) ^ rotl(q, 2) ^ rotl(q, 3) ^ rotl(q, 4) ^ 0x63) & 255;
    const twice = (s << 1) ^ (s & 0x80 ? 0x11b : 0);
    table[i === 255 ? 0 : p] = twice | (s << 8) | (s << 16) | ((twice ^ s) << 24);
    p = (p ^ (p << 1) ^ (p & 0x80 ? 0x11b : 0)) & 255;
    q ^= q << 1;
    q ^= q << 2;
    q ^= q << 4;
    q = (q & 0x80 ? q ^ 0x09 : q) & 255;
  }
  return table;
}

export const TABLE: Int32Array = /* @__PURE__ */ rijndaelTable();
