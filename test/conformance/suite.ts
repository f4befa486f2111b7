// The one suite that every engine passes, from the built bundle of a firmware profile: what a device does on the wire
// and says to its application. Each check says which features of a profile it needs; the rest is the same for all.
import { concat } from '../../src/bytes.ts';
import type { Profile } from '../profiles.ts';
import type { Tamper } from './gateway.ts';
import type { Rig } from './rig.ts';

export interface Check {
  readonly name: string;
  /** Whether a profile has what the check is about. */
  applies(profile: Profile): boolean;
  /** Of the gateway, for this check. */
  readonly gateway?: { readonly idleTimeoutMs: number };
  /** Throws what is wrong. */
  run(rig: Rig): Promise<void>;
}

const CONNECTED = /^connected$/;
const needs =
  (...features: string[]) =>
  (profile: Profile): boolean =>
    features.every((feature) => profile.features.includes(feature));

function ensure(so: boolean, what: string): void {
  if (!so) throw new Error(`not so: ${what}`);
}

function same(found: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  ensure(a === b, `${what}: ${a} instead of ${b}`);
}

async function connect(rig: Rig, how: 'full handshake' | 'resumed' | 'either'): Promise<void> {
  rig.start();
  await rig.see(CONNECTED, how === 'either' ? /^(full handshake|resumed)$/ : new RegExp(`^${how}$`));
}

async function disconnect(rig: Rig): Promise<void> {
  rig.end();
  await rig.see(/^stopped$/, /^closed peer_closed$/);
}

/** What can be done to the first bytes a server sends, by offset in its stream. */
const TAMPERED: readonly (readonly [string, Tamper])[] = [
  ["another packet's flag", { flip: 0 }],
  ['a header that names a gigabyte', { flip: 4 }],
  ['another sequence number', { flip: 5 }],
  ['an altered body', { flip: 60 }],
  ['the end within a packet', { cut: 40 }],
  ['the end before anything', { cut: 0 }],
  ['noise', { noise: 0xa5 }],
];

/** Beyond the first packet: what a full handshake signs, encapsulates to, and answers. */
const TAMPERED_FULL: readonly (readonly [string, Tamper])[] = [
  ['an altered signature', { flip: 21 + 1000 }],
  ['an altered KEM key', { flip: 21 + 2420 + 32 + 700 }],
];

async function hostile(rig: Rig, cases: readonly (readonly [string, Tamper])[]): Promise<void> {
  for (const [name, tamper] of cases) {
    await rig.boot();
    rig.gateway.tamper = tamper;
    rig.start();
    await rig.until(() => rig.device.some((line) => line.startsWith('down ')), `${name} is refused`);
    ensure(!rig.device.some((line) => /^(connected|got )/.test(line)), `${name} gets nowhere`);
    rig.gateway.tamper = null;
    await rig.see(CONNECTED, /^(full handshake|resumed)$/);
    await rig.poll(1);
    rig.device.length = rig.gateway.lines.length = 0;
  }
}

