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

const REASONS: readonly string[] = [
  'none',
  'control',
  'version_unknown',
  'tunnel_mismatch',
  'malformed',
  'key_epoch_out_of_range',
  'decision_expired',
  'route_unknown',
  'topic_mismatch',
  'replayed',
  'unauthentic',
  'too_old',
  'decision_too_soon',
  'control_unknown',
  'closed',
  'key_exhausted',
  'not_confirmed',
  'legacy_refused',
  'suite_unknown',
  'signature_invalid',
  'peer_unknown',
  'credential_invalid',
  'peer_mismatch',
  'handshake_replayed',
  'handshake_full',
  'handshake_unknown',
  'confirmation_invalid',
  'route_refused',
  'profile_mismatch',
  'public_key_invalid',
  'no_tunnel',
  'tuple_missing',
  'tuple_rollback',
  'tuple_unauthentic',
  'tuple_store_failed',
  'handshake_expired',
];

/** What each means; only where there are texts. */
const DETAILS: readonly string[] = [
  '',
  'the frame was for the tunnel itself',
  'the frame is of another version: both ends must speak mesh/2',
  'the frame is of another tunnel',
  'the frame or message is too short, too long, or has a field of a wrong size',
  'the key epoch is neither the present one nor one beside it',
  'the frame follows a decision that no longer holds, or that is not for its sender to make',
  'the route of the frame is not registered here',
  'the frame came with the topic or the epoch of another route',
  'a frame of this number was opened before, or it is more than 64 behind',
  'the frame does not open: it is forged, altered, or for another end',
  'the frame was sent longer ago than maxAgeMs allows: something on the way held it back',
  'the peer decides more often than its rate limit allows',
  'the peer sent a control message that is not known here',
  'the tunnel is closed',
  'the key has sealed all frames it may, and the peer has not reached the next one',
  'the peer has not confirmed the keys yet',
  'a message of mesh/1, which is not spoken on a network',
  'the peer uses another parameter set',
  'the signature of the handshake does not verify',
  'the key of the peer is not pinned here',
  'the certificate of the peer is not one of the root, or not valid now',
  'the handshake is from or for another end',
  'the handshake was begun before one that is complete: it is played back',
  'too many handshakes wait for their confirmation',
  'no handshake waits for this message',
  'the peer did not derive the keys that this end did',
  'the application does not take tunnels on this route',
  'the peer runs another program than is expected of it',
  'the ephemeral key of the peer is malformed',
  'all tunnel slots are taken',
  'the store has no metadata of this tunnel',
  'the store gave metadata that are older than known ones',
  'the metadata do not open: they are forged, altered or of another tunnel',
  'the store did not answer',
  'the handshake was begun longer ago than maxAgeMs allows',
];

/** Reasons after which the peer is known. */
const AUTHENTICATED = [11, 12, 13, 23, 26, 27, 28, 35];

/** The reason of a number as {@link openInto} returns it, negative, or of {@link Refusal}. */
export function refusal(number: number): MeshReject {
  const index = number < 0 ? -number : number;
  return {
    reason: REASONS[index]!,
    detail: WITH_TEXTS ? DETAILS[index]! : '',
    authenticated: AUTHENTICATED.indexOf(index) !== -1,
  };
}

/** All reasons. */
export function refusalReasons(): string[] {
  const out: string[] = [];
  for (let i = 2; i < REFUSALS; i++) out.push(REASONS[i]!);
  return out;
}

export function isReject(value: object): value is MeshReject {
  return 'reason' in value && 'authenticated' in value;
}
