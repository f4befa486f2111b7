// The full handshake (docs/protocol.md, S1 to S4) and tickets, for boards with room for them: ML-KEM-512 and ML-DSA-44,
// polynomial by polynomial, with a timer between. Of the certificates a device keeps what the handshake needs: their
// signatures were verified when the device was provisioned, as an end with `verified: 'chain'` has them.

import { ascii, copyOf, equal, getTime, getU32, putU32, wipe } from '../../src/bytes.ts';
import { createArena } from '../../src/crypto/micro/arena.ts';
import type { Arena } from '../../src/crypto/micro/arena.ts';
import {
  ML_DSA_44,
  mlDsaVerdict,
  mlDsaVerifyBegin,
  mlDsaVerifyStep,
  mlDsaVerifySteps,
} from '../../src/crypto/micro/ml-dsa.ts';
import {
  ML_KEM_512,
  mlKemBegin,
  mlKemEncapsulateStep,
  mlKemEncapsulateSteps,
  mlKemVerdict,
} from '../../src/crypto/micro/ml-kem.ts';
import { ErrorCode } from '../../src/error.ts';
import { boot } from '../../src/link/boot.ts';
import { openWallet, walletAdd, walletNext, walletRemove } from '../../src/link/wallet.ts';
import type { Ticket } from '../../src/link/wallet.ts';
import { Feature, SUITES } from '../../src/params.ts';
import type { Storage } from '../../src/platform.ts';
import { SEALED, clear, DISCOVERY } from './client.ts';
import type { More, Tools } from './client.ts';
import { credentialOf, stored } from './device.ts';
import type { Credential, Device } from './device.ts';
import { lab, sha3 } from './hash.ts';
import { fromBinary, toBinary } from './text.ts';

const HEADER = 21;
const SIGNATURE = 2420;
const PUBLIC_KEY = 800;
const CIPHERTEXT = 768;
const VERIFY_KEY = 1312;
/** serial[16] | from u64 | to u64 | sch0[32] | verification key */
export const ANCHOR_BYTES = 64 + VERIFY_KEY;
export const ANCHOR_KEY = 'qstp.anchor';
export const ANCHOR_KIND = 10;

const CONNECT_REQUEST = 1;
const CONNECT_RESPONSE = 2;
const EXCHANGE_REQUEST = 7;
const EXCHANGE_RESPONSE = 8;
const FRESHNESS = 4;
const TICKET = 2;
const TICKET_BYTES = 53;
/** Tries of a ticket, or of the credential, before what comes next. */
const TRIES = 2;

/**
 * Boards whose `E.hwRand` is a generator in hardware, by `process.env.BOARD`: nRF52 and RP2040. On ESP32, ESP8266 and Linux it
 * begins with the same seed every time.
 */
const RANDOM_BOARDS = /^(PUCKJS|PIXLJS|MDBT42Q|BANGLEJS|MICROBIT|JOLTJS|NRF52|RUUVITAG|THINGY52|RP2|RAK)/;

/** The board's files as the storage of src/link. */
function storageOver(files: EspruinoStorage): Storage {
  return {
    get(key) {
      const text = files.read(key);
      return text === undefined ? null : fromBinary(text);
    },
    set(key, value) {
      if (!files.write(key, toBinary(value, 0, value.length))) throw new Error('flash');
    },
    remove(key) {
      files.erase(key);
    },
  };
}

/** Starts a device that may do full handshakes. Throws as `boot` of src/link does, and for a damaged credential. */
export function startFull(files: EspruinoStorage, board: string): Device {
  const entropy = boot({
    storage: storageOver(files),
    seedApproved: true,
    sources: [
      {
        name: 'hwrng',
        approved: RANDOM_BOARDS.test(board),
        bits: 4,
        fill(out) {
          for (let i = 0; i < out.length; i += 4) putU32(out, i, E.hwRand());
          return true;
        },
      },
    ],
  });
  const { boots } = entropy;
  let uses = 0;
  const random = (length: number): Uint8Array => {
    const b = new Uint8Array(length);
    entropy.random(b);
    return b;
  };
  return {
    // Its nonces count the starts: without a seed nobody does.
    credential: boots > 0 && files.read('qstp.cred') !== undefined ? credentialOf(files) : null,
    random,
    nonce(b) {
      putU32(b, 0, boots);
      putU32(b, 4, uses++);
      return b;
    },
  };
}