export const SUITE: readonly Check[] = [
  {
    name: 'a full handshake with the server, messages both ways, an orderly end',
    applies: needs('fullHandshake'),
    async run(rig) {
      await rig.boot();
      same(rig.gateway.streams, 0, 'streams before it is started');
      await connect(rig, 'full handshake');
      for (const register of [1, 2, 40_000]) await rig.poll(register);
      await disconnect(rig);
      same(rig.gateway.secrets.length, 1, 'encapsulations');
    },
  },
  {
    name: 'tickets: after a cut, after a loss of power, and what follows when the server has lost them',
    applies: needs('fullHandshake', 'resumption'),
    async run(rig) {
      await rig.boot();
      await connect(rig, 'full handshake');
      // Tickets come with the first traffic.
      await rig.poll(0);
      await rig.poll(1);
      rig.gateway.cut();
      await rig.see(/^down disconnected$/, /^closed disconnected$/);
      await rig.see(CONNECTED, /^resumed$/);
      await rig.poll(1);
      await rig.boot({ holds: 'kept' });
      await rig.see(null, /^closed disconnected$/);
      await connect(rig, 'resumed');
      await rig.poll(2);
      same(rig.gateway.secrets.length, 1, 'full handshakes');
      rig.gateway.forget();
      rig.gateway.cut();
      await rig.see(CONNECTED, /^full handshake$/);
      await rig.poll(3);
      same(rig.gateway.secrets.length, 2, 'full handshakes');
    },
  },
  {
    name: 'a provisioned credential connects without certificates, again after a loss of power',
    applies: needs('provisioned'),
    async run(rig) {
      await rig.boot({ holds: 'provisioned' });
      await connect(rig, 'resumed');
      await rig.poll(1);
      await rig.boot({ holds: 'kept' });
      await rig.see(null, /^closed disconnected$/);
      await connect(rig, 'resumed');
      await rig.poll(2);
      await disconnect(rig);
      same(rig.gateway.secrets.length, 0, 'encapsulations');
    },
  },
  {
    name: 'a credential that the server has not is refused',
    applies: needs('provisioned'),
    async run(rig) {
      await rig.boot({ holds: 'unknown' });
      rig.start();
      await rig.see(null, /^refused ticket_refused$/);
      ensure(!rig.gateway.lines.includes('resumed'), 'nobody is let in with it');
    },
  },
  {
    name: 'keep-alive: an idle tunnel stays, one that hangs is noticed, and it comes back',
    applies: () => true,
    gateway: { idleTimeoutMs: 3000 },
    async run(rig) {
      const pollMs = 500;
      await rig.boot({ pollMs });
      await connect(rig, 'either');
      const heard = rig.gateway.heard.length;
      await rig.idle(16 * pollMs);
      same([...rig.device, ...rig.gateway.lines], [], 'what happens while nothing is sent');
      const asked = rig.gateway.heard.length - heard;
      // A response is life for a cycle; some engines hear of parts of a packet.
      ensure(asked >= 6 && asked <= 32, `it asked ${asked} times in 16 polls`);
      await rig.poll(1);
      rig.gateway.hung = true;
      const from = rig.now();
      await rig.see(/^down keepalive_expired$/, null);
      const after = rig.now() - from;
      ensure(after >= 2 * pollMs && after <= 12 * pollMs, `noticed after ${after} ms`);
      rig.gateway.cut();
      await rig.see(CONNECTED, /^(full handshake|resumed)$/);
      await rig.poll(2);
    },
  },
  {
    name: 'rejects: what is not the due answer ends the attempt, and the next one works',
    applies: () => true,
    run: (rig) => hostile(rig, TAMPERED),
  },
  {
    name: 'rejects: a full handshake with an altered signature or KEM key',
    applies: needs('fullHandshake'),
    run: (rig) => hostile(rig, TAMPERED_FULL),
  },
  {
    name: 'rejects: an altered record ends the tunnel, and nothing of it is delivered',
    applies: () => true,
    async run(rig) {
      await rig.boot();
      await connect(rig, 'either');
      rig.gateway.tamper = { next: 25 };
      rig.gateway.write('never');
      await rig.see(/^down authentication$/, /^closed /);
      rig.gateway.tamper = null;
      await rig.see(CONNECTED, /^(full handshake|resumed)$/);
      await rig.poll(1);
      ensure(!rig.log.some((line) => line.includes('never')), 'it is not delivered');
    },
  },
  {
    name: 'wipe: the shared secret of a handshake, or the secret of the credential, is in no buffer afterwards',
    applies: () => true,
    async run(rig) {
      await rig.boot({ track: true });
      await connect(rig, 'either');
      const control = 'a message that buffers do hold';
      rig.write(control);
      await rig.see(null, /^got a message/);
      // What is there on engines that keep messages, and on those that keep certificates.
      const there = (await rig.find(concat([Buffer.from(control)]))) + (await rig.find(rig.serverSerial));
      ensure(there > 0, 'the search finds what is there');
      const secrets = rig.has('fullHandshake') ? rig.gateway.secrets : [rig.deviceSecret];
      ensure(secrets.length > 0, 'there is a secret to look for');
      for (const secret of secrets) same(await rig.find(secret), 0, 'buffers with the secret, connected');
      await disconnect(rig);
      for (const secret of secrets) same(await rig.find(secret), 0, 'buffers with the secret, at the end');
    },
  },
  {
    name: 'the entropy gate: without a source that counts nothing is sent, and with one it connects',
    applies: ({ entropy }) => (entropy as { source: string }[]).some(({ source }) => source === 'deviceSeed'),
    async run(rig) {
      await rig.boot({ holds: 'seedless', entropy: false });
      rig.start();
      await rig.until(() => rig.device.length > 0, 'it says what is missing');
      ensure(/^threw (entropy_missing|qstp\.boot_missing)$/.test(rig.device[0]!), rig.device[0]!);
      await rig.idle(10_000);
      same(rig.gateway.streams, 0, 'streams');
      rig.device.length = 0;
      await rig.boot({ entropy: false });
      await connect(rig, 'either');
    },
  },
];
