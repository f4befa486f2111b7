import test from 'ava';
import { bundled } from '../bundled.ts';

test('a bundle of one suite holds the numbers of no other, and no kernel that it does not use', async (t) => {
  const one = await bundled('microS3', 'crypto/micro.js');
  const rows = (code: string): string[] => code.match(/const ML_(KEM|DSA)_\d+/g) ?? [];
  t.deepEqual(rows(one).sort(), ['const ML_DSA_65', 'const ML_KEM_768']);
  t.deepEqual(one.match(/aesGcm|rcsSeal|blake2s|drbg|const micro(S1|S5)?\b/g), null);
  const all = await bundled('micro', 'crypto/micro.js');
  t.is(rows(all).length, 6);
  t.true(all.length > one.length);
  // Verification alone needs neither signing nor ML-KEM.
  const verify = await bundled('mlDsaVerify, ML_DSA_65', 'crypto/micro/ml-dsa.js');
  t.deepEqual(
    verify.match(/function (mlDsaSign|mlDsaSignStep|expandMask|makeHints|sampleBounded|pack)\(/g),
    null,
  );
});
