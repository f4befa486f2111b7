// Provisioned credentials (docs/extensions.md, X4): a secret that is put into a device when it is made, for those
// too small for ML-DSA. It is used again and again, and ends by revocation or its own expiry. There is no forward
// secrecy with it until a KEM rekey.

import { NONCE_BYTES, SERIAL_BYTES, TICKET_ID_BYTES } from '../params.ts';
import { QstpError } from '../error.ts';
import { putU32, wipe } from '../bytes.ts';
import type { Random } from '../crypto/provider.ts';
import { provisionedSecret } from '../session/secrets.ts';
import { isProvisioned } from '../wire/edge.ts';
import type { Tickets } from './ticket-store.ts';
import { takeUse } from './use-counter.ts';
import type { UseCounter } from './use-counter.ts';
import type { Ticket } from './wallet.ts';

export interface Provisioning {
  /** 16 bytes, random but for bit 7 of the last one, which is set. */
  readonly id: Uint8Array;
  /** 32 bytes that the device and its servers have. */
  readonly deviceSecret: Uint8Array;
  /** Serial of the server at provisioning, 16 bytes: kept by both ends through renewals. */
  readonly anchor: Uint8Array;
}

function check({ id, deviceSecret, anchor }: Provisioning): void {
  const sizes =
    id.length === TICKET_ID_BYTES && deviceSecret.length === NONCE_BYTES && anchor.length === SERIAL_BYTES;
  if (!sizes || !isProvisioned(id)) {
    throw new QstpError(
      'invalid_input',
      'a provisioned credential has an id of 16 bytes with bit 7 of the last one set, a secret of 32, an anchor of 16',
    );
  }
}

/** A new id: random, with its mark. */
export function provisionedId(random: Random): Uint8Array {
  const id = new Uint8Array(TICKET_ID_BYTES);
  random(id);
  id[TICKET_ID_BYTES - 1]! |= 0x80;
  return id;
}

/**
 * The client's side: what a link is given as `credential`. No nonce of it ever repeats: it is the boots so far,
 * a count of uses that is stored before it is used, and 24 random bytes.
 */
export function deviceCredential(
  provisioning: Provisioning,
  boots: number,
  uses: UseCounter,
  random: Random,
): Ticket {
  check(provisioning);
  const { id, deviceSecret, anchor } = provisioning;
  return {
    id,
    secret: provisionedSecret(deviceSecret, id, anchor),
    expiry: 0,
    since: 0,
    resumptions: 0,
    nonce() {
      const nonce = new Uint8Array(NONCE_BYTES);
      random(nonce);
      putU32(nonce, 0, boots);
      putU32(nonce, 4, takeUse(uses));
      return nonce;
    },
  };
}

/** The server's side: takes the credential until `expiry`, seconds since 1970, for `identity` (16 bytes or zeros). */
export function acceptCredential(
  tickets: Tickets,
  provisioning: Provisioning,
  identity: Uint8Array,
  issued: number,
  expiry: number,
  done: (kept: boolean) => void,
): void {
  check(provisioning);
  const { id, deviceSecret, anchor } = provisioning;
  const secret = provisionedSecret(deviceSecret, id, anchor);
  const record = { secret, identity, anchor, issued, expiry, since: 0, resumptions: 0, provisioned: true };
  tickets.put(id, record, (kept) => {
    wipe(secret);
    done(kept);
  });
}
