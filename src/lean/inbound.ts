// What comes in, up to whole packets: a header is judged before what it announces is taken.

import { HEADER } from './packets.ts';

/**
 * Yields what takes the bytes that came, or null to go on with those that wait: as long as `held()` is false.
 * `admit` is given each header and says how many bytes follow it, -1: no more is wanted; `whole` is given each packet.
 */
export function createInbound(
  held: () => boolean,
  admit: (head: Uint8Array) => number,
  whole: (packet: Uint8Array) => void,
): (bytes: Uint8Array | null) => void {
  const queue: Uint8Array[] = [];
  let at = 0;
  let packet = new Uint8Array(HEADER);
  let fill = 0;
  return (bytes) => {
    if (bytes !== null) queue.push(bytes);
    while (queue.length > 0 && !held()) {
      const chunk = queue[0]!;
      let count = chunk.length - at;
      if (count > packet.length - fill) count = packet.length - fill;
      packet.set(chunk.subarray(at, at + count), fill);
      at += count;
      fill += count;
      if (at === chunk.length) {
        queue.shift();
        at = 0;
      }
      if (fill === HEADER && fill === packet.length) {
        const length = admit(packet);
        if (length < 0) return;
        const larger = new Uint8Array(HEADER + length);
        larger.set(packet);
        packet = larger;
      }
      if (fill === packet.length) {
        const full = packet;
        packet = new Uint8Array(HEADER);
        fill = 0;
        whole(full);
      }
    }
  };
}
