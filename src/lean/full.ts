// The full handshake (docs/protocol.md, S1 to S4), polynomial by polynomial, with a timer between; its server proves its time
// by a signature (X2), since the device has no clock.

import { ascii, copyOf, equal, part } from '../bytes.ts';
import { createArena } from '../crypto/micro/arena.ts';
import type { Arena } from '../crypto/micro/arena.ts';
import { mlDsaVerdict, mlDsaVerifyBegin, mlDsaVerifyStep, mlDsaVerifySteps } from '../crypto/micro/ml-dsa.ts';
import {
  mlKemBegin,
  mlKemEncapsulateStep,
  mlKemEncapsulateSteps,
  mlKemVerdict,
} from '../crypto/micro/ml-kem.ts';
import { ErrorCode } from '../error.ts';
import { randomBytes } from './device.ts';
import { sha3 } from './hash.ts';
import {
  clear,
  CONNECT_REQUEST,
  CONNECT_RESPONSE,
  DISCOVERY,
  EXCHANGE_REQUEST,
  EXCHANGE_RESPONSE,
  HEADER,
} from './packets.ts';
import { deriveKeys } from './records.ts';
import { DSA, KEM, SUITE_NAME } from './suite.ts';
import { down, expectPacket, steps } from './tunnel.ts';
import type { Client } from './types.ts';

const FRESH = 'QSTP-EDGE-1/fresh';

function repeated(times: number, step: () => void): (() => void)[] {
  const list: (() => void)[] = [];
  for (let i = 0; i < times; i++) list.push(step);
  return list;
}

/** The steps that verify a signature of the server's; then goes on with `then`, or fails with `why`. */
function verifySteps(
  c: Client,
  signature: Uint8Array,
  message: Uint8Array,
  context: Uint8Array | null,
  why: string,
  then: () => void,
): (() => void)[] {
  const { key } = c.beyond!.anchor;
  let arena: Arena | null = createArena(DSA.arenaBytes);
  let done = false;
  mlDsaVerifyBegin(arena);
  return repeated(mlDsaVerifySteps(DSA), () => {
    if (!done) done = mlDsaVerifyStep(DSA, arena!, signature, message, key, context);
  }).concat(() => {
    const good = done && mlDsaVerdict(arena!);
    arena = null;
    if (good) then();
    else down(c, why, ErrorCode.signatureFailure);
  });
}

/** S3: encapsulates to the key the server signed, and awaits S4. */
function exchange(c: Client, cookie: Uint8Array, publicKey: Uint8Array): void {
  const coins = randomBytes(c.device, 32);
  const s3 = clear(EXCHANGE_REQUEST, KEM.ciphertextBytes, 1);
  const ciphertext = part(s3, HEADER);
  const shared = new Uint8Array(32);
  let arena: Arena | null = createArena(KEM.arenaBytes);
  mlKemBegin(arena);
  steps(
    c,
    repeated(mlKemEncapsulateSteps(KEM), () => {
      mlKemEncapsulateStep(KEM, arena!, publicKey, coins, ciphertext, shared);
    }).concat(() => {
      const good = mlKemVerdict(arena!);
      arena = null;
      coins.fill(0);
      if (!good) {
        down(c, 'encapsulation', ErrorCode.exchangeFailure);
        return;
      }
      const last = sha3([cookie, ciphertext]);
      c.pipe!.send(s3);
      // S4: the echo of sch2. It proves nothing of the secret: the hello does.
      expectPacket(c, EXCHANGE_RESPONSE, 32, 1, (s4) => {
        if (!equal(part(s4, HEADER), last)) {
          down(c, 'cookie', ErrorCode.establishFailure);
          return;
        }
        steps(
          c,
          deriveKeys(c, 0, shared, () => last).concat(() => {
            const m = c.beyond!;
            shared.fill(0);
            m.transcript = last;
            m.fresh = new Uint8Array(DSA.signatureBytes);
            m.freshBytes = 0;
          }),
        );
      });
    }),
  );
}

/** S1: names the server's certificate and the suite. Then its signature is to come, and its hello. */
export function fullHandshake(c: Client): void {
  const { anchor } = c.beyond!;
  const s1 = clear(CONNECT_REQUEST, 58, 0);
  s1.set(anchor.serial, HEADER);
  s1.set(ascii(SUITE_NAME), HEADER + 16);
  s1[78] = DISCOVERY;
  c.pipe!.send(s1);
  // S2: the server's signature covers this packet's header, the certificates (by sch0) and its KEM key.
  const hashAt = HEADER + DSA.signatureBytes;
  expectPacket(c, CONNECT_RESPONSE, DSA.signatureBytes + 32 + KEM.publicKeyBytes, 0, (s2) => {
    const hash = copyOf(s2, hashAt, hashAt + 32);
    // Only the key is needed on: the rest of the packet goes with the steps.
    const publicKey = copyOf(s2, hashAt + 32);
    const check = (): void => {
      if (!equal(hash, sha3([part(s2, 0, HEADER), anchor.sch0, publicKey]))) {
        down(c, 'response_hash', ErrorCode.verifyFailure);
      }
    };
    steps(
      c,
      [check].concat(
        verifySteps(c, part(s2, HEADER, hashAt), hash, null, 'response_signature', () =>
          exchange(c, sha3([anchor.sch0, hash]), publicKey),
        ),
      ),
    );
  });
}

/** Goes on with `then` once the signature over T and the time of this hello is verified, or fails. */
export function verifyFresh(c: Client, hello: Uint8Array, then: () => void): void {
  const { fresh, freshBytes, transcript } = c.beyond!;
  if (fresh === null || freshBytes !== fresh.length) {
    down(c, 'not_fresh', ErrorCode.authenticationFailure);
    return;
  }
  const message = new Uint8Array(40);
  message.set(transcript!);
  message.set(part(hello, 8, 16), 32);
  steps(c, verifySteps(c, fresh, message, ascii(FRESH), 'not_fresh', then));
}
