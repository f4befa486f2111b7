// mesh/1: the profile of the original, byte for byte, for known answers and for peers that speak nothing else. It is
// not a secure channel, and has to be asked for.

import { QstpError } from '../../error.ts';
import {
  legacyClientTranscript,
  legacyInitHandshake,
  legacyInitiatorKeys,
  legacyResponderKeys,
  legacyRespondHandshake,
  legacyServerTranscript,
} from './handshake.ts';
import { blake2s, kdf, le64, utf8 } from './parts.ts';
import { decodePqc1, encodePqc1 } from './pqc1.ts';
import { derivePeerId, legacyRouteHash } from './route.ts';
import { createLegacyRuntime, legacyKeyId } from './runtime.ts';
import { legacyEstablishTunnel, legacyHydrateTunnel } from './tunnel.ts';
import { decodeLegacyTuple, encodeLegacyTuple } from './tuple.ts';

export type * from './handshake.ts';
export { failureText, isFailure } from './parts.ts';
export type { PqcError, PqcFailure } from './parts.ts';
export type { Pqc1Record } from './pqc1.ts';
export type { LegacyKem, LegacyRuntime, LegacySigner } from './runtime.ts';
export type * from './tunnel.ts';
export type { LegacyTupleMetadata, Threshold } from './tuple.ts';

/** The functions of mesh/1. */
export interface Mesh1 {
  readonly blake2s: typeof blake2s;
  readonly kdf: typeof kdf;
  readonly utf8: typeof utf8;
  readonly le64: typeof le64;
  readonly routeHash: typeof legacyRouteHash;
  readonly derivePeerId: typeof derivePeerId;
  readonly keyId: typeof legacyKeyId;
  readonly encodePqc1: typeof encodePqc1;
  readonly decodePqc1: typeof decodePqc1;
  readonly encodeTupleMetadata: typeof encodeLegacyTuple;
  readonly decodeTupleMetadata: typeof decodeLegacyTuple;
  readonly createRuntime: typeof createLegacyRuntime;
  readonly establishRuntimeTunnel: typeof legacyEstablishTunnel;
  readonly hydrateRemoteTunnel: typeof legacyHydrateTunnel;
  readonly initHandshake: typeof legacyInitHandshake;
  readonly respondHandshake: typeof legacyRespondHandshake;
  readonly initiatorKeys: typeof legacyInitiatorKeys;
  readonly responderKeys: typeof legacyResponderKeys;
  readonly clientTranscript: typeof legacyClientTranscript;
  readonly serverTranscript: typeof legacyServerTranscript;
}

/** What one must say to have mesh/1. */
export interface Mesh1Consent {
  readonly allowLegacy: true;
}

/** The functions of mesh/1. Throws `legacy_refused` unless asked for. */
export function mesh1(consent?: Mesh1Consent): Mesh1 {
  if (consent?.allowLegacy !== true) {
    throw new QstpError(
      'legacy_refused',
      'mesh/1 is off: it exchanges no key, uses nonces again after a restart, and its rekey keeps the keys. Use mesh/2; ' +
        'for known answers, or a peer that has nothing else, call mesh1({ allowLegacy: true })',
    );
  }
  return {
    blake2s,
    kdf,
    utf8,
    le64,
    routeHash: legacyRouteHash,
    derivePeerId,
    keyId: legacyKeyId,
    encodePqc1,
    decodePqc1,
    encodeTupleMetadata: encodeLegacyTuple,
    decodeTupleMetadata: decodeLegacyTuple,
    createRuntime: createLegacyRuntime,
    establishRuntimeTunnel: legacyEstablishTunnel,
    hydrateRemoteTunnel: legacyHydrateTunnel,
    initHandshake: legacyInitHandshake,
    respondHandshake: legacyRespondHandshake,
    initiatorKeys: legacyInitiatorKeys,
    responderKeys: legacyResponderKeys,
    clientTranscript: legacyClientTranscript,
    serverTranscript: legacyServerTranscript,
  };
}
