// The server's half of the hellos (X2): it keys the channel and says its hello, then takes the client's.

import { WITH_IDENTITY } from '../features.ts';
import { ControlType, Discovery, Feature, FIRST_RECORD_MAX, RECORD_LEAST, TICKETS_MAX } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import { Cipher, Word } from '../pool/slot.ts';
import { decodeClientHello, encodeFragments, encodeServerHello } from '../wire/edge.ts';
import type { ServerHello } from '../wire/edge.ts';
import { holdsCipher, NO_ROOM, openEdge } from './channel.ts';
import { emitControl } from './core.ts';
import type { SessionCore } from './core.ts';
import type { HandshakeKeys, ServerEdge } from './edge.ts';
import { wipeKeys } from './handshake.ts';
import {
  agree,
  idleTooShort,
  MISMATCH,
  nonce,
  ownFeatures,
  ownMaxRecord,
  profileHash,
  tooIdle,
} from './hello.ts';
import { awaitIdentity, receiveIdentity, refusesClient } from './identity.ts';
import { issueTickets } from './tickets.ts';

const TICKET_USED = /* @__PURE__ */ reject(
  'ticket_used',
  ErrorCode.ticketUsed,
  'another connection has used the ticket',
  true,
);

const PROFILE_REFUSED = /* @__PURE__ */ reject(
  'profile_refused',
  ErrorCode.identityRefused,
  'what the client says it runs is not what this server serves',
  true,
);

/** Keys the channel and says hello; the client's hello comes next. */
export function sendServerHello(core: SessionCore, keys: HandshakeKeys, now: number): void {
  const edge = core.edge as ServerEdge;
  const gcm = edge.gcm && (keys.discovery & Discovery.gcm) !== 0;
  const cipher = gcm ? Cipher.gcm : Cipher.rcs;
  if (!holdsCipher(core.slot, cipher)) {
    wipeKeys(keys);
    core.fail(NO_ROOM, now);
    return;
  }
  openEdge(core.slot, true, cipher, keys.secrets!, keys.material, now);
  if (keys.freshness !== null) {
    for (const body of encodeFragments(ControlType.freshness, keys.freshness, FIRST_RECORD_MAX)) {
      emitControl(core, body, now);
    }
  }
  const { words } = core.slot;
  const features = ownFeatures(core, keys);
  // What the client may take of it.
  words[Word.features] = features;
  const hello: ServerHello = {
    discovery: keys.discovery,
    mustAuthenticate:
      edge.clients !== undefined && edge.clients.required && (features & Feature.clientAuthentication) !== 0,
    features,
    serverTime: keys.serverTime,
    maxIdle: edge.maxIdle,
    maxRecord: ownMaxRecord(core),
    deliveredLow: words[Word.deliveredLow]!,
    deliveredHigh: words[Word.deliveredHigh]!,
    profileHash: profileHash(edge),
    nonce: nonce(edge),
  };
  emitControl(core, encodeServerHello(hello), now);
  core.phase = {
    keys,
    fresh: true,
    assembly: null,
    hello: null,
    serverNonce: hello.nonce,
    identity: null,
  };
}

/** The client's first sealed packet: only now is a ticket used up, before anything is delivered (X4). */
function receiveClientHello(core: SessionCore, body: Uint8Array, now: number): void {
  const edge = core.edge as ServerEdge;
  const { keys } = core.phase!;
  const hello = decodeClientHello(body);
  const offered = core.slot.words[Word.features]!;
  if (hello === null || (hello.features & ~offered) !== 0 || hello.maxRecord < RECORD_LEAST) {
    core.fail(MISMATCH, now);
    return;
  }
  if (idleTooShort(edge.maxIdle, hello.poll, hello.missed)) {
    core.fail(tooIdle(edge.maxIdle, hello.poll, hello.missed), now);
    return;
  }
  if (edge.acceptProfile !== undefined && !edge.acceptProfile(hello.profileHash)) {
    core.fail(PROFILE_REFUSED, now);
    return;
  }
  const go = (later: number): void => {
    wipeKeys(keys);
    core.phase = null;
    core.establish();
    issueTickets(core, keys.ticket, keys.kind === 0 ? TICKETS_MAX : 1, later);
  };
  const identify = (later: number): void => {
    agree(core, hello, hello.features);
    const known = keys.ticket === null ? null : keys.ticket.identity;
    // It may have been revoked while the ticket was taken.
    const refused = WITH_IDENTITY && known !== null ? refusesClient(edge, known, later) : null;
    if (refused !== null) {
      core.fail(refused, later);
      return;
    }
    if (WITH_IDENTITY && known !== null) core.identify(known);
    const wait = WITH_IDENTITY ? awaitIdentity(core, hello.features, hello.nonce, go, later) : null;
    if (core.phase === null) return;
    core.phase.identity = wait;
    if (wait === null) go(later);
  };
  const { ticketId } = keys;
  if (ticketId === null) {
    identify(now);
    return;
  }
  core.waiting = {
    job: { op: 'call', call: (done) => edge.tickets!.take(ticketId, now, done) },
    then(taken, later) {
      if (taken) identify(later);
      else core.fail(TICKET_USED, later);
    },
  };
}

/** A control message of the client before both hellos are through. */
export function receiveAtServer(core: SessionCore, body: Uint8Array, now: number): void {
  const type = body[0];
  const wait = core.phase!.identity;
  if (type === ControlType.clientHello && wait === null) receiveClientHello(core, body, now);
  else if (WITH_IDENTITY && type === ControlType.clientIdentity && wait !== null)
    receiveIdentity(core, body, now);
  else core.fail(MISMATCH, now);
}
