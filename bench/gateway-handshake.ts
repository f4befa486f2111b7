// Full handshakes a second over loopback, both ends in this process: QSTP, TLS 1.3 of the same algorithms, and the sum
// of the operations themselves. All three in turn, round after round. The client of either verifies two signatures:
// the server certificate's by the root it trusts, and the handshake's. Nothing is resumed.

import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import * as nodeCrypto from 'node:crypto';
import { connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { micro } from '../src/crypto/micro.ts';
import { noble } from '../src/crypto/noble.ts';
import { decapsulate, encapsulate, keygen } from '../src/crypto/provider.ts';
import { sign as signWith } from '../src/crypto/provider.ts';
import type { Provider } from '../src/crypto/provider.ts';
import { dial } from '../targets/node/dial.ts';
import { listen } from '../targets/node/listen.ts';
import { nodeProvider } from '../targets/node/provider.ts';
import type { Figures } from './figures.ts';
import {
  bareSockets,
  createTlsServer,
  HOST,
  makeChain,
  makeTls,
  onFreePort,
  SUITE,
} from './gateway-peers.ts';
import type { Chain, Side } from './gateway-peers.ts';
import { median } from './node.ts';

const ROUNDS = 9;
/** Of each side before anything counts: a gateway runs for months, its code has long been compiled. */
const WARMING = 1500;
/** Handshakes of one round of one thing. */
const HANDSHAKES = 160;
/** Begun and not finished. */
const AT_ONCE = 8;

/** What `count` of something took. */
interface Took {
  /** How many a second. */
  readonly rate: number;
  /** Processor time of one on all threads, microseconds. */
  readonly cpu: number;
}

async function measured(count: number, run: () => void | Promise<void>): Promise<Took> {
  const start = performance.now();
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return { rate: (count / (performance.now() - start)) * 1000, cpu: (user + system) / count };
}

/** Of `once`, {@link AT_ONCE} at a time. */
function atOnce(once: () => Promise<void>, count = HANDSHAKES): Promise<Took> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await once();
  };
  return measured(count, async () => {
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  });
}

/** Of `once`, one after the other. */
function inTurn(once: () => void, count = HANDSHAKES): Promise<Took> {
  return measured(count, () => {
    for (let i = 0; i < count; i++) once();
  });
}

async function qstp(provider: Provider, chain: Chain, extensions: 'never' | 'require'): Promise<Side> {
  const many = 100_000;
  const server = await listen(
    {
      identities: [chain.identity],
      host: HOST,
      port: 0,
      maxConnections: many,
      maxHandshakes: many,
      maxHandshakesPerAddress: many,
      tickets: null,
    },
    { connected: () => ({}) },
  );
  const { port } = server;
  return {
    once: () =>
      new Promise((resolve, fail) => {
        const { root, server: certificate } = chain;
        const connection = dial(
          { host: HOST, port, root, server: certificate, provider, verified: 'root', extensions },
          {
            established: () => connection.close(),
            closed: (why) => (why.reason === 'closed' ? resolve() : fail(new Error(why.detail))),
          },
        );
      }),
    stop: () => server.quit(),
  };
}

