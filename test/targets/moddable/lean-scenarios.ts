// What a device with the lean bundle does, told as lines: the same on every engine. It runs beside the bundle, which is
// evaluated anew for each start (`load`), over the stand-ins of stand-in.ts and a server in the same engine.
import { fromHex, getI32 } from '../../../src/bytes.ts';
import { decodeServerCertificate } from '../../../src/cert/certificate.ts';
import { decodeKey } from '../../../src/cert/key-file.ts';
import type { ServerKey } from '../../../src/cert/key-file.ts';
import { acceptCredential } from '../../../src/link/provisioned.ts';
import type { Modules } from './stand-in.ts';
import type * as Lean from '../../../targets/moddable/lean.ts';
import { ADDRESS, fromText, PORT, ServerStage, stream, text } from './server.ts';
import type { Fixture } from './server.ts';

export interface LeanFixture extends Fixture {
  /** What provisioning puts into the preferences: name and value in hex. */
  readonly values: readonly { readonly name: string; readonly hex: string }[];
  readonly credential: { readonly id: string; readonly deviceSecret: string };
}

export interface Host {
  /** Evaluates the bundle over these modules: what it exports. */
  load(modules: Modules): typeof Lean;
}

type Client = ReturnType<typeof Lean.connect>;
type SocketOptions = ConstructorParameters<typeof Lean.QSTPSocket>[0];

class Stage extends ServerStage {
  readonly host: Host;
  bundle!: typeof Lean;
  device!: Lean.LeanDevice;
  /** Lists of steps that the last connection has done. */
  lists = 0;

  constructor(host: Host, fixture: LeanFixture, keys: readonly string[]) {
    super(fixture);
    this.host = host;
    const serial = decodeServerCertificate(fromHex(fixture.server)!).serial;
    const id = fromHex(fixture.credential.id)!;
    const provisioning = { id, deviceSecret: fromHex(fixture.credential.deviceSecret)!, anchor: serial };
    acceptCredential(
      this.tickets,
      provisioning,
      null,
      fixture.now - 5,
      fixture.now + 1_000_000,
      () => undefined,
    );
    for (const { name, hex } of fixture.values) {
      if (!keys.some((key) => name.endsWith(`/${key}`))) continue;
      this.flash.values[name] = fromHex(hex)!.buffer as ArrayBuffer;
    }
  }

  start(options: Lean.LeanDeviceOptions = {}): void {
    this.bundle = this.host.load(this.startMachine().modules);
    this.device = this.bundle.openDevice(options);
  }

  /** Connects, and says what happens; the reason if it cannot begin. */
  connect(options: Partial<Lean.ConnectOptions> = {}): Client | null {
    const steps: number[] = [];
    try {
      return this.bundle.connect(
        {
          qstp: this.device,
          address: ADDRESS,
          port: PORT,
          TCP: { io: this.net.TCP },
          pollMs: 10_000,
          ...options,
        },
        {
          connect: () => this.tell(`connected, steps ${steps.join(' ')}`),
          data: (bytes) => this.tell(`data ${fromText(bytes)}`),
          progress: (done, all) => {
            if (done === all) this.lists = steps.push(all);
          },
          error: ({ code }) => this.tell(`error ${code}`),
          end: () => this.tell('end'),
          close: (failed) => this.tell(`close ${failed}`),
        },
      );
    } catch (error) {
      this.tell(`refused: ${(error as { code: string }).code}`);
      return null;
    }
  }

  socket(options: Partial<SocketOptions> = {}): InstanceType<typeof Lean.QSTPSocket> {
    return new this.bundle.QSTPSocket({
      qstp: this.device,
      address: ADDRESS,
      port: PORT,
      TCP: { io: this.net.TCP },
      onError: (error) => this.tell(`socket: ${(error as { code?: string }).code}`),
      ...options,
    });
  }
}

const PROVISIONED = ['qstp.boot', 'qstp.anchor', 'qstp.cred'];
const TRUSTING = ['qstp.boot', 'qstp.anchor'];

/** What the server sends comes by `pass`. */
function through(stage: Stage, pass: (bytes: Uint8Array, send: (bytes: Uint8Array) => void) => void): void {
  const answer = stage.net.servers[`${ADDRESS}:${PORT}`]!;
  stage.net.servers[`${ADDRESS}:${PORT}`] = (wire) =>
    answer({
      send: (bytes: Uint8Array) => pass(bytes.slice(), (copy) => wire.send(copy)),
      end: () => wire.end(),
    } as typeof wire);
}

