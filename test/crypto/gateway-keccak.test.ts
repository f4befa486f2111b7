import test from 'ava';
import { createPermutation, keccakF1600 } from '../../src/crypto/gateway/keccak-f.ts';
import { loadModule } from '../../src/crypto/gateway/load.ts';
import { gatewayHashing } from '../../src/crypto/gateway/sponge.ts';
import { keccakF1600 as kernel } from '../../src/crypto/micro/keccak-f.ts';
import { SPONGE_WORDS } from '../../src/crypto/micro/sponge.ts';
import { draws } from '../random.ts';

test("permutes as the kernel, and leaves a sponge's other words alone", (t) => {
  const draw = draws(t);
  const without = createPermutation(() => null);
  for (let i = 0; i < 50; i++) {
    const expected = new Int32Array(new Int32Array(draw.bytes(4 * SPONGE_WORDS).buffer));
    const [state, other] = [expected.slice(), expected.slice()];
    for (let turn = 0; turn < 3; turn++) {
      kernel(expected);
      keccakF1600(state);
      without(other);
      // Whose memory is another's.
      gatewayHashing.sha3(new Uint8Array(200));
    }
    t.deepEqual(state, expected);
    t.deepEqual(other, expected);
  }
});

test("nothing of a state stays in the module's memory", (t) => {
  const exports = loadModule()!;
  const memory = new Uint8Array(exports.memory.buffer);
  const before = memory.slice();
  const permute = createPermutation(() => exports);
  const state = new Int32Array(SPONGE_WORDS).fill(0x5a5a5a5a);
  permute(state);
  permute(state);
  t.deepEqual(memory, before);
});
