// MQTT brokers to measure and test the mesh with: Debian's mosquitto, a process, and aedes, of npm, in this one. Both keep
// sessions over a restart.

import { Aedes } from 'aedes';
import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const HOST = '127.0.0.1';
const PATIENCE_MS = 15_000;

export interface Broker {
  readonly port: number;
  readonly name: string;
  start(): Promise<void>;
  /** Ends it in good order: it keeps its sessions, and what is queued for them. */
  stop(): Promise<void>;
  /** Breaks all its connections; it runs on. */
  cut?(): void;
  /** Stops it and takes away what it kept. */
  dispose(): Promise<void>;
}

/** Where Debian puts it, which is not in everybody's path. */
const MOSQUITTO = ['mosquitto', '/usr/sbin/mosquitto'];

/** The program, or an error that says how to get it. */
function mosquittoProgram(): string {
  for (const program of MOSQUITTO) {
    if (spawnSync(program, ['-h'], { stdio: 'ignore', timeout: 10_000 }).error === undefined) return program;
  }
  throw new Error(
    'there is no mosquitto. On Debian: apt-get install mosquitto; or run: node tools/engines.mjs',
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, HOST, done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

async function answers(port: number): Promise<void> {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    const open = await new Promise<boolean>((done) => {
      const socket: Socket = connect(port, HOST, () => {
        socket.destroy();
        done(true);
      });
      socket.on('error', () => done(false));
    });
    if (open) return;
    if (Date.now() > until) throw new Error(`the broker does not listen on ${port}`);
    await delay(20);
  }
}

export async function mosquittoBroker(extra = ''): Promise<Broker> {
  const program = mosquittoProgram();
  const port = await freePort();
  const folder = mkdtempSync(path.join(tmpdir(), 'qstp-broker-'));
  const config = path.join(folder, 'mosquitto.conf');
  const lines = [
    `listener ${port} ${HOST}`,
    'allow_anonymous true',
    'persistence true',
    `persistence_location ${folder}/`,
    'autosave_interval 1',
    'max_queued_messages 0',
    // Started as root it would change to a user that cannot write there.
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    extra,
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  let child: ChildProcess | null = null;
  const stop = async (): Promise<void> => {
    if (child === null) return;
    const running = child;
    child = null;
    const ended = new Promise((done) => running.once('close', done));
    running.kill('SIGTERM');
    await ended;
  };
  return {
    port,
    name: 'mosquitto',
    async start() {
      const started = spawn(program, ['-c', config], { stdio: 'ignore' });
      started.once('error', () => undefined);
      child = started;
      await answers(port);
    },
    stop,
    async dispose() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function aedesBroker(prepare: (aedes: Aedes) => void = () => undefined): Promise<Broker> {
  const port = await freePort();
  let aedes: Aedes | null = null;
  let server: Server | null = null;
  const sockets = new Set<Socket>();
  // The broker goes with its connections; what it keeps of sessions is handed on to the next one.
  let persistence: unknown;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const stop = async (): Promise<void> => {
    if (server === null) return;
    const closed = new Promise((done) => server!.close(done));
    cut();
    await closed;
    server = null;
  };
  return {
    port,
    name: 'aedes',
    async start() {
      if (aedes === null) {
        aedes = await Aedes.createBroker();
        ({ persistence } = aedes as unknown as { persistence: unknown });
        prepare(aedes);
      }
      if (persistence === undefined) throw new Error('aedes keeps no sessions');
      server = createServer((socket) => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
        aedes!.handle(socket);
      });
      await new Promise<void>((done) => server!.listen(port, HOST, done));
    },
    stop,
    cut,
    async dispose() {
      await stop();
      const last = aedes;
      if (last !== null) await new Promise<void>((done) => last.close(() => done()));
    },
  };
}