/** A packet of the server's, one bit of it changed at `at`, as it comes. */
function tampered(stage: Stage, flag: number, at: number): void {
  through(stage, (copy, send) => {
    if (copy[0] === flag) copy[at]! ^= 0x10;
    send(copy);
  });
}

/** The flag of control records, and the bytes before a packet's message. */
const CONTROL = 0x19;
const HEADER = 21;

const scenarios: Record<string, (host: Host, fixture: LeanFixture) => string[]> = {
  // The first start needs certificates; then there are tickets, over cuts of the network and of power.
  life(host, fixture) {
    const stage = new Stage(host, fixture, TRUSTING);
    stage.start();
    const client = stage.connect()!;
    stage.world.run(10_000);
    stage.tell(`${client.connected()}, wakes in ${client.wakeIn() > 0}`);
    client.write(text('one'));
    stage.world.run(1000);
    stage.wires[0]!.end();
    stage.world.run(5000);
    client.write(text('two'));
    stage.world.run(1000);
    stage.tell(Object.keys(stage.flash.values).sort().join(' '));
    stage.cut();
    stage.start();
    const again = stage.connect()!;
    stage.world.run(5000);
    again.end();
    stage.world.run(1000);
    try {
      again.write(text('late'));
    } catch (error) {
      stage.tell(`late: ${(error as { code: string }).code}`);
    }
    stage.tell(`sockets open: ${stage.net.open}, got ${stage.received.join(', ')}`);
    return stage.log;
  },

  // A provisioned credential needs no post-quantum work; a silent server is found dead, and left.
  credential(host, fixture) {
    const stage = new Stage(host, fixture, PROVISIONED);
    stage.start();
    stage.connect();
    stage.world.run(5000);
    const before = stage.net.sent[0]!;
    stage.world.run(100_000);
    stage.tell(`idle for 100 s: ${stage.net.sent[0]! - before} bytes, ${stage.peers.length} peer`);
    stage.deaf = true;
    stage.world.run(60_000);
    stage.deaf = false;
    stage.world.run(60_000);
    stage.tell(`peers: ${stage.peers.length}`);
    return stage.log.filter((line) => line !== 'server: half_open');
  },

  // Nothing is sent without randomness that can be relied on, nor without a server to trust.
  entropy(host, fixture) {
    const stage = new Stage(host, fixture, ['qstp.anchor']);
    stage.start();
    stage.machine.radio = false;
    stage.connect();
    stage.machine.radio = true;
    Math.random = () => 0.5;
    stage.connect();
    stage.start();
    stage.connect({ reconnect: false });
    stage.world.run(5000);
    const bare = new Stage(host, fixture, ['qstp.boot', 'qstp.cred']);
    bare.start();
    bare.connect();
    const stuck = new Stage(host, fixture, PROVISIONED);
    stuck.flash.broken = true;
    stuck.start();
    stuck.connect();
    // A value that rots is not there: the radio does in its place.
    const rotten = new Stage(host, fixture, PROVISIONED);
    new Uint8Array(rotten.flash.values['qstp.a/qstp.boot']!)[9]! ^= 1;
    rotten.start();
    rotten.connect();
    rotten.world.run(5000);
    return [...stage.log, ...bare.log, ...stuck.log, ...rotten.log];
  },

  // Servers that are not the one, or change what they say: none gets through, and each is named.
  hostile(host, fixture) {
    const lines: string[] = [];
    const attempt = (
      name: string,
      keys: readonly string[],
      spoil: (stage: Stage) => void,
      known: LeanFixture = fixture,
    ): void => {
      const stage = new Stage(host, known, keys);
      spoil(stage);
      stage.start();
      stage.connect({ reconnect: false });
      stage.world.run(20_000);
      lines.push(`${name}: ${stage.log.filter((line) => !line.startsWith('server')).join(', ')}`);
    };
    // It has the serial that the device knows, and not the key.
    const impostor = (decodeKey(fromHex(fixture.renewed[0]!.key)!) as ServerKey).signingKey;
    attempt('another key', TRUSTING, (stage) => stage.serve({}, impostor));
    const forged = { ...fixture, credential: { ...fixture.credential, deviceSecret: '5a'.repeat(32) } };
    attempt('another credential', PROVISIONED, () => undefined, forged);
    attempt('the signature changed', TRUSTING, (stage) => tampered(stage, 2, 100));
    attempt('the key changed', TRUSTING, (stage) => tampered(stage, 2, 3500));
    attempt('a flood while it verifies', TRUSTING, (stage) => {
      through(stage, (bytes, send) => {
        send(bytes);
        if (bytes[0] === 2) for (let i = 0; i < 100; i++) send(new Uint8Array(1000));
      });
    });
    attempt('S4 changed', TRUSTING, (stage) => tampered(stage, 8, 30));
    attempt('R2 changed', PROVISIONED, (stage) => tampered(stage, 0x18, 60));
    attempt('a record changed', PROVISIONED, (stage) => tampered(stage, 0x19, 40));
    attempt('nobody there', PROVISIONED, (stage) => (stage.net.servers[`${ADDRESS}:${PORT}`] = undefined));
    attempt('noise', PROVISIONED, (stage) => {
      stage.net.servers[`${ADDRESS}:${PORT}`] = (wire) => ({
        data() {
          const out = new Uint8Array(300);
          stream(9)(out);
          wire.send(out);
        },
        gone: () => undefined,
      });
    });
    attempt('silence', PROVISIONED, (stage) => (stage.deaf = true));
    return lines;
  },

  // The same as a socket for Moddable's network clients.
  socket(host, fixture) {
    const stage = new Stage(host, fixture, PROVISIONED);
    stage.start();
    let told = 0;
    let reads = 0;
    const got: string[] = [];
    const socket = stage.socket({
      onWritable: (count) => {
        if (told++ === 0) stage.tell(`writable ${count > 100}`);
      },
      onReadable(count) {
        if (reads++ > 0) {
          got.push(fromText(socket.read() as ArrayBuffer) + count);
          return;
        }
        // As Moddable's MQTT client does it: heads byte by byte, what follows as a buffer, the application's own or not.
        socket.format = 'number';
        const head = [socket.read(), socket.read()];
        socket.format = 'buffer';
        const own = new Uint8Array(2);
        got.push(
          String(head),
          fromText(socket.read(1) as ArrayBuffer),
          String(socket.read(own)) + fromText(own),
        );
        got.push(String(count));
      },
    });
    stage.world.run(5000);
    try {
      socket.format = 'string' as never;
    } catch (error) {
      stage.tell(String(error));
    }
    const room = socket.write(text('he'), { more: true });
    socket.write(text('ll').buffer as ArrayBuffer, { more: true });
    stage.tell(`left ${room - socket.write(111)}, format ${socket.format}`);
    stage.world.run(1000);
    stage.tell(`read ${got.join(' ')}, ${socket.read()}`);
    try {
      socket.write(new Uint8Array(100_000));
    } catch (error) {
      stage.tell((error as { code: string }).code);
    }
    // One at a time.
    const second = stage.socket();
    stage.world.run(100);
    second.close();
    // What the server sends while nobody reads waits, and so does its end.
    got.length = 0;
    stage.peers[0]!.send(text('bye'));
    stage.peers[0]!.connection.close();
    stage.world.run(2000);
    stage.tell(`then ${got.join(' ')}`);
    stage.socket({ onWritable: () => undefined });
    stage.world.run(3000);
    stage.tell(`sockets open: ${stage.net.open}`);
    return stage.log;
  },
};

/**
 * A connection that is made step by step: how many lists of the handshake were done before one of the device's own
 * steps, which count; -1 for another's, null when it is there.
 */
export function connecting(
  keys: 'certificate' | 'credential',
  host: Host,
  fixture: LeanFixture,
): () => number | null {
  const stage = new Stage(host, fixture, keys === 'credential' ? PROVISIONED : TRUSTING);
  stage.start();
  // The keys are there before the first record comes, so that they can be told apart.
  through(stage, (bytes, send) => {
    for (let at = 0; at < bytes.length;) {
      const packet = bytes.slice(at, at + HEADER + getI32(bytes, at + 1));
      if (packet[0] === CONTROL) stage.world.after(1000, () => send(packet));
      else send(packet);
      at += packet.length;
    }
  });
  const client = stage.connect()!;
  return () => {
    if (client.connected()) return null;
    const { lists } = stage;
    return stage.world.step() ? lists : -1;
  };
}

export const names = ['life', 'credential', 'entropy', 'hostile', 'socket'];

/** The lines of a scenario. */
export function play(name: string, host: Host, fixture: LeanFixture): string {
  return scenarios[name]!(host, fixture).join('\n');
}
