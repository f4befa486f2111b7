// A device of the profile esp32 and its server for scenarios.ts.
import { fromHex } from '../../../src/bytes.ts';
import { decodeRootCertificate, decodeServerCertificate } from '../../../src/cert/certificate.ts';
import { decodeKey } from '../../../src/cert/key-file.ts';
import type { ServerKey } from '../../../src/cert/key-file.ts';
import { micro } from '../../../src/crypto/micro.ts';
import type { ServerLinkOptions } from '../../../src/link/server.ts';
import { serverIdentity } from '../../../src/session/server.ts';
import type { ServerIdentity } from '../../../src/session/server.ts';
import { ADDRESS, fromText, PORT, ServerStage, text } from './server.ts';
import type { Fixture } from './server.ts';
import { startMachine } from './stand-in.ts';
import type { Modules } from './stand-in.ts';
import type * as Moddable from '../../../targets/moddable/mod.ts';

export interface Host {
  /** Evaluates the bundle over these modules: what it exports. */
  load(modules: Modules): typeof Moddable;
}

export type QSTPSocket = InstanceType<typeof Moddable.QSTPSocket>;
export type SocketOptions = ConstructorParameters<typeof Moddable.QSTPSocket>[0];

/** Everything of one scenario. */
export class Stage extends ServerStage {
  readonly host: Host;
  bundle!: typeof Moddable;
  device!: Moddable.Device;

  constructor(host: Host, fixture: Fixture, options: Partial<ServerLinkOptions> = {}) {
    super(fixture, options);
    this.host = host;
  }

  /** The device starts, with what its flash holds. */
  start(options: Partial<Moddable.DeviceOptions> = {}): void {
    const machine = this.startMachine();
    this.bundle = this.host.load(machine.modules);
    this.device = this.bundle.openDevice({
      root: fromHex(this.fixture.root)!,
      server: fromHex(this.fixture.server)!,
      report: (line) => this.tell(`report: ${line}`),
      ...options,
    });
  }

  /** What is in the storage of the device, as its maker left it. */
  provision(act: (storage: Moddable.Storage) => void): void {
    const { preferenceStorage } = this.host.load(startMachine(this.world, this.flash).modules);
    act(preferenceStorage());
  }

  connect(options: Partial<SocketOptions> = {}, name = 'device'): QSTPSocket {
    let told = false;
    return new this.bundle.QSTPSocket({
      address: ADDRESS,
      port: PORT,
      TCP: { io: this.net.TCP },
      qstp: this.device,
      onWritable: (count) => {
        if (!told) this.tell(`${name}: writable ${count}`);
        told = true;
      },
      onReadable: () => undefined,
      onError: (error) => this.tell(`${name}: ${(error as { code?: string }).code}`),
      ...options,
    } as SocketOptions);
  }
}

/** Connects, sends a line once, reads its echo, closes. */
export function talk(stage: Stage, line: string, done: () => void = () => undefined): void {
  let sent = false;
  const socket = stage.connect({
    onWritable(count) {
      if (sent) return;
      sent = true;
      stage.tell(`writable ${count}`);
      socket.write(text(line));
    },
    onReadable(count) {
      stage.tell(`readable ${count}: ${fromText(socket.read() as ArrayBuffer)}`);
      socket.close();
      done();
    },
  });
  stage.world.run(5000);
}

/** The identities of the server that is renewed. */
export function renewed(fixture: Fixture): ServerIdentity[] {
  const root = decodeRootCertificate(fromHex(fixture.root)!);
  return fixture.renewed.map(({ server, key }) =>
    serverIdentity(
      micro.suite(root.suite.id),
      root,
      decodeServerCertificate(fromHex(server)!),
      decodeKey(fromHex(key)!) as ServerKey,
    ),
  );
}
