import test from 'ava';
import { concat } from '../../src/bytes.ts';
import { shake, RATE_256 } from '../../src/crypto/micro/sponge.ts';
import { noble } from '../../src/crypto/noble.ts';
import { decapsulate, encapsulate, keygen, sign } from '../../src/crypto/provider.ts';
import { suiteByName } from '../../src/cert/suite.ts';
import { hex, vectors } from '../vectors.ts';

interface PqFile {
  config: string;
  kem: {
    keygenCoins: string;
    pk: string;
    sk: string;
    encapsCoins: string;
    ct: string;
    ss: string;
    tamperedByte: number;
    tamperedXor: number;
  };
  dsa: {
    seed: string;
    pk: string;
    sk: string;
    msg: string;
    signedMessage: string;
    signedMessageCtx_ctx: string;
  };
}

for (const name of ['pq.s3.json', 'pq.s5.json']) {
  test(`noble: ML-KEM and ML-DSA known answers of ${name}`, (t) => {
    const { config, kem: k, dsa: d } = vectors<PqFile>(name);
    const { kem, signer } = noble.suite(suiteByName(config).id);
    const keys = keygen(kem, hex(k.keygenCoins));
    t.deepEqual(keys, { publicKey: hex(k.pk), secretKey: hex(k.sk) });
    t.deepEqual(encapsulate(kem, keys.publicKey, hex(k.encapsCoins)), {
      ciphertext: hex(k.ct),
      sharedSecret: hex(k.ss),
    });
    t.deepEqual(decapsulate(kem, hex(k.ct), keys.secretKey), hex(k.ss));
    const tampered = hex(k.ct);
    tampered[k.tamperedByte]! ^= k.tamperedXor;
    const z = keys.secretKey.slice(-32);
    t.deepEqual(decapsulate(kem, tampered, keys.secretKey), shake(RATE_256, concat([z, tampered]), 32));

    const pair = keygen(signer, hex(d.seed));
    t.deepEqual(pair, { publicKey: hex(d.pk), secretKey: hex(d.sk) });
    const [msg, zeros] = [hex(d.msg), new Uint8Array(32)];
    const plain = hex(d.signedMessage).subarray(0, signer.signatureBytes);
    t.deepEqual(sign(signer, msg, pair.secretKey, zeros), plain);
    t.true(signer.verify(plain, msg, pair.publicKey));
    const context = new TextEncoder().encode('ctx');
    const bound = hex(d.signedMessageCtx_ctx).subarray(0, signer.signatureBytes);
    t.deepEqual(sign(signer, msg, pair.secretKey, zeros, context), bound);
    t.true(signer.verify(bound, msg, pair.publicKey, context));
    t.false(signer.verify(bound, msg, pair.publicKey));
  });
}
