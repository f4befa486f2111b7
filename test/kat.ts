// The handshake known answers, and the deterministic random source they were made with.
import { RATE_256, shake } from '../src/crypto/micro/sponge.ts';
import type { Random } from '../src/crypto/provider.ts';
import { vectors } from './vectors.ts';

interface Keys {
  key: string;
  nonce: string;
}

export interface HandshakeFile {
  config: string;
  time: number;
  certs: Record<
    | 'rootKeyFile'
    | 'rootCertFile'
    | 'serverKeyFile'
    | 'serverCertFile'
    | 'rootCertTextHex'
    | 'serverCertTextHex'
    | 'rootHash'
    | 'serverHash'
    | 'schash0',
    string
  > & { rootTextLen: number; serverTextLen: number };
  handshake: { from: 'client' | 'server'; packet: string }[];
  keys: ({ side: 'client' | 'server'; dir: 'tx' | 'rx' } & Keys)[];
  rtcsClient: string;
  rtcsServer: string;
  data: { dir: 'c2s' | 's2c'; plain: string; packet: string }[];
  ratchet: { packet: string; client_tx: Keys; client_rx: Keys; token: string; rtcsAfter: string };
  kexErrorPacket_keyExpired: string;
  closeNotice: { from: 'client' | 'server'; err: number; packet: string };
}

/** `random(label)` draws SHAKE256(label || le32(counter)), the counter of each label starting at 0. */
export function labelledRandom(): (label: string) => Random {
  const counters = new Map<string, number>();
  return (label) => (out) => {
    const counter = counters.get(label) ?? 0;
    counters.set(label, counter + 1);
    const input = Buffer.concat([Buffer.from(label), Buffer.alloc(4)]);
    input.writeUInt32LE(counter, label.length);
    out.set(shake(RATE_256, input, out.length));
  };
}

export function kats(): { name: string; file: HandshakeFile; random: (label: string) => Random }[] {
  return ['hs.s3.json', 'hs.s5.json'].map((name) => ({
    name,
    file: vectors<HandshakeFile>(name),
    random: labelledRandom(),
  }));
}
