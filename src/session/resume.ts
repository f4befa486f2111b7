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
import { Machine, TIME_OFF } from './handshake.ts';
import type { Expected, Handshake } from './handshake.ts';
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

class ResumeMachine extends Machine {
  private readonly options: ResumeOptions;
  private readonly discovery: number;
  private readonly secret: Uint8Array;
  private readonly ticketId: Uint8Array;
  private request: Uint8Array | null = null;

  constructor(options: ResumeOptions) {
    super('client');
    this.options = options;
    this.edge = options.edge;
    this.discovery = discoveryByte(options.edge);
    this.secret = copyOf(options.secret);
    this.ticketId = copyOf(options.ticketId);
  }

  private get clockless(): boolean {
    return (this.discovery & Discovery.clockNotSet) !== 0;
  }

  protected begin(now: number): void {
    const { options, ticketId, discovery } = this;
    const request = encodeResumeRequest(ticketId, options.clientNonce, discovery, this.clockless ? 0 : now);
    putProof('R1', this.secret, request, R1_PROOF, HEADER_BYTES, null);
    this.request = request;
    // The output is the transport's to keep; the transcript needs the packet again.
    this.output = copyOf(request);
    this.step = 'R2';
  }

  protected expected(): Expected | null {
    if (this.step !== 'R2') return null;
    const time = this.clockless ? 'any' : 'checked';
    return { flag: EdgeFlag.resumeResponse, length: RESUME_RESPONSE_BYTES, sequence: 0, time };
  }

  protected take(packet: Uint8Array, now: number): void {
    const { discovery, ticketId } = this;
    const r2 = copyOf(packet, 0, HEADER_BYTES + RESUME_RESPONSE_BYTES);
    const request = this.request!;
    if (!proofHolds('R2', this.secret, r2, R2_PROOF, HEADER_BYTES, request.subarray(R1_PROOF))) {
      this.fail(WRONG_PROOF, now);
      return;
    }
    const { from, to } = this.options;
    const more = { discovery, serverTime: 0, ticketId, ticket: null, from, to };
    this.keys = resumedKeys(request, r2, this.secret, more);
    this.step = 'established';
  }

  protected wipe(): void {
    wipe(this.secret);
  }
}

/** A client that resumes. It needs no algorithms: `crypto` is null. */
export function createResumption(options: ResumeOptions): Handshake {
  return new ResumeMachine(options);
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
