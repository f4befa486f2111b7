// The extensions between two ends: discovery, hellos, resumption, key updates (docs/extensions.md, X1 to X5).
import test from 'ava';
import { ErrorCode } from '../../src/error.ts';
import { Discovery, EdgeFlag, Feature, Flag } from '../../src/params.ts';
import { Cipher, slotSecrets, Word } from '../../src/pool/slot.ts';
import { updateKeys } from '../../src/session/update.ts';
import { clientOf, deliver, newChain, serverOf, settle, split } from './pair.ts';
import {
  bothWays,
  bytes,
  clientEdge,
  exchange,
  fullPair,
  resumingPair,
  serverEdge,
  Tickets,
} from './edge-pair.ts';

const chain = newChain(1, 'edge');
const { crypto, now } = chain;
const sum = (packets: Uint8Array[]): number => packets.reduce((total, p) => total + p.length, 0);

for (const gcm of [false, true]) {
  const name = gcm ? 'AES-256-GCM' : 'RCS-256';

  test(`${name}: a full handshake with hellos; records both ways`, (t) => {
    const pair = fullPair(chain, { client: { gcm } });
    t.is(pair.client.state, 'established', pair.client.closed?.detail);
    t.is(pair.server.state, 'established', pair.server.closed?.detail);
    t.true(pair.client.confirmed && pair.server.confirmed);
    t.is(pair.client.slot.words[Word.cipher], gcm ? Cipher.gcm : Cipher.rcs);
    t.deepEqual(slotSecrets(pair.client.slot), slotSecrets(pair.server.slot));
    t.is(pair.tickets.client.length, 3);
    t.is(pair.tickets.server.size, 3);
    bothWays(t, chain, pair);
    bothWays(t, chain, pair, 3000);
  });

  test(`${name}: resumption, on the bytes the tables allow, one ticket for one connection`, (t) => {
    const { tickets } = fullPair(chain, { client: { gcm } });
    const ticket = tickets.client[0]!;
    const pair = resumingPair(chain, tickets, ticket, { client: { gcm } });
    exchange(chain, pair);
    t.is(pair.client.state, 'established', pair.client.closed?.detail);
    t.is(pair.server.state, 'established', pair.server.closed?.detail);
    t.is(102 + 85, 187);
    t.is(pair.sent.client[0]!.length, 102);
    const total = sum(pair.sent.client) + sum(pair.sent.server);
    t.true(total <= (gcm ? 520 : 560), `${total} bytes`);
    bothWays(t, chain, pair);
    t.is(tickets.client.length, 3, 'topped up');
    t.is(tickets.server.size, 3);
    t.is(tickets.taken, 1);
    const again = resumingPair(chain, tickets, { ...ticket }, { client: { gcm } });
    exchange(chain, again);
    t.is(again.client.closed?.reason, 'peer_error');
    t.is(again.client.closed?.code, ErrorCode.keyUnrecognized);
    t.is(again.server.closed?.reason, 'ticket_refused');
    bothWays(t, chain, pair);
  });

  test(`${name}: key updates of both ends at once, then on; refused if too soon`, (t) => {
    const pair = fullPair(chain, { client: { gcm } });
    const { client, server } = pair;
    client.updateKeys(now);
    const first = client.takeOutput()!;
    deliver(server, first, crypto, now);
    t.is(server.closed?.reason, 'key_update');

    const other = fullPair(chain, { client: { gcm } });
    const late = now + 3601;
    for (let i = 0; i < 3; i++) {
      const at = late + 3601 * i;
      other.client.updateKeys(at);
      other.server.updateKeys(at);
      const [a, b] = [other.client.takeOutput()!, other.server.takeOutput()!];
      deliver(other.server, a, crypto, at);
      deliver(other.client, b, crypto, at);
      bothWays(t, chain, other);
      t.is(other.client.slot.words[Word.txEpoch], i + 1);
      t.is(other.client.slot.words[Word.rxEpoch], i + 1);
    }
  });

  test(`${name}: a KEM rekey gives both ends new chains, and the connection goes on`, (t) => {
    const pair = fullPair(chain, { client: { gcm } });
    const before = slotSecrets(pair.client.slot).slice();
    pair.client.startRekey(now);
    exchange(chain, pair);
    t.is(pair.client.state, 'established', pair.client.closed?.detail);
    t.is(pair.server.state, 'established', pair.server.closed?.detail);
    const after = slotSecrets(pair.client.slot);
    t.deepEqual(after, slotSecrets(pair.server.slot));
    for (let i = 0; i < 96; i += 32) t.notDeepEqual(after.subarray(i, i + 32), before.subarray(i, i + 32));
    bothWays(t, chain, pair);
    t.is(pair.client.slot.words[Word.txEpoch], 1);
    t.is(pair.server.slot.words[Word.txEpoch], 1);
    t.is(pair.client.rekey, null);
    t.is(pair.server.rekey, null);
  });
}

