// What a peer can cause: a counted rejection, with a number that a device gets and a reason for everybody else.

import { WITH_TEXTS } from '../features.ts';

/** Why a frame or a message was refused. */
export interface MeshReject {
  /** Stable, for programs and counters: docs/mesh.md lists them. */
  readonly reason: string;
  /** One sentence for people. Never sent to the peer. */
  readonly detail: string;
  /** True if the peer proved who it is before causing this. */
  readonly authenticated: boolean;
}

/** Numbers of the reasons; {@link openInto} returns them negative. */
export const Refusal = {
  /** Not a reason: what was opened is the tunnel's own business. */
  control: 1,
  version: 2,
  tunnel: 3,
  malformed: 4,
  keyEpoch: 5,
  decision: 6,
  route: 7,
  topic: 8,
  replayed: 9,
  unauthentic: 10,
  tooOld: 11,
  decisionTooSoon: 12,
  controlUnknown: 13,
  closed: 14,
  keyExhausted: 15,
  notConfirmed: 16,
  legacy: 17,
  suite: 18,
  signature: 19,
  unknownPeer: 20,
  credential: 21,
  wrongPeer: 22,
  handshakeReplayed: 23,
  handshakeFull: 24,
  handshakeUnknown: 25,
  confirmation: 26,
  routeRefused: 27,
  profile: 28,
  publicKey: 29,
  noTunnel: 30,
  tupleMissing: 31,
  tupleRollback: 32,
  tupleUnauthentic: 33,
  tupleStore: 34,
  expired: 35,
} as const;

export const REFUSALS = 36;

const TABLE: readonly (readonly [reason: string, detail: string])[] = [
  ['none', ''],
  ['control', 'the frame was for the tunnel itself'],
  ['version_unknown', 'the frame is of another version: both ends must speak mesh/2'],
  ['tunnel_mismatch', 'the frame is of another tunnel'],
  ['malformed', 'the frame or message is too short, too long, or has a field of a wrong size'],
  ['key_epoch_out_of_range', 'the key epoch is neither the present one nor one beside it'],
  [
    'decision_expired',
    'the frame follows a decision that no longer holds, or that is not for its sender to make',
  ],
  ['route_unknown', 'the route of the frame is not registered here'],
  ['topic_mismatch', 'the frame came with the topic or the epoch of another route'],
  ['replayed', 'a frame of this number was opened before, or it is more than 64 behind'],
  ['unauthentic', 'the frame does not open: it is forged, altered, or for another end'],
  ['too_old', 'the frame was sent longer ago than maxAgeMs allows: something on the way held it back'],
  ['decision_too_soon', 'the peer decides more often than its rate limit allows'],
  ['control_unknown', 'the peer sent a control message that is not known here'],
  ['closed', 'the tunnel is closed'],
  ['key_exhausted', 'the key has sealed all frames it may, and the peer has not reached the next one'],
  ['not_confirmed', 'the peer has not confirmed the keys yet'],
  ['legacy_refused', 'a message of mesh/1, which is not spoken on a network'],
  ['suite_unknown', 'the peer uses another parameter set'],
  ['signature_invalid', 'the signature of the handshake does not verify'],
  ['peer_unknown', 'the key of the peer is not pinned here'],
  ['credential_invalid', 'the certificate of the peer is not one of the root, or not valid now'],
  ['peer_mismatch', 'the handshake is from or for another end'],
  ['handshake_replayed', 'the handshake was begun before one that is complete: it is played back'],
  ['handshake_full', 'too many handshakes wait for their confirmation'],
  ['handshake_unknown', 'no handshake waits for this message'],
  ['confirmation_invalid', 'the peer did not derive the keys that this end did'],
  ['route_refused', 'the application does not take tunnels on this route'],
  ['profile_mismatch', 'the peer runs another program than is expected of it'],
  ['public_key_invalid', 'the ephemeral key of the peer is malformed'],
  ['no_tunnel', 'all tunnel slots are taken'],
  ['tuple_missing', 'the store has no metadata of this tunnel'],
  ['tuple_rollback', 'the store gave metadata that are older than known ones'],
  ['tuple_unauthentic', 'the metadata do not open: they are forged, altered or of another tunnel'],
  ['tuple_store_failed', 'the store did not answer'],
  ['handshake_expired', 'the handshake was begun longer ago than maxAgeMs allows'],
];

/** Reasons after which the peer is known. */
const AUTHENTICATED = [11, 12, 13, 23, 26, 27, 28, 35];

/** The reason of a number as {@link openInto} returns it, negative, or of {@link Refusal}. */
export function refusal(number: number): MeshReject {
  const index = number < 0 ? -number : number;
  const [reason, detail] = TABLE[index]!;
  return {
    reason,
    detail: WITH_TEXTS ? detail : '',
    authenticated: AUTHENTICATED.indexOf(index) !== -1,
  };
}

/** All reasons. */
export function refusalReasons(): string[] {
  const out: string[] = [];
  for (let i = 2; i < REFUSALS; i++) out.push(TABLE[i]![0]);
  return out;
}

export function isReject(value: object): value is MeshReject {
  return 'reason' in value && 'authenticated' in value;
}
