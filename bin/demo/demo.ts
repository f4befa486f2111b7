// The guide's SCADA topology on loopback, with everything real but the distance:
//
//   Modbus master -> local port [ QSTP server ] <== wire ==< RTU client dials out -> Modbus slave
//
// It makes a root and a server, polls ten times through the tunnel, cuts the wire, and polls again; then the wire
// hangs without a word, and the RTU's keep-alives find out.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  generateRootKey,
  generateServerKey,
  rootCertificate,
  signServerCertificate,
} from '../../src/cert/issue.ts';
import { micro } from '../../src/crypto/micro.ts';
import { keepaliveRttMs } from '../../src/link/keepalive.ts';
import { slotBytes, Word } from '../../src/pool/slot.ts';
import { forwardRemote } from '../../targets/node/forward/client.ts';
import type { Forward } from '../../targets/node/forward/client.ts';
import { createForwardServer } from '../../targets/node/forward/server.ts';
import {
  FILES,
  keyFile,
  publicFile,
  readRootCertificate,
  readServerCertificate,
  writeFiles,
} from '../../targets/node/files.ts';
import { loadIdentity } from '../../targets/node/identity.ts';
import { listen } from '../../targets/node/listen.ts';
import { nodeClock, nodeRandom } from '../../targets/node/platform.ts';
import { describeProvider, nodeProvider } from '../../targets/node/provider.ts';
import { fields, progress, table } from '../ui.ts';
import { registerValue, startMaster, startSlave } from './modbus.ts';
import { startWire } from './wire.ts';

const POLLS = 10;
const REGISTERS = 8;
/** What the RTU is told of the master's polling: short, so that the demo need not wait for the keep-alives. */
const POLL_MS = 200;
/** The server closes a silent tunnel after so long: at least 4 polls. */
const IDLE_MS = 2000;
/** Nothing in the demo takes a fraction of this. */
const PATIENCE_MS = 8000;

interface Check {
  readonly what: string;
  readonly good: boolean;
  readonly result: string;
}

/** How a tunnel was made, up to where the RTU can send. */
interface Opened {
  readonly resumed: boolean;
  readonly bytes: number;
  readonly ms: number;
}

interface Loss {
  readonly reason: string;
  readonly pauseMs: number;
  /** When it was noticed. */
  readonly at: number;
}

/** Runs the demo; prints what happened; true if all of it was right. Leaves nothing behind. */
export async function runDemo(suite: number, json: boolean): Promise<boolean> {
  const folder = mkdtempSync(path.join(tmpdir(), 'qstp-demo-'));
  const cleanUp: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const interrupted = (): void => {
    rmSync(folder, { recursive: true, force: true });
    process.exit(1);
  };
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    const { figures, checks } = await story(suite, folder, cleanUp);
    const good = checks.every((check) => check.good);
    progress('');
    if (json) console.log(JSON.stringify({ good, figures: Object.fromEntries(figures), checks }, null, 2));
    else console.log(report(figures, checks, good));
    return good;
  } finally {
    for (const undo of cleanUp.reverse()) await undo();
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
  }
}

function report(figures: [string, string][], checks: Check[], good: boolean): string {
  return [
    'A SCADA master polls an RTU over Modbus/TCP. The RTU dialled out through QSTP:',
    '',
    '  Modbus master --> local port [ QSTP server ] <==== wire ====< RTU --> Modbus slave',
    '',
    table(
      ['checked', 'result', ''],
      checks.map((check) => [check.what, check.result, check.good ? 'ok' : 'FAILED']),
    ),
    '',
    fields(figures),
    '',
    good ? 'All of it worked.' : 'Something FAILED: see the table.',
  ].join('\n');
}

