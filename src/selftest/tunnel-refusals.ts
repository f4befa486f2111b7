// Of the kind `tunnel`: frames that are refused, by the file's words for what was done to them.

import { concat, wipe } from '../bytes.ts';
import type { QstpFrame } from '../mesh/types.ts';
import { isFailure } from '../mesh/v1/index.ts';
import type { LegacyTunnel, Mesh1, PqcFailure } from '../mesh/v1/index.ts';
import type { Report } from './api.ts';
import { check } from './api.ts';
import { list, object, text } from './fields.ts';
import type { Entry } from './fields.ts';

export interface RefusalCase {
  readonly mesh: Mesh1;
  /** What the initiator sent. */
  readonly frames: readonly QstpFrame[];
  readonly secret: Uint8Array;
  hydrate(role: 'initiator' | 'responder', secret: Uint8Array): LegacyTunnel;
}

type Result = Uint8Array | PqcFailure;

function changed(frame: QstpFrame, change: (copy: QstpFrame) => void): QstpFrame {
  const copy: QstpFrame = {
    ...frame,
    tunnelId: concat([frame.tunnelId]),
    routeHash: concat([frame.routeHash]),
    nonce: concat([frame.nonce]),
    sequence: { ...frame.sequence },
    routeEpoch: { ...frame.routeEpoch },
    ciphertext: concat([frame.ciphertext]),
  };
  change(copy);
  return copy;
}

/** Does what is told and opens a frame; of several, the result of the last counts. Null: not known. */
function attempt(mutate: string, c: RefusalCase, receiver: LegacyTunnel): Result | null {
  const { mesh, frames } = c;
  const app = mesh.utf8('app');
  const open = (change: (copy: QstpFrame) => void): Result => receiver.open(changed(frames[0]!, change), app);
  const inOrder = (...numbers: readonly number[]): Result => {
    let last: Result | null = null;
    for (const i of numbers) last = receiver.open(frames[i]!, app);
    return last!;
  };
  switch (mutate) {
    case 'tunnel_id[0]^=1':
      return open((f) => (f.tunnelId[0]! ^= 1));
    case 'route_hash[0]^=1':
      return open((f) => (f.routeHash[0]! ^= 1));
    case 'route_epoch+=1':
      return open((f) => f.routeEpoch.low++);
    case 'open the same frame twice':
      return inOrder(0, 0);
    case 'open frames[1] then frames[0]':
      return inOrder(1, 0);
    case 'open frames[1] first (gap)':
      return inOrder(1);
    case 'nonce[11]^=1':
      return open((f) => (f.nonce[11]! ^= 1));
    case 'seq 0 -> 1 without changing nonce':
      return open((f) => (f.sequence.low = 1));
    case 'seq and nonce both moved to 5':
      return open((f) => (f.sequence.low = f.nonce[4] = 5));
    case 'ciphertext[0]^=1 or last tag byte ^=1': {
      const tag = open((f) => (f.ciphertext[f.ciphertext.length - 1]! ^= 1));
      return isFailure(tag) ? open((f) => (f.ciphertext[0]! ^= 1)) : tag;
    }
    case 'app aad "ctx" instead of "app"':
      return receiver.open(frames[0]!, mesh.utf8('ctx'));
    case 'topic changed':
      return open((f) => (f.topic = 'elsewhere'));
    case 'initiator opens its own frame':
      return c.hydrate('initiator', c.secret).open(frames[0]!, app);
    case 'receiver session secret all zero': {
      const zero = concat([c.secret]);
      wipe(zero);
      return c.hydrate('responder', zero).open(frames[0]!, app);
    }
    case 'frames[3] (sender rekeyed) at a receiver that did not rekey':
      return inOrder(3);
    case 'frames[4] (sender rerouted) at a receiver on the old route':
      return inOrder(4);
    default:
      return null;
  }
}

function outcome(entry: Entry, c: RefusalCase): string | null {
  const receiver = c.hydrate('responder', c.secret);
  const result = attempt(text(entry, 'mutate'), c, receiver);
  const message = text(entry, 'message');
  if (result === null) return 'not in this build: ' + text(entry, 'mutate');
  if (entry.value['error'] === null) {
    if (isFailure(result)) return result.message;
    return message.indexOf('accepted') === 0 ? null : 'it was opened';
  }
  if (!isFailure(result)) return 'it was opened';
  if (result.error !== text(entry, 'error')) return 'the error is ' + result.error;
  if (message.indexOf(result.message) !== 0) return 'the message is ' + result.message;
  if (message.indexOf('genuine frame still opens') === -1) return null;
  return isFailure(receiver.open(c.frames[0]!, c.mesh.utf8('app'))) ? 'the watermark moved' : null;
}

export function checkRefusals(file: Entry, c: RefusalCase, report: Report): void {
  for (const entry of list(object(file, 'open_error_cases'), 'cases')) {
    check(report, entry.path, () => outcome(entry, c));
  }
}
