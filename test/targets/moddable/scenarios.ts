// What a device does, told as lines: the same on every engine. It runs beside the device's bundle, which is evaluated
// anew for each start (`load`), over the stand-ins of stand-in.ts and a server in the same engine.
import { ErrorCode } from '../../../src/error.ts';
import { fromHex, toHex } from '../../../src/bytes.ts';
import { decodeRootCertificate } from '../../../src/cert/certificate.ts';
import { micro } from '../../../src/crypto/micro.ts';
import { provisionSeed } from '../../../src/link/boot.ts';
import type { ServerLinkOptions } from '../../../src/link/server.ts';
import { openRevocations } from '../../../src/link/revocation-store.ts';
import { createServerTrust } from '../../../src/link/server-trust.ts';
import { encodeError } from '../../../src/wire/messages.ts';
import { Flash, PowerCut, startMachine, VALUE_BYTES_MAX, World } from './stand-in.ts';
import type { FarEnd, Wire } from './stand-in.ts';
import type * as Moddable from '../../../targets/moddable/mod.ts';
import { pattern } from '../../conformance/kernel-answers.ts';
import { ADDRESS, fromText, PORT, text } from './server.ts';
import type { Fixture } from './server.ts';
import { renewed, Stage, talk } from './stage.ts';
import type { Host, QSTPSocket } from './stage.ts';

/** A server whose certificate is renewed: with the first, later with both. */
function renewing(
  host: Host,
  fixture: Fixture,
): { stage: Stage; serving: (count: number) => Partial<ServerLinkOptions> } {
  const identities = renewed(fixture);
  const root = decodeRootCertificate(fromHex(fixture.root)!);
  const crypto = micro.suite(root.suite.id);
  const serving = (count: number): Partial<ServerLinkOptions> => {
    const served = identities.slice(0, count);
    const roots = [{ crypto, revocations: openRevocations({ root, storage: null }) }];
    return { identities: served, trust: createServerTrust({ roots }, served) };
  };
  return { stage: new Stage(host, fixture, serving(1)), serving };
}

/** The next handshake is a full one. */
function forgetTickets(stage: Stage): void {
  for (const name of Object.keys(stage.flash.values)) {
    if (name.includes('/qt.')) delete stage.flash.values[name];
  }
}

