// Known answers of kind `proto`: no field and no byte of an answer can be changed unnoticed.
import test from 'ava';
import * as proto from '../../src/mesh/proto/index.ts';
import { runKat } from '../../src/selftest/run.ts';
import type { KatApi } from '../../src/selftest/run.ts';
import { toHex } from '../../src/bytes.ts';
import { vectors } from '../vectors.ts';

interface Vector {
  type: string;
  value: string | Record<string, unknown>;
  encoded: string;
}

const { vectors: all } = vectors<{ vectors: Vector[] }>('mesh/proto.json');

function failures(vector: Vector, api: KatApi = { proto }): string[] {
  const found: string[] = [];
  runKat('proto', { vectors: [vector] }, api, (name, failure) => {
    if (failure !== null) found.push(`${name}: ${failure}`);
  });
  return found;
}

function altered(value: unknown): unknown {
  if (typeof value === 'number') return value + 1;
  if (value === 'lowLatency') return 'control';
  if (value === '18446744073709551615') return '18446744073709551614';
  return Array.isArray(value)
    ? []
    : `${String(value).slice(0, -1)}${String(value).endsWith('0') ? '1' : '0'}`;
}

/** The metadata that the file leaves to another, as fields. */
function withFields(vector: Vector): Vector {
  if (typeof vector.value !== 'string') return vector;
  const read = proto.decodeProto(proto.TupleMetadataProto, Buffer.from(vector.encoded, 'hex'));
  if (typeof read === 'string') throw new Error(read);
  const long = ({ low, high }: { low: number; high: number }) => high * 2 ** 32 + low;
  const value = {
    tunnel_id: toHex(read.tunnelId),
    kem_key_id: toHex(read.kemKeyId),
    signing_key_id: toHex(read.signingKeyId),
    threshold_t: read.thresholdT,
    threshold_n: read.thresholdN,
    route_hash: toHex(read.routeHash),
    qos: 'lowLatency',
    route_epoch: long(read.routeEpoch),
    established_at: long(read.establishedAt),
    tuple_pointer: toHex(read.tuplePointer),
  };
  return { ...vector, value };
}

test('every field and every byte counts', (t) => {
  let tried = 0;
  for (const vector of all.map(withFields)) {
    t.deepEqual(failures(vector), [], vector.type);
    const fields = vector.value as Record<string, unknown>;
    for (const [name, value] of Object.entries(fields)) {
      // Labels: their bytes are in hop_ids.
      if (name === 'hops') continue;
      tried++;
      const changed = { ...vector, value: { ...fields, [name]: altered(value) } };
      t.not(failures(changed).length, 0, `${vector.type}: changed ${name}`);
      const { [name]: _, ...rest } = fields;
      t.not(failures({ ...vector, value: rest }).length, 0, `${vector.type}: removed ${name}`);
    }
    for (let at = 0; at < vector.encoded.length; at += 2) {
      const bytes = Buffer.from(vector.encoded, 'hex');
      bytes[at / 2]! ^= 1;
      t.not(
        failures({ ...vector, encoded: bytes.toString('hex') }).length,
        0,
        `${vector.type}: byte ${at / 2}`,
      );
    }
  }
  t.true(tried >= 35, `${tried}`);
});

test('a codec that is not there, or that is wrong, is found', (t) => {
  t.regex(failures(all[0]!, {}).join(), /this build has no codec of qstp.proto/);
  const padded: typeof proto.encodeProto = (type, message) =>
    Uint8Array.of(...proto.encodeProto(type, message), 0);
  t.not(failures(all[0]!, { proto: { ...proto, encodeProto: padded } }).length, 0);
  const refusing = { ...proto, decodeProto: () => 'truncated' } as unknown as typeof proto;
  t.regex(failures(all[0]!, { proto: refusing }).join(), /refused: truncated/);
});