test('an update is due after the limit of packets, and a counter that is lowered shows it', (t) => {
  const pair = fullPair(chain, { client: { updatePackets: 1100 } });
  let updates = 0;
  for (let i = 0; i < 2500; i++) {
    if (pair.client.updateDue(now)) {
      updates++;
      pair.client.updateKeys(now);
      deliver(pair.server, pair.client.takeOutput()!, crypto, now);
    }
    t.is(deliver(pair.server, pair.client.seal(bytes(3), now), crypto, now).length, 1);
  }
  t.is(updates, 2);
});

test('extensions required, allowed and never, of both ends', (t) => {
  for (const ours of ['require', 'allow', 'never'] as const) {
    for (const theirs of ['require', 'allow', 'never'] as const) {
      const pair = fullPair(chain, { client: { extensions: ours }, server: { extensions: theirs } });
      const { client, server } = pair;
      const what = `client ${ours}, server ${theirs}`;
      if (ours === 'never') {
        t.is(client.state, theirs === 'require' ? 'closed' : 'established', what);
        if (theirs === 'require') t.is(client.closed?.code, ErrorCode.extensionsRequired);
      } else if (theirs === 'never') {
        t.is(client.state, 'hello', what);
        client.helloMissed(now);
        t.is(client.state, ours === 'allow' ? 'established' : 'closed', what);
        if (ours === 'require') {
          t.is(client.closed?.reason, 'extensions_missing');
          deliver(server, client.takeOutput()!, crypto, now);
          t.true(server.closed?.authenticated, 'the strict server is told in a sealed notice');
        } else bothWays(t, chain, pair);
      } else {
        t.is(client.state, 'established', what);
        t.is(client.slot.words[Word.features], Feature.keepalive | 2 | 4 | 32 | 256);
        bothWays(t, chain, pair);
      }
    }
  }
});

test('discovery bits cleared or set on the way are noticed by the client', (t) => {
  for (let bit = 0; bit < 4; bit++) {
    for (const gcm of [true, false]) {
      const tickets = new Tickets();
      const client = clientOf(chain, { verified: 'chain', edge: clientEdge(chain, tickets, { gcm }) });
      const server = serverOf(chain, { edge: serverEdge(chain, tickets) });
      server.start(now);
      client.start(now);
      settle(client, crypto, now);
      const s1 = client.takeOutput()!;
      s1[21 + 16 + 41]! ^= 1 << bit;
      deliver(server, s1, crypto, now);
      const pair = { client, server, sent: { client: [], server: [] } };
      exchange(chain, pair);
      const what = `bit ${bit}, gcm ${gcm}`;
      t.not(client.state, 'established', what);
      t.not(server.state === 'established' && server.confirmed, true, what);
      if (bit === 0) {
        client.helloMissed(now);
        t.is(client.closed?.reason, 'extensions_missing', what);
      } else {
        t.true(['hello_mismatch', 'not_fresh'].includes(client.closed!.reason), client.closed!.reason);
      }
    }
  }
});

