// A server's tickets as its sessions see them (X4): over a store, with the limits of a chain.

import { RESUMPTIONS_MAX, SERIAL_BYTES } from '../params.ts';
import { wipe } from '../bytes.ts';
import type { TicketDesk } from '../session/edge.ts';
import { isProvisioned } from '../wire/edge.ts';
import type { Tickets } from './ticket-store.ts';

/** `resumptionsMax`: resumptions in a row before a full handshake is due. Default 64. */
export function ticketDesk(tickets: Tickets, resumptionsMax: number = RESUMPTIONS_MAX): TicketDesk {
  return {
    find(id, now, done) {
      tickets.get(id, now, (record) => {
        if (record !== null && !record.provisioned && record.resumptions >= resumptionsMax) {
          wipe(record.secret);
          done(null);
        } else {
          done(record);
        }
      });
    },
    take(id, now, done) {
      if (isProvisioned(id)) {
        // Never used up; but it may have been revoked since it was found.
        tickets.get(id, now, (record) => {
          if (record !== null) wipe(record.secret);
          done(record !== null);
        });
      } else {
        tickets.take(id, done);
      }
    },
    issue(ticket, done) {
      tickets.put(ticket.id, { ...ticket, anchor: new Uint8Array(SERIAL_BYTES), provisioned: false }, done);
    },
  };
}
