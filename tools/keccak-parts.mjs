// Tables of Keccak-f[1600] (FIPS 202 §3), from which code for it is written.

/** Offset of rho (FIPS 202 §3.2.2). */
export const rotation = (x, y) => {
  // FIPS 202 §3.2.2: (x, y) walks from (1, 0); offset (t + 1)(t + 2) / 2.
  if (x === 0 && y === 0) return 0;
  let [px, py] = [1, 0];
  for (let t = 0; t < 24; t++) {
    if (px === x && py === y) return (((t + 1) * (t + 2)) / 2) % 64;
    [px, py] = [py, (2 * px + 3 * py) % 5];
  }
  throw new Error('unreachable');
};

/** FIPS 202 algorithm 5, as [low half, high half] a round. */
export const roundConstants = () => {
  let lfsr = 1;
  const bit = () => {
    const out = lfsr & 1;
    lfsr = (lfsr << 1) ^ (lfsr & 0x80 ? 0x171 : 0);
    return out;
  };
  const out = [];
  for (let round = 0; round < 24; round++) {
    let lo = 0;
    let hi = 0;
    for (let j = 0; j < 7; j++) {
      const position = (1 << j) - 1;
      if (bit()) {
        if (position < 32) lo |= 1 << position;
        else hi |= 1 << (position - 32);
      }
    }
    out.push(lo | 0, hi | 0);
  }
  return out;
};
