// Tickets that a server issues over an established connection (docs/extensions.md, X4).

import { Feature, NONCE_BYTES, TICKET_ID_BYTES, TICKET_LIFETIME } from '../params.ts';
import { copyOf, wipe } from '../bytes.ts';
import { slotSecrets, Word } from '../pool/slot.ts';
import { encodeTicket } from '../wire/edge.ts';
import { emitControl } from './core.ts';
import type { SessionCore } from './core.ts';
import type { FoundTicket, ServerEdge } from './edge.ts';
import { ticketSecret } from './secrets.ts';

/**
 * Issues `count` tickets, one after the other, if both ends agreed on resumption: the client is told of each once
 * it is kept. `before` is the ticket the connection was made with; null after a full handshake or KEM rekey.
 */
export function issueTickets(
  core: SessionCore,
  before: FoundTicket | null,
  count: number,
  now: number,
): void {
  const edge = core.edge as ServerEdge;
  if (edge.tickets === null || (core.slot.words[Word.features]! & Feature.resumption) === 0) return;
  const known = before === null ? null : before.identity;
  const client = core.owner === null ? known : core.owner.client();
  const served = edge.notAfter ?? Infinity;
  const ends = client !== null && client.to < served ? client.to : served;
  const wanted = edge.ticketLifetime ?? TICKET_LIFETIME;
  const lifetime = now + wanted < ends ? wanted : ends - now;
  if (count < 1 || lifetime < 1) return;
  const id = new Uint8Array(TICKET_ID_BYTES);
  const nonce = new Uint8Array(NONCE_BYTES);
  edge.random(id);
  edge.random(nonce);
  id[TICKET_ID_BYTES - 1]! &= 0x7f;
  const exportSecret = slotSecrets(core.slot).subarray(64, 96);
  const kept = copyOf(exportSecret);
  const secret = ticketSecret(exportSecret, id, nonce);
  const ticket = {
    id,
    secret,
    identity: client,
    issued: now,
    expiry: now + lifetime,
    since: before === null ? now : before.since,
    resumptions: before === null ? 0 : before.resumptions + 1,
  };
  core.waiting = {
    job: { op: 'call', call: (done) => edge.tickets!.issue(ticket, done) },
    then(good, later) {
      wipe(secret);
      // The client's export secret moves on with each ticket it is told of, and with no other.
      if (good) {
        emitControl(core, encodeTicket({ id, lifetime, nonce }), later);
        if (core.owner !== null) core.owner.ticketIssued(id);
      } else {
        slotSecrets(core.slot).set(kept, 64);
      }
      wipe(kept);
      if (good) issueTickets(core, before, count - 1, later);
    },
  };
}
