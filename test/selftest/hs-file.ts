// Makes a handshake known-answer file of any suite, in the format of hs.*.json. It comes from the
// implementation itself: it shows that the runner takes other files, not that the answers are right.

import { cshake256 } from '@noble/hashes/sha3-addons.js';
import { certificateHash } from '../../src/cert/certificate.ts';
import {
  bindServerKey,
  generateRootKey,
  generateServerKey,
  rootCertificate,
  signServerCertificate,
} from '../../src/cert/issue.ts';
import { encodeKey } from '../../src/cert/key-file.ts';
import { encodeCertificateText } from '../../src/cert/text.ts';
import { encodeError } from '../../src/wire/messages.ts';
import { noble } from '../../src/crypto/noble.ts';
import { encapsulate } from '../../src/crypto/provider.ts';
import { ascii, toHex } from '../../src/bytes.ts';
import { CONFIG_BYTES, Flag } from '../../src/params.ts';
import { ratchetState, sealRecord } from '../../src/session/channel.ts';
import { ratchetKeys } from '../../src/session/transcript.ts';
import { labelledRandom } from '../kat.ts';
import { clientOf, connect, deliver, serverOf } from '../session/pair.ts';

/** `lengths`: of the messages, sent by turns, the client first. */
export function makeHsFile(suiteId: number, lengths: readonly number[]): Record<string, unknown> {
  const crypto = noble.suite(suiteId);
  const time = 1_800_000_000;
  const zeros = new Uint8Array(32);
  const make = labelledRandom();
  const rootKey = generateRootKey(crypto, 'file.qrr', 30, time - 60, make('root'));
  const root = rootCertificate(crypto, rootKey, zeros);
  const unbound = generateServerKey(crypto, 'file.qrc', 90, time - 30, make('srvkey'));
  const server = signServerCertificate(crypto, root, rootKey, unbound, zeros);
  const key = bindServerKey(unbound, root, server);
  const [rootText, serverText] = [encodeCertificateText(root), encodeCertificateText(server)];

  const open = () => {
    const chain = { crypto, root, server, key, random: labelledRandom(), now: time };
    const [c, s] = [clientOf(chain), serverOf(chain)];
    return { chain, client: c, server: s, packets: connect(chain, c, s) };
  };
  const [one, other] = [open(), open()];
  // The keys are derived anew from the packets, not read off a channel.
  const coins = new Uint8Array(32);
  labelledRandom()('client')(coins);
  const kemKey = one.packets[1]!.subarray(21 + crypto.suite.signatureBytes + 32);
  const { sharedSecret } = encapsulate(crypto.kem, kemKey, coins)!;
  const material = cshake256(sharedSecret, {
    NISTfn: 'QSTP-1.4-SESSION',
    personalization: one.packets[3]!.subarray(21),
    dkLen: 128,
  });
  const data = lengths.map((length, i) => {
    const plain = Uint8Array.from({ length }, (_, j) => (i + 7 * j) & 255);
    const packets = [one, other].map((p) => {
      const [from, to] = i % 2 === 0 ? [p.client, p.server] : [p.server, p.client];
      const packet = from.seal(plain, time + 1);
      deliver(to, packet.slice(), crypto, time + 1);
      return packet;
    });
    return { dir: i % 2 === 0 ? 'c2s' : 's2c', plain: toHex(plain), packet: toHex(packets[0]!) };
  });
  other.server.close({ reason: 'local', code: 0, detail: '', authenticated: false }, time + 3);

  const token = new Uint8Array(32);
  labelledRandom()('ratchet')(token);
  const before = ratchetState(one.client.slot).slice();
  const after = ratchetKeys(token, ascii(crypto.suite.name, CONFIG_BYTES), before);
  const ratchet = new Uint8Array(21 + 32 + 32);
  ratchet.set(token, 21);
  sealRecord(one.client.slot, ratchet, Flag.symmetricRatchetRequest, 32, 0);

  const pairs = (m: Uint8Array) => [
    { key: toHex(m.subarray(0, 32)), nonce: toHex(m.subarray(32, 64)) },
    { key: toHex(m.subarray(64, 96)), nonce: toHex(m.subarray(96, 128)) },
  ];
  const [c2s, s2c] = pairs(material);
  const [clientTx, clientRx] = pairs(after.material);
  return {
    config: crypto.suite.name,
    mac: 'kmac-r24',
    time,
    rng: 'SHAKE256(label||le32(ctr)), ctr++ per call',
    certs: {
      rootKeyFile: toHex(encodeKey(rootKey)),
      rootCertFile: toHex(root.bytes),
      serverKeyFile: toHex(encodeKey(key)),
      serverCertFile: toHex(server.bytes),
      rootCertTextHex: toHex(ascii(rootText)),
      rootTextLen: rootText.length,
      rootDecodeOk: true,
      rootRoundtrip: true,
      serverCertTextHex: toHex(ascii(serverText)),
      serverTextLen: serverText.length,
      serverDecodeOk: true,
      serverRoundtrip: true,
      rootHash: toHex(certificateHash(root)),
      serverHash: toHex(certificateHash(server)),
      schash0: toHex(key.cookie),
    },
    handshake: one.packets.map((packet, i) => ({
      from: i % 2 === 0 ? 'client' : 'server',
      packet: toHex(packet),
    })),
    keys: [
      { side: 'client', dir: 'tx', ...c2s },
      { side: 'client', dir: 'rx', ...s2c },
      { side: 'server', dir: 'rx', ...c2s },
      { side: 'server', dir: 'tx', ...s2c },
    ],
    rtcsClient: toHex(before),
    rtcsServer: toHex(before),
    data,
    ratchet: {
      sent: true,
      note: '',
      packet: toHex(ratchet),
      client_tx: clientTx,
      client_rx: clientRx,
      token: toHex(token),
      rtcsAfter: toHex(after.ratchet),
    },
    kexErrorPacket_keyExpired: toHex(encodeError(0x0e, time + 3)),
    closeNotice: { from: 'server', err: 0, packet: toHex(other.server.takeOutput()!) },
  };
}
