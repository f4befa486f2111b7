// Two ends that do again what a file of kind `hs` says, out of the random source it was made with.

import { ascii, concat, equal, putU32 } from '../bytes.ts';
import type { Provider, Random, SuiteCrypto } from '../crypto/provider.ts';
import type { Session } from '../session/session.ts';
import type { HashApi, RcsApi, SessionApi } from './api.ts';
import { FormatError, hex } from './fields.ts';
import type { Entry } from './fields.ts';
import type { Script } from './hs-script.ts';

const RATE_256 = 136;

export interface HsParts {
  readonly provider: Provider;
  readonly hash: HashApi;
  readonly rcs: RcsApi;
  readonly session: SessionApi;
}

/** draw(label)(out) fills `out` with SHAKE256(label || le32(counter)); each label counts from 0. */
export type Draw = (label: string) => Random;

export function labelledRandom(hash: HashApi): Draw {
  const counters: Record<string, number> = {};
  return (label) => (out) => {
    const counter = counters[label] ?? 0;
    counters[label] = counter + 1;
    const tail = new Uint8Array(4);
    putU32(tail, 0, counter);
    out.set(hash.shake(RATE_256, concat([ascii(label), tail]), out.length));
  };
}

/** A client and a server joined without a network; both see the same random source. */
export class Pair {
  readonly client: Session;
  readonly server: Session;
  readonly draw: Draw;
  /** Everything either sent in the handshake. */
  readonly sent: Uint8Array[] = [];
  private readonly crypto: SuiteCrypto;
  private readonly parts: HsParts;

  constructor(certs: Entry, crypto: SuiteCrypto, parts: HsParts, script: Script, keyEnd?: number) {
    const { session } = parts;
    this.crypto = crypto;
    this.parts = parts;
    this.draw = labelledRandom(parts.hash);
    const root = session.decodeRootCertificate(hex(certs, 'rootCertFile'));
    const server = session.decodeServerCertificate(hex(certs, 'serverCertFile'));
    const key = session.decodeKey(hex(certs, 'serverKeyFile'));
    if (key.kind !== 'server') throw new FormatError('certs.serverKeyFile is a root key');
    const bound = session.serverIdentity(crypto, root, server, key);
    const identity = keyEnd === undefined ? bound : { ...bound, key: { ...key, to: keyEnd } };
    this.client = session.createSession(
      session.createClient({ crypto, root, server, random: this.draw('client'), verified: 'chain' }),
    );
    this.server = session.createSession(
      session.createServer({
        identify: (serial) => (equal(serial, server.serial) ? identity : null),
        random: this.draw('server'),
        deterministicSigning: true,
      }),
    );
    this.server.start(script.time);
  }

  private settle(end: Session, now: number): void {
    while (end.pending !== null) end.resume(this.parts.session.runJob(this.crypto, end.pending), now);
  }

  /** Hands a packet over at `now`; returns the message it brought, if any. */
  deliver(end: Session, packet: Uint8Array, now: number): Uint8Array | null {
    let message: Uint8Array | null = null;
    // A session opens packets where they lie.
    packet = concat([packet]);
    for (let at = 0; at < packet.length && end.state !== 'closed';) {
      const taken = end.receive(packet, at, now);
      if (taken === 0) break;
      at += taken;
      this.settle(end, now);
      if (end.message !== null) message = end.message.slice();
    }
    return message;
  }

  /** The handshake; each end writes a packet at the time its known answer bears. */
  connect(script: Script): void {
    const { handshake } = script;
    this.client.start(handshake[0]!.time);
    this.settle(this.client, handshake[0]!.time);
    for (const [i, { fromClient, time }] of handshake.entries()) {
      const [from, to] = fromClient ? [this.client, this.server] : [this.server, this.client];
      const packet = from.takeOutput();
      if (packet === null) throw new Error(`no packet ${i + 1}: ${from.closed?.detail ?? from.state}`);
      this.sent.push(packet.slice());
      this.deliver(to, packet, handshake[i + 1]?.time ?? time);
    }
    if (this.client.state !== 'established' || this.server.state !== 'established') {
      const why = this.client.closed ?? this.server.closed;
      throw new Error(`the handshake ended as ${why?.detail ?? 'neither established nor closed'}`);
    }
  }

  ends(fromClient: boolean): readonly [from: Session, to: Session] {
    return fromClient ? [this.client, this.server] : [this.server, this.client];
  }
}