async function story(
  suite: number,
  folder: string,
  cleanUp: (() => unknown)[],
): Promise<{ figures: [string, string][]; checks: Check[] }> {
  const checks: Check[] = [];
  const check = (what: string, good: boolean, result: string): void => {
    checks.push({ what, good, result });
  };

  progress('making a root and a server certificate');
  makeFiles(suite, folder);
  const at = (name: string): string => path.join(folder, name);
  const root = readRootCertificate(at(FILES.rootCertificate));
  const certificate = readServerCertificate(at(FILES.serverCertificate));
  const identity = await loadIdentity({
    root: at(FILES.rootCertificate),
    certificate: at(FILES.serverCertificate),
    key: at(FILES.serverKey),
  });
  check('server files: root signature, server signature, validity, key', true, 'all verified');

  progress('starting the slave, the server and the RTU');
  let poll = 0;
  const slave = await startSlave(() => poll);
  cleanUp.push(() => slave.stop());
  const forwards = createForwardServer(
    { connect: [], listen: [{ host: '127.0.0.1', port: 0 }] },
    () => undefined,
  );
  const server = await listen(
    { identities: [identity], host: '127.0.0.1', port: 0, idleTimeoutMs: IDLE_MS },
    { connected: (peer) => forwards.accept(peer) },
  );
  cleanUp.push(() => server.quit());
  cleanUp.push(() => forwards.close());
  const wire = await startWire(server.port);
  cleanUp.push(() => wire.stop());

  let waiting: (() => void) | null = null;
  let begun = { bytes: 0, at: 0 };
  const opened: Opened[] = [];
  const losses: Loss[] = [];
  const rtu = forwardRemote(
    { host: '127.0.0.1', port: wire.port, root, server: certificate, pollMs: POLL_MS },
    { host: '127.0.0.1', port: 0 },
    { host: '127.0.0.1', port: slave.port },
    () => undefined,
    {
      connecting: () => (begun = { bytes: wire.bytes, at: performance.now() }),
      established({ session }) {
        const ms = performance.now() - begun.at;
        opened.push({ resumed: !session.fullHandshake, bytes: wire.bytes - begun.bytes, ms });
      },
      waiting: () => waiting?.(),
      lost: ({ reason }, pauseMs) => losses.push({ reason, pauseMs, at: performance.now() }),
    },
  );
  cleanUp.push(() => rtu.close());
  await within('the RTU to be ready', (ready) => (waiting = ready));
  const full = opened[0]!;
  check('handshake: certificates, signed KEM key, keys confirmed', !full.resumed, 'established');
  const stateBytes = slotBytes([...rtu.tunnels][0]!.session.slot.tx.length, 0);
  const port = forwards.listening[0]!.port;

  const polls = async (through: number): Promise<{ wrong: number; median: number }> => {
    const master = await startMaster(through);
    const times: number[] = [];
    let wrong = 0;
    for (let i = 0; i < POLLS; i++) {
      poll++;
      const start = performance.now();
      const values = await master.read(0, REGISTERS);
      times.push(performance.now() - start);
      for (let r = 0; r < REGISTERS; r++) if (values[r] !== registerValue(r, poll)) wrong++;
    }
    await master.stop();
    return { wrong, median: times.sort((a, b) => a - b)[POLLS >> 1]! };
  };
  const verdict = (wrong: number): string =>
    wrong === 0 ? `${POLLS * REGISTERS} registers right` : `${wrong} of ${POLLS * REGISTERS} registers wrong`;

  progress('polling');
  const first = await polls(port);
  check(`${POLLS} polls through the tunnel`, first.wrong === 0, verdict(first.wrong));
  const direct = await polls(slave.port);
  check(`${POLLS} polls without it, to compare`, direct.wrong === 0, verdict(direct.wrong));

  /** What `harm` does to the wire ends the tunnel that waits; resolves when the next one does. */
  const comeBack = async (
    harm: () => void,
  ): Promise<{ loss: Loss; next: Opened; noticed: number; away: number }> => {
    await within('the next tunnel', (ready) => {
      if (rtu.tunnels.size > 0 && server.peers.size > 0) ready();
      else waiting = ready;
    });
    const before = losses.length;
    const start = performance.now();
    const back = within('the RTU to return', (ready) => (waiting = ready));
    harm();
    await back;
    const loss = losses[before]!;
    return {
      loss,
      next: opened[opened.length - 1]!,
      noticed: loss.at - start,
      away: performance.now() - start,
    };
  };

  progress('cutting the wire');
  const cut = await comeBack(() => wire.cut());
  check(
    'the wire is cut: the RTU notices',
    cut.loss.reason === 'disconnected',
    `reported "${cut.loss.reason}"`,
  );
  check('it returns by itself', cut.next.resumed, cut.next.resumed ? 'resumed by ticket' : 'full handshake');
  const second = await polls(port);
  check(`${POLLS} more polls`, second.wrong === 0, verdict(second.wrong));

  progress('waiting for a keep-alive');
  const rtt = await answeredKeepalive(rtu);
  progress('the wire hangs');
  const hung = await comeBack(() => wire.hang());
  check(
    'the wire hangs without a word: keep-alives find out',
    hung.loss.reason === 'keepalive_expired',
    `reported "${hung.loss.reason}"`,
  );
  const third = await polls(port);
  check(`it is back: ${POLLS} more polls`, third.wrong === 0 && hung.next.resumed, verdict(third.wrong));

  const cost = ({ bytes, ms }: Opened): string => `${bytes} bytes on the wire, ${ms.toFixed(1)} ms`;
  return {
    checks,
    figures: [
      ['cryptography', describeProvider(nodeProvider()).slice('cryptography: '.length)],
      ['suite', `${suite}  ${root.suite.name}`],
      ['full handshake', cost(full)],
      ['resumption by ticket', cost(cut.next)],
      ['state of a connection', `${stateBytes} bytes of keys, counters and states of either cipher`],
      [
        'poll round trip, median',
        `${first.median.toFixed(2)} ms through the tunnel, ${direct.median.toFixed(2)} ms without`,
      ],
      [
        'keep-alive',
        `round trip ${rtt} ms; a hung wire was noticed after ${hung.noticed.toFixed(0)} ms, polls being ${POLL_MS} ms apart`,
      ],
      [
        'back after the cut',
        `${cut.away.toFixed(0)} ms, ${cut.loss.pauseMs.toFixed(0)} of them a random pause before the attempt`,
      ],
    ],
  };
}

