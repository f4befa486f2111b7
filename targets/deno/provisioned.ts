// What `qstp provision` gave a client, read from its KV: whom it trusts, and who it is.
//
//   qstp, provisioned, root     the root's certificate
//                      server   the server's
//                      client   this client's (X6), if it has one
//                      sealed   its secret key, nonce[12] | sealed | tag[16], AES-256-GCM under a key of the process

import { WITH_IDENTITY } from '../../src/features.ts';
import { QstpError } from '../../src/error.ts';
import { fromHex } from '../../src/bytes.ts';
import {
  decodeClientCertificate,
  decodeRootCertificate,
  decodeServerCertificate,
} from '../../src/cert/certificate.ts';
import type { RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
import {
  AES_GCM_NONCE_BYTES,
  AES_GCM_TAG_BYTES,
  AES_GCM_WORDS,
  aesGcmInit,
  aesGcmOpen,
} from '../../src/crypto/micro/aes-gcm.ts';
import type { ClientCredential } from '../../src/session/edge.ts';
import { bytesOf } from './kv.ts';
import type { KeyValue } from './kv.ts';

const KEY_BYTES = 32;

export interface Provisioned {
  /** The trust anchor. */
  readonly root: RootCertificate;
  /** The server's certificate: QSTP pins it. */
  readonly server: ServerCertificate;
  /** For servers that ask; absent if the client was given none. */
  readonly identity?: ClientCredential;
}

function unsealed(sealed: Uint8Array, key: string): Uint8Array {
  const bytes = fromHex(key.trim());
  if (bytes === null || bytes.length !== KEY_BYTES) {
    throw new QstpError('provisioned_key', 'the key of the provisioned client is 64 hexadecimal digits');
  }
  const length = sealed.length - AES_GCM_NONCE_BYTES - AES_GCM_TAG_BYTES;
  const words = new Int32Array(AES_GCM_WORDS);
  aesGcmInit(words, bytes);
  bytes.fill(0);
  const nonce = sealed.slice(0, AES_GCM_NONCE_BYTES);
  const scratch = new Uint8Array(AES_GCM_TAG_BYTES);
  const opened =
    length > 0 && aesGcmOpen(words, nonce, nonce, 0, sealed, AES_GCM_NONCE_BYTES, length, scratch);
  words.fill(0);
  if (opened) return sealed.slice(AES_GCM_NONCE_BYTES, AES_GCM_NONCE_BYTES + length);
  throw new QstpError('provisioned_key', 'this key does not open what the client was provisioned with');
}

/**
 * What a client was provisioned with: options of `openLink` and `connectQstp`. `key`: the 64 hexadecimal digits of
 * `device.key`, where the client has an identity. Rejects with `provisioned_missing` if it was not, with
 * `provisioned_key` for another key or none.
 */
export async function openProvisioned(kv: KeyValue, key?: string): Promise<Provisioned> {
  const read = async (name: string): Promise<Uint8Array | null> =>
    bytesOf(await kv.get(['qstp', 'provisioned', name]));
  const root = await read('root');
  const server = await read('server');
  if (root === null || server === null) {
    throw new QstpError(
      'provisioned_missing',
      'nothing was provisioned here: import kv.json of qstp provision',
    );
  }
  const trusted = { root: decodeRootCertificate(root), server: decodeServerCertificate(server) };
  if (!WITH_IDENTITY) return trusted;
  const client = await read('client');
  const sealed = await read('sealed');
  if (client === null || sealed === null) return trusted;
  if (key === undefined) {
    throw new QstpError('provisioned_key', 'the client has an identity: give the key that opens it');
  }
  const certificate = decodeClientCertificate(client);
  return { ...trusted, identity: { certificate, signing: unsealed(sealed, key) } };
}
