// What the parts of the runtime answer in fixed situations, for comparison between engines: keep-alive, clock,
// boot, counters, tickets, endpoints. No import but these, no global but typed arrays.
import { EXAMPLE, runKeepalive } from '../../bench/keepalive-run.ts';
import { concat, toHex } from '../../src/bytes.ts';
import type { Job } from '../../src/crypto/job.ts';
import { createConnection } from '../../src/link/connection.ts';
import type { Transport } from '../../src/platform.ts';
import { createPool } from '../../src/pool/pool.ts';
import { FEATURES_OF_THIS_BUILD } from '../../src/session/edge.ts';
import { createResumption } from '../../src/session/resume.ts';
import { createServer } from '../../src/session/server.ts';
import { createSession } from '../../src/session/session.ts';
import { sha3_256 } from '../../src/crypto/micro/sponge.ts';
import { boot, provisionSeed, refreshEntropy } from '../../src/link/boot.ts';
import { attemptFailed, attemptSucceeded, createEndpoints, nextAttempt } from '../../src/link/endpoints.ts';
import { memoryStorage } from '../../src/link/storage-memory.ts';
import { createTickets, memoryTicketStore } from '../../src/link/ticket-store.ts';
import { openUseCounter, provisionUseCounter, takeUse } from '../../src/link/use-counter.ts';
import { openWallet, walletAdd, walletKey, walletNext, walletRemove } from '../../src/link/wallet.ts';
import {
  acceptServerTime,
  checkHeaderTime,
  clockClose,
  clockNow,
  createClock,
  pinValidity,
} from '../../src/session/clock.ts';
import { pattern } from './kernel-answers.ts';

function keepalive(): string {
  const { events, state } = runKeepalive(EXAMPLE);
  const told = events.map((event) => event.time + ' ' + event.kind + ' ' + event.value);
  for (let i = 0; i < state.length; i++) told.push(String(state[i]));
  return told.join('; ');
}

function clock(): string {
  const storage = memoryStorage();
  const told: string[] = [];
  const report = (line: { event: string; detail: string }): void =>
    void told.push(line.event + ' ' + line.detail);
  const c = createClock({ storage, built: 1790000000, report }, 5);
  pinValidity(c, 1790500000, 1850000000);
  acceptServerTime(c, 1790400000000, 1790500000, 1850000000, 6);
  acceptServerTime(c, 1790600000500, 1790500000, 1850000000, 7);
  clockClose(c, 1000);
  told.push(String(clockNow(c, 4007)));
  told.push(checkHeaderTime(c, 1790604100, 4007)!.detail);
  told.push(toHex(storage.get('qstp.clock')!));
  told.push(String(createClock({ storage }, 0).floor));
  return told.join('; ');
}

function entropy(): string {
  const storage = memoryStorage();
  const told: string[] = [];
  provisionSeed(storage, pattern(32, 1));
  const source = {
    name: 'rand',
    approved: false,
    bits: 4,
    fill(out: Uint8Array): boolean {
      out.set(pattern(out.length, 2));
      return true;
    },
  };
  const options = {
    sources: [source],
    storage,
    seedApproved: true,
    report: (line: string): void => void told.push(line),
  };
  const out = new Uint8Array(16);
  const first = boot(options);
  first.random(out);
  told.push(toHex(out));
  told.push(String(refreshEntropy(first, options).boots));
  first.random(out);
  told.push(toHex(out));
  try {
    boot({ sources: [source] });
  } catch (error) {
    told.push((error as { code: string }).code);
  }
  provisionUseCounter(storage);
  takeUse(openUseCounter(storage));
  told.push(String(takeUse(openUseCounter(storage))));
  return told.join('; ');
}

function tickets(): string {
  const storage = memoryStorage();
  const serial = pattern(16, 3);
  const wallet = openWallet({ serial, storage });
  const told: string[] = [];
  for (let n = 0; n < 4; n++) {
    walletAdd(wallet, {
      id: pattern(16, 10 + n),
      secret: pattern(32, 20 + n),
      expiry: 1800000000 - 10 * n,
      since: 1790000000,
      resumptions: n,
    });
  }
  walletRemove(wallet, pattern(16, 12));
  told.push(toHex(sha3_256(storage.get(walletKey(serial))!)));
  told.push(toHex(walletNext(openWallet({ serial, storage }), 0)!.id));
  const id = pattern(16, 30);
  id[15] = 1;
  const record = {
    secret: pattern(32, 31),
    identity: null,
    anchor: new Uint8Array(16),
    issued: 1790000000,
    expiry: 1800000000,
    since: 1790000000,
    resumptions: 7,
    provisioned: false,
  };
  const store = memoryTicketStore(10);
  const all = createTickets(store, pattern(32, 33), (out) => out.set(pattern(out.length, 34)));
  all.put(id, record, (stored) => told.push(String(stored)));
  store.get(id, (row) => told.push(toHex(row!.sealed)));
  all.get(id, 1790000001, (found) => told.push(toHex(found!.secret)));
  for (let n = 0; n < 2; n++) all.take(id, (taken) => told.push(String(taken)));
  return told.join('; ');
}

