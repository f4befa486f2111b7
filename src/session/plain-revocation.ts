// The guide's single revocation: signature || serial in one cleartext packet on a fresh connection, of the size 1.4
// states (docs/extensions.md, X7). The sender never learns whether it was taken: the tunnel's form answers.

import { Flag, HEADER_BYTES, SUITES } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import { copyOf } from '../bytes.ts';
import { revocationBytes } from '../cert/revocation.ts';
import { headerLength } from '../wire/header.ts';
import type { RevocationVerdict, TrustDesk } from './edge.ts';
import type { Expected, Machine } from './handshake.ts';

const TAKEN = /* @__PURE__ */ reject(
  'revocation_taken',
  ErrorCode.invalidRequest,
  'a revocation was received in cleartext, and took effect',
  true,
);

const REFUSED = /* @__PURE__ */ reject(
  'revocation_signature',
  ErrorCode.invalidRequest,
  'a revocation was received in cleartext that no root of this server signed, that is known, or more than one a second',
);

/** What is expected of a packet that is to be a revocation; null if it cannot be one of `length` bytes. */
export function expectedRevocation(length: number): Expected | null {
  for (const suite of SUITES) {
    if (revocationBytes(suite) === length) return { flag: Flag.certificateRevoke, length, sequence: 0 };
  }
  return null;
}

/** Takes the revocation under any root of the server, then ends the connection, alike in every case. */
export function receivePlainRevocation(
  machine: Machine,
  trust: TrustDesk,
  packet: Uint8Array,
  now: number,
): void {
  const body = copyOf(packet, HEADER_BYTES, HEADER_BYTES + headerLength(packet));
  const verdicts = trust.judge(body, now);
  // One that is played back takes no other's turn.
  const due = verdicts.length > 0 && !verdicts.some((verdict) => verdict.known()) && trust.mayVerify(now);
  tryRoot(machine, due ? verdicts : [], 0, now);
}

function tryRoot(machine: Machine, verdicts: readonly RevocationVerdict[], index: number, now: number): void {
  if (index >= verdicts.length) {
    machine.fail(REFUSED, now);
    return;
  }
  const verdict = verdicts[index]!;
  machine.crypto = verdict.crypto;
  machine.wait(verdict.job, (good, later) => {
    if (!good) {
      tryRoot(machine, verdicts, index + 1, later);
      return;
    }
    if (verdict.keep() !== 'full') verdict.enforce(later);
    machine.fail(TAKEN, later);
  });
}