async function tls(): Promise<Side> {
  const options = makeTls();
  const server = createTlsServer(options.server, (socket) => {
    socket.on('error', () => undefined);
    socket.resume();
  });
  const port = await onFreePort(server);
  return {
    once: () =>
      new Promise((resolve, fail) => {
        const socket: TLSSocket = connectTls({ ...options.client, port }, () => {
          socket.end();
          resolve();
        });
        socket.once('error', fail);
        socket.resume();
      }),
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

interface PostQuantum {
  encapsulate(key: KeyObject): { ciphertext: Uint8Array };
  decapsulate(key: KeyObject, ciphertext: Uint8Array): Uint8Array;
}

/** What a handshake cannot do without, by node:crypto on keys that are there: no import, no export, no hash. */
function nativeFloor(): () => void {
  const { encapsulate, decapsulate } = nodeCrypto as unknown as PostQuantum;
  const signing = generateKeyPairSync('ml-dsa-65' as 'ed25519');
  const message = new Uint8Array(32);
  const publicKey = createPublicKey(signing.privateKey);
  const certificate = sign(null, message, signing.privateKey);
  return () => {
    const pair = generateKeyPairSync('ml-kem-768' as 'ed25519');
    const signature = sign(null, message, signing.privateKey);
    const good = verify(null, message, publicKey, certificate) && verify(null, message, publicKey, signature);
    const { ciphertext } = encapsulate(pair.publicKey);
    decapsulate(pair.privateKey, ciphertext);
    if (!good) throw new Error('a signature does not verify');
  };
}

/** The same by another provider's calls. */
function callsFloor(provider: Provider): () => void {
  const { kem, signer } = provider.suite(SUITE);
  const signing = keygen(signer, new Uint8Array(32).fill(1));
  const message = new Uint8Array(32);
  const random = new Uint8Array(32);
  const certificate = signWith(signer, message, signing.secretKey, random);
  let count = 0;
  return () => {
    random[0] = count++;
    const pair = keygen(kem, new Uint8Array(64).fill(count));
    const signature = signWith(signer, message, signing.secretKey, random);
    const good =
      signer.verify(certificate, message, signing.publicKey) &&
      signer.verify(signature, message, signing.publicKey);
    const sent = encapsulate(kem, pair.publicKey, random)!;
    decapsulate(kem, sent.ciphertext, pair.secretKey);
    if (!good) throw new Error('a signature does not verify');
  };
}

/**
 * `node.handshake.*` with native cryptography. Beside the rates `node.handshake.floor.cpu.ratio`, processor time of the
 * operations over that of a handshake, `node.handshake.sockets.cpu.percent`, how much of it sockets take that carry
 * packets of the same sizes, and `node.handshake.cold.floor.ratio`, of the first handshakes of a process.
 */
export async function benchGatewayHandshake(figures: Figures): Promise<void> {
  const provider = nodeProvider();
  if (provider.name !== 'native') throw new Error('this Node has no native ML-KEM and ML-DSA');
  const chain = makeChain(provider);
  const sides = {
    ours: await qstp(provider, chain, 'never'),
    edge: await qstp(provider, chain, 'require'),
    tls: await tls(),
    sockets: await bareSockets(SUITE),
  };
  const floor = nativeFloor();
  try {
    const cold = { ours: await atOnce(sides.ours.once), floor: await inTurn(floor) };
    figures['node.handshake.cold.floor.ratio'] = cold.ours.rate / cold.floor.rate;
    for (const side of Object.values(sides)) await atOnce(side.once, WARMING);
    const all: Record<string, Took[]> = { ours: [], edge: [], tls: [], sockets: [], floor: [] };
    for (let round = 0; round < ROUNDS; round++) {
      const got = {
        ours: await atOnce(sides.ours.once),
        floor: await inTurn(floor),
        tls: await atOnce(sides.tls.once),
        edge: await atOnce(sides.edge.once),
        sockets: await atOnce(sides.sockets.once),
      };
      for (const [name, took] of Object.entries(got)) all[name]!.push(took);
    }
    const over = (a: string, b: string, of: keyof Took): number =>
      median(all[a]!.map((took, i) => took[of] / all[b]![i]![of]));
    const rate = (name: string): number => median(all[name]!.map((took) => took.rate));
    figures['node.handshake.rate'] = rate('ours');
    figures['node.handshake.edge.rate'] = rate('edge');
    figures['node.handshake.tlsPq.rate'] = rate('tls');
    figures['node.handshake.floor.rate'] = rate('floor');
    figures['node.handshake.tlsPq.ratio'] = over('ours', 'tls', 'rate');
    figures['node.handshake.floor.ratio'] = over('ours', 'floor', 'rate');
    figures['node.handshake.edge.tlsPq.ratio'] = over('edge', 'tls', 'rate');
    figures['node.handshake.floor.cpu.ratio'] = over('floor', 'ours', 'cpu');
    figures['node.handshake.sockets.cpu.percent'] = 100 * over('sockets', 'ours', 'cpu');
  } finally {
    await Promise.all(Object.values(sides).map((side) => side.stop()));
  }
}

/**
 * Without native cryptography: `node.handshake.noble.floor.ratio`, what is done then, over our kernels, against noble's
 * operations; `node.handshake.micro.floor.ratio`, against the kernels' own; `node.handshake.overNoble.floor.ratio`, over the
 * provider of noble against its operations. All in turn, round after round.
 */
export async function benchOtherHandshakes(figures: Figures): Promise<void> {
  const [ours, overNoble] = [
    await qstp(micro, makeChain(micro), 'never'),
    await qstp(noble, makeChain(noble), 'never'),
  ];
  const [microFloor, nobleFloor] = [callsFloor(micro), callsFloor(noble)];
  // So many that how often signing begins anew evens out.
  const count = 64;
  try {
    const ratios: Record<string, number[]> = { noble: [], micro: [], overNoble: [] };
    for (let round = -1; round < 5; round++) {
      const [rate, nobleRate] = [await atOnce(ours.once, count), await atOnce(overNoble.once, count)];
      const floors = { micro: await inTurn(microFloor, count), noble: await inTurn(nobleFloor, count) };
      if (round < 0) continue;
      ratios['noble']!.push(rate.rate / floors.noble.rate);
      ratios['micro']!.push(rate.rate / floors.micro.rate);
      ratios['overNoble']!.push(nobleRate.rate / floors.noble.rate);
    }
    for (const [name, values] of Object.entries(ratios)) {
      figures[`node.handshake.${name}.floor.ratio`] = median(values);
    }
  } finally {
    await Promise.all([ours.stop(), overNoble.stop()]);
  }
}
