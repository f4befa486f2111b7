// Provisioned credentials (docs/extensions.md, X4): a secret that is put into a device when it is made, for those
// too small for ML-DSA. It is used again and again, and ends by revocation or its own expiry. There is no forward
// secrecy with it until a KEM rekey.

import { NONCE_BYTES, SERIAL_BYTES, TICKET_ID_BYTES } from '../params.ts';
import { QstpError } from '../error.ts';
import { copy, copyOf, putU32, wipe } from '../bytes.ts';
import type { Random } from '../crypto/provider.ts';
import type { Storage } from '../platform.ts';
import { provisionedSecret } from '../session/secrets.ts';
import { packStored, Stored, unpackStored } from '../session/stored.ts';
import type { ClientName } from '../session/edge.ts';
import { isProvisioned } from '../wire/edge.ts';
import type { Tickets } from './ticket-store.ts';
import { provisionUseCounter, reserveAhead, takeUse } from './use-counter.ts';
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

/** Where a device keeps what it was provisioned with: id[16] | device secret[32] | anchor[16]. */
export const CREDENTIAL_KEY = 'qstp.cred';
const VERSION = 1;
const SECRET_AT = TICKET_ID_BYTES;
const ANCHOR_AT = SECRET_AT + NONCE_BYTES;
const BODY_BYTES = ANCHOR_AT + SERIAL_BYTES;

/** Gives a device its credential and a use counter that begins at 0. Throws `invalid_input`, `counter_unsaved`. */
export function provisionCredential(storage: Storage, provisioning: Provisioning): void {
  check(provisioning);
  const body = new Uint8Array(BODY_BYTES);
  copy(body, 0, provisioning.id, 0, TICKET_ID_BYTES);
  copy(body, SECRET_AT, provisioning.deviceSecret, 0, NONCE_BYTES);
  copy(body, ANCHOR_AT, provisioning.anchor, 0, SERIAL_BYTES);
  const value = packStored(Stored.credential, VERSION, body);
  wipe(body);
  provisionUseCounter(storage);
  storage.set(CREDENTIAL_KEY, value);
  wipe(value);
}

/** The credential in a device's storage; null if there is none. Throws `credential_damaged`. */
export function readCredential(storage: Storage): Provisioning | null {
  const value = storage.get(CREDENTIAL_KEY);
  if (value === null) return null;
  const body = unpackStored(Stored.credential, VERSION, value, BODY_BYTES);
  wipe(value);
  if (body === null) {
    throw new QstpError('credential_damaged', 'the stored credential is damaged: provision a new one');
  }
  const provisioning = {
    id: copyOf(body, 0, SECRET_AT),
    deviceSecret: copyOf(body, SECRET_AT, ANCHOR_AT),
    anchor: copyOf(body, ANCHOR_AT, BODY_BYTES),
  };
  wipe(body);
  check(provisioning);
  return provisioning;
}

/**
 * The client's side: what a link is given as `credential`. No nonce of it ever repeats: it is the boots so far,
 * a count of uses that is stored before it is used, and 24 random bytes. With `defer`, which calls back on a stack that
 * is short again, the next uses are stored ahead.
 */
export function deviceCredential(
  provisioning: Provisioning,
  boots: number,
  uses: UseCounter,
  random: Random,
  defer?: (act: () => void) => void,
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
      if (defer !== undefined && uses.next >= uses.reserved) defer(() => reserveAhead(uses));
      return nonce;
    },
  };
}

/** The server's side: takes the credential until `expiry`, seconds since 1970, for a client, null if it has no name. */
export function acceptCredential(
  tickets: Tickets,
  provisioning: Provisioning,
  identity: ClientName | null,
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