test('a client without a clock is synced by a signed hello, within the certificate and not before its floor', (t) => {
  const accepted: number[] = [];
  const clock = (good: boolean) => ({
    state: 1 as const,
    floor: chain.server.from + 5,
    accept: (time: number) => {
      accepted.push(time);
      return good;
    },
  });
  const pair = fullPair(chain, { client: { clock: clock(true) }, clientNow: 0 });
  t.is(pair.client.state, 'established', pair.client.closed?.detail);
  t.deepEqual(accepted, [now * 1000]);
  t.is(pair.sent.client[0]![21 + 16 + 41], Discovery.edge | Discovery.clockNotSet | Discovery.gcm);
  bothWays(t, chain, pair);
  const refused = fullPair(chain, { client: { clock: clock(false) }, clientNow: 0 });
  t.is(refused.client.closed?.reason, 'server_time');
  t.is(refused.server.closed?.code, ErrorCode.messageTimeInvalid);

  const strict = clientOf(chain, { verified: 'chain' });
  strict.start(0);
  t.is(strict.closed?.reason, 'clock_not_set');
  // A strict client with time 0 in its header is refused by a server that would take the extensions' word for it.
  const server = serverOf(chain, { edge: serverEdge(chain, new Tickets()) });
  server.start(now);
  const client = clientOf(chain, { verified: 'chain' });
  client.start(now);
  const s1 = client.takeOutput()!;
  s1.fill(0, 13, 21);
  deliver(server, s1, crypto, now);
  t.is(server.closed?.reason, 'time');
});

test('a recorded handshake played back does not set the clock', (t) => {
  const options = {
    client: { clock: { state: 1 as const, floor: chain.server.from, accept: () => t.fail('accepted') } },
  };
  const first = fullPair(chain, {
    client: { ...options.client, clock: { ...options.client.clock, accept: () => true } },
    clientNow: 0,
  });
  const tickets = new Tickets();
  const client = clientOf(chain, { verified: 'chain', edge: clientEdge(chain, tickets, options.client) });
  // Its coins differ from those of the recording.
  client.start(0);
  settle(client, crypto, 0);
  client.takeOutput();
  for (const packet of first.sent.server) deliver(client, packet, crypto, 0);
  t.is(client.state, 'closed');
  t.true(['cookie', 'authentication'].includes(client.closed!.reason), client.closed!.reason);
});

test('the freshness signature is asked for, checked, and missed when it is not there', (t) => {
  const good = fullPair(chain, { client: { freshness: true } });
  t.is(good.client.state, 'established', good.client.closed?.detail);
  for (const change of [
    // a fragment of the signature, its order, the hello before it
    (server: Uint8Array[]) => server.slice(1),
    (server: Uint8Array[]) => [server[1]!, server[0]!],
  ]) {
    const tickets = new Tickets();
    const client = clientOf(chain, {
      verified: 'chain',
      edge: clientEdge(chain, tickets, { freshness: true }),
    });
    const server = serverOf(chain, { edge: serverEdge(chain, tickets) });
    server.start(now);
    client.start(now);
    const step = (from: typeof client, to: typeof client): void => {
      settle(from, crypto, now);
      deliver(to, from.takeOutput()!, crypto, now);
      settle(to, crypto, now);
    };
    step(client, server);
    step(server, client);
    step(client, server);
    const packets = split(server.takeOutput()!);
    deliver(client, packets[0]!, crypto, now);
    for (const packet of change(packets.slice(1))) deliver(client, packet, crypto, now);
    t.is(client.closed?.reason, 'sequence');
  }
});

test('plain terminate and error packets are ignored after the hello, and counted', (t) => {
  const pair = fullPair(chain);
  const plain = new Uint8Array(22);
  plain[0] = 0x13;
  plain[1] = 1;
  deliver(pair.client, plain, crypto, now);
  const terminate = new Uint8Array(21);
  terminate[0] = 0x03;
  deliver(pair.client, terminate, crypto, now);
  deliver(pair.server, plain, crypto, now);
  t.is(pair.client.state, 'established');
  t.is(pair.client.slot.words[Word.ignored], 2);
  t.is(pair.server.slot.words[Word.ignored], 1);
  bothWays(t, chain, pair);
});

