// The hellos (docs/extensions.md, X2): key confirmation, time, features. Here what both ends say of themselves;
// hello-server.ts and hello-client.ts have the two halves. The server's is its first sealed packet, in the same write
// as exchange_response or R2; opening it proves to the client that the server holds the keys.

import {
  WITH_EXACTLY_ONCE,
  WITH_IDENTITY,
  WITH_REKEY,
  WITH_REVOCATION,
  WITH_SERVER,
  WITH_SUCCESSION,
} from '../features.ts';
import { Feature } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { Word } from '../pool/slot.ts';
import { HELLO_NONCE_BYTES, PROFILE_HASH_BYTES } from '../wire/edge.ts';
import type { ClientHello, ServerHello } from '../wire/edge.ts';
import { tagBytes } from './channel.ts';
import type { SessionCore } from './core.ts';
import type { ClientEdge, HandshakeKeys, ServerEdge } from './edge.ts';
import { wantsIdentity } from './identity.ts';

export const MISMATCH = /* @__PURE__ */ reject(
  'hello_mismatch',
  ErrorCode.helloMismatch,
  'the hello does not fit the request: it was altered on the way, or an end is at fault',
  true,
);

export function tooIdle(maxIdle: number, poll: number, missed: number): Reject {
  return reject(
    'idle_too_short',
    ErrorCode.idleTooShort,
    `the server closes after ${maxIdle} ms of silence, but polls every ${poll} ms with ${missed} missed need ${poll * (missed + 1)} ms: raise its idle limit`,
    true,
  );
}

export function idleTooShort(maxIdle: number, poll: number, missed: number): boolean {
  return poll > 0 && maxIdle > 0 && maxIdle < poll * (missed + 1);
}

/** Largest plaintext this end takes in one record, bytes, as a u16. */
export function ownMaxRecord(core: SessionCore): number {
  const most = core.slot.words[Word.recordLimit]! - tagBytes(core.slot);
  return most < 65535 ? most : 65535;
}

export function nonce(edge: ClientEdge | ServerEdge): Uint8Array {
  const out = new Uint8Array(HELLO_NONCE_BYTES);
  edge.random(out);
  return out;
}

export function profileHash(edge: ClientEdge | ServerEdge): Uint8Array {
  return edge.profileHash ?? new Uint8Array(PROFILE_HASH_BYTES);
}

/** True if this end can prove who it is, or wants to know who the client is. */
function identifies(core: SessionCore, keys: HandshakeKeys): boolean {
  if (!WITH_SERVER || core.role === 'client') return (core.edge as ClientEdge).identity !== undefined;
  return wantsIdentity(core.edge as ServerEdge, keys.ticket === null ? null : keys.ticket.identity);
}

/** Features this end can take part in on this connection. Enters its chain. */
export function ownFeatures(core: SessionCore, keys: HandshakeKeys): number {
  const { owner } = core;
  const { ticketId } = keys;
  let features = core.edge!.features & ~(Feature.clientAuthentication | Feature.succession);
  if (WITH_IDENTITY && identifies(core, keys)) features |= Feature.clientAuthentication;
  if ((WITH_REVOCATION || WITH_SUCCESSION) && core.edge!.trust !== undefined) features |= Feature.succession;
  if (!WITH_REKEY || core.crypto === null) features &= ~Feature.kemRekey;
  const chained =
    WITH_EXACTLY_ONCE &&
    (features & Feature.exactlyOnce) !== 0 &&
    owner !== null &&
    owner.enterChain(ticketId, core.slot.words);
  return chained ? features : features & ~Feature.exactlyOnce;
}

/** Notes the features agreed on, and what the peer says of itself. */
export function agree(core: SessionCore, hello: ServerHello | ClientHello, features: number): void {
  const { words } = core.slot;
  words[Word.features] = features;
  words[Word.peerMaxRecord] = hello.maxRecord;
  words[Word.peerDeliveredLow] = hello.deliveredLow;
  words[Word.peerDeliveredHigh] = hello.deliveredHigh;
}
