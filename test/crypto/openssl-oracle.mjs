// Run by Node 24.7 or later: ML-KEM and ML-DSA of OpenSSL 3.5 over cases as JSON lines on standard input,
// one line of results for each. Byte strings are hexadecimal.
import { createPrivateKey, createPublicKey, decapsulate, encapsulate, sign, verify } from 'node:crypto';
import { createInterface } from 'node:readline';

const hex = (text) => Buffer.from(text, 'hex');
const text = (bytes) => Buffer.from(bytes).toString('hex');
const open = (make) => {
  try {
    return make();
  } catch {
    return null;
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  const c = JSON.parse(line);
  const type = { asymmetricKeyType: c.type };
  const secret = createPrivateKey({ key: hex(c.seed), format: 'raw-seed', ...type });
  const publicKey = createPublicKey(secret);
  const out = { publicKey: text(publicKey.export({ format: 'raw-public' })) };
  if (c.type.startsWith('ml-kem')) {
    out.secrets = c.ciphertexts.map((ciphertext) => text(decapsulate(secret, hex(ciphertext))));
    const sent = encapsulate(publicKey);
    out.sent = { ciphertext: text(sent.ciphertext), sharedSecret: text(sent.sharedKey) };
    out.accepted = c.keys.map((key) => {
      const imported = open(() => createPublicKey({ key: hex(key), format: 'raw-public', ...type }));
      return imported !== null && open(() => encapsulate(imported)) !== null;
    });
  } else {
    const context = hex(c.context);
    out.verdicts = c.signatures.map((s) => verify(null, hex(c.message), { key: publicKey, context }, hex(s)));
    out.signature = text(sign(null, hex(c.message), { key: secret, context }));
  }
  console.log(JSON.stringify(out));
}