test('nothing is delivered before the hellos: a message in place of the hello closes', (t) => {
  const tickets = new Tickets();
  const client = clientOf(chain, { verified: 'chain', edge: clientEdge(chain, tickets) });
  const server = serverOf(chain, {});
  server.start(now);
  client.start(now);
  const pair = { client, server, sent: { client: [], server: [] } };
  exchange(chain, pair);
  t.is(client.state, 'hello');
  t.deepEqual(deliver(client, server.seal(bytes(4), now), crypto, now), []);
  t.is(client.closed?.reason, 'extensions_missing');

  const allowed = clientOf(chain, {
    verified: 'chain',
    edge: clientEdge(chain, tickets, { extensions: 'allow' }),
  });
  const strict = serverOf(chain, {});
  strict.start(now);
  allowed.start(now);
  exchange(chain, { client: allowed, server: strict, sent: { client: [], server: [] } });
  t.deepEqual(deliver(allowed, strict.seal(bytes(4), now), crypto, now), [bytes(4)]);
  t.is(allowed.state, 'established');
});

test('a server that idles out sooner than the client polls is refused, with the figures', (t) => {
  const pair = fullPair(chain, { client: { pollMs: 20000, missed: 3 } });
  t.is(pair.client.closed?.reason, 'idle_too_short');
  t.regex(pair.client.closed!.detail, /60000 ms.*20000 ms.*80000 ms/);
  t.is(pair.server.closed?.code, ErrorCode.idleTooShort);
});

test('resumption: a replayed R1 leads nowhere; a forged proof, a reflected packet, a wrong server are refused', (t) => {
  const { tickets } = fullPair(chain);
  const ticket = tickets.client[0]!;
  const one = resumingPair(chain, tickets, ticket);
  const r1 = one.client.takeOutput()!;
  deliver(one.server, r1.slice(), crypto, now);
  const r2 = one.server.takeOutput()!;
  // Played again to another server session, before and after the ticket is used.
  const replayed = resumingPair(chain, tickets, ticket).server;
  deliver(replayed, r1.slice(), crypto, now);
  t.is(replayed.state, 'hello');
  deliver(one.client, r2.slice(), crypto, now);
  deliver(one.server, one.client.takeOutput()!, crypto, now);
  t.is(one.server.state, 'established');
  const late = resumingPair(chain, tickets, ticket).server;
  deliver(late, r1.slice(), crypto, now);
  t.is(late.closed?.reason, 'ticket_refused');
  t.is(tickets.taken, 1);

  for (let byte = 21; byte < 102; byte += 5) {
    const forged = resumingPair(chain, tickets, tickets.client[0]!);
    const packet = forged.client.takeOutput()!;
    packet[byte]! ^= 4;
    deliver(forged.server, packet, crypto, now);
    t.is(forged.server.closed?.reason, 'ticket_refused', `byte ${byte}`);
    t.deepEqual(
      [...forged.server.takeOutput()!.subarray(0, 13)],
      [0x13, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff],
    );
  }
  for (let byte = 21; byte < 85; byte += 5) {
    const forged = resumingPair(chain, tickets, tickets.client[0]!);
    deliver(forged.server, forged.client.takeOutput()!, crypto, now);
    const packet = forged.server.takeOutput()!;
    packet[byte]! ^= 4;
    deliver(forged.client, packet, crypto, now);
    t.is(forged.client.closed?.reason, 'resume_proof', `byte ${byte}`);
  }
  const reflected = resumingPair(chain, tickets, tickets.client[0]!);
  const own = reflected.client.takeOutput()!;
  deliver(reflected.client, own, crypto, now);
  t.not(reflected.client.state, 'established');
  t.is(tickets.client.length, 2, 'nothing unauthenticated uses a ticket up');
});

