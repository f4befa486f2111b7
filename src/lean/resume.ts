// A connection by a ticket or a provisioned credential (docs/extensions.md, X4): R1, R2, no certificates.

import { equalAt, part } from '../bytes.ts';
import { nonce } from './device.ts';
import { kmac, sha3 } from './hash.ts';
import { clear, DISCOVERY, HEADER, R1, R2 } from './packets.ts';
import { deriveKeys } from './records.ts';
import { MORE } from './suite.ts';
import { down, expectPacket, steps } from './tunnel.ts';
import type { Client, Credential } from './types.ts';

/** Sends R1 with 32 of the attempt's random bytes as its nonce, or part of it. */
export function resume(c: Client, credential: Credential): void {
  const r1 = clear(R1, 81, 0);
  const random = part(c.draw!, 0, 32);
  const proof = (name: string, parts: Uint8Array[]): Uint8Array => kmac(credential.secret, name, parts, 32);
  r1.set(credential.id, HEADER);
  // Without tickets there are provisioned credentials only, which count their uses.
  r1.set(!MORE || credential.counts ? nonce(c.device, random) : random, 37);
  r1[69] = DISCOVERY;
  r1.set(proof('R1', [part(r1, 0, 70)]), 70);
  c.pipe!.send(r1);
  expectPacket(c, R2, 64, 0, (r2) => {
    const check = (): void => {
      const mine = proof('R2', [part(r2, 0, HEADER), part(r1, 70), part(r2, HEADER, 53)]);
      if (!equalAt(mine, 0, r2, 53, 32)) down(c, 'resume_proof', -1);
    };
    steps(c, [check].concat(deriveKeys(c, 1, credential.secret, () => sha3([r1, r2]))));
  });
}