/** The round trip time, ms, once the tunnel that waits has asked its silent server and heard from it. */
async function answeredKeepalive(rtu: Forward): Promise<number> {
  const rtt = (): number => {
    const tunnel = [...rtu.tunnels].at(-1);
    return tunnel === undefined ? -1 : keepaliveRttMs(tunnel.session.slot.words, Word.keepalive);
  };
  let look: NodeJS.Timeout;
  await within('a keep-alive to be answered', (done) => {
    look = setInterval(() => {
      if (rtt() >= 0) done();
    }, 20);
  }).finally(() => clearInterval(look));
  return rtt();
}

function makeFiles(suite: number, folder: string): void {
  const crypto = micro.suite(suite);
  const now = nodeClock.now();
  const hedge = (): Uint8Array => new Uint8Array(randomBytes(32));
  const rootKey = generateRootKey(crypto, 'demo.qrr', 1, now, nodeRandom);
  const root = rootCertificate(crypto, rootKey, hedge());
  const key = generateServerKey(crypto, 'demo.qrc', 1, now, nodeRandom);
  const certificate = signServerCertificate(crypto, root, rootKey, key, hedge());
  const at = (name: string): string => path.join(folder, name);
  writeFiles(
    [
      keyFile(at(FILES.rootKey), rootKey, null),
      keyFile(at(FILES.serverKey), key, null),
      publicFile(at(FILES.rootCertificate), root.bytes),
      publicFile(at(FILES.serverCertificate), certificate.bytes),
    ],
    false,
  );
}

/** Waits for `begin`'s callback, but not for ever. */
function within(what: string, begin: (done: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the demo waited ${PATIENCE_MS} ms for ${what}`)),
      PATIENCE_MS,
    );
    begin(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