test('packets in Node Buffers, whose slices are views, are judged alike', (t) => {
  const { tickets } = fullPair(chain);
  const ticket = tickets.client[0]!;
  const packet = (): Buffer => Buffer.from(resumingPair(chain, tickets, ticket).client.takeOutput()!);
  const answer = (r1: Buffer): number => {
    const { server } = resumingPair(chain, tickets, ticket);
    t.is(server.receive(r1, 0, chain.now), r1.length);
    settle(server, chain.crypto, chain.now);
    return server.takeOutput()![0]!;
  };
  t.is(answer(packet()), EdgeFlag.resumeResponse);
  const forged = packet();
  forged[forged.length - 1]! ^= 1;
  t.is(answer(forged), Flag.errorCondition);
});

test('two connections race for one ticket: the loser closes, nothing was delivered to it', (t) => {
  const { tickets } = fullPair(chain);
  const ticket = tickets.client[0]!;
  const [one, two] = [resumingPair(chain, tickets, ticket), resumingPair(chain, tickets, { ...ticket })];
  for (const pair of [one, two]) {
    deliver(pair.server, pair.client.takeOutput()!, crypto, now);
    deliver(pair.client, pair.server.takeOutput()!, crypto, now);
  }
  exchange(chain, one);
  exchange(chain, two);
  t.is(one.server.state, 'established');
  t.is(two.server.closed?.reason, 'ticket_used');
  t.is(two.client.closed?.code, ErrorCode.ticketUsed);
});

test('a store that keeps no ticket: none is told of, and later ones agree at both ends', (t) => {
  const tickets = new Tickets();
  tickets.full = true;
  const pair = fullPair(chain, { tickets });
  t.is(pair.client.state, 'established');
  t.is(tickets.client.length, 0);
  t.deepEqual(slotSecrets(pair.client.slot), slotSecrets(pair.server.slot));
});

test('tickets expire', (t) => {
  const { tickets } = fullPair(chain, { server: { ticketLifetime: 100 } });
  const pair = resumingPair(chain, tickets, tickets.client[0]!);
  pair.server.receive(pair.client.takeOutput()!, 0, now + 50);
  settle(pair.server, crypto, now + 50);
  t.is(pair.server.state, 'hello');
  const late = resumingPair(chain, tickets, tickets.client[0]!, { clientNow: now + 101 });
  late.server.receive(late.client.takeOutput()!, 0, now + 101);
  settle(late.server, crypto, now + 101);
  t.is(late.server.closed?.reason, 'ticket_refused');
});

test('control messages that were not agreed on, malformed or out of turn close the connection', (t) => {
  const features = Feature.keepalive;
  const pair = fullPair(chain, { server: { features } });
  t.is(pair.client.slot.words[Word.features], features);
  t.is(pair.tickets.client.length, 0, 'no resumption, no ticket');
  t.throws(() => pair.client.startRekey(now), { code: 'rekey_unavailable' });
  t.false(pair.client.updateDue(now + 1_000_000));
  t.throws(() => pair.client.updateKeys(now + 10000), { code: 'update_unavailable' });
  updateKeys(pair.client, now + 10000);
  deliver(pair.server, pair.client.takeOutput()!, crypto, now + 10000);
  t.is(pair.server.closed?.reason, 'key_update');
});

test('a resumed connection rekeys if it is given the algorithms, else it is not offered', (t) => {
  const { tickets } = fullPair(chain);
  const plain = resumingPair(chain, tickets, tickets.client[0]!);
  exchange(chain, plain);
  t.is(plain.client.slot.words[Word.features]! & Feature.kemRekey, 0);
  const able = resumingPair(chain, tickets, tickets.client[0]!, { client: { crypto }, server: { crypto } });
  exchange(chain, able);
  t.not(able.client.slot.words[Word.features]! & Feature.kemRekey, 0);
  able.client.startRekey(now);
  exchange(chain, able);
  t.is(able.client.state, 'established', able.client.closed?.detail);
  bothWays(t, chain, able);
});
