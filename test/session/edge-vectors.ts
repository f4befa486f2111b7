// Known-answer transcripts of the extensions: two real sessions with the deterministic random source of
// test/kat.ts, every packet they send and every secret behind it. tools/gen-edge-vectors.mjs writes them to
// test/vectors/edge; edge-vectors.test.ts checks that they are up to date, and recomputes them independently.
import { concat, toHex } from '../../src/bytes.ts';
import { sha3_256 } from '../../src/crypto/micro/sponge.ts';
import type { SuiteCrypto } from '../../src/crypto/provider.ts';
import { sessionCookie } from '../../src/cert/cookie.ts';
import { EdgeFlag } from '../../src/params.ts';
import { Cipher, slotSecrets } from '../../src/pool/slot.ts';
import { sendDelivered } from '../../src/session/control.ts';
import { provisionedSecret, reprovisionedSecret, trafficKeys } from '../../src/session/secrets.ts';
import type { Session } from '../../src/session/session.ts';
import { chainOwner, clientEdge, resumingPair, serverEdge, Tickets } from './edge-pair.ts';
import { clientOf, deliver, newChain, serverOf, settle, split } from './pair.ts';
import type { Chain } from './pair.ts';

export type CipherName = 'rcs' | 'gcm';

export interface Step {
  from: 'client' | 'server';
  /** Hex; of a long packet of the second file its length and SHA3-256. */
  packet: string;
}

export interface Secrets {
  /** Both chains and export, hex. */
  chain0: string;
  chain1: string;
  export: string;
}

export interface Connection {
  kind: 0 | 1;
  /** Z: the ML-KEM shared secret, or the resumption secret. */
  z: string;
  transcript: string;
  secrets: Secrets;
  /** Key and nonce, or key and salt, of epoch 0 in either direction as the "traffic" label gives them. */
  traffic: { dir: number; epoch: number; keys: string }[];
  steps: Step[];
  tickets: { id: string; secret: string }[];
  rekey: { sharedSecret: string } | null;
  /** Plaintext of each message, in the order of its packets. */
  messages: string[];
  /** At the end. */
  after: Secrets;
}

export interface EdgeFile {
  about: string;
  suite: number;
  cipher: CipherName;
  time: number;
  /** H(root certificate), H(server certificate), H of both. */
  rootHash: string;
  serverHash: string;
  cookie: string;
  full: Connection;
  resumed: Connection;
  provisioned: Record<'deviceSecret' | 'id' | 'anchor' | 'secret', string>;
  reprovisioned: Record<'export' | 'id' | 'secret', string>;
}

const LABEL = 'edge-vectors';
const LONG = 1300;

function secretsOf(bytes: Uint8Array): Secrets {
  return {
    chain0: toHex(bytes.subarray(0, 32)),
    chain1: toHex(bytes.subarray(32, 64)),
    export: toHex(bytes.subarray(64)),
  };
}

/** The chain with algorithms that write down the shared secrets they lead to. */
function listening(chain: Chain): { chain: Chain; secrets: string[] } {
  const secrets: string[] = [];
  const { kem } = chain.crypto;
  const crypto: SuiteCrypto = {
    ...chain.crypto,
    kem: {
      ...kem,
      encapsulateInto(publicKey, coins, ciphertext, sharedSecret) {
        const good = kem.encapsulateInto(publicKey, coins, ciphertext, sharedSecret);
        secrets.push(toHex(sharedSecret));
        return good;
      },
    },
  };
  return { chain: { ...chain, crypto }, secrets };
}

/** Runs two sessions, and writes down what they send. */
class Recorder {
  readonly steps: Step[] = [];
  readonly messages: string[] = [];
  readonly raw: Uint8Array[] = [];
  readonly chain: Chain;
  readonly client: Session;
  readonly server: Session;
  secrets: Secrets | null = null;
  private readonly short: boolean;

  constructor(chain: Chain, client: Session, server: Session, short: boolean) {
    this.chain = chain;
    this.client = client;
    this.server = server;
    this.short = short;
  }

  private note(from: 'client' | 'server', bytes: Uint8Array): void {
    for (const packet of split(bytes)) {
      this.raw.push(packet);
      const long = this.short && packet.length > LONG;
      this.steps.push({ from, packet: long ? `${packet.length} ${toHex(sha3_256(packet))}` : toHex(packet) });
    }
  }

  /** Until both have nothing more to say. */
  run(now: number): void {
    const { client, server, chain } = this;
    for (let quiet = 0; quiet < 2;) {
      quiet = 0;
      for (const [name, from, to] of [
        ['client', client, server],
        ['server', server, client],
      ] as const) {
        settle(from, chain.crypto, now);
        if (this.secrets === null && name === 'client' && from.state === 'hello') this.peek();
        const packet = from.takeOutput();
        if (packet === null) {
          quiet++;
          continue;
        }
        this.note(name, packet);
        deliver(to, packet, chain.crypto, now);
        if (this.secrets === null && name === 'client' && server.state === 'hello') this.peek();
      }
    }
  }

  /** The secrets before any ticket moves export on. */
  private peek(): void {
    if (this.server.state === 'hello') this.secrets = secretsOf(slotSecrets(this.server.slot));
  }

  say(from: 'client' | 'server', text: string, now: number): void {
    const packet = this[from].seal(new Uint8Array(Buffer.from(text)), now);
    this.messages.push(text);
    this.note(from, packet);
    deliver(this[from === 'client' ? 'server' : 'client'], packet, this.chain.crypto, now);
  }

