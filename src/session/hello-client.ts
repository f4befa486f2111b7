// The client's half of the hellos (X2): what the server's first sealed packet makes of the connection, its hello, the
// freshness signature, and the answer.

import {
  WITH_FULL_HANDSHAKE,
  WITH_IDENTITY,
  WITH_REVOCATION,
  WITH_STRICT,
  WITH_SUCCESSION,
} from '../features.ts';
import { ControlType, Discovery, EdgeFlag, Feature, Flag, HASH_BYTES, RECORD_LEAST } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { ascii, copyOf, putTime } from '../bytes.ts';
import { Cipher, Word } from '../pool/slot.ts';
import { decodeServerHello, encodeClientHello, takeFragment } from '../wire/edge.ts';
import type { ClientHello, ServerHello } from '../wire/edge.ts';
import { holdsCipher, NO_ROOM, openEdge, openStrict } from './channel.ts';
import { controlFlag, emitControl, emitRecord } from './core.ts';
import type { SessionCore } from './core.ts';
import { FRESH_CONTEXT, wantsFreshness } from './edge.ts';
import type { ClientEdge, HandshakeKeys } from './edge.ts';
import { CLOCK_NOT_SET, wipeKeys } from './handshake.ts';
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
import { sendIdentity } from './identity.ts';
import { dueHoldings } from './trust.ts';

const NO_EXTENSIONS = /* @__PURE__ */ reject(
  'extensions_missing',
  ErrorCode.extensionsRequired,
  'the server speaks strict QSTP 1.4, and this client requires the extensions: set extensions to "never" or "allow" for it',
);

const UNASKED = /* @__PURE__ */ reject(
  'hello_mismatch',
  ErrorCode.helloMismatch,
  'the server chose AES-256-GCM records, which were not asked for: the request was altered on the way',
);

const IDENTITY = /* @__PURE__ */ reject(
  'identity_required',
  ErrorCode.identityRequired,
  'the server wants an identity of the client, and this client has none',
  true,
);

const STALE = /* @__PURE__ */ reject(
  'not_fresh',
  ErrorCode.authenticationFailure,
  "the server's freshness signature is missing or wrong: a recorded handshake was played back",
);

const WRONG_TIME = /* @__PURE__ */ reject(
  'server_time',
  ErrorCode.messageTimeInvalid,
  "the server's time is before the last time this device knew, or outside its certificate's validity",
  true,
);

/** True if the server's freshness signature is due before its hello. */
export function awaitsFreshness(keys: HandshakeKeys): boolean {
  return keys.kind === 0 && wantsFreshness(keys.discovery);
}

/**
 * Waits for the server's first sealed packet, which says by its flag what the connection is. `room` has the length of
 * a freshness signature, and is this session's until the hellos are through; null: it gets an array of its own.
 */
export function awaitServerHello(core: SessionCore, keys: HandshakeKeys, room: Uint8Array | null): void {
  core.phase = {
    keys,
    fresh: !awaitsFreshness(keys),
    assembly: room === null ? null : { type: ControlType.freshness, bytes: room, fill: 0 },
    hello: null,
    serverNonce: null,
    identity: null,
  };
}

/**
 * Keys the channel by the flag of the first sealed packet. Null if that is settled; the reason if the
 * server may not go on so.
 */
export function settleCipher(core: SessionCore, flag: number, now: number): Reject | null {
  const { slot, edge } = core;
  const { keys } = core.phase!;
  if (slot.words[Word.cipher] !== Cipher.none) return null;
  const gcm = flag === EdgeFlag.controlGcm;
  if (gcm || flag === EdgeFlag.control) {
    if (gcm && (keys.discovery & Discovery.gcm) === 0) return UNASKED;
    const cipher = gcm ? Cipher.gcm : Cipher.rcs;
    if (!holdsCipher(slot, cipher)) return NO_ROOM;
    openEdge(slot, false, cipher, keys.secrets!, keys.material, now);
    return null;
  }
  // A plain error packet goes on to be reported as what it is.
  if (flag === Flag.connectionTerminate) return null;
  const strict = WITH_STRICT && edge!.extensions !== 'require' && keys.kind === 0;
  return strict ? fallBack(core) : NO_EXTENSIONS;
}

/** Goes on as a strict 1.4 connection. The reason if it cannot: no clock, or no room for RCS-256. */
function fallBack(core: SessionCore): Reject | null {
  const { keys } = core.phase!;
  // Somebody on the way may have made the request one that a strict server takes.
  if ((keys.discovery & Discovery.clockNotSet) !== 0) return CLOCK_NOT_SET;
  if (!holdsCipher(core.slot, Cipher.rcs)) return NO_ROOM;
  openStrict(core.slot, false, keys.material!, keys.ratchet!);
  wipeKeys(keys);
  core.phase = null;
  core.establish();
  return null;
}

/** No hello came in time: a 1.4 server, which `allow` puts up with. */
export function helloMissed(core: SessionCore, now: number): void {
  if (core.phase === null || core.slot.words[Word.cipher] !== Cipher.none) return;
  const strict = WITH_STRICT && core.edge!.extensions !== 'require' && core.phase.keys.kind === 0;
  const bad = strict ? fallBack(core) : NO_EXTENSIONS;
  if (bad !== null) core.fail(bad, now);
}

