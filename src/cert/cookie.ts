import { concat } from '../bytes.ts';
import { sha3_256 } from '../crypto/micro/sponge.ts';

/** sch0, where every session starts: H(root certificate hash || server certificate hash), 32 bytes. */
export function sessionCookie(rootHash: Uint8Array, serverHash: Uint8Array): Uint8Array {
  return sha3_256(concat([rootHash, serverHash]));
}
