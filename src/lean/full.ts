// The full handshake (docs/protocol.md, S1 to S4), polynomial by polynomial, with a timer between.

import { ascii, copyOf, equal } from '../bytes.ts';
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
import type { Anchor } from './anchor.ts';
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
import { DSA, KEM, SUITE_NAME } from './suite.ts';
import type { Tools } from './types.ts';

function repeated(times: number, step: () => void): (() => void)[] {
  const list: (() => void)[] = [];
  for (let i = 0; i < times; i++) list.push(step);
  return list;
}

/** The steps that verify a signature of the server's; then goes on with `then`, or fails with `why`. */
export function verifySteps(
  tools: Tools,
  anchor: Anchor,
  signature: Uint8Array,
  message: Uint8Array,
  context: Uint8Array | null,
  why: string,
  then: () => void,
): (() => void)[] {
  let arena: Arena | null = createArena(DSA.arenaBytes);
  let done = false;
  mlDsaVerifyBegin(arena);
  return repeated(mlDsaVerifySteps(DSA), () => {
    if (!done) done = mlDsaVerifyStep(DSA, arena!, signature, message, anchor.key, context);
  }).concat(() => {
    const good = done && mlDsaVerdict(arena!);
    arena = null;
    if (good) then();
    else tools.fail(why, ErrorCode.signatureFailure);
  });
}

/** S3: encapsulates to the key the server signed, and awaits S4. */
function exchange(
  tools: Tools,
  cookie: Uint8Array,
  publicKey: Uint8Array,
  done: (transcript: Uint8Array) => void,
): void {
  const coins = tools.device.randomBytes(32);
  const s3 = clear(EXCHANGE_REQUEST, KEM.ciphertextBytes, 1);
  const ciphertext = s3.subarray(HEADER);
  const shared = new Uint8Array(32);
  let arena: Arena | null = createArena(KEM.arenaBytes);
  mlKemBegin(arena);
  tools.steps(
    repeated(mlKemEncapsulateSteps(KEM), () => {
      mlKemEncapsulateStep(KEM, arena!, publicKey, coins, ciphertext, shared);
    }).concat(() => {
      const good = mlKemVerdict(arena!);
      arena = null;
      coins.fill(0);
      if (!good) {
        tools.fail('encapsulation', ErrorCode.exchangeFailure);
        return;
      }
      const last = sha3([cookie, ciphertext]);
      tools.send(s3);
      // S4: the echo of sch2. It proves nothing of the secret: the hello does.
      tools.expectPacket(EXCHANGE_RESPONSE, 32, 1, (s4) => {
        if (!equal(s4.subarray(HEADER), last)) {
          tools.fail('cookie', ErrorCode.establishFailure);
          return;
        }
        tools.steps(
          tools
            .deriveKeys(0, shared, () => last)
            .concat(() => {
              shared.fill(0);
              done(last);
            }),
        );
      });
    }),
  );
}

/** S1: names the server's certificate and the suite. `done` is given T when the keys are there. */
export function fullHandshake(tools: Tools, anchor: Anchor, done: (transcript: Uint8Array) => void): void {
  const s1 = clear(CONNECT_REQUEST, 58, 0);
  s1.set(anchor.serial, HEADER);
  s1.set(ascii(SUITE_NAME), HEADER + 16);
  s1[78] = DISCOVERY;
  tools.send(s1);
  // S2: the server's signature covers this packet's header, the certificates (by sch0) and its KEM key.
  const hashAt = HEADER + DSA.signatureBytes;
  tools.expectPacket(CONNECT_RESPONSE, DSA.signatureBytes + 32 + KEM.publicKeyBytes, 0, (s2) => {
    const hash = copyOf(s2, hashAt, hashAt + 32);
    // Only the key is needed on: the rest of the packet goes with the steps.
    const publicKey = copyOf(s2, hashAt + 32);
    const check = (): void => {
      if (!equal(hash, sha3([s2.subarray(0, HEADER), anchor.sch0, publicKey]))) {
        tools.fail('response_hash', ErrorCode.verifyFailure);
      }
    };
    tools.steps(
      [check].concat(
        verifySteps(tools, anchor, s2.subarray(HEADER, hashAt), hash, null, 'response_signature', () =>
          exchange(tools, sha3([anchor.sch0, hash]), publicKey, done),
        ),
      ),
    );
  });
}