function endpoints(): string {
  const told: string[] = [];
  const e = createEndpoints({ count: 3 }, 4294967000);
  for (let n = 0; n < 12; n++) {
    const now = (4294967000 + 150 * n) % 4294967296;
    const { index, waitMs } = nextAttempt(e, now);
    told.push(index + '+' + waitMs);
    if (n === 8) attemptSucceeded(e, index);
    else attemptFailed(e, index, now, ((n * 5) % 7) / 7);
  }
  return told.join(' ');
}

/** One line a part. */
/** A resumption between two connections, messages, keep-alives, key updates and the close: what goes over the wire. */
function connections(gcm: boolean): string {
  const secret = pattern(32, 7);
  const id = pattern(16, 8);
  id[15] = id[15]! & 0x7f;
  const told: string[] = [];
  const random = (out: Uint8Array): void => out.set(pattern(out.length, 9));
  const common = { features: FEATURES_OF_THIS_BUILD, gcm, random };
  const pool = createPool({ slots: 2, cipher: gcm ? 'gcm' : 'rcs', receiveBytes: 256, transmitBytes: 256 });
  let now = 1790000000;
  const settings = {
    timer: { set: () => () => undefined, schedule: () => 1, cancel: () => undefined, now: () => now * 1000 },
    clock: { now: () => now },
    execute: (_crypto: unknown, job: Job, done: (good: boolean) => void) => {
      if (job.op === 'call') job.call(done);
      return () => undefined;
    },
    transmit: pool.transmit,
  };
  const found = { identity: null, since: now, resumptions: 0 };
  const server = createConnection(
    createSession(
      createServer({
        identify: () => null,
        random,
        edge: {
          ...common,
          extensions: 'require',
          maxIdle: 0,
          tickets: {
            find: (_id, _now, done) => done({ ...found, secret: concat([secret]) }),
            take: (_id, _now, done) => done(true),
            issue: (ticket, done) => {
              told.push('ticket ' + toHex(ticket.secret));
              done(true);
            },
          },
        },
      }),
      { pool },
    ),
    settings,
    {
      message(bytes) {
        told.push('server has ' + toHex(bytes));
        server.send(concat([bytes, bytes]));
      },
      closed: (why) => void told.push('server ' + why.reason),
    },
  );
  const client = createConnection(
    createSession(
      createResumption({
        edge: {
          ...common,
          extensions: 'require',
          pollMs: 1000,
          missed: 3,
          ticket: (_id, given) => void told.push('given ' + toHex(given)),
        },
        ticketId: id,
        secret,
        clientNonce: pattern(32, 10),
        from: 0,
        to: 0,
      }),
      { pool },
    ),
    settings,
    {
      message: (bytes) => void told.push('client has ' + toHex(bytes)),
      closed: (why) => void told.push('client ' + why.reason),
    },
  );
  const way: { to: { data(bytes: Uint8Array): void }; bytes: Uint8Array }[] = [];
  const wire: Uint8Array[] = [];
  const join = (to: { data(bytes: Uint8Array): void }): Transport => ({
    write(bytes, length) {
      const sent = concat([bytes.subarray(0, length)]);
      wire.push(concat([sent]));
      way.push({ to, bytes: sent });
      return true;
    },
    pause: () => undefined,
    resume: () => undefined,
    end: () => undefined,
    destroy: () => undefined,
  });
  const run = (): void => {
    for (let next = way.shift(); next !== undefined; next = way.shift()) next.to.data(next.bytes);
  };
  server.start(join(client));
  client.start(join(server));
  run();
  client.send(pattern(50, 11));
  run();
  now += 90000;
  client.send(pattern(60, 12));
  run();
  client.wake();
  run();
  client.close();
  run();
  told.push(toHex(sha3_256(concat(wire))));
  return told.join('; ');
}

export function runtimeAnswers(): string {
  return [
    keepalive(),
    clock(),
    entropy(),
    tickets(),
    endpoints(),
    connections(true),
    connections(false),
  ].join('\n');
}
