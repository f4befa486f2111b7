// Every number of mesh/2 (docs/mesh.md has the reasons).

// ---- The protocol ---------------------------------------------------------------------------------------------

export const MESH_VERSION = 2;
/** In front of what a frame carries: kind u8 | key epoch reached u8 | sent at u48, milliseconds since 1970. */
export const INNER_BYTES = 8;
/** What a sealed frame carries. */
export const Inner = {
  data: 0,
  /** Nothing but what every frame tells. */
  ack: 1,
  /** u32 decision | route hash[32]. */
  decide: 2,
  /** u32 decision: the route is not registered here. */
  refuse: 3,
  /** u32: the key epoch the peer is asked to seal under. */
  rekey: 4,
  /** u32: the version of the metadata that were stored. */
  tuple: 5,
  close: 6,
  /** u32 decision: this end follows it. */
  follow: 7,
} as const;
/** Longest topic, bytes of UTF-8. */
export const TOPIC_BYTES_MAX = 128;
/** Longest associated data of an application, bytes. */
export const AAD_BYTES_MAX = 64;
/** Most hops of a route. */
export const HOPS_MAX = 32;
/** Most application data of a handshake message, bytes. */
export const HANDSHAKE_DATA_MAX = 512;
/** A key seals no more frames than this, nor opens what is numbered higher. */
export const FRAMES_PER_KEY_MAX = 16777216;
/** Bytes of a tuple's nonce, which is random. */
export const TUPLE_NONCE = 12;
/** Random bytes of each side, and salts. */
export const MESH_RANDOM_BYTES = 32;

// ---- This implementation ----------------------------------------------------------------------------------------

/** A sender takes the next key after so many frames, if its peer has reached the present one. */
export const FRAMES_PER_KEY = 1048576;
/** Alternates of a tunnel. */
export const ALTERNATES_MAX = 4;
/** Routes a node knows, by default. */
export const ROUTES = 8;
/** How long the route and the key before are still good, milliseconds. */
export const GRACE_MS = 10000;
/** Decisions are no closer together than this, milliseconds. */
export const DECISION_INTERVAL_MS = 20000;
/** A decision that is not acknowledged is announced again after this, milliseconds. */
export const ANNOUNCE_MS = 1000;
/** A handshake that is not confirmed by then is forgotten, milliseconds. */
export const HALF_OPEN_MS = 30000;
/** Handshakes that wait for their confirmation, by default. */
export const HALF_OPEN = 4;
/** Peers whose last handshake is remembered, by default. */
export const STAMPS = 32;