/** What a build with full handshakes has more. `fullMinMs`: least time between two of them. */
export function createMore(files: EspruinoStorage, device: Device, fullMinMs: number): More {
  const anchor = stored(files, ANCHOR_KEY, ANCHOR_KIND, ANCHOR_BYTES);
  const from = getTime(anchor, 16);
  const to = getTime(anchor, 24);
  const wallet = openWallet({ serial: copyOf(anchor, 0, 16), storage: storageOver(files) });
  let now = 0;
  let ticket: Ticket | null = null;
  let refusals = 0;
  let credentialRefusals = 0;
  let using: Credential | null = null;
  let fullAt = 0;
  /** Of the full handshake under way: T, the freshness signature and how much of it is here, the server's key. */
  let transcript: Uint8Array | null = null;
  let fresh: Uint8Array | null = null;
  let fill = 0;
  let since = 0;
  let resumptions = 0;

  const verify = (
    tools: Tools,
    signature: Uint8Array,
    message: Uint8Array,
    context: Uint8Array | null,
    why: string,
    then: () => void,
  ): (() => void)[] => {
    const key = fromBinary(files.read(ANCHOR_KEY)!).subarray(66, 66 + VERIFY_KEY);
    let arena: Arena | null = createArena(ML_DSA_44.arenaBytes);
    let done = false;
    mlDsaVerifyBegin(arena);
    return repeated(mlDsaVerifySteps(ML_DSA_44), () => {
      if (!done) done = mlDsaVerifyStep(ML_DSA_44, arena!, signature, message, key, context);
    }).concat(() => {
      const good = done && mlDsaVerdict(arena!);
      arena = null;
      if (good) then();
      else tools.fail(why, ErrorCode.signatureFailure);
    });
  };

  // S3: encapsulate to the key the server signed.
  const exchange = (tools: Tools, cookie: Uint8Array, publicKey: Uint8Array): void => {
    const coins = tools.device.random(32);
    const s3 = clear(EXCHANGE_REQUEST, CIPHERTEXT, 1);
    const ciphertext = s3.subarray(HEADER);
    const shared = new Uint8Array(32);
    let arena: Arena | null = createArena(ML_KEM_512.arenaBytes);
    mlKemBegin(arena);
    const work = repeated(mlKemEncapsulateSteps(ML_KEM_512), () => {
      mlKemEncapsulateStep(ML_KEM_512, arena!, publicKey, coins, ciphertext, shared);
    });
    tools.steps(
      work.concat(() => {
        const good = mlKemVerdict(arena!);
        arena = null;
        wipe(coins);
        if (!good) {
          tools.fail('encapsulation', ErrorCode.exchangeFailure);
          return;
        }
        const last = sha3([cookie, ciphertext]);
        transcript = last;
        tools.send(s3);
        // S4: the echo of sch2. It proves nothing of the secret: the hello does.
        tools.expect(EXCHANGE_RESPONSE, 32, 1, (s4) => {
          if (equal(s4.subarray(HEADER), last)) {
            tools.steps(
              tools
                .keying(0, shared, () => last)
                .concat(() => {
                  wipe(shared);
                  fresh = new Uint8Array(SIGNATURE);
                  fill = 0;
                }),
            );
          } else tools.fail('cookie', ErrorCode.establishFailure);
        });
      }),
    );
  };

  return {
    features: Feature.resumption,
    waitMs() {
      if (walletNext(wallet, now, (refusals / TRIES) | 0) !== null) return 0;
      if (device.credential !== null && credentialRefusals < TRIES) return 0;
      const left = fullAt === 0 ? 0 : fullAt + fullMinMs - Date.now();
      return left > 0 && left <= fullMinMs ? left : 0;
    },
    credential() {
      ticket = walletNext(wallet, now, (refusals / TRIES) | 0);
      using = null;
      if (ticket !== null) using = { id: ticket.id, secret: ticket.secret, counts: false };
      else if (credentialRefusals < TRIES) using = device.credential;
      return using;
    },
    // S1: name the server's certificate and the suite.
    full(tools) {
      fullAt = Date.now();
      const s1 = clear(CONNECT_REQUEST, 58, 0);
      s1.set(anchor.subarray(0, 16), HEADER);
      s1.set(ascii(SUITES[0]!.name), HEADER + 16);
      s1[78] = DISCOVERY;
      const cookie = anchor.subarray(32, 64);
      tools.send(s1);
      // S2: the server's signature covers this packet's header, the certificates (by sch0) and its KEM key.
      tools.expect(CONNECT_RESPONSE, SIGNATURE + 32 + PUBLIC_KEY, 0, (s2) => {
        const hash = s2.subarray(HEADER + SIGNATURE, HEADER + SIGNATURE + 32);
        const publicKey = s2.subarray(HEADER + SIGNATURE + 32);
        if (!equal(hash, sha3([s2.subarray(0, HEADER), cookie, publicKey]))) {
          tools.fail('response_hash', ErrorCode.verifyFailure);
          return;
        }
        const signature = s2.subarray(HEADER, HEADER + SIGNATURE);
        const next = sha3([cookie, hash]);
        // Only the key is needed on: the rest of the packet goes with the steps.
        const key = copyOf(publicKey);
        tools.steps(
          verify(tools, signature, hash, null, 'response_signature', () => exchange(tools, next, key)),
        );
      });
    },
    early(body) {
      const total = body[1]! | (body[2]! << 8);
      const at = body[3]! | (body[4]! << 8);
      const good = fresh !== null && body[0] === FRESHNESS && total === SIGNATURE && at === fill;
      if (!good || body.length < 6 || fill + body.length - 5 > SIGNATURE) return false;
      fresh!.set(body.subarray(5), fill);
      fill += body.length - 5;
      return true;
    },
    hello(body, tools, accept) {
      const proceed = (): void => {
        const time = getTime(body, 8) / 1000;
        fresh = null;
        if (time < from || time > to) {
          tools.fail('server_time', ErrorCode.messageTimeInvalid);
          return;
        }
        now = Math.floor(time);
        const before = ticket;
        since = before !== null ? before.since : using === null ? now : 0;
        resumptions = before !== null ? before.resumptions + 1 : 0;
        if (before !== null) walletRemove(wallet, before.id);
        refusals = credentialRefusals = 0;
        ticket = null;
        accept();
      };
      if (using !== null) {
        tools.steps([proceed]);
      } else if (fresh === null || fill !== SIGNATURE) {
        tools.fail('not_fresh', ErrorCode.authenticationFailure);
      } else {
        const message = new Uint8Array(40);
        message.set(transcript!);
        message.set(body.subarray(8, 16), 32);
        tools.steps(verify(tools, fresh, message, ascii('QSTP-EDGE-1/fresh'), 'not_fresh', proceed));
      }
    },
    control(body, exportSecret, time) {
      if (body[0] !== TICKET || body.length !== TICKET_BYTES) return false;
      const id = copyOf(body, 1, 17);
      const secret = lab(exportSecret, 'resume', [id, body.subarray(21)], 32);
      exportSecret.set(lab(exportSecret, 'next', [], 32));
      const expiry = Math.floor(time / 1000) + getU32(body, 17);
      walletAdd(wallet, { id, secret, expiry: expiry < to ? expiry : to, since, resumptions });
      return true;
    },
    failed(_why, code) {
      fresh = transcript = null;
      const before = ticket;
      const wasFull = using === null;
      ticket = using = null;
      if (wasFull) {
        // What refused the tickets may be gone by the next attempt.
        refusals = credentialRefusals = 0;
        return false;
      }
      if (code === SEALED + ErrorCode.ticketUsed && before !== null) {
        walletRemove(wallet, before.id);
        return true;
      }
      const busy =
        code === ErrorCode.hostsExceeded ||
        code === ErrorCode.memoryAllocation ||
        code === ErrorCode.acceptFail;
      if (busy || code >= SEALED) return false;
      if (before === null) credentialRefusals++;
      else refusals++;
      return code === ErrorCode.keyUnrecognized;
    },
  };
}

function repeated(times: number, step: () => void): (() => void)[] {
  const list: (() => void)[] = [];
  for (let i = 0; i < times; i++) list.push(step);
  return list;
}
