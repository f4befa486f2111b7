// Records over and over, as in the data phase: to see whether memory grows.

import {
  AES_GCM_TAG_BYTES,
  AES_GCM_WORDS,
  aesGcmInit,
  aesGcmOpen,
  aesGcmSeal,
} from '../src/crypto/micro/aes-gcm.ts';
import { Flag, HEADER_BYTES, TAG_BYTES } from '../src/params.ts';
import { acquireSlot, createPool } from '../src/pool/pool.ts';
import type { Slot } from '../src/pool/slot.ts';
import { admitRecord, openRecord, openStrict, sealRecord } from '../src/session/channel.ts';
import { NOW } from './client-handshake.ts';
import { fixture, SEEDS } from './fixture.ts';

const LENGTH = 256;

/** What seals a record and opens it at the other end. */
export type Roundtrip = () => void;

export function gcmRoundtrip(): Roundtrip {
  const gcm = new Int32Array(AES_GCM_WORDS);
  const nonce = fixture(12, SEEDS.nonce);
  const header = fixture(HEADER_BYTES, SEEDS.header);
  const data = new Uint8Array(LENGTH + AES_GCM_TAG_BYTES);
  const scratch = new Uint8Array(AES_GCM_TAG_BYTES);
  aesGcmInit(gcm, fixture(32, SEEDS.recordKey));
  return () => {
    aesGcmSeal(gcm, nonce, header, HEADER_BYTES, data, 0, LENGTH);
    if (!aesGcmOpen(gcm, nonce, header, HEADER_BYTES, data, 0, LENGTH, scratch))
      throw new Error('not opened');
  };
}

/** Between the channels of two ends: headers, sequence numbers and times included. */
export function rcsRoundtrip(): Roundtrip {
  const pool = createPool({ slots: 2 });
  const end = (isServer: boolean): Slot => {
    const slot = acquireSlot(pool);
    openStrict(slot, isServer, fixture(128, SEEDS.recordKey), fixture(32, SEEDS.nonce));
    return slot;
  };
  const [client, server] = [end(false), end(true)];
  const packet = new Uint8Array(HEADER_BYTES + LENGTH + TAG_BYTES);
  return () => {
    sealRecord(client, packet, Flag.encryptedMessage, LENGTH, NOW);
    const bad = admitRecord(server, packet, NOW, packet.length) ?? openRecord(server, packet);
    if (bad !== null) throw new Error(bad.detail);
  };
}
