// The rules of search.test.ts, which hold after every step, and how two ends go on to their end.
import { hasFlag, SlotFlag, slotSecrets } from '../../src/pool/slot.ts';
import { slotsTaken } from '../../src/pool/pool.ts';
import { SessionEvent } from '../../src/session/core.ts';
import { isZero, toHex } from '../../src/bytes.ts';
import { QstpError } from '../../src/error.ts';
import { CLOSE, digest, must, OTHER, Violation } from './world.ts';
import type { Name, World } from './world.ts';

export function checkRules(world: World): void {
  for (const name of ['client', 'server'] as const) checkEnd(world, name);
  const open = [world.client, world.server, world.impostor].filter(({ state }) => state !== 'closed').length;
  must(slotsTaken(world.pool) === open, `${slotsTaken(world.pool)} slots are taken by ${open} connections`);
  must(new Set(world.pool.free).size === world.pool.free.length, 'a slot was given back twice');
  must(new Set(world.pool.buffers).size === world.pool.buffers.length, 'a buffer was given back twice');
  for (const buffer of world.pool.buffers) must(isZero(buffer), 'a spare buffer is not wiped');
  const { holder, handshake } = world.pool;
  if (holder === null && handshake !== null) must(isZero(handshake), 'the handshake buffer is not wiped');
}

function checkEnd(world: World, name: Name): void {
  const session = world[name];
  const { slot, state } = session;
  const { config, client, server } = world;
  const edge = hasFlag(slot, SlotFlag.edge);
  if (state === 'closed') {
    must(session.closed !== null, `${name} closed without a reason`);
    must(session.pending === null, `${name} is closed and waits`);
    must(session.phase === null && session.waiting === null && session.rekey === null, `${name} keeps`);
    for (const array of [slot.words, slot.tx, slot.rx]) {
      must(
        array.every((word) => word === 0),
        `${name} is closed with secrets in its slot`,
      );
    }
    if (slot.receive !== null) must(isZero(slot.receive), `${name} is closed with bytes in its slot`);
    if (!world.deaf[name]) checkDeaf(world, name);
    world.deaf[name] = true;
    return;
  }
  if (session.pending !== null) {
    const before = digest(world);
    must(session.receive(new Uint8Array(40), 0, world.now) === 0, `${name} takes bytes in an operation`);
    must(digest(world) === before, `${name} is moved by bytes in an operation`);
  }
  if (state === 'established') {
    if (session === client) {
      const vouched = config.kind === 1 ? world.proof : world.signature;
      must(vouched, 'the client is established with a server that proved nothing');
      if (config.freshness === true && edge) must(world.fresh, 'established without the freshness signature');
      if (config.client === 'require')
        must(edge, 'the client requires extensions, and is established without');
      if (edge) must(world.hello.client, 'the client is established without the hello of the server');
      if (edge) must(session.confirmed, 'the client is established, and nothing opened');
    } else {
      if (config.server === 'require')
        must(edge, 'the server requires extensions, and is established without');
      if (edge) must(world.hello.server, 'the server is established without the hello of the client');
      if (config.identity === true) checkIdentity(world);
      if (config.kind === 1 && edge) {
        must(world.tickets.taken === 1, `the ticket was taken ${world.tickets.taken} times`);
        must(!world.tickets.server.has(world.ticketId), 'the ticket is still there');
      }
    }
  } else {
    must(world.delivered[name].length === 0, `${name} delivered in state ${state}`);
    must(session.messageMax === 0, `${name} can send in state ${state}`);
  }
  must(world.tickets.taken <= 1, 'the ticket was taken twice');
  if (client.state === 'established' && server.state === 'established' && !edge) {
    must(config.client !== 'require' && config.server !== 'require', 'strict, against the policy');
  }
}

