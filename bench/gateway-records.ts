// Records of a gateway: AES-256-GCM beside node:crypto alone, and round trips of 64 bytes over loopback beside TLS, both
// ends in this process. All in turn, round after round.

import { createCipheriv, createSecretKey } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { HEADER_BYTES, Flag } from '../src/params.ts';
import { Cipher } from '../src/pool/slot.ts';
import { acquireSlot, createPool } from '../src/pool/pool.ts';
import { openEdge, sealRecord } from '../src/session/channel.ts';
import type { Connection } from '../src/link/connection.ts';
import { dial } from '../targets/node/dial.ts';
import { listen } from '../targets/node/listen.ts';
import { nodeProvider } from '../targets/node/provider.ts';
import { nodeRecords } from '../targets/node/records.ts';
import type { Figures } from './figures.ts';
import { fixture, SEEDS } from './fixture.ts';
import { createTlsServer, HOST, makeChain, makeTls, onFreePort } from './gateway-peers.ts';
import { median } from './node.ts';

const ROUNDS = 7;
const ROUND_MS = 150;
const RECORD = 1400;
const PING = 64;
/** Connections that ask and answer, each waiting for its answer. */
const CONNECTIONS = 8;
const ROUNDTRIP_MS = 400;

function callsIn(ms: number, run: () => void): number {
  const start = performance.now();
  let calls = 0;
  let elapsed = 0;
  do {
    for (let i = 0; i < 16; i++) run();
    calls += 16;
    elapsed = performance.now() - start;
  } while (elapsed < ms);
  return calls / elapsed;
}

/** `node.gcm.native.ratio`: records sealed as a connection does, beside node:crypto over the same bytes and header. */
export function benchGatewayRecords(figures: Figures): void {
  const slot = acquireSlot(createPool({ slots: 1, engine: nodeRecords }));
  openEdge(slot, false, Cipher.gcm, fixture(96, SEEDS.recordKey), null, 0);
  const packet = new Uint8Array(HEADER_BYTES + RECORD + 32);
  const seal = (): void => void sealRecord(slot, packet, Flag.encryptedMessage, RECORD, 1);
  const key = createSecretKey(fixture(32, SEEDS.recordKey));
  const nonce = fixture(12, SEEDS.nonce);
  const header = fixture(HEADER_BYTES, SEEDS.header);
  const message = fixture(RECORD, SEEDS.message);
  const bare = (): void => {
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    cipher.setAAD(header);
    cipher.update(message);
    cipher.final();
    cipher.getAuthTag();
  };
  const ratios: number[] = [];
  const rates: number[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    const ours = callsIn(ROUND_MS, seal);
    const theirs = callsIn(ROUND_MS, bare);
    if (round < 0) continue;
    ratios.push(ours / theirs);
    rates.push((ours * RECORD) / 1000);
  }
  figures['node.gcm.native.ratio'] = median(ratios);
  figures['node.gcm.mbps'] = median(rates);
}

/** Something that sends a message, and emits `answer`. */
interface Pinger {
  ping(): void;
  readonly answers: EventEmitter;
  stop(): void;
}

async function tunnels(records: 'rcs' | 'gcm'): Promise<{ all: Pinger[]; stop(): Promise<void> }> {
  const provider = nodeProvider();
  const chain = makeChain(provider);
  const server = await listen(
    { identities: [chain.identity], host: HOST, port: 0, tickets: null },
    {
      connected: ({ connection }) => ({ message: (bytes) => void connection.send(bytes) }),
    },
  );
  const message = fixture(PING, SEEDS.message);
  const { port } = server;
  const all = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const { root, server: certificate } = chain;
      const common = { host: HOST, port, root, server: certificate, provider } as const;
      const answers = new EventEmitter();
      const connection = await new Promise<Connection>((resolve, fail) => {
        const dialled = dial(
          { ...common, extensions: 'require', gcm: records === 'gcm' },
          {
            established: () => resolve(dialled),
            message(bytes) {
              if (bytes.length !== PING) fail(new Error('another message came back'));
              answers.emit('answer');
            },
            closed: (why) => fail(new Error(why.detail)),
          },
        );
      });
      return { ping: () => void connection.send(message), answers, stop: () => connection.close() };
    }),
  );
  return { all, stop: () => server.quit() };
}

async function tlsTunnels(): Promise<{ all: Pinger[]; stop(): Promise<void> }> {
  const options = makeTls();
  const server = createTlsServer(options.server, (socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => void socket.write(bytes));
  });
  const port = await onFreePort(server);
  const message = fixture(PING, SEEDS.message);
  const all = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const answers = new EventEmitter();
      const socket = connectTls({ ...options.client, port });
      await once(socket, 'secureConnect');
      socket.setNoDelay(true);
      let got = 0;
      socket.on('data', (bytes: Buffer) => {
        got += bytes.length;
        if (got < PING) return;
        got -= PING;
        answers.emit('answer');
      });
      return { ping: () => void socket.write(message), answers, stop: () => void socket.destroy() };
    }),
  );
  return {
    all,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Round trips a second over all connections. */
function roundtrips(all: readonly Pinger[]): Promise<number> {
  return new Promise((resolve) => {
    const start = performance.now();
    let count = 0;
    let ending = 0;
    for (const pinger of all) {
      pinger.answers.on('answer', function again() {
        count++;
        const elapsed = performance.now() - start;
        if (elapsed < ROUNDTRIP_MS) {
          pinger.ping();
          return;
        }
        pinger.answers.off('answer', again);
        if (++ending === all.length) resolve((count / elapsed) * 1000);
      });
      pinger.ping();
    }
  });
}

/** `node.roundtrip64.tls.ratio` with RCS-256 records, `node.roundtrip64.tls.gcm.ratio` with AES-256-GCM. */
export async function benchRoundtrips(figures: Figures): Promise<void> {
  const sides = { rcs: await tunnels('rcs'), gcm: await tunnels('gcm'), tls: await tlsTunnels() };
  try {
    const ratios: Record<'rcs' | 'gcm', number[]> = { rcs: [], gcm: [] };
    const rates: number[] = [];
    for (let round = -1; round < ROUNDS; round++) {
      const rcs = await roundtrips(sides.rcs.all);
      const tls = await roundtrips(sides.tls.all);
      const gcm = await roundtrips(sides.gcm.all);
      if (round < 0) continue;
      ratios.rcs.push(rcs / tls);
      ratios.gcm.push(gcm / tls);
      rates.push(tls);
    }
    figures['node.roundtrip64.tls.rate'] = median(rates);
    figures['node.roundtrip64.tls.ratio'] = median(ratios.rcs);
    figures['node.roundtrip64.tls.gcm.ratio'] = median(ratios.gcm);
  } finally {
    for (const { all, stop } of Object.values(sides)) {
      for (const pinger of all) pinger.stop();
      await stop();
    }
  }
}
