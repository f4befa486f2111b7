// Everything that can happen to the two ends of world.ts, as search.test.ts tries it.
import { Cipher, hasFlag, SlotFlag, Word } from '../../src/pool/slot.ts';
import { sealed } from '../../src/session/core.ts';
import { settleCipher } from '../../src/session/hello-client.ts';
import { runJob } from '../../src/crypto/job.ts';
import { QstpError } from '../../src/error.ts';
import { ControlType, EdgeFlag, Flag, HEADER_BYTES } from '../../src/params.ts';
import { DISCOVERY_AT, encodeError } from '../../src/wire/messages.ts';
import { R1_PROOF } from '../../src/wire/edge.ts';
import { putHeader } from '../../src/wire/header.ts';
import { EVIL, LIES } from './evil.ts';
import { fakeCrypto } from './fake.ts';
import { split } from './pair.ts';
import { CLOSE, OTHER } from './world.ts';
import type { Item, Name, World } from './world.ts';

type Add = (name: string, cost: number, run: (world: World) => void) => void;
export interface Input {
  name: string;
  cost: number;
  run(world: World): void;
}

/** Everything that can happen next. Those that honest ends and a good network do come with cost 0. */
export function inputs(world: World, others: Record<Name, Item[]>): Input[] {
  const list: Input[] = [];
  const add = (name: string, cost: number, run: (world: World) => void): void => {
    list.push({ name, cost, run });
  };
  // The straight way takes the first: a client signs its identity when the server has its hello.
  const signs = world.client.pending?.op === 'sign';
  for (const name of signs ? (['server', 'client'] as const) : (['client', 'server'] as const)) {
    const session = world[name];
    if (session.state === 'closed') continue;
    add(`${name} closes`, 1, (w) => {
      w[name].close(CLOSE, w.now);
      w.collect(name);
    });
    if (session.pending !== null) {
      add(`${name} goes on`, 0, (w) => w.verdict(name, null));
      add(`${name}'s operation fails`, 1, (w) => w.verdict(name, false));
      continue;
    }
    network(world, name, others, add);
    peer(world, name, add);
    local(world, name, add);
  }
  mallory(world, add);
  return list;
}

function network(world: World, name: Name, others: Record<Name, Item[]>, add: Add): void {
  const queue = world.queue[name];
  if (queue.length > 0) {
    add(`${name} gets ${queue[0]!.label}`, 0, (w) => {
      const { bytes, label } = w.queue[name].shift()!;
      w.give(name, bytes, label);
    });
    add(`${name} loses ${queue[0]!.label}`, 1, (w) => {
      w.queue[name].shift();
      w.lost = true;
    });
    for (const [byte, bit] of flips(queue[0]!.bytes)) {
      add(`${name} gets ${queue[0]!.label} with bit ${byte}.${bit} flipped`, 1, (w) => {
        const bytes = w.queue[name].shift()!.bytes.slice();
        bytes[byte]! ^= 1 << bit;
        // The discovery byte and the time of a record are the only ones that may pass.
        w.give(name, bytes, byte < 13 || byte > 20 ? 'flipped' : 'late');
      });
    }
    for (const keep of [HEADER_BYTES - 1, HEADER_BYTES, queue[0]!.bytes.length - 1]) {
      if (keep >= queue[0]!.bytes.length) continue;
      add(`${name} gets ${keep} bytes of ${queue[0]!.label}`, 1, (w) => {
        w.lost = true;
        w.give(name, w.queue[name].shift()!.bytes.subarray(0, keep), 'cut');
      });
    }
    if (queue.length > 1) {
      add(`${name}'s packets change places`, 1, (w) => {
        const [a, b] = w.queue[name].splice(0, 2);
        w.queue[name].unshift(b!, a!);
      });
    }
  }
  world.seen[name].forEach((item, i) => {
    if (item === queue[0]) return;
    add(`${name} gets packet ${i} (${item.label}) again`, 1, (w) =>
      w.give(name, w.seen[name][i]!.bytes, item.label),
    );
  });
  world.seen[OTHER[name]].forEach((item, i) => {
    add(`${name} gets its own packet ${i} (${item.label})`, 1, (w) =>
      w.give(name, w.seen[OTHER[name]][i]!.bytes, 'reflected'),
    );
  });
  others[name].forEach(({ bytes, label }, i) => {
    add(`${name} gets packet ${i} (${label}) of another connection`, 1, (w) =>
      w.give(name, bytes, 'foreign'),
    );
  });
  add(`${name} gets a plain error`, 1, (w) => w.give(name, encodeError(0x0f, w.now), 'plain'));
  for (const length of [0, 1, 33]) {
    add(`${name} gets a terminate of ${length}`, 1, (w) =>
      w.give(name, plain(w, name, 0x03, length), 'plain'),
    );
  }
  for (const flag of [
    Flag.encryptedMessage,
    EdgeFlag.control,
    EdgeFlag.controlGcm,
    EdgeFlag.keepaliveRequest,
  ]) {
    add(`${name} gets a forged ${flag}`, 1, (w) => w.give(name, plain(w, name, flag, 60), 'forged'));
  }
}