/** A fragment of the freshness signature, which comes before the hello. */
function receiveFreshness(core: SessionCore, body: Uint8Array, now: number): void {
  const phase = core.phase!;
  const { crypto } = core;
  const most = crypto === null ? 0 : crypto.suite.signatureBytes;
  phase.assembly = phase.fresh ? null : takeFragment(phase.assembly, body, most);
  // Of the exact length: the algorithms leave that to their caller.
  if (phase.assembly === null || phase.assembly.bytes.length !== most) core.fail(STALE, now);
}

/** What the freshness signature is over: T || serverTime. */
function freshMessage(keys: HandshakeKeys, serverTime: number): Uint8Array {
  const message = new Uint8Array(HASH_BYTES + 8);
  message.set(keys.transcript);
  putTime(message, HASH_BYTES, serverTime);
  return message;
}

function receiveServerHello(core: SessionCore, body: Uint8Array, now: number): void {
  const phase = core.phase!;
  const hello = decodeServerHello(copyOf(body));
  const small = hello !== null && hello.maxRecord < RECORD_LEAST;
  if (hello === null || small || hello.discovery !== phase.keys.discovery) {
    core.fail(MISMATCH, now);
    return;
  }
  if (phase.fresh) {
    phase.hello = hello;
    return;
  }
  const { assembly, keys } = phase;
  if (!WITH_FULL_HANDSHAKE || assembly === null || assembly.fill !== assembly.bytes.length) {
    core.fail(STALE, now);
    return;
  }
  core.waiting = {
    job: {
      op: 'verify',
      signature: assembly.bytes,
      message: freshMessage(keys, hello.serverTime),
      publicKey: keys.verifyKey!,
      context: ascii(FRESH_CONTEXT),
    },
    then(good, later) {
      phase.fresh = good;
      if (!good) {
        core.fail(STALE, later);
        return;
      }
      phase.hello = hello;
    },
  };
}

/** An answer to a server's hello, as a message and as bytes. */
interface DueAnswer {
  readonly answer: ClientHello;
  readonly body: Uint8Array;
  readonly serverNonce: Uint8Array;
}

/** The client's hello in answer to the server's; null if that is not to be accepted. */
function answerHello(core: SessionCore, hello: ServerHello, now: number): ClientHello | null {
  const edge = core.edge as ClientEdge;
  const { keys } = core.phase!;
  const { clock } = edge;
  if (clock !== undefined && clock.state !== 2 && !clock.accept(hello.serverTime, keys.from, keys.to)) {
    core.fail(WRONG_TIME, now);
    return null;
  }
  const features = hello.features & ownFeatures(core, keys);
  if (hello.mustAuthenticate && (features & Feature.clientAuthentication) === 0) {
    core.fail(IDENTITY, now);
    return null;
  }
  const poll = (features & Feature.keepalive) === 0 ? 0 : edge.pollMs;
  if (idleTooShort(hello.maxIdle, poll, edge.missed)) {
    core.fail(tooIdle(hello.maxIdle, poll, edge.missed), now);
    return null;
  }
  if (keys.ticketId !== null && edge.ticketUsed !== undefined) edge.ticketUsed(keys.ticketId);
  agree(core, hello, features);
  const { words } = core.slot;
  return {
    clockState: clock === undefined ? 2 : clock.state,
    missed: edge.missed,
    features,
    poll,
    maxRecord: ownMaxRecord(core),
    deliveredLow: words[Word.deliveredLow]!,
    deliveredHigh: words[Word.deliveredHigh]!,
    profileHash: profileHash(edge),
    nonce: nonce(edge),
  };
}

/** What a server's hello that was received is answered with; null: there is none, or it is not to be accepted. */
function dueAnswer(core: SessionCore, now: number): DueAnswer | null {
  const { phase } = core;
  if (phase === null || phase.hello === null) return null;
  const { hello } = phase;
  phase.hello = null;
  const answer = answerHello(core, hello, now);
  return answer === null ? null : { answer, body: encodeClientHello(answer), serverNonce: hello.nonce };
}

/**
 * Answers a server's hello that was received, and establishes. It is called once the packet or the verdict is dealt
 * with: sealing needs a device's stack, which the way through them has used by then.
 */
export function finishHello(core: SessionCore, now: number): void {
  const due = dueAnswer(core, now);
  if (due === null) return;
  emitRecord(core, controlFlag(core.slot), due.body, now);
  const held = goesOn(core, due) ? goOn(core, now) : null;
  if (held !== null) emitRecord(core, controlFlag(core.slot), held, now);
}

/** True if the answer is all there is to say; else the identity that was asked for is signed first. */
function goesOn(core: SessionCore, { answer, serverNonce }: DueAnswer): boolean {
  if (!WITH_IDENTITY || (answer.features & Feature.clientAuthentication) === 0) return true;
  sendIdentity(core, core.phase!.keys.transcript, serverNonce, answer.nonce, (later) => {
    const held = goOn(core, later);
    if (held !== null) emitControl(core, held, later);
  });
  return false;
}

/** Both hellos are through, and the identity if one was asked for. What is to be said of what this client holds. */
function goOn(core: SessionCore, now: number): Uint8Array | null {
  const { keys } = core.phase!;
  wipeKeys(keys);
  core.phase = null;
  core.establish();
  return WITH_REVOCATION || WITH_SUCCESSION ? dueHoldings(core, keys.kind === 0, now) : null;
}

/** A control message of the server before both hellos are through. */
export function receiveAtClient(core: SessionCore, body: Uint8Array, now: number): void {
  const type = body[0];
  if (WITH_FULL_HANDSHAKE && type === ControlType.freshness) receiveFreshness(core, body, now);
  else if (type === ControlType.serverHello) receiveServerHello(core, body, now);
  else core.fail(MISMATCH, now);
}
