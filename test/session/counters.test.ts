// Counters at their ends: sequence numbers, the packets and bytes after which keys are updated, epochs.
import test from 'ava';
import { EdgeFlag, UPDATE_PACKETS } from '../../src/params.ts';
import { slotSecrets, Word } from '../../src/pool/slot.ts';
import type { Session } from '../../src/session/session.ts';
import { deliver, newChain, settle } from './pair.ts';
import { bothWays, bytes, fullPair } from './edge-pair.ts';

const chain = newChain(1, 'counters');
const { crypto, now } = chain;

for (const gcm of [false, true]) {
  const name = gcm ? 'AES-256-GCM' : 'RCS-256';

  const setSequence = (from: Session, to: Session, high: number, low: number): void => {
    from.slot.words[Word.txHigh] = high;
    from.slot.words[Word.txLow] = low;
    to.slot.words[Word.rxHigh] = high;
    to.slot.words[Word.rxLow] = low;
  };

  test(`${name}: sequence numbers carry into their high half, and end at 2^48`, (t) => {
    const pair = fullPair(chain, { client: { gcm } });
    const { client, server } = pair;
    setSequence(client, server, 0, 0x7ffffffe);
    for (let i = 0; i < 4; i++) t.is(deliver(server, client.seal(bytes(4), now), crypto, now).length, 1);
    setSequence(client, server, 0, -2);
    for (let i = 0; i < 4; i++) t.is(deliver(server, client.seal(bytes(4), now), crypto, now).length, 1);
    t.is(server.slot.words[Word.rxHigh], 1);
    setSequence(client, server, 65535, -2);
    t.is(deliver(server, client.seal(bytes(4), now), crypto, now).length, 1);
    t.throws(() => client.seal(bytes(4), now), { code: 'sequence_exhausted' });
    t.is(client.sealKeepalive(EdgeFlag.keepaliveRequest, new Uint8Array(99), 8, now), 0);
    const before = client.slot.words.slice();
    t.deepEqual(client.slot.words, before, 'nothing is sealed with a number twice');
    client.close({ reason: 'closed', code: 0, detail: '', authenticated: false }, now);
    t.is(client.takeOutput(), null);
    // And a peer that goes on is refused.
    const other = fullPair(chain, { client: { gcm } });
    setSequence(other.client, other.server, 65535, -1);
    deliver(other.server, beyond(other.client), crypto, now);
    t.is(other.server.closed?.reason, 'sequence');
  });

  /** A packet past the end, from a peer that does not stop there. */
  const beyond = (session: Session): Uint8Array => {
    session.slot.words[Word.txHigh] = 65535;
    session.slot.words[Word.txLow] = -2;
    const packet = session.seal(bytes(4), now);
    packet.fill(0, 5, 13);
    packet[11] = 1;
    return packet;
  };

  test(`${name}: an update is due after 2^24 packets, and not before`, (t) => {
    const { client } = fullPair(chain, { client: { gcm } });
    client.slot.words[Word.txPackets] = UPDATE_PACKETS - 1;
    t.false(client.updateDue(now));
    client.seal(bytes(1), now);
    t.true(client.updateDue(now));
    client.slot.words[Word.txPackets] = 0;
    client.slot.words[Word.txBytesHigh] = 15;
    t.false(client.updateDue(now));
    client.slot.words[Word.txBytesHigh] = 16;
    t.true(client.updateDue(now), '2^36 bytes');
  });

  test(`${name}: a rekey between messages of both directions, with updates before it`, (t) => {
    const pair = fullPair(chain, { client: { gcm } });
    const { client, server } = pair;
    const late = now + 3601;
    const toServer: Uint8Array[] = [];
    const toClient: Uint8Array[] = [];
    const say = (from: Session, queue: Uint8Array[], n: number): void =>
      void queue.push(from.seal(bytes(n), late));
    const take = (from: Session, queue: Uint8Array[]): void => {
      const packet = from.takeOutput();
      if (packet !== null) queue.push(packet);
    };
    client.updateKeys(late);
    take(client, toServer);
    client.startRekey(now);
    t.throws(() => client.updateKeys(late), { code: 'update_unavailable' });
    settle(client, crypto, late);
    take(client, toServer);
    // The server has not heard of the rekey, and updates.
    server.updateKeys(late);
    take(server, toClient);
    let [gotServer, gotClient] = [0, 0];
    for (let turn = 0; turn < 8; turn++) {
      say(client, toServer, 3);
      say(server, toClient, 3);
      // Half of each queue only: messages overtake no rekey, and a rekey no message.
      if (toServer.length > 0) gotServer += deliver(server, toServer.shift()!, crypto, late).length;
      settle(server, crypto, late);
      take(server, toClient);
      if (toClient.length > 0) gotClient += deliver(client, toClient.shift()!, crypto, late).length;
      settle(client, crypto, late);
      take(client, toServer);
    }
    for (const packet of toServer) gotServer += deliver(server, packet, crypto, late).length;
    take(server, toClient);
    for (const packet of toClient) gotClient += deliver(client, packet, crypto, late).length;
    t.is(client.state, 'established', client.closed?.detail);
    t.is(server.state, 'established', server.closed?.detail);
    t.deepEqual([gotServer, gotClient], [8, 8]);
    t.deepEqual(slotSecrets(client.slot), slotSecrets(server.slot));
    for (const session of [client, server]) {
      t.is(session.slot.words[Word.txEpoch], 2);
      t.is(session.slot.words[Word.rxEpoch], 2);
      t.is(session.rekey, null);
    }
    bothWays(t, chain, pair);
  });
}
