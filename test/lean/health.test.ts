// The health tests of a lean client's start: the limits of the others, and what fails them.
import test from 'ava';
import { proportionCutoff, repetitionCutoff } from '../../src/crypto/micro/drbg.ts';
import { isHealthy, PROPORTION, REPETITIONS, SAMPLES } from '../../src/lean/health.ts';
import { labelledRandom } from '../kat.ts';

function good(): Uint8Array {
  const samples = new Uint8Array(SAMPLES);
  labelledRandom()('healthy')(samples);
  return samples;
}

test('the limits are those of the generator for 4 bits a byte', (t) => {
  t.is(REPETITIONS, repetitionCutoff(4));
  t.is(PROPORTION, proportionCutoff(4));
});

test('random bytes pass; a generator that is stuck, repeats or is lopsided does not', (t) => {
  t.true(isHealthy(good()));
  t.false(isHealthy(new Uint8Array(SAMPLES)));
  const row = (length: number): Uint8Array => good().fill(7, 600, 600 + length);
  t.true(isHealthy(row(REPETITIONS - 1)));
  t.false(isHealthy(row(REPETITIONS)));
  // Every seventh sample of the second window is its first: 74 of 512.
  const lopsided = good();
  for (let i = 512; i < SAMPLES; i += 7) lopsided[i] = lopsided[512]!;
  t.false(isHealthy(lopsided));
});