  keepalive(from: 'client' | 'server', flag: number, length: number, now: number): void {
    const packet = new Uint8Array(200);
    for (let i = 0; i < length; i++) packet[21 + i] = i + 1;
    const bytes = packet.slice(0, this[from].sealKeepalive(flag, packet, length, now));
    // Sealed in place: the slice has to come after.
    bytes.set(packet.subarray(0, bytes.length));
    this.note(from, bytes);
    deliver(this[from === 'client' ? 'server' : 'client'], bytes, this.chain.crypto, now);
  }

  connection(
    cipher: number,
    kind: 0 | 1,
    z: string,
    transcript: Uint8Array,
    tickets: Tickets,
    from: number,
    rekeyed: string | null,
  ): Connection {
    const { client, server, secrets } = this;
    if (client.state !== 'established' || server.state !== 'established') {
      throw new Error(`${client.closed?.detail} ${server.closed?.detail}`);
    }
    if (toHex(slotSecrets(client.slot)) !== toHex(slotSecrets(server.slot)))
      throw new Error('secrets differ');
    const chains = [secrets!.chain0, secrets!.chain1];
    return {
      kind,
      z,
      transcript: toHex(transcript),
      secrets: secrets!,
      traffic: chains.map((chain, dir) => ({
        dir,
        epoch: 0,
        keys: toHex(trafficKeys(Uint8Array.from(Buffer.from(chain, 'hex')), cipher, dir, 0)),
      })),
      steps: this.steps,
      tickets: tickets.client.slice(from).map(({ id, secret }) => ({ id: toHex(id), secret: toHex(secret) })),
      rekey: rekeyed === null ? null : { sharedSecret: rekeyed },
      messages: this.messages,
      after: secretsOf(slotSecrets(client.slot)),
    };
  }
}

/** The transcript of one cipher: a full handshake with all that can follow, then a resumption. */
export function edgeFile(cipher: CipherName): EdgeFile {
  const { chain, secrets } = listening(newChain(2, LABEL));
  const { now } = chain;
  const gcm = cipher === 'gcm';
  const number = gcm ? Cipher.gcm : Cipher.rcs;
  const tickets = new Tickets();
  const cookie = sessionCookie(chain.root.hash, chain.server.hash);
  const client = clientOf(chain, {
    verified: 'chain',
    edge: clientEdge(chain, tickets, { gcm, freshness: true }),
  });
  const server = serverOf(chain, { edge: serverEdge(chain, tickets) });
  for (const session of [client, server]) session.owner = chainOwner();
  server.start(now);
  client.start(now);
  const full = new Recorder(chain, client, server, gcm);
  full.run(now);
  full.say('client', 'read 40001', now);
  full.say('server', 'value 17', now);
  full.keepalive('client', EdgeFlag.keepaliveRequest, 8, now + 1);
  full.keepalive('server', EdgeFlag.keepaliveResponse, 12, now + 1);
  const later = now + 3601;
  client.updateKeys(later);
  server.updateKeys(later);
  full.run(later);
  full.say('client', 'after the update', later);
  full.say('server', 'the same', later);
  client.startRekey(now);
  full.run(later);
  full.say('client', 'after the rekey', later);
  full.say('server', 'the same again', later);
  sendDelivered(server, later);
  full.run(later);
  const [s2, s3] = [full.raw[1]!, full.raw[2]!];
  const sch1 = sha3_256(concat([cookie, s2.subarray(21 + 3309, 21 + 3309 + 32)]));
  const sch2 = sha3_256(concat([sch1, s3.subarray(21)]));
  const one = full.connection(number, 0, secrets[0]!, sch2, tickets, 0, secrets[1]!);

  const ticket = tickets.client[0]!;
  const z = toHex(ticket.secret);
  const again = resumingPair(chain, tickets, ticket, { client: { gcm } });
  for (const session of [again.client, again.server]) session.owner = chainOwner();
  const resumed = new Recorder(chain, again.client, again.server, gcm);
  resumed.run(now);
  resumed.say('client', 'read 40001 again', now);
  resumed.say('server', 'value 18', now);
  const transcript = sha3_256(concat([resumed.raw[0]!, resumed.raw[1]!]));
  const two = resumed.connection(number, 1, z, transcript, tickets, 5, null);

  const draw = (label: string, length: number): Uint8Array => {
    const out = new Uint8Array(length);
    chain.random(label)(out);
    return out;
  };
  const [deviceSecret, id, anchor] = [draw('device', 32), draw('credential', 16), draw('anchor', 16)];
  id[15]! |= 0x80;
  const from = slotSecrets(again.client.slot).slice(64);
  return {
    about: `QSTP-EDGE 1, ${gcm ? 'AES-256-GCM' : 'RCS-256'}: random bytes are SHAKE256(label || le32(count)); written by tools/gen-edge-vectors.mjs`,
    suite: 2,
    cipher,
    time: now,
    rootHash: toHex(chain.root.hash),
    serverHash: toHex(chain.server.hash),
    cookie: toHex(cookie),
    full: one,
    resumed: two,
    provisioned: {
      deviceSecret: toHex(deviceSecret),
      id: toHex(id),
      anchor: toHex(anchor),
      secret: toHex(provisionedSecret(deviceSecret, id, anchor)),
    },
    reprovisioned: { export: toHex(from), id: toHex(id), secret: toHex(reprovisionedSecret(from, id)) },
  };
}

export const EDGE_FILES: readonly CipherName[] = ['rcs', 'gcm'];

export function edgeJson(cipher: CipherName): string {
  return `${JSON.stringify(edgeFile(cipher), null, 1)}\n`;
}
