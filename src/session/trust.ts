// Trust that changes while connections live (docs/extensions.md, X7, X8). A client says what it holds; the server
// answers with what is newer: its root's revocation list, the root that follows, the certificate that follows. And
// the root's word that a certificate is revoked, which a server takes from anybody.

import { WITH_CLIENT, WITH_SERVER } from '../features.ts';
import { ControlType, Feature, Flag, FRAGMENTED_MAX, SERIAL_BYTES } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { copyOf } from '../bytes.ts';
import { Word } from '../pool/slot.ts';
import { decodeHoldings, encodeHoldings, HOLDINGS_BYTES, takeFragment } from '../wire/edge.ts';
import type { Assembly } from '../wire/edge.ts';
import { emitControl, emitFragments, emitRecord } from './core.ts';
import type { SessionCore } from './core.ts';
import type { ClientEdge, Judgement, RevocationVerdict, ServerEdge, TrustKeeper } from './edge.ts';

const MALFORMED = /* @__PURE__ */ reject(
  'trust_malformed',
  ErrorCode.invalidRequest,
  'a message about trust is malformed, came out of turn, or was not agreed on',
  true,
);

const FALSE_REVOCATION = /* @__PURE__ */ reject(
  'revocation_signature',
  ErrorCode.signatureFailure,
  'a revocation came that is not signed by a root of this server',
  true,
);

/** 09 | status | serial[16] */
const STATUS_BYTES = 18;

/** Answers to a single revocation (type 09). `notKept`: for want of room or storage, so not for good. */
export const RevocationStatus = {
  revoked: 0,
  already: 1,
  badSignature: 2,
  unknownRoot: 3,
  notKept: 4,
} as const;

function agreed(core: SessionCore): boolean {
  return (core.slot.words[Word.features]! & Feature.succession) !== 0;
}

// ---- The client -------------------------------------------------------------------------------------------

/** The message of what this client holds; null if none is due. */
export function dueHoldings(core: SessionCore, fullHandshake: boolean, now: number): Uint8Array | null {
  const edge = core.edge as ClientEdge;
  if (!agreed(core) || edge.trust === undefined) return null;
  const held = edge.trust.held(fullHandshake, now);
  return held === null ? null : encodeHoldings(held);
}

/** A fragment of a list, a new root or a successor. */
function receiveStatement(core: SessionCore, body: Uint8Array, now: number): void {
  const edge = core.edge as ClientEdge;
  const most = edge.trust === undefined ? 0 : (edge.trust.bytesMax ?? FRAGMENTED_MAX);
  const assembly: Assembly | null = agreed(core) ? takeFragment(core.statement, body, most) : null;
  if (assembly === null) {
    core.fail(MALFORMED, now);
    return;
  }
  core.statement = assembly.fill < assembly.bytes.length ? assembly : null;
  if (core.statement === null) judgeStatement(core, edge, assembly, now);
}

function judgeStatement(core: SessionCore, edge: ClientEdge, { type, bytes }: Assembly, now: number): void {
  const trust = edge.trust!;
  const judged = trust.judge(type, bytes, now);
  if ('reason' in judged) {
    trust.refused(judged);
    return;
  }
  // A resumption has no algorithms of its own.
  if (core.crypto === null) core.crypto = edge.crypto ?? null;
  if (core.crypto !== null) verifyStatement(core, trust, judged, 0);
}

/** Runs the jobs of a judgement from `index` on. */
function verifyStatement(core: SessionCore, trust: TrustKeeper, judged: Judgement, index: number): void {
  core.waiting = {
    job: judged.jobs[index]!,
    then(good, now) {
      if (!good) {
        trust.refused(judged.bad);
      } else if (index + 1 < judged.jobs.length) {
        verifyStatement(core, trust, judged, index + 1);
      } else {
        const ends = judged.keep(now);
        if (ends !== null) core.fail(ends, now);
      }
    },
  };
}

/** Sends the root's revocation of a certificate, sealed: signature || serial. */
export function sendRevocation(core: SessionCore, revocation: Uint8Array, now: number): boolean {
  if (core.state !== 'established' || !agreed(core)) return false;
  emitRecord(core, Flag.certificateRevoke, revocation, now);
  return true;
}