/** What a peer that holds the keys could seal, out of turn or malformed. */
function peer(world: World, name: Name, add: Add): void {
  const from = OTHER[name];
  const peer = world[from];
  // Instead of signing, a client with an identity may say anything else.
  const signs = world.config.identity === true && from === 'client' && peer.state === 'hello';
  if (peer.state === 'closed' || world.queue[name].length > 0 || (peer.pending !== null && !signs)) return;
  const keyed = peer.slot.words[Word.cipher] !== Cipher.none;
  const early = !keyed && peer.phase !== null && peer.role === 'client';
  if (!keyed && !early) return;
  if (keyed && from === 'client' && world.config.identity === true) liar(world, add);
  const flags = keyed ? [0] : [EdgeFlag.control, EdgeFlag.controlGcm];
  for (const first of flags) {
    EVIL.forEach(({ what, flag, body }) => {
      add(`${from} seals ${what}${first === 0 ? '' : `, keyed by ${first}`}`, 1, (w) => {
        const { slot } = w[from];
        if (first !== 0 && settleCipher(w[from], first, w.now) !== null) return;
        if (first !== 0 && w[from].state === 'closed') return;
        const gcm = slot.words[Word.cipher] === Cipher.gcm;
        const own = flag === EdgeFlag.control && gcm ? EdgeFlag.controlGcm : flag;
        const text = Buffer.from(body).toString();
        if (flag === Flag.encryptedMessage) w.sealed[from].push(text);
        const hello = body[0] === (from === 'client' ? ControlType.clientHello : ControlType.serverHello);
        w.give(name, sealed(slot, own, body, w.now), hello && body.length > 60 ? 'hello' : what);
      });
    });
  }
}

/** What a client that holds the keys of the connection could show as its identity. */
function liar(world: World, add: Add): void {
  const flag = world.server.slot.words[Word.cipher] === Cipher.gcm ? EdgeFlag.controlGcm : EdgeFlag.control;
  for (const [what, fragments] of LIES) {
    add(`the client shows ${what}`, 1, (w) => {
      for (const body of fragments(w.server)) {
        if (w.server.state === 'closed' || w.server.pending !== null) break;
        w.give('server', sealed(w.client.slot, flag, body, w.now), what);
      }
    });
  }
}

function once(world: World, what: string): boolean {
  return (world.spent[what] ?? 0) === 0;
}

function local(world: World, name: Name, add: Add): void {
  const session = world[name];
  const spend = (w: World, what: string): void => {
    w.spent[what] = (w.spent[what] ?? 0) + 1;
  };
  if (session.state === 'hello' && name === 'client') {
    // Of two ends that speak the extensions, it means that the hello is late.
    add('the hello is missed', 1, (w) => {
      w.client.helloMissed(w.now);
      w.collect('client');
    });
  }
  if (session.state !== 'established') return;
  const quiet = world.queue[OTHER[name]].length === 0;
  if (world.sealed[name].length < 1 && quiet) add(`${name} says something`, 0, (w) => w.say(name));
  const edge = hasFlag(session.slot, SlotFlag.edge);
  if (edge && once(world, `${name} update`)) {
    for (const wait of [0, 3600]) {
      add(`${name} updates its key after ${wait} s`, 1, (w) => {
        spend(w, `${name} update`);
        w.now += wait;
        try {
          w[name].updateKeys(w.now);
        } catch (error) {
          // Not between the messages of a rekey.
          if (!(error instanceof QstpError)) throw error;
        }
        w.collect(name);
      });
    }
  }
  if (edge && name === 'client' && once(world, 'rekey')) {
    add('the client rekeys', 0, (w) => {
      spend(w, 'rekey');
      try {
        w.client.startRekey(w.now);
      } catch (error) {
        // A connection by ticket without the algorithms.
        if (!(error instanceof QstpError)) throw error;
      }
      w.collect('client');
    });
  }
}

function mallory(world: World, add: Add): void {
  const { impostor, client } = world;
  if (impostor.state !== 'closed' && world.queue.server.length > 0) {
    add('the impostor gets what the server should', 1, (w) => {
      const { bytes } = w.queue.server.shift()!;
      w.lost = true;
      for (let at = 0; at < bytes.length && w.impostor.state !== 'closed';) {
        const count = w.impostor.receive(bytes, at, w.now);
        if (count === 0) break;
        at += count;
        while (w.impostor.pending !== null) {
          w.impostor.resume(runJob(fakeCrypto, w.impostor.pending), w.now);
        }
      }
      const output = w.impostor.takeOutput();
      if (output !== null)
        for (const packet of split(output)) w.forged.push({ bytes: packet, label: 'forged' });
    });
  }
  if (world.forged.length > 0 && client.state !== 'closed' && client.pending === null) {
    // Once the attacker is in, going on with it costs no more.
    add('the client gets a packet of the impostor', 0, (w) =>
      w.give('client', w.forged.shift()!.bytes, 'impostor'),
    );
  }
}

/** Bits to flip: each field of a header, the discovery bits, the ends of the body. */
function flips(bytes: Uint8Array): [number, number][] {
  const list: [number, number][] = [
    [0, 0],
    [0, 2],
    [1, 0],
    [4, 7],
    [5, 0],
    [12, 7],
    [13, 0],
    [20, 7],
  ];
  if (bytes.length > HEADER_BYTES) list.push([HEADER_BYTES, 0], [bytes.length - 1, 7]);
  const discovery = bytes[0] === 1 ? DISCOVERY_AT : bytes[0] === EdgeFlag.resumeRequest ? R1_PROOF - 1 : -1;
  if (discovery > 0) for (let bit = 0; bit < 5; bit++) list.push([discovery, bit]);
  return list;
}

/** A packet with the header that is due next, and a body that nobody sealed. */
function plain(world: World, name: Name, flag: number, length: number): Uint8Array {
  const { words } = world[name].slot;
  const packet = new Uint8Array(HEADER_BYTES + length).fill(3);
  putHeader(packet, flag, length, (words[Word.rxLow]! || 2) + 1, 0, world.now);
  return packet;
}
