// Known answers of kind `mesh-handshake`: init, response and session keys of the original's helpers.

import { concat } from '../bytes.ts';
import { u64 } from '../mesh/u64.ts';
import { isFailure } from '../mesh/v1/index.ts';
import type { LegacyIdentity, LegacySessionKeys } from '../mesh/v1/index.ts';
import type { Report } from './api.ts';
import { check } from './api.ts';
import { difference, has, hex, integer, list, object, text } from './fields.ts';
import type { Entry } from './fields.ts';
import { algorithmsOf, CLIENT_SEED, compare, first, SERVER_SEED } from './mesh.ts';
import type { MeshParts } from './mesh.ts';

/** In place of the time a key was made, the original's test has these numbers; the real keys' is that of its runtime. */
const SALTS = { kem: 1, client: 11, server: 21, real: 1700000000000 };

function checkVector(vector: Entry, parts: MeshParts, report: Report): void {
  const { mesh } = parts;
  const { kem, signer } = algorithmsOf(vector, parts, [CLIENT_SEED, SERVER_SEED]);
  const real = typeof vector.value['kem_ciphertext'] !== 'string';
  const kemPair = kem.keygen();
  const clientPair = signer.keygen();
  // The demo's client and server have one key.
  const serverPair = real ? signer.keygen() : clientPair;
  const idOf = (publicKey: Uint8Array, salt: number): Uint8Array =>
    mesh.keyId(publicKey, u64(real ? SALTS.real : salt));
  const client: LegacyIdentity = { ...clientPair, keyId: idOf(clientPair.publicKey, SALTS.client) };
  const server: LegacyIdentity = { ...serverPair, keyId: idOf(serverPair.publicKey, SALTS.server) };
  const kemKey = { ...kemPair, keyId: idOf(kemPair.publicKey, SALTS.kem) };
  const routeHash = mesh.derivePeerId(text(vector, 'route_label'));
  const data = mesh.utf8(text(vector, 'application_data_utf8'));
  const at = vector.path;
  const is = (name: string, got: Uint8Array): string | null => compare(mesh, vector, name, got);

  check(report, at + ' identities', () =>
    first([
      is('route_hash', routeHash),
      is('client_signing_key_id', client.keyId),
      is('server_signing_key_id', server.keyId),
      is('server_kem_key_id', kemKey.keyId),
    ]),
  );
  const known = {
    kemPublicKey: kemPair.publicKey,
    signingPublicKey: server.publicKey,
    signingKeyId: server.keyId,
  };
  const begun = mesh.initHandshake(kem, signer, known, client, routeHash, data);
  check(report, at + ' init', () =>
    first([
      is('kem_ciphertext', begun.init.ciphertext),
      is('shared_secret', begun.state.secret),
      is('initiator_nonce', begun.init.initiatorNonce),
      is('client_transcript', mesh.clientTranscript(begun.init)),
      is('client_signature', begun.init.clientSignature),
    ]),
  );
  const answer = mesh.respondHandshake(kem, signer, server, kemKey, begun.init);
  if (isFailure(answer)) {
    report(at + ' response', answer.message);
    return;
  }
  const { response, state } = answer;
  check(report, at + ' response', () =>
    first([
      is('responder_nonce', response.responderNonce),
      is('session_id', response.sessionId),
      is('server_transcript', mesh.serverTranscript(state, server.keyId, client.keyId)),
      is('responder_signature', response.responderSignature),
      is('context', concat([routeHash, state.initiatorNonce, state.responderNonce])),
    ]),
  );
  checkKeys(vector, mesh.initiatorKeys(signer, begun.state, response), mesh.responderKeys(state), report);
  if (has(vector, 'sizes')) {
    const sizes = object(vector, 'sizes');
    check(report, at + ' sizes', () => {
      const good =
        integer(sizes, 'kem_pk') === kemPair.publicKey.length &&
        integer(sizes, 'kem_sk') === kemPair.secretKey.length &&
        integer(sizes, 'kem_ct') === begun.init.ciphertext.length &&
        integer(sizes, 'dsa_pk') === server.publicKey.length &&
        integer(sizes, 'dsa_sk') === server.secretKey.length &&
        (!has(sizes, 'dsa_sig') || integer(sizes, 'dsa_sig') === response.responderSignature.length);
      return good ? null : 'a size differs';
    });
  }
}

function checkKeys(
  vector: Entry,
  initiator: LegacySessionKeys | { readonly message: string },
  responder: LegacySessionKeys,
  report: Report,
): void {
  const at = vector.path;
  const keys = (k: LegacySessionKeys, forth: boolean): string | null =>
    first([
      difference(k.sessionId, hex(vector, 'session_id')),
      difference(forth ? k.sendKey : k.recvKey, hex(vector, 'init_to_resp_key')),
      difference(forth ? k.sendNonce : k.recvNonce, hex(vector, 'init_to_resp_nonce')),
      difference(forth ? k.recvKey : k.sendKey, hex(vector, 'resp_to_init_key')),
      difference(forth ? k.recvNonce : k.sendNonce, hex(vector, 'resp_to_init_nonce')),
      difference(k.tupleKey, hex(vector, 'tuple_key')),
    ]);
  check(report, at + ' keys of the initiator', () =>
    'message' in initiator ? initiator.message : keys(initiator, true),
  );
  check(report, at + ' keys of the responder', () => keys(responder, false));
}

export function checkMeshHandshake(file: Entry, parts: MeshParts, report: Report): void {
  for (const vector of list(file, 'vectors')) checkVector(vector, parts, report);
}
