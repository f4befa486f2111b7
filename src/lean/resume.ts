// A connection by a ticket or a provisioned credential (docs/extensions.md, X4): R1, R2, no certificates.

import { equalAt } from '../bytes.ts';
import { WITH_FULL_HANDSHAKE, WITH_RESUMPTION } from '../features.ts';
import { kmac, sha3 } from './hash.ts';
import { clear, DISCOVERY, HEADER, R1, R2 } from './packets.ts';
import type { Credential, Tools } from './types.ts';

/** Without tickets there are provisioned credentials only, which count their uses. */
const MORE: boolean = WITH_FULL_HANDSHAKE || WITH_RESUMPTION;

/** Sends R1 with `random`, 32 bytes, as its nonce or part of it. */
export function resume(tools: Tools, credential: Credential, random: Uint8Array): void {
  const r1 = clear(R1, 81, 0);
  const proof = (name: string, parts: Uint8Array[]): Uint8Array => kmac(credential.secret, name, parts, 32);
  r1.set(credential.id, HEADER);
  r1.set(!MORE || credential.counts ? tools.device.nonce(random) : random, 37);
  r1[69] = DISCOVERY;
  r1.set(proof('R1', [r1.subarray(0, 70)]), 70);
  tools.send(r1);
  tools.expectPacket(R2, 64, 0, (r2) => {
    const check = (): void => {
      const mine = proof('R2', [r2.subarray(0, HEADER), r1.subarray(70), r2.subarray(HEADER, 53)]);
      if (!equalAt(mine, 0, r2, 53, 32)) tools.fail('resume_proof', -1);
    };
    tools.steps([check].concat(tools.deriveKeys(1, credential.secret, () => sha3([r1, r2]))));
  });
}