function checkIdentity(world: World): void {
  must(world.named !== null, 'the server is established with a client that has no name');
  const serial = toHex(world.named!.serial);
  must(world.certified.has(serial), 'the server is established, and the root did not sign the certificate');
  must(world.proved.has(serial), 'the server is established with a client that proved nothing');
  must(hasFlag(world.server.slot, SlotFlag.edge), 'the server is established without extensions');
}

/** Nothing moves an end that is closed, and nothing comes from it. */
function checkDeaf(world: World, name: Name): void {
  const session = world[name];
  const { now } = world;
  must(session.receive(new Uint8Array(40), 0, now) === 0, `${name} is closed and takes bytes`);
  session.resume(true, now);
  session.start(now);
  session.helloMissed(now);
  session.close(CLOSE, now);
  session.rest();
  must(!session.updateDue(now + 1e6), `${name} is closed and wants to update`);
  for (const call of [
    () => session.seal(new Uint8Array(1), now),
    () => session.updateKeys(now),
    () => session.startRekey(now),
  ]) {
    try {
      call();
      throw new Violation(`${name} is closed and goes on`);
    } catch (error) {
      if (!(error instanceof QstpError)) throw error;
    }
  }
  must(session.sealKeepalive(0x14, new Uint8Array(100), 8, now) === 0, `${name} is closed and keeps alive`);
  must(session.takeOutput() === null, `${name} is closed and sends`);
  must(session.state === 'closed' && session.event === SessionEvent.none, `${name} came back`);
  must(
    slotSecrets(session.slot).every((byte) => byte === 0),
    `${name} is closed with secrets`,
  );
}

/**
 * Lets both ends go on undisturbed. No end may be stuck: it is established, closed, or waits for a packet,
 * which the link bounds in time. `honest`: nothing was done to them, so both are established.
 */
export function continueHonestly(world: World, honest: boolean): void {
  for (let quiet = 0, rounds = 0; quiet < 2; rounds++) {
    must(rounds < 200, 'the two ends never come to rest');
    quiet = 0;
    for (const name of ['client', 'server'] as const) {
      const session = world[name];
      if (session.pending !== null) world.verdict(name, null);
      else if (world.queue[name].length > 0) {
        const { bytes, label } = world.queue[name].shift()!;
        world.give(name, bytes, label);
      } else quiet++;
      checkRules(world);
    }
  }
  const { client, server } = world;
  if (honest) checkOutcome(world);
  if (client.state === 'established' && server.state === 'established') {
    for (const name of ['client', 'server'] as const) {
      if (world[name].state !== 'established') continue;
      const to = OTHER[name];
      const had = world.delivered[to].length;
      world.say(name);
      const { bytes, label } = world.queue[to].shift()!;
      world.give(to, bytes, label);
      checkRules(world);
      // A cut packet is completed by the next one, and fails then; or both wait for more of it.
      const done = world.delivered[to].length === had + 1 || world[to].state === 'closed' || world.lost;
      must(done, `${to} is established, and neither delivers nor closes`);
    }
  }
  if (client.state === 'hello') client.helloMissed(world.now);
  world.collect('client');
  checkRules(world);
  for (const name of ['client', 'server'] as const) {
    world[name].close(CLOSE, world.now);
    world.collect(name);
    must(world[name].state === 'closed', `${name} cannot be closed`);
  }
  world.impostor.close(CLOSE, world.now);
  checkRules(world);
  must(slotsTaken(world.pool) === 0, 'slots are lost');
}

function checkOutcome(world: World): void {
  const { client, server, config } = world;
  const edge = (policy: string): boolean => policy === 'allow' || policy === 'require';
  if (edge(config.client) && edge(config.server)) {
    must(client.state === 'established' && server.state === 'established', 'two honest ends do not agree');
  } else if (config.client === 'require' || config.server === 'require') {
    if (client.state === 'hello') client.helloMissed(world.now);
    world.collect('client');
    must(client.state === 'closed', 'a policy is not kept');
  } else {
    if (client.state === 'hello') client.helloMissed(world.now);
    must(client.state === 'established' && server.state === 'established', 'strict ends do not agree');
  }
}
