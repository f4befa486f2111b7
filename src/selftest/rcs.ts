// Known answers of kind `rcs`: RCS-256 and RCS-512, single packets and packets that chain on one state.

import type { RcsApi, Report } from './api.ts';
import { check } from './api.ts';
import { difference, FormatError, has, hex, list, text } from './fields.ts';
import type { Entry } from './fields.ts';

const MAC = 'kmac-r24';
const NONCE_BYTES = 32;

function keyed(api: RcsApi, entry: Entry): Int32Array {
  const key = hex(entry, 'key');
  if (key.length !== 32 && key.length !== 64) {
    throw new FormatError(`${entry.path}.key has ${key.length} bytes, not 32 or 64`);
  }
  const state = new Int32Array(key.length === 64 ? api.RCS512_WORDS : api.RCS256_WORDS);
  api.rcsInit(state, key, hex(entry, 'nonce', NONCE_BYTES), new Uint8Array(0));
  return state;
}

/** Both directions over one packet: `tx` seals, `rx` opens; both states move on. */
function checkPacket(
  api: RcsApi,
  report: Report,
  packet: Entry,
  tagBytes: number,
  tx: Int32Array,
  rx: Int32Array,
): void {
  const [aad, msg] = [hex(packet, 'aad'), hex(packet, 'msg')];
  const ct = hex(packet, 'ct', msg.length + tagBytes);
  check(report, `${packet.path} sealed`, () => {
    const data = new Uint8Array(ct.length);
    data.set(msg);
    api.rcsSeal(tx, aad, aad.length, data, 0, msg.length);
    return difference(data, ct);
  });
  check(report, `${packet.path} altered`, () => {
    const data = new Uint8Array(ct);
    data[ct.length - 1]! ^= 0x80;
    const copy = new Int32Array(rx);
    const opened = api.rcsOpen(copy, aad, aad.length, data, 0, msg.length, new Uint8Array(tagBytes));
    return opened ? 'a packet with an altered tag was accepted' : null;
  });
  check(report, `${packet.path} opened`, () => {
    const data = new Uint8Array(ct);
    const opened = api.rcsOpen(rx, aad, aad.length, data, 0, msg.length, new Uint8Array(tagBytes));
    return opened ? difference(data.subarray(0, msg.length), msg) : 'the packet was refused';
  });
  if (has(packet, 'nonceAfter')) {
    check(report, `${packet.path} counter`, () => {
      const wanted = hex(packet, 'nonceAfter', NONCE_BYTES);
      const got = new Uint8Array(NONCE_BYTES);
      api.rcsCounter(tx, got);
      const failure = difference(got, wanted);
      if (failure !== null) return failure;
      api.rcsCounter(rx, got);
      return difference(got, wanted);
    });
  }
}

function tagBytesOf(entry: Entry): number {
  return hex(entry, 'key').length;
}

/** Runs `run`; a malformed entry counts as one failure and the next entry goes on. */
function entry(report: Report, at: Entry, run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    report(at.path, error.message);
  }
}

export function checkRcs(file: Entry, api: RcsApi, report: Report): void {
  const mac = text(file, 'mac');
  if (mac !== MAC) throw new FormatError(`the MAC "${mac}" is not in this build; it has ${MAC}`);
  const single = has(file, 'single') ? list(file, 'single') : [];
  const multi = has(file, 'multi') ? list(file, 'multi') : [];
  let vectors = single.length;
  for (const v of single) {
    entry(report, v, () => {
      if (!has(v, 'nonceAfter')) throw new FormatError(`${v.path}.nonceAfter is missing`);
      checkPacket(api, report, v, tagBytesOf(v), keyed(api, v), keyed(api, v));
    });
  }
  for (const v of multi) {
    entry(report, v, () => {
      const packets = list(v, 'packets');
      vectors += packets.length;
      const [tx, rx] = [keyed(api, v), keyed(api, v)];
      for (const packet of packets) checkPacket(api, report, packet, tagBytesOf(v), tx, rx);
    });
  }
  if (vectors === 0) throw new FormatError('the file has no vectors');
}
