// Resumption (docs/extensions.md, X4): a connection without post-quantum work, from a ticket of an earlier one
// or a credential put into the device when it was made.

import { Discovery, EdgeFlag, HEADER_BYTES, NONCE_BYTES } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { concat, copyOf, wipe } from '../bytes.ts';
import type { Random } from '../crypto/provider.ts';
import { sha3_256 } from '../crypto/micro/sponge.ts';
import {
  decodeResumeRequest,
  encodeResumeRequest,
  encodeResumeResponse,
  R1_PROOF,
  R2_PROOF,
  RESUME_RESPONSE_BYTES,
} from '../wire/edge.ts';
import { headerTime } from '../wire/header.ts';
import { discoveryByte } from './edge.ts';
import type { ClientEdge, FoundTicket, HandshakeKeys } from './edge.ts';
import { createMachine, TIME_OFF } from './handshake.ts';
import type { Handshake } from './handshake.ts';
import { connectionSecrets, proofHolds, putProof } from './secrets.ts';

/** The one answer to every R1 that is not accepted: it says nothing of why (X4). */
const REFUSED = /* @__PURE__ */ reject(
  'ticket_refused',
  ErrorCode.keyUnrecognized,
  'the client has no live ticket of this server, or its proof is wrong',
);

const WRONG_PROOF = /* @__PURE__ */ reject(
  'resume_proof',
  ErrorCode.authenticationFailure,
  'the answer does not prove that the server holds the ticket: another server answered',
);

/** Z, T and what follows from them; the secret is wiped. */
function resumedKeys(
  r1: Uint8Array,
  r2: Uint8Array,
  secret: Uint8Array,
  more: Pick<HandshakeKeys, 'discovery' | 'serverTime' | 'ticketId' | 'ticket' | 'from' | 'to'>,
): HandshakeKeys {
  const transcript = sha3_256(concat([r1, r2]));
  const secrets = connectionSecrets(1, secret, transcript);
  wipe(secret);
  return {
    kind: 1,
    transcript,
    material: null,
    ratchet: null,
    secrets,
    freshness: null,
    verifyKey: null,
    ...more,
  };
}

// ---- The client -------------------------------------------------------------------------------------------

export interface ResumeOptions {
  readonly edge: ClientEdge;
  /** 16 bytes; bit 7 of the last one marks a provisioned credential. */
  readonly ticketId: Uint8Array;
  /** 32 bytes. A copy is taken; the owner wipes its own when the ticket is used up. */
  readonly secret: Uint8Array;
  /** 32 bytes that never repeat: random, or the counters of a provisioned credential (X4). */
  readonly clientNonce: Uint8Array;
  /** Validity of the pinned server certificate, seconds. */
  readonly from: number;
  readonly to: number;
}

/** A client that resumes. It needs no algorithms: `crypto` is null. */
export function createResumption(options: ResumeOptions): Handshake {
  const { edge } = options;
  const discovery = discoveryByte(edge);
  const clockless = (discovery & Discovery.clockNotSet) !== 0;
  const secret = copyOf(options.secret);
  const ticketId = copyOf(options.ticketId);
  let request: Uint8Array = new Uint8Array(0);

  const machine = createMachine('client', {
    start(now) {
      request = encodeResumeRequest(ticketId, options.clientNonce, discovery, clockless ? 0 : now);
      putProof('R1', secret, request, R1_PROOF, HEADER_BYTES, null);
      // The output is the transport's to keep; the transcript needs the packet again.
      machine.output = copyOf(request);
      machine.step = 'R2';
    },
    expected(step) {
      if (step !== 'R2') return null;
      const time = clockless ? 'any' : 'checked';
      return { flag: EdgeFlag.resumeResponse, length: RESUME_RESPONSE_BYTES, sequence: 0, time };
    },
    receive(_step, packet, now) {
      const r2 = copyOf(packet, 0, HEADER_BYTES + RESUME_RESPONSE_BYTES);
      if (!proofHolds('R2', secret, r2, R2_PROOF, HEADER_BYTES, request.subarray(R1_PROOF))) {
        machine.fail(WRONG_PROOF, now);
        return;
      }
      const { from, to } = options;
      const more = { discovery, serverTime: 0, ticketId, ticket: null, from, to };
      machine.keys = resumedKeys(request, r2, secret, more);
      machine.step = 'established';
    },
    wipe() {
      wipe(secret);
    },
  });
  machine.edge = edge;
  return machine;
}

// ---- The server -------------------------------------------------------------------------------------------

/**
 * R2 and the keys for R1 and what was found under its ticket, or the refusal. An unknown ticket costs the same
 * work as a known one.
 */
export function acceptResumption(
  r1: Uint8Array,
  ticket: FoundTicket | null,
  random: Random,
  now: number,
): { readonly keys: HandshakeKeys; readonly response: Uint8Array } | Reject {
  const { ticketId, discovery } = decodeResumeRequest(r1);
  const secret = ticket === null ? new Uint8Array(32) : ticket.secret;
  const holds = proofHolds('R1', secret, r1, R1_PROOF, HEADER_BYTES, null);
  if (!holds || ticket === null) {
    wipe(secret);
    return REFUSED;
  }
  if ((discovery & Discovery.edge) === 0) {
    wipe(secret);
    return REFUSED;
  }
  if (headerTime(r1) === 0 && (discovery & Discovery.clockNotSet) === 0) {
    wipe(secret);
    return TIME_OFF;
  }
  const nonce = new Uint8Array(NONCE_BYTES);
  random(nonce);
  const response = encodeResumeResponse(nonce, now);
  putProof('R2', secret, response, R2_PROOF, HEADER_BYTES, r1.subarray(R1_PROOF));
  const more = { discovery, serverTime: now * 1000, ticketId, ticket, from: 0, to: 0 };
  return { keys: resumedKeys(r1, response, secret, more), response };
}
