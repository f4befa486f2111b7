import test from 'ava';
import { rollup } from 'rollup';

async function bundled(code: string): Promise<string> {
  const entry = 'entry.js';
  const build = await rollup({
    input: entry,
    treeshake: { moduleSideEffects: false },
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === entry ? id : null),
        load: (id) => (id === entry ? code : null),
      },
    ],
  });
  const { output } = await build.generate({ format: 'es' });
  await build.close();
  return output[0].code;
}

test('a bundle of one suite holds the numbers of no other, and no kernel that it does not use', async (t) => {
  const path = process.cwd() + '/build/src/crypto/micro.js';
  const one = await bundled(`export { microS3 } from '${path}';`);
  const rows = (code: string): string[] => code.match(/const ML_(KEM|DSA)_\d+/g) ?? [];
  t.deepEqual(rows(one).sort(), ['const ML_DSA_65', 'const ML_KEM_768']);
  t.deepEqual(one.match(/aesGcm|rcsSeal|blake2s|drbg|const micro(S1|S5)?\b/g), null);
  const all = await bundled(`export { micro } from '${path}';`);
  t.is(rows(all).length, 6);
  t.true(all.length > one.length);
  // Verification alone needs neither signing nor ML-KEM.
  const kernel = process.cwd() + '/build/src/crypto/micro/ml-dsa.js';
  const verify = await bundled(`export { mlDsaVerify, ML_DSA_65 } from '${kernel}';`);
  t.deepEqual(
    verify.match(/function (mlDsaSign|mlDsaSignStep|expandMask|makeHints|sampleBounded|pack)\(/g),
    null,
  );
});
