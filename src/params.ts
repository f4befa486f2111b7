// Every number of the protocol, with its unit and source.

// ---- Specification: QSTP 1.4 as the reference speaks it -------------------------------------------------

export const HEADER_BYTES = 21;
/** Largest message length a header may carry, bytes (0x10000). */
export const MESSAGE_MAX = 65536;
/** MAC tag of a record, bytes (RCS-256). */
export const TAG_BYTES = 32;
/** Largest plaintext of one record, bytes. */
export const PLAINTEXT_MAX = MESSAGE_MAX - TAG_BYTES;
/** A header's time may differ from ours by this much, seconds, inclusive. */
export const TIME_WINDOW = 60;

export const SERVER_PORT = 32119;
export const CLIENT_PORT = 32118;
export const ROOT_PORT = 32120;

export const HASH_BYTES = 32;
export const SERIAL_BYTES = 16;
export const ISSUER_BYTES = 32;
/** Configuration string field of connect_request, zero padded. */
export const CONFIG_BYTES = 42;
/** Bytes of that field a reference server compares. */
export const CONFIG_COMPARED = 41;
export const CERTIFICATE_VERSION = 1;
export const DAY_SECONDS = 86400;
/** Longest validity of a key, days. */
export const VALIDITY_DAYS_MAX = 730;

/** Both counters after the handshake; the first record carries the next number. */
export const SEQUENCE_ESTABLISHED = 2;
/** High half of the sequence 0xFF00000000000000 of an unauthenticated error packet; its low half is 0. */
export const SEQUENCE_ERROR_HIGH = 0xff000000 | 0;
export const RATCHET_TOKEN_BYTES = 32;

/** Packet flags. Those marked * are never sent or handled by the reference. */
export const Flag = {
  none: 0x00,
  connectRequest: 0x01,
  connectResponse: 0x02,
  connectionTerminate: 0x03,
  encryptedMessage: 0x04,
  /** * */ exstartRequest: 0x05,
  /** * */ exstartResponse: 0x06,
  exchangeRequest: 0x07,
  exchangeResponse: 0x08,
  /** * */ establishRequest: 0x09,
  /** * */ establishResponse: 0x0a,
  /** * */ remoteConnected: 0x0b,
  /** * */ remoteTerminated: 0x0c,
  /** a state, never a packet */ sessionEstablished: 0x0d,
  /** * */ establishVerify: 0x0e,
  /** * */ unrecognizedProtocol: 0x0f,
  /** * */ certificateRevoke: 0x10,
  /** * */ transferRequest: 0x11,
  symmetricRatchetRequest: 0x12,
  errorCondition: 0x13,
} as const;

/** One parameter set: a build of the reference speaks exactly one, and nothing is negotiated. */
export interface Suite {
  readonly id: number;
  /** The configuration string, sent in connect_request and printed in certificates. */
  readonly name: string;
  /** Bytes of an encapsulation key, a ciphertext, a decapsulation key (FIPS 203). */
  readonly kemPublicKeyBytes: number;
  readonly ciphertextBytes: number;
  readonly kemSecretKeyBytes: number;
  /** Bytes of a verification key, a signature, a signing key (FIPS 204). */
  readonly verifyKeyBytes: number;
  readonly signatureBytes: number;
  readonly signingKeyBytes: number;
}

function suite(
  id: number,
  name: string,
  kemPublicKeyBytes: number,
  ciphertextBytes: number,
  kemSecretKeyBytes: number,
  verifyKeyBytes: number,
  signatureBytes: number,
  signingKeyBytes: number,
): Suite {
  return {
    id,
    name: name + '_rcs-256_sha3-256',
    kemPublicKeyBytes,
    ciphertextBytes,
    kemSecretKeyBytes,
    verifyKeyBytes,
    signatureBytes,
    signingKeyBytes,
  };
}

/** The three suites of this build, at index id - 1: ML-KEM-512/ML-DSA-44, -768/-65, -1024/-87. */
export const SUITES: readonly Suite[] = [
  /* @__PURE__ */ suite(1, 'dilithium-s1_kyber-s1', 800, 768, 1632, 1312, 2420, 2560),
  /* @__PURE__ */ suite(2, 'dilithium-s3_kyber-s3', 1184, 1088, 2400, 1952, 3309, 4032),
  /* @__PURE__ */ suite(3, 'dilithium-s5_kyber-s5', 1568, 1568, 3168, 2592, 4627, 4896),
];

