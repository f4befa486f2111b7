// Two processes with a broker between them that is stopped and started again and again: what is lost, what comes twice,
// and whether memory grows. A program of its own, of the compiled tree:
//
//   node build/bench/mesh-broker.js [--frames 100000] [--restarts 10] [--broker mosquitto|aedes] [--mqtt 4|5] [--tunnel] [--json]

import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Figures } from './figures.ts';
import { aedesBroker, mosquittoBroker } from './mesh-brokers.ts';
import type { Broker } from './mesh-brokers.ts';
import type { MeshPeer, MeshPeerReport } from './mesh-peer.ts';

export interface MeshBrokerOptions {
  readonly frames: number;
  /** Spread evenly over the frames. */
  readonly restarts: number;
  readonly protocol?: 4 | 5;
  /** Of each ciphertext. */
  readonly bytes?: number;
  /** Over a tunnel of mesh/2. Default: frames as they are, and a window like a tunnel's at the receiver. */
  readonly tunnel?: boolean;
  readonly progress?: (text: string) => void;
}

/** How long the broker is away. */
const AWAY_MS = 150;
/** Nothing happens for so long: something is stuck. */
const PATIENCE_MS = 30_000;

interface Running {
  readonly child: ChildProcess;
  /** Of each report: how far it was, and its memory. */
  readonly reports: MeshPeerReport[];
  readonly ready: Promise<void>;
  readonly end: Promise<MeshPeerReport>;
}

function start(peer: MeshPeer, heard: () => void): Running {
  const child = fork(fileURLToPath(new URL('mesh-peer.js', import.meta.url)), [JSON.stringify(peer)], {
    execArgv: ['--expose-gc'],
  });
  const reports: MeshPeerReport[] = [];
  let [ready, ended, fail] = [() => {}, (_: MeshPeerReport) => {}, (_: Error) => {}];
  const isReady = new Promise<void>((resolve) => (ready = resolve));
  const end = new Promise<MeshPeerReport>((resolve, reject) => ([ended, fail] = [resolve, reject]));
  end.catch(() => undefined);
  child.on('message', (report: MeshPeerReport) => {
    reports.push(report);
    if (report.kind === 'ready') ready();
    if (report.kind === 'end') ended(report);
    heard();
  });
  child.on('exit', (code) => fail(new Error(`the process that ${peer.role}s ended with ${code}`)));
  return { child, reports, ready: isReady, end };
}

/** The last report's figure over that at a fifth of the way, per cent. */
function growth({ reports }: Running, of: (report: MeshPeerReport) => number): number {
  const from = reports[Math.floor(reports.length / 5)]!;
  return (100 * (of(reports[reports.length - 1]!) - of(from))) / of(from);
}

/** Runs it, and gives the figures: `mesh.broker.*`. Rejects if nothing moves for 30 s. */
export async function runMeshBroker(broker: Broker, options: MeshBrokerOptions): Promise<Figures> {
  const { frames, restarts, protocol = 4, bytes = 200, tunnel = false } = options;
  const common = { port: broker.port, protocol, topic: 'mesh/bench', frames, bytes, tunnel };
  let sender: Running | null = null;
  let receiver: Running | null = null;
  let timer: NodeJS.Timeout | undefined;
  let stuck: (error: Error) => void = () => {};
  const patience = new Promise<never>((_, reject) => (stuck = reject));
  patience.catch(() => undefined);
  const heard = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => stuck(new Error('no frame came for 30 s')), PATIENCE_MS);
  };
  try {
    await broker.start();
    heard();
    receiver = start({ role: 'receive', ...common }, heard);
    await Promise.race([receiver.ready, receiver.end, patience]);
    const began = performance.now();
    sender = start({ role: 'send', ...common }, heard);
    const taken = (): number => receiver!.reports.at(-1)!.done;
    for (let i = 1; i <= restarts; i++) {
      while (taken() < (i * frames) / (restarts + 1)) await Promise.race([delay(5), patience]);
      await broker.stop();
      await delay(AWAY_MS);
      await broker.start();
      options.progress?.(`restart ${i} of ${restarts}, ${taken()} of ${frames} frames`);
    }
    const sent = await Promise.race([sender.end, patience]);
    // The broker has all; the receiver is behind it.
    for (let last = -1; last !== taken() && taken() < frames;) {
      last = taken();
      for (let waited = 0; waited < 2000 && last === taken(); waited += 20)
        await Promise.race([delay(20), patience]);
    }
    const seconds = (performance.now() - began) / 1000;
    receiver.child.send('end');
    const got = await Promise.race([receiver.end, patience]);
    return {
      'mesh.broker.frames': frames,
      'mesh.broker.restarts': restarts,
      'mesh.broker.reconnects': got.connected - 1 + sent.connected - 1,
      'mesh.broker.lost': got.missing,
      'mesh.broker.doubled': got.doubled,
      'mesh.broker.late': got.late,
      'mesh.broker.refused': sent.missing,
      'mesh.broker.duplicates': got.duplicates,
      'mesh.broker.frames.rate': Math.round(frames / seconds),
      'mesh.broker.send.heap.bytes': sent.heap,
      'mesh.broker.send.heap.growth.percent': growth(sender, ({ heap }) => heap),
      'mesh.broker.send.rss.growth.percent': growth(sender, ({ rss }) => rss),
      'mesh.broker.receive.heap.bytes': got.heap,
      'mesh.broker.receive.heap.growth.percent': growth(receiver, ({ heap }) => heap),
      'mesh.broker.receive.rss.growth.percent': growth(receiver, ({ rss }) => rss),
    };
  } finally {
    clearTimeout(timer);
    sender?.child.kill('SIGKILL');
    receiver?.child.kill('SIGKILL');
    await broker.dispose();
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      frames: { type: 'string', default: '100000' },
      restarts: { type: 'string', default: '10' },
      broker: { type: 'string', default: 'mosquitto' },
      mqtt: { type: 'string', default: '4' },
      tunnel: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const broker = values.broker === 'aedes' ? await aedesBroker() : await mosquittoBroker();
  const figures = await runMeshBroker(broker, {
    frames: Number(values.frames),
    restarts: Number(values.restarts),
    protocol: values.mqtt === '5' ? 5 : 4,
    tunnel: values.tunnel,
    progress: (text) => console.error(text),
  });
  if (values.json) console.log(JSON.stringify(figures, null, 2));
  else
    for (const [name, value] of Object.entries(figures))
      console.log(`${name}  ${Math.round(value * 10) / 10}`);
  const wrong = ['lost', 'doubled', 'late'].map((name) => figures[`mesh.broker.${name}`]!);
  if (Math.max(...wrong) > 0) process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