function receiveStatus(core: SessionCore, body: Uint8Array, now: number): void {
  if (core.role !== 'client' || body.length !== STATUS_BYTES || !agreed(core)) core.fail(MALFORMED, now);
  else if (core.owner !== null) core.owner.revocationAnswered(body[1]!, copyOf(body, 2));
}

// ---- The server -------------------------------------------------------------------------------------------

/** Sends what is newer than what the client holds. */
function receiveHoldings(core: SessionCore, body: Uint8Array, now: number): void {
  const edge = core.edge as ServerEdge;
  const good = body.length === HOLDINGS_BYTES && agreed(core) && edge.trust !== undefined;
  const held = good ? decodeHoldings(copyOf(body)) : null;
  if (held === null || core.owner === null || !core.owner.holdings(held)) {
    core.fail(MALFORMED, now);
    return;
  }
  for (const { type, message } of edge.trust!.newer(held, now)) emitFragments(core, type, message, now);
}

/** Sends a statement that is new to all clients. */
export function sendStatement(core: SessionCore, type: number, message: Uint8Array, now: number): void {
  if (core.state === 'established' && agreed(core)) emitFragments(core, type, message, now);
}

function answerRevocation(core: SessionCore, status: number, serial: Uint8Array, now: number): void {
  const body = new Uint8Array(STATUS_BYTES);
  body[0] = ControlType.revocationStatus;
  body[1] = status;
  body.set(serial, 2);
  emitControl(core, body, now);
}

/** A single revocation in the tunnel. One with a false signature is the last of its connection. */
export function receiveRevocation(core: SessionCore, body: Uint8Array, now: number): void {
  const edge = core.edge as ServerEdge;
  if (core.role !== 'server' || !agreed(core) || edge.trust === undefined || body.length <= SERIAL_BYTES) {
    core.fail(MALFORMED, now);
    return;
  }
  const revocation = copyOf(body);
  const serial = revocation.subarray(revocation.length - SERIAL_BYTES);
  const verdicts = edge.trust.judge(revocation, now);
  if (verdicts.length === 0) {
    answerRevocation(core, RevocationStatus.unknownRoot, serial, now);
    core.fail(FALSE_REVOCATION, now);
  } else if (verdicts.some((verdict) => verdict.known())) {
    // Without a look at the signature, or one that was played back again and again would be work without end.
    answerRevocation(core, RevocationStatus.already, serial, now);
  } else {
    verifyRevocation(core, verdicts, 0, serial);
  }
}

/** Tries the roots from `index` on. */
function verifyRevocation(
  core: SessionCore,
  verdicts: readonly RevocationVerdict[],
  index: number,
  serial: Uint8Array,
): void {
  const verdict = verdicts[index]!;
  const own = core.crypto;
  core.crypto = verdict.crypto;
  core.waiting = {
    job: verdict.job,
    then(good, now) {
      core.crypto = own;
      if (good) {
        const kept = verdict.keep();
        const { revoked, notKept } = RevocationStatus;
        // It may be this very client's own certificate: the answer goes first.
        answerRevocation(core, kept === 'kept' ? revoked : notKept, serial, now);
        if (kept !== 'full') verdict.enforce(now);
      } else if (index + 1 < verdicts.length) {
        verifyRevocation(core, verdicts, index + 1, serial);
      } else {
        answerRevocation(core, RevocationStatus.badSignature, serial, now);
        core.fail(FALSE_REVOCATION, now);
      }
    },
  };
}

// ---- Both -------------------------------------------------------------------------------------------------

/** A control message of types 09, 0A, 0C, 0D or 11. */
export function receiveTrust(core: SessionCore, body: Uint8Array, now: number): void {
  if (body[0] === ControlType.revocationStatus) receiveStatus(core, body, now);
  else if (WITH_SERVER && body[0] === ControlType.holdings && core.role === 'server')
    receiveHoldings(core, body, now);
  else if (WITH_CLIENT && body[0] !== ControlType.holdings && core.role === 'client')
    receiveStatement(core, body, now);
  else core.fail(MALFORMED, now);
}

/** True for the Reject of a server that its root revoked: the client goes elsewhere. */
export function isRevocation(why: Reject): boolean {
  return why.reason === 'revoked';
}
