// The figures of a gateway, each part in a process of its own under a Node with native cryptography, and their bars.

import { fork } from 'node:child_process';
import { engineProgram } from '../test/engines/engines.ts';
import { nodeNative } from '../targets/node/provider.ts';
import type { Figures } from './figures.ts';
import { benchGatewayHandshake, benchOtherHandshakes } from './gateway-handshake.ts';
import { benchIdle, idleClients, idleServer } from './gateway-idle.ts';
import { benchGatewayRecords, benchRoundtrips } from './gateway-records.ts';
import { benchNode } from './node.ts';

/** What a figure should be: at least, for rates and ratios, else at most. */
export const GATEWAY_BARS: Readonly<Record<string, number>> = {
  'node.handshake.tlsPq.ratio': 1.4,
  'node.handshake.floor.ratio': 0.85,
  'node.handshake.noble.floor.ratio': 0.95,
  'node.rcs.sha3.ratio': 0.5,
  'node.rcs.mbps': 20,
  'node.gcm.native.ratio': 0.7,
  'node.roundtrip64.tls.ratio': 0.6,
  'node.roundtrip64.tls.gcm.ratio': 0.85,
  'node.idle.rss.bytes': 6000,
  'node.idle.smallYoung.rss.bytes': 6000,
  'node.tunnels.lost': 0,
  'node.tunnels.keepalive.p99.percent': 5,
};

/** True if more is better. */
export function isRate(metric: string): boolean {
  return /(ratio|mbps|rate)$/.test(metric);
}

/** The parts, in the order they are measured. */
const PARTS: Readonly<Record<string, (figures: Figures, program: string) => void | Promise<void>>> = {
  'node.handshake.*': benchGatewayHandshake,
  'node.handshake.noble.*': benchOtherHandshakes,
  'node.gcm.*': benchGatewayRecords,
  'node.rcs.*': benchNode,
  'node.roundtrip64.*': benchRoundtrips,
  'node.idle.*': benchIdle,
};

const PATIENCE_MS = 900_000;

/** In a process that {@link benchGateway} started: measures a part, or is one end of it. */
export async function runPart(name: string, program: string): Promise<void> {
  const [role, kind, ...rest] = name.split(':');
  if (role === 'idle-server') return idleServer(kind as 'tunnels');
  if (role === 'idle-clients') {
    idleClients(kind as 'tunnels', JSON.parse(rest.join(':')) as Parameters<typeof idleClients>[1]);
    return;
  }
  const part = PARTS[name];
  if (part === undefined || process.send === undefined) throw new Error(`there is no part "${name}"`);
  const figures: Figures = {};
  await part(figures, program);
  process.send(figures, () => process.exit(0));
}

function inProcess(name: string, program: string, execPath: string): Promise<Figures> {
  return new Promise((resolve, fail) => {
    const child = fork(program, ['bench', '--part', name], {
      execPath,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      timeout: PATIENCE_MS,
    });
    let complaint = '';
    child.stderr!.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
    child.once('message', (figures) => resolve(figures as Figures));
    child.once('error', fail);
    child.once('exit', (code) =>
      fail(new Error(`the process ended with ${code}: ${complaint.slice(0, 300)}`)),
    );
  });
}

/** Measures all parts; `measure` takes the place of a failure. `program` is the command's own file. */
export async function benchGateway(
  figures: Figures,
  options: { readonly root: string; readonly program: string },
  measure: (what: string, run: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const execPath = nodeNative() === null ? engineProgram('node24', options.root) : process.execPath;
  for (const name of Object.keys(PARTS)) {
    await measure(name, async () => {
      Object.assign(figures, await inProcess(name, options.program, execPath));
    });
  }
}