const scenarios: Record<string, (host: Host, fixture: Fixture) => string[]> = {
  // A device's life: first start, reboot, and a clock that the server sets.
  life(host, fixture) {
    const stage = new Stage(host, fixture);
    stage.provision((storage) => provisionSeed(storage, pattern(32, 40)));
    stage.start();
    talk(stage, 'first');
    stage.tell(`clock off by ${stage.machine.clockError} s`);
    talk(stage, 'second');
    stage.cut();
    stage.start();
    talk(stage, 'after a reboot');
    stage.tell(`sockets open: ${stage.net.open}, got ${stage.received.join(', ')}`);
    stage.tell(Object.keys(stage.flash.values).sort().join(' '));
    return stage.log;
  },

  // An idle tunnel is asked whether it lives; a server that is gone is noticed.
  keepalive(host, fixture) {
    const stage = new Stage(host, fixture);
    stage.provision((storage) => provisionSeed(storage, pattern(32, 40)));
    stage.start({ pollMs: 10_000, missed: 3 });
    let times = 0;
    stage.connect({ onWritable: () => void times++ });
    stage.world.run(5000);
    const before = stage.net.sent[0]!;
    stage.world.run(100_000);
    stage.tell(
      `idle for 100 s: ${stage.net.sent[0]! - before} bytes, ${stage.peers.length} peer, ${times > 5}`,
    );
    stage.deaf = true;
    const from = stage.world.ms;
    for (let s = 0; s < 60 && stage.log[stage.log.length - 1] !== 'device: keepalive_expired'; s++) {
      stage.world.run(1000);
    }
    stage.tell(`after ${Math.round((stage.world.ms - from) / 1000)} s`);
    stage.world.run(20_000);
    stage.tell(`sockets open: ${stage.net.open}`);
    return stage.log;
  },

  // No radio and no seed: no connection. A radio is enough, and so is a seed. What is damaged is refused.
  entropy(host, fixture) {
    const stage = new Stage(host, fixture);
    const attempt = (): void => {
      try {
        talk(stage, 'x');
      } catch (error) {
        stage.tell(`throws ${(error as { code?: string }).code}`);
      }
    };
    stage.start();
    stage.machine.radio = false;
    attempt();
    stage.machine.radio = true;
    attempt();
    stage.cut();
    stage.flash = new Flash();
    stage.provision((storage) => provisionSeed(storage, pattern(32, 40)));
    stage.start();
    stage.machine.radio = false;
    attempt();
    stage.cut();
    stage.start();
    stage.machine.radio = false;
    stage.flash.broken = true;
    attempt();
    stage.flash.broken = false;
    stage.start();
    Math.random = () => 0.5;
    attempt();
    stage.cut();
    stage.flash = new Flash();
    stage.start();
    Math.random = () => 0.5;
    attempt();
    return stage.log;
  },

  // The contract of ECMA-419 sockets, as Moddable's clients use it.
  contract(host, fixture) {
    const stage = new Stage(host, fixture);
    stage.start({ report: () => undefined });
    const thrown = (act: () => unknown): string => {
      try {
        act();
      } catch (error) {
        return (error as { code?: string }).code ?? (error as Error).name;
      }
      return 'nothing thrown';
    };
    const early = stage.connect({ format: 'number', target: 7 } as object);
    stage.tell(
      `${early.format} ${String(early.target)} ${String(early.read())} ${thrown(() => early.write(1))}`,
    );
    stage.tell(thrown(() => (early.format = 'socket' as never)));
    stage.world.run(5000);

    stage.tell('-- one record of several writes; all kinds of buffers');
    const buffer = text('xbcdx').buffer as ArrayBuffer;
    let left = early.write(1 + 64);
    // What is written in one turn goes in one record.
    stage.world.run(0);
    early.format = 'buffer';
    const more = early.write(new DataView(buffer, 1, 3), { more: true, byteLength: 5 });
    stage.tell(`${left - more >= 3}`);
    left = early.write(text('e').buffer as ArrayBuffer, { more: true });
    early.write(text('fgh'));
    stage.world.run(1000);
    stage.tell(stage.received.join('|'));
    stage.tell(thrown(() => early.write(new Uint8Array(left + 1000))));

    stage.tell('-- reading in parts');
    // The first echo waits, so that the second is held back.
    stage.tell(`${fromText(early.read() as ArrayBuffer)} ${String(early.read())}`);
    stage.world.run(100);
    early.format = 'number';
    stage.tell(`${String(early.read())} ${String(early.read(5))}`);
    early.format = 'buffer';
    stage.tell(thrown(() => early.read(6)));
    stage.tell(fromText(early.read(2) as ArrayBuffer));
    const into = new Uint8Array(8);
    stage.tell(
      `${String(early.read(new DataView(into.buffer, 2, 1)))} ${String(early.read(into.subarray(4)))}`,
    );
    stage.tell(
      `${fromText(into.subarray(2, 3))} ${fromText(into.subarray(4, 6))} ${String(early.read(into))}`,
    );

    stage.tell('-- as much as is writable, and all of it arrives');
    stage.echo = false;
    stage.received = [];
    let total = 0;
    let room = early.write(text('!'));
    for (let i = 0; i < 40; i++) {
      const part = new Uint8Array(room);
      for (let j = 0; j < room; j++) part[j] = 97 + ((total + j) % 26);
      total += room;
      if (room > 0) room = early.write(part);
      stage.world.run(7);
      room = early.write(new Uint8Array(0));
    }
    stage.world.run(1000);
    const all = stage.received.join('').slice(1);
    let right = all.length === total;
    for (let i = 0; i < total; i++) right = right && all.charCodeAt(i) === 97 + (i % 26);
    stage.tell(`${total > 20_000} ${right} ${stage.received.every((r) => r.length <= 715)}`);

    stage.tell('-- a reader that waits holds the peer back');
    const peer = stage.peers[0]!;
    for (let i = 0; i < 60; i++) peer.send(pattern(700, i));
    stage.world.run(3000);
    const got: Uint8Array[] = [];
    const first = early.read() as ArrayBuffer;
    got.push(new Uint8Array(first));
    for (let i = 0; i < 200; i++) {
      stage.world.run(20);
      const next = early.read() as ArrayBuffer | undefined;
      if (next !== undefined) got.push(new Uint8Array(next));
    }
    stage.tell(`${got.length} ${got.every((bytes, i) => toHex(bytes) === toHex(pattern(700, i)))}`);

    stage.tell('-- two at once, a third has no slot; closing frees it');
    const second = stage.connect({}, 'second');
    const third = stage.connect({}, 'third');
    stage.world.run(4000);
    second.close();
    second.close();
    stage.tell(thrown(() => second.write(text('x'))));
    stage.world.run(3000);
    const fourth = stage.connect({}, 'fourth');
    stage.world.run(4000);
    third.close();
    fourth.close();
    early.close();
    stage.world.run(20_000);
    stage.tell(`sockets open: ${stage.net.open}, peers: ${stage.peers.length}`);

    stage.tell('-- the end comes after what was sent before it');
    let told = '';
    const last = stage.connect({
      onReadable: () => undefined,
      onWritable: () => undefined,
      onError: () => (told += 'E'),
    });
    stage.world.run(4000);
    stage.peers[0]!.send(text('bye'));
    stage.peers[0]!.connection.close();
    stage.world.run(20_000);
    stage.tell(`before reading: "${told}"`);
    stage.tell(fromText(last.read() as ArrayBuffer));
    stage.world.run(100);
    stage.tell(`after: "${told}"`);

    stage.tell('-- closing in a callback');
    for (const when of ['onWritable', 'onReadable'] as const) {
      const socket: QSTPSocket = stage.connect({
        onWritable() {
          if (when === 'onWritable') socket.close();
          else if (stage.peers.length > 0) stage.peers[0]!.send(text('now'));
        },
        onReadable: () => socket.close(),
      });
      stage.world.run(25_000);
    }
    stage.tell(thrown(() => stage.connect({ qstp: undefined } as object)));
    stage.tell(`sockets open: ${stage.net.open}, peers: ${stage.peers.length}`);
    return stage.log;
  },

  // What a server, or whoever sits between, can do: an error, once, and the next connection works.
  hostile(host, fixture) {
    const stage = new Stage(host, fixture);
    stage.start({ report: () => undefined, fullHandshakeMinMs: 0 });
    const real = stage.net.servers[`${ADDRESS}:${PORT}`]!;
    let errors: string[] = [];
    const attempt = (what: string, answer: (wire: Wire) => FarEnd, ms = 70_000): void => {
      stage.net.servers[`${ADDRESS}:${PORT}`] = answer;
      errors = [];
      const socket = stage.connect({
        onWritable: () => void errors.push('writable'),
        onError: (error) => void errors.push((error as { code?: string }).code ?? 'error'),
      });
      stage.world.run(ms);
      stage.tell(`${what}: ${errors.filter((e, i) => e !== errors[i - 1]).join(', ')}`);
      socket.close();
      stage.world.run(20_000);
    };
    const silent: FarEnd = { data: () => undefined, gone: () => undefined };
    attempt('nobody there', undefined as never);
    attempt('silence', () => silent);
    attempt('hangs up', (wire) => {
      wire.end();
      return silent;
    });
    attempt('noise', (wire) => {
      for (let i = 0; i < 20; i++) wire.send(pattern(500, 60 + i));
      return silent;
    });
    attempt('a length without end', (wire) => {
      const header = new Uint8Array(21);
      header[0] = 4;
      for (let i = 1; i < 5; i++) header[i] = 255;
      wire.send(header);
      return silent;
    });
    // The answers of the real server, changed at one byte in the middle, or cut there.
    for (const packet of [0, 1, 2]) {
      for (const how of ['changed', 'cut'] as const) {
        attempt(`packet ${packet} ${how}`, (wire) => {
          let sent = 0;
          const far = real({
            send(bytes: Uint8Array) {
              const copy = bytes.slice();
              if (sent++ === packet) {
                if (how === 'changed') copy[copy.length >> 1]! ^= 1;
                else {
                  wire.send(copy.subarray(0, copy.length >> 1));
                  wire.end();
                  return;
                }
              }
              wire.send(copy);
            },
            end: () => wire.end(),
          } as Wire);
          return far;
        });
      }
    }
    stage.net.servers[`${ADDRESS}:${PORT}`] = real;
    stage.log.splice(0, stage.log.length, ...stage.log.filter((line) => !line.startsWith('server')));
    talk(stage, 'all is well');
    // With tickets there: refusals that are forged cost a full handshake at the most, and no ticket.
    let forged = 0;
    attempt(
      'refusals',
      (wire) => {
        if (forged < 2) {
          forged++;
          wire.send(encodeError(ErrorCode.keyUnrecognized, stage.world.seconds));
          return silent;
        }
        return real(wire);
      },
      5000,
    );
    stage.tell(`forged ${forged}, sockets open: ${stage.net.open}`);
    return stage.log;
  },

  // Sockets hear of the certificate that follows, and use it once the first has ended.
  follow(host, fixture) {
    const { stage, serving } = renewing(host, fixture);
    stage.provision((storage) => provisionSeed(storage, pattern(32, 40)));
    const visit = (line: string): void => {
      forgetTickets(stage);
      stage.start({ server: fromHex(fixture.renewed[0]!.server)! });
      let sent = false;
      const socket = stage.connect({
        onWritable() {
          if (!sent) socket.write(text(line));
          sent = true;
        },
        onReadable: () => stage.tell(`read: ${fromText(socket.read() as ArrayBuffer)}`),
      });
      stage.world.run(60_000);
      socket.close();
      stage.world.run(1000);
      stage.cut();
    };
    visit('before');
    stage.serve(serving(2));
    visit('both are there');
    stage.world.run(120 * 86_400_000);
    stage.serve(serving(2));
    visit('after the first has ended');
    return stage.log;
  },

  // A link that stays: it comes back by ticket, hears of the certificate that follows, and uses it when the first ends.
  link(host, fixture) {
    const { stage, serving } = renewing(host, fixture);
    stage.provision((storage) => provisionSeed(storage, pattern(32, 40)));
    const open = (): Moddable.Link => {
      stage.start({ server: fromHex(fixture.renewed[0]!.server)! });
      const options = {
        qstp: stage.device,
        endpoints: { address: ADDRESS, port: PORT },
        TCP: { io: stage.net.TCP },
      } as Parameters<typeof Moddable.openLink>[0];
      const link = stage.bundle.openLink(options, {
        state(state, why) {
          const reason = why === null ? '' : ` (${why.reason})`;
          if (state !== 'connecting' && state !== 'handshake') stage.tell(`link: ${state}${reason}`);
        },
        message: (bytes) => stage.tell(`link: got ${fromText(bytes)}`),
      });
      link.start();
      stage.world.run(10_000);
      return link;
    };
    const link = open();
    link.send(text('a reading'));
    stage.world.run(1000);
    stage.serve(serving(2));
    for (const wire of stage.wires.splice(0)) wire.end();
    stage.world.run(20_000);
    link.stop();
    stage.cut();
    // Its tickets are gone: the full handshake asks what is new.
    forgetTickets(stage);
    const again = open();
    stage.tell(`${again.metrics.trustTaken} taken, ${again.metrics.certificateEnds - fixture.now} s left`);
    stage.cut();
    stage.world.run(100 * 86_400_000);
    // It wakes with the time of then: tickets are tried, then the certificate that has ended, then the other.
    const said = stage.log.length;
    const later = open();
    stage.world.run(120_000);
    stage.log.length = said;
    stage.tell(
      `${later.metrics.fullHandshakes} full, ends in ${later.metrics.certificateEnds - fixture.now} s`,
    );
    later.stop();
    return stage.log;
  },

  // Each value is the old one or the new one, wherever power is cut.
  storage(host) {
    const world = new World(0);
    const log: string[] = [];
    const load = (flash: Flash): Moddable.Storage =>
      host.load(startMachine(world, flash).modules).preferenceStorage();
    const values = [0, 1, 3000, VALUE_BYTES_MAX, 9000, 40, 12_000, 20].map((n, i) => pattern(n, i));
    const expected = [0, 1, 2, 3, 4, 5, 6, 7];
    let writes = 0;
    {
      const flash = new Flash();
      const storage = load(flash);
      for (const value of values) storage.set('qt.0123456789ab', value);
      writes = flash.writes;
      storage.remove('qt.0123456789ab');
      log.push(`${writes} writes, then ${flash.writes - writes}, left: ${Object.keys(flash.values).length}`);
    }
    let cuts = 0;
    let wrong = 0;
    for (const before of [true, false]) {
      for (let at = 0; at < writes; at++) {
        const flash = new Flash();
        flash.cutAt = at;
        flash.cutBefore = before;
        let step = -1;
        try {
          const storage = load(flash);
          for (const i of expected) {
            step = i;
            storage.set('qt.0123456789ab', values[i]!);
          }
        } catch (error) {
          if (!(error instanceof PowerCut)) throw error;
          cuts++;
        }
        flash.cutAt = -1;
        const storage = load(flash);
        const found = storage.get('qt.0123456789ab');
        const old = step === 0 ? null : values[step - 1]!;
        const is = (value: Uint8Array | null): boolean =>
          value === null ? found === null : found !== null && toHex(found) === toHex(value);
        if (!is(old) && !is(values[step]!)) wrong++;
        // And it goes on from there.
        storage.set('qt.0123456789ab', values[5]!);
        const again = load(flash).get('qt.0123456789ab');
        if (again === null || toHex(again) !== toHex(values[5]!)) wrong++;
        storage.remove('qt.0123456789ab');
        if (storage.get('qt.0123456789ab') !== null) wrong++;
      }
    }
    log.push(`${cuts} cuts, ${wrong} wrong`);
    // Rot is noticed.
    const flash = new Flash();
    const storage = load(flash);
    storage.set('a', values[4]!);
    for (const name of Object.keys(flash.values)) {
      const good = flash.values[name]!;
      const bad = good.slice(0);
      new Uint8Array(bad)[bad.byteLength >> 1]! ^= 4;
      flash.values[name] = bad;
      log.push(
        `${name} ${good.byteLength} bytes, rotten: ${storage.get('a') === null ? 'not there' : 'there'}`,
      );
      flash.values[name] = good;
    }
    log.push(storage.get('a')!.length + '');
    for (const key of ['', 'A', 'sixteen.letters.', 'a/b']) {
      try {
        storage.set(key, values[1]!);
        log.push('taken');
      } catch (error) {
        log.push((error as { code: string }).code);
      }
    }
    try {
      storage.set('b', new Uint8Array(40_000));
    } catch (error) {
      log.push((error as { code: string }).code);
    }
    return log;
  },
};

export const names = ['life', 'keepalive', 'entropy', 'contract', 'hostile', 'follow', 'link', 'storage'];

/** The lines of a scenario. */
export function play(name: string, host: Host, fixture: Fixture): string {
  return scenarios[name]!(host, fixture).join('\n');
}
