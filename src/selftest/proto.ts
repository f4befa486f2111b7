// Known answers of kind `proto`: messages of qstp.proto in their canonical encoding. Each is encoded from its fields, and
// decoded and encoded again; cut at any byte, it must be read as a message or refused, and never throw.

import type { ProtoType } from '../mesh/proto/type.ts';
import type { RouteMessage } from '../mesh/proto/route.ts';
import type { TupleMetadataMessage } from '../mesh/proto/handshake.ts';
import type { QaceDecisionMessage } from '../mesh/proto/qace.ts';
import type { QaceMetrics } from '../qace/simple.ts';
import type { FrameAck } from '../mesh/proto/frame.ts';
import type { QstpFrame } from '../mesh/types.ts';
import type { U64 } from '../mesh/u64.ts';
import type { ProtoApi, Report } from './api.ts';
import { check } from './api.ts';
import { difference, FormatError, has, hex, integer, list, object, text } from './fields.ts';
import type { Entry } from './fields.ts';

const TWO_32 = 4294967296;

/** A whole number, or one beyond 2^53 as decimal text. */
function long(entry: Entry, name: string): U64 {
  const value = entry.value[name];
  const digits = typeof value === 'string' ? value : String(integer(entry, name));
  if (!/^\d{1,20}$/.test(digits)) throw new FormatError(`${entry.path}.${name} is not a whole number`);
  let low = 0;
  let high = 0;
  for (let i = 0; i < digits.length; i++) {
    low = low * 10 + (digits.charCodeAt(i) - 48);
    high = high * 10 + Math.floor(low / TWO_32);
    low %= TWO_32;
  }
  if (high >= TWO_32) throw new FormatError(`${entry.path}.${name} has more than 64 bits`);
  return { low, high };
}

function qosOf(entry: Entry): number {
  const name = text(entry, 'qos');
  const number = ['unknown', 'gossip', 'lowLatency', 'control'].indexOf(name);
  if (number === -1) throw new FormatError(`${entry.path}.qos "${name}" is not in this build`);
  return number;
}

function frameOf(api: ProtoApi, v: Entry): QstpFrame {
  const frame = api.FrameProto.make();
  const ciphertext = hex(v, 'ciphertext');
  frame.tunnelId = hex(v, 'tunnel_id', 16);
  frame.nonce = hex(v, 'nonce', 12);
  frame.routeHash = hex(v, 'route_hash', 32);
  frame.topic = text(v, 'topic');
  frame.ciphertext = ciphertext;
  frame.ciphertextBytes = ciphertext.length;
  const [sequence, epoch] = [long(v, 'sequence'), long(v, 'route_epoch')];
  frame.sequence.low = sequence.low;
  frame.sequence.high = sequence.high;
  frame.routeEpoch.low = epoch.low;
  frame.routeEpoch.high = epoch.high;
  return frame;
}

function routeOf(v: Entry): RouteMessage {
  const ids = v.value['hop_ids'];
  if (!Array.isArray(ids)) throw new FormatError(`${v.path}.hop_ids is not a list`);
  const hops = ids.map((id: unknown) => hex({ path: `${v.path}.hop_ids`, value: { id } }, 'id', 32));
  return { topic: text(v, 'topic'), hops, qos: qosOf(v), epoch: long(v, 'epoch') };
}

function metadataOf(v: Entry): TupleMetadataMessage {
  return {
    tunnelId: hex(v, 'tunnel_id', 16),
    kemKeyId: hex(v, 'kem_key_id', 32),
    signingKeyId: hex(v, 'signing_key_id', 32),
    thresholdT: integer(v, 'threshold_t'),
    thresholdN: integer(v, 'threshold_n'),
    routeHash: hex(v, 'route_hash', 32),
    qos: qosOf(v),
    routeEpoch: long(v, 'route_epoch'),
    establishedAt: long(v, 'established_at'),
    tuplePointer: hex(v, 'tuple_pointer', 16),
    tupleVersion: has(v, 'tuple_version') ? integer(v, 'tuple_version') : 0,
  };
}

function signalOf(api: ProtoApi, v: Entry): QaceMetrics {
  const signal = api.QaceSignalProto.make();
  signal.latencyMs = integer(v, 'latency_ms');
  signal.lossBps = integer(v, 'loss_bps');
  signal.threatScore = integer(v, 'threat_score');
  signal.routeChanges = integer(v, 'route_changes');
  return signal;
}

function decisionOf(api: ProtoApi, v: Entry): QaceDecisionMessage {
  const decision = api.QaceDecisionProto.make();
  decision.action = integer(v, 'action');
  decision.score = integer(v, 'score');
  decision.rationale = text(v, 'rationale');
  return decision;
}

function ackOf(v: Entry): FrameAck {
  return { tunnelId: hex(v, 'tunnel_id', 16), sequence: long(v, 'sequence') };
}

function checkMessage<T extends object>(
  api: ProtoApi,
  type: ProtoType<T>,
  entry: Entry,
  make: ((v: Entry) => T) | null,
  report: Report,
): void {
  const encoded = hex(entry, 'encoded');
  if (make !== null) {
    const message = make(object(entry, 'value'));
    check(report, entry.path + ' encode', () => difference(api.encodeProto(type, message), encoded));
  }
  check(report, entry.path + ' decode', () => {
    const got = api.decodeProto(type, encoded);
    return typeof got === 'string' ? 'refused: ' + got : difference(api.encodeProto(type, got), encoded);
  });
  check(report, entry.path + ' cut', () => {
    for (let end = 0; end < encoded.length; end++) {
      const cut = encoded.subarray(0, end);
      const got = api.decodeProto(type, cut);
      // Cut between two fields it is a message of its own.
      if (typeof got !== 'string' && api.protoBytes(type, got) > encoded.length) return 'it grew';
    }
    return null;
  });
}

export function checkProto(file: Entry, api: ProtoApi, report: Report): void {
  for (const entry of list(file, 'vectors')) {
    const name = text(entry, 'type');
    // The fields of one are those of a vector in another file.
    const inFile = typeof entry.value['value'] === 'object';
    if (name === 'QstpFrame') checkMessage(api, api.FrameProto, entry, (v) => frameOf(api, v), report);
    else if (name === 'MeshRoutePlan') checkMessage(api, api.RouteProto, entry, routeOf, report);
    else if (name === 'TupleMetadata')
      checkMessage(api, api.TupleMetadataProto, entry, inFile ? metadataOf : null, report);
    else if (name === 'QaceSignal')
      checkMessage(api, api.QaceSignalProto, entry, (v) => signalOf(api, v), report);
    else if (name === 'QaceDecision')
      checkMessage(api, api.QaceDecisionProto, entry, (v) => decisionOf(api, v), report);
    else if (name === 'FrameAck') checkMessage(api, api.FrameAckProto, entry, ackOf, report);
    else throw new FormatError(`${entry.path}.type "${name}" is not in this build`);
  }
}
