// What a device connects with that can do more than resume by its credential: a ticket, else the credential, else a full
// handshake, whose server proves its time by a signature (X2) since the device has no clock.

import { ascii, getTime, getU16, getU32, putTime, putU16 } from '../bytes.ts';
import { ErrorCode } from '../error.ts';
import { readAnchor } from './anchor.ts';
import { fullHandshake, verifySteps } from './full.ts';
import { lab } from './hash.ts';
import { SEALED } from './packets.ts';
import { DSA } from './suite.ts';
import { addTicket, nextTicket, openTickets, removeTicket } from './tickets.ts';
import type { Credential, Device, More } from './types.ts';

const RESUMPTION = 2;
const FRESHNESS = 4;
const TICKET = 2;
const TICKET_BYTES = 53;
const SINCE = 56;
const RESUMPTIONS = 64;
/** Tries of a ticket, or of the credential, before what comes next. */
const TRIES = 2;
const FRESH = 'QSTP-EDGE-1/fresh';

/**
 * `now`: milliseconds of the device's clock; `fullMinMs`: least time between two full handshakes. Throws if the device
 * was not given its server.
 */
export function createMore(device: Device, now: () => number, fullMinMs: number): More {
  const anchor = readAnchor(device.files);
  const tickets = openTickets(device.files, anchor.serial);
  /** Seconds since 1970, as the server said last. */
  let time = 0;
  let ticket: Uint8Array | null = null;
  let refusals = 0;
  let credentialRefusals = 0;
  let using: Credential | null = null;
  let fullAt = 0;
  /** Of the full handshake under way: T, the freshness signature and how much of it is here. */
  let transcript: Uint8Array | null = null;
  let fresh: Uint8Array | null = null;
  let fill = 0;
  /** Of the connection's tickets. */
  let since = 0;
  let resumptions = 0;

  const next = (): Uint8Array | null => nextTicket(tickets, time, (refusals / TRIES) | 0);

  return {
    features: RESUMPTION,
    waitMs() {
      if (next() !== null || (device.ownCredential !== null && credentialRefusals < TRIES)) return 0;
      const left = fullAt === 0 ? 0 : fullAt + fullMinMs - now();
      return left > 0 && left <= fullMinMs ? left : 0;
    },
    credential() {
      ticket = next();
      using = null;
      if (ticket !== null) {
        using = { id: ticket.subarray(0, 16), secret: ticket.subarray(16, 48), counts: false };
      } else if (credentialRefusals < TRIES) using = device.ownCredential;
      return using;
    },
    full(tools) {
      fullAt = now();
      fullHandshake(tools, anchor, (last) => {
        transcript = last;
        fresh = new Uint8Array(DSA.signatureBytes);
        fill = 0;
      });
    },
    early(body) {
      const total = getU16(body, 1);
      const part = body.subarray(5);
      const good =
        fresh !== null && body[0] === FRESHNESS && total === fresh.length && getU16(body, 3) === fill;
      if (!good || body.length < 6 || fill + part.length > total) return false;
      fresh!.set(part, fill);
      fill += part.length;
      return true;
    },
    hello(body, tools, accept) {
      const proceed = (): void => {
        const said = getTime(body, 8) / 1000;
        fresh = null;
        if (said < anchor.from || said > anchor.to) {
          tools.fail('server_time', ErrorCode.messageTimeInvalid);
          return;
        }
        time = Math.floor(said);
        since = using === null ? time : 0;
        resumptions = 0;
        if (ticket !== null) {
          since = getTime(ticket, SINCE);
          resumptions = getU16(ticket, RESUMPTIONS) + 1;
          removeTicket(tickets, ticket);
          ticket = null;
        }
        refusals = credentialRefusals = 0;
        accept();
      };
      if (using !== null) tools.steps([proceed]);
      else if (fresh === null || fill !== fresh.length) {
        tools.fail('not_fresh', ErrorCode.authenticationFailure);
      } else {
        const message = new Uint8Array(40);
        message.set(transcript!);
        message.set(body.subarray(8, 16), 32);
        tools.steps(verifySteps(tools, anchor, fresh, message, ascii(FRESH), 'not_fresh', proceed));
      }
    },
    control(body, exportSecret, now) {
      if (body[0] !== TICKET || body.length !== TICKET_BYTES) return false;
      const id = body.subarray(1, 17);
      const expiry = Math.floor(now / 1000) + getU32(body, 17);
      const got = new Uint8Array(66);
      got.set(id);
      got.set(lab(exportSecret, 'resume', [id, body.subarray(21)], 32), 16);
      exportSecret.set(lab(exportSecret, 'next', [], 32));
      putTime(got, 48, expiry < anchor.to ? expiry : anchor.to);
      putTime(got, SINCE, since);
      putU16(got, RESUMPTIONS, resumptions);
      addTicket(tickets, got);
      return true;
    },
    failed(code) {
      const before = ticket;
      const wasFull = using === null;
      fresh = transcript = ticket = using = null;
      if (wasFull) {
        // What refused the tickets may be gone by the next attempt.
        refusals = credentialRefusals = 0;
        return false;
      }
      if (code === SEALED + ErrorCode.ticketUsed && before !== null) {
        removeTicket(tickets, before);
        return true;
      }
      const busy =
        code === ErrorCode.hostsExceeded ||
        code === ErrorCode.memoryAllocation ||
        code === ErrorCode.acceptFail;
      if (busy || code >= SEALED) return false;
      if (before === null) credentialRefusals++;
      else refusals++;
      return code === ErrorCode.keyUnrecognized;
    },
  };
}