/** All fourteen configuration strings, at index id - 1. */
export const SUITE_NAMES: readonly string[] = [
  'dilithium-s1_kyber-s1_rcs-256_sha3-256',
  'dilithium-s3_kyber-s3_rcs-256_sha3-256',
  'dilithium-s5_kyber-s5_rcs-256_sha3-256',
  'dilithium-s5_kyber-s6_rcs-256_sha3-256',
  'dilithium-s1_mceliece-s1_rcs-256_sha3-256',
  'dilithium-s3_mceliece-s3_rcs-256_sha3-256',
  'dilithium-s5_mceliece-s5_rcs-256_sha3-256',
  'dilithium-s5_mceliece-s6_rcs-256_sha3-256',
  'dilithium-s5_mceliece-s7_rcs-256_sha3-256',
  'sphincs-s1_mceliece-s1_rcs-256_sha3-256',
  'sphincs-s3_mceliece-s3_rcs-256_sha3-256',
  'sphincs-s5_mceliece-s5_rcs-256_sha3-256',
  'sphincs-s5_mceliece-s6_rcs-256_sha3-256',
  'sphincs-s5_mceliece-s7_rcs-256_sha3-256',
];

export const DEFAULT_SUITE_ID = 3;

// ---- Specification: QSTP-EDGE 1, the extensions between our own ends (docs/extensions.md) ------------------

/** Packet flags of the extensions. Those from keepaliveRequest on travel sealed, or prove themselves. */
export const EdgeFlag = {
  keepaliveRequest: 0x14,
  keepaliveResponse: 0x15,
  /** A control message under RCS-256. */
  control: 0x16,
  resumeRequest: 0x17,
  resumeResponse: 0x18,
  /** A control message under AES-256-GCM. */
  controlGcm: 0x19,
} as const;

/** Bits of byte 41 of connect_request's configuration field (X1). */
export const Discovery = { edge: 1, clockNotSet: 2, gcm: 4, freshness: 8 } as const;

/** Bits of the features in both hellos (X2). */
export const Feature = {
  keepalive: 1,
  resumption: 2,
  keyUpdate: 4,
  clientAuthentication: 8,
  kemRekey: 32,
  succession: 128,
  exactlyOnce: 256,
} as const;

/** First byte of a control message (X2 to X9). */
export const ControlType = {
  serverHello: 0x01,
  ticket: 0x02,
  clientIdentity: 0x03,
  freshness: 0x04,
  rekeyDone: 0x05,
  keyUpdate: 0x06,
  rekeyKey: 0x07,
  rekeyCiphertext: 0x08,
  revocationStatus: 0x09,
  revocationList: 0x0a,
  clientHello: 0x0b,
  successor: 0x0c,
  newRoot: 0x0d,
  reprovision: 0x0e,
  delivered: 0x0f,
  holdings: 0x11,
} as const;

export const EDGE_VERSION = 1;
/** Tag of an AES-256-GCM record, bytes. */
export const GCM_TAG_BYTES = 16;
export const TICKET_ID_BYTES = 16;
export const NONCE_BYTES = 32;
export const PROOF_BYTES = 32;
/** Body of a packet whose receiver's maxRecord is not known yet, bytes. */
export const FIRST_RECORD_MAX = 512;
/** The least an end may say it takes in one record, bytes: a ticket, and a fragment that holds something. */
export const RECORD_LEAST = 64;
/** A fragmented control message, whole, bytes. */
export const FRAGMENTED_MAX = 16384;
/** Packets and seconds that lie between two key updates of one direction at the least. */
export const UPDATE_PACKETS_LEAST = 1024;
export const UPDATE_SECONDS_LEAST = 3600;
/** A key is updated after this many packets, bytes (high half of 2^36) or seconds. */
export const UPDATE_PACKETS = 16777216;
export const UPDATE_BYTES_HIGH = 16;
export const UPDATE_SECONDS = 86400;
/** A 1.4 server is given this long to send a hello when extensions are allowed, milliseconds. */
export const HELLO_WAIT_MS = 3000;
/** Live tickets a chain, at the most. */
export const TICKETS_MAX = 3;
/** How long a ticket lives unless the profile says otherwise, seconds. */
export const TICKET_LIFETIME = 86400;
/** Resumptions in a row before a full handshake is due. */
export const RESUMPTIONS_MAX = 64;

// ---- Implementation: our own choices --------------------------------------------------------------------

/** Refuse sequences from 2^48 on: far beyond any use, far below a wrap. High half of the limit. */
export const SEQUENCE_HIGH_MAX = 65536;
/** A handshake that takes longer is closed, milliseconds. */
export const HANDSHAKE_DEADLINE_MS = 15000;
/** Connections of a server unless told otherwise. */
export const CONNECTIONS_MAX = 1000;
/** Random bytes of one ML-DSA signature (FIPS 204 §3.4, hedged). */
export const SIGN_RANDOM_BYTES = 32;
