// Control messages of an established connection (docs/extensions.md, X2 to X9).

import {
  WITH_EXACTLY_ONCE,
  WITH_REKEY,
  WITH_RESUMPTION,
  WITH_REVOCATION,
  WITH_SUCCESSION,
} from '../features.ts';
import { ControlType, Feature } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import { copyOf, getI32, getU32, putU32 } from '../bytes.ts';
import { slotSecrets, Word } from '../pool/slot.ts';
import { decodeTicket, TICKET_BYTES } from '../wire/edge.ts';
import { emitControl, SessionEvent } from './core.ts';
import type { SessionCore } from './core.ts';
import type { ClientEdge } from './edge.ts';
import { receiveRekey } from './rekey.ts';
import { ticketSecret } from './secrets.ts';
import { receiveTrust } from './trust.ts';
import { receiveUpdate } from './update.ts';

const UNKNOWN = /* @__PURE__ */ reject(
  'control',
  ErrorCode.invalidRequest,
  'the peer sent a control message that was not agreed on',
  true,
);

/** 0F | delivered u64 */
const DELIVERED_BYTES = 9;

function receiveTicket(core: SessionCore, body: Uint8Array, now: number): void {
  const agreed = (core.slot.words[Word.features]! & Feature.resumption) !== 0;
  if (core.role !== 'client' || !agreed || body.length !== TICKET_BYTES) {
    core.fail(UNKNOWN, now);
    return;
  }
  const { id, lifetime, nonce } = decodeTicket(body);
  const secret = ticketSecret(slotSecrets(core.slot).subarray(64, 96), id, nonce);
  const edge = core.edge as ClientEdge;
  if (edge.ticket !== undefined) edge.ticket(copyOf(id), secret, lifetime);
}

/** True if a body of type 0F counts fewer messages than one before it. */
function goesBack(words: Int32Array, body: Uint8Array): boolean {
  const high = getU32(body, 5);
  const before = words[Word.peerDeliveredHigh]! >>> 0;
  if (high !== before) return high < before;
  return getU32(body, 1) < words[Word.peerDeliveredLow]! >>> 0;
}

/** X9: how many messages of ours the peer has delivered. The number never goes back. */
function receiveDelivered(core: SessionCore, body: Uint8Array, now: number): void {
  const { words } = core.slot;
  const agreed = (words[Word.features]! & Feature.exactlyOnce) !== 0;
  if (body.length !== DELIVERED_BYTES || !agreed || goesBack(words, body)) {
    core.fail(UNKNOWN, now);
    return;
  }
  words[Word.peerDeliveredLow] = getI32(body, 1);
  words[Word.peerDeliveredHigh] = getI32(body, 5);
  core.event = SessionEvent.delivered;
}

/** Tells the peer how many of its messages were delivered here. */
export function sendDelivered(core: SessionCore, now: number): void {
  const { words } = core.slot;
  const body = new Uint8Array(DELIVERED_BYTES);
  body[0] = ControlType.delivered;
  putU32(body, 1, words[Word.deliveredLow]!);
  putU32(body, 5, words[Word.deliveredHigh]!);
  emitControl(core, body, now);
}

export function receiveControl(core: SessionCore, body: Uint8Array, now: number): void {
  switch (body[0]) {
    case ControlType.ticket:
      if (WITH_RESUMPTION) return receiveTicket(core, body, now);
      break;
    case ControlType.keyUpdate:
      return receiveUpdate(core, body, now);
    case ControlType.rekeyDone:
    case ControlType.rekeyKey:
    case ControlType.rekeyCiphertext:
      if (WITH_REKEY) return receiveRekey(core, body, now);
      break;
    case ControlType.revocationStatus:
    case ControlType.revocationList:
    case ControlType.successor:
    case ControlType.newRoot:
    case ControlType.holdings:
      if (WITH_REVOCATION || WITH_SUCCESSION) return receiveTrust(core, body, now);
      break;
    case ControlType.delivered:
      if (WITH_EXACTLY_ONCE) return receiveDelivered(core, body, now);
      break;
  }
  core.fail(UNKNOWN, now);
}
