// Provisioning for Deno: what a client starts from as entries of its Deno.Kv (targets/deno/provisioned.ts), with a program
// that puts them there. A client's secret key is sealed; the key that opens it is a file of its own.

import { copy } from '../../../src/bytes.ts';
import type { ClientCertificate, RootCertificate, ServerCertificate } from '../../../src/cert/certificate.ts';
import {
  AES_GCM_NONCE_BYTES,
  AES_GCM_TAG_BYTES,
  AES_GCM_WORDS,
  aesGcmInit,
  aesGcmSeal,
} from '../../../src/crypto/micro/aes-gcm.ts';
import type { Random } from '../../../src/crypto/provider.ts';
import type { ProvisionFile, ProvisionOutput } from './record.ts';

/** The beginning of the keys, as `openProvisioned` of the bundle reads them. */
export const PROVISIONED: readonly string[] = ['qstp', 'provisioned'];
export const IMPORT_VERSION = 1;
const KEY_BYTES = 32;

export interface DenoClient {
  readonly profile: string;
  readonly root: RootCertificate;
  readonly server: ServerCertificate;
  /** Who the client is, of profiles that have identities (X6). */
  readonly identity: { readonly certificate: ClientCertificate; readonly signingKey: Uint8Array } | null;
}

/** nonce[12] | sealed | tag[16] under a key that is used for this alone. */
function seal(key: Uint8Array, plain: Uint8Array, random: Random): Uint8Array {
  const words = new Int32Array(AES_GCM_WORDS);
  const out = new Uint8Array(AES_GCM_NONCE_BYTES + plain.length + AES_GCM_TAG_BYTES);
  const nonce = out.subarray(0, AES_GCM_NONCE_BYTES);
  random(nonce);
  copy(out, AES_GCM_NONCE_BYTES, plain, 0, plain.length);
  aesGcmInit(words, key);
  aesGcmSeal(words, nonce, NO_DATA, 0, out, AES_GCM_NONCE_BYTES, plain.length);
  return out;
}

const NO_DATA = new Uint8Array(0);

/** Puts the entries of `Deno.args[0]` into the KV `Deno.args[1]` (default: this program's own), all or none. */
const IMPORT = `const [file, where] = Deno.args;
const { v, entries } = JSON.parse(await Deno.readTextFile(file));
if (v !== ${IMPORT_VERSION} || !Array.isArray(entries)) throw new Error(file + ' is no import of qstp provision');
const kv = await Deno.openKv(where);
const changes = kv.atomic();
for (const { key, value } of entries) changes.set(key, Uint8Array.from(atob(value), (c) => c.charCodeAt(0)));
const { ok } = await changes.commit();
kv.close();
if (!ok) throw new Error('the KV does not take it');
console.log('provisioned: ' + entries.map(({ key }) => key.join('/')).join(', '));
`;

/** The files of a Deno client, and how they get to where it runs. */
export function provisionDeno(client: DenoClient, random: Random): ProvisionOutput {
  const { profile, root, server, identity } = client;
  const entries: [string, Uint8Array][] = [
    ['root', root.bytes],
    ['server', server.bytes],
  ];
  const secrets: ProvisionFile[] = [];
  if (identity !== null) {
    const key = new Uint8Array(KEY_BYTES);
    random(key);
    entries.push(['client', identity.certificate.bytes]);
    entries.push(['sealed', seal(key, identity.signingKey, random)]);
    secrets.push({
      name: 'device.key',
      bytes: `${Buffer.from(key).toString('hex')}\n`,
      secret: true,
      what: "opens the client's secret key: a secret of the process, never in the KV",
    });
  }
  const json = {
    v: IMPORT_VERSION,
    entries: entries.map(([name, bytes]) => ({
      key: [...PROVISIONED, name],
      value: Buffer.from(bytes).toString('base64'),
    })),
  };
  return {
    files: [
      {
        name: 'kv.json',
        bytes: `${JSON.stringify(json, null, 1)}\n`,
        secret: identity !== null,
        what:
          identity === null
            ? 'entries for the KV: whom the client trusts'
            : 'entries for the KV: whom the client trusts, who it is, its key sealed',
      },
      { name: 'import.js', bytes: IMPORT, secret: false, what: 'puts them there' },
      ...secrets,
    ],
    next: [
      'deno run --no-prompt --no-remote --unstable-kv --allow-read=OUT --allow-write=OUT OUT/import.js OUT/kv.json OUT/client.kv',
      ...(identity === null ? [] : ['export QSTP_DEVICE_KEY=$(cat OUT/device.key)']),
      `qstp build --profile ${profile}`,
    ],
  };
}
