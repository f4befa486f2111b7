// What a bundle can do. All of it is in the source; a build for a firmware profile puts the profile's choice in
// place of each value below (rollup.config.mjs), and the code behind `if (WITH_...)` vanishes where it is false.
// Each line is of the form `export const WITH_NAME: boolean = true;`.

/** A client's side, a server's side. */
export const WITH_CLIENT: boolean = true;
export const WITH_SERVER: boolean = true;

/** RCS-256 records and AES-256-GCM records (X10). Strict 1.4 has RCS-256 only. */
export const WITH_RCS: boolean = true;
export const WITH_GCM: boolean = true;

/** A gateway's records in the place of the kernels': AES-256-GCM of the engine, RCS-256 in WebAssembly. */
export const WITH_ENGINE: boolean = true;

/** Parameter sets: ML-KEM-512 and ML-DSA-44, -768 and -65, -1024 and -87. */
export const WITH_S1: boolean = true;
export const WITH_S3: boolean = true;
export const WITH_S5: boolean = true;

/** The full handshake with certificates, ML-KEM and ML-DSA. Without it a device connects by its credential only. */
export const WITH_FULL_HANDSHAKE: boolean = true;
/** Peers that speak 1.4 without extensions: `allow` and `never`, the ratchet, the 3 s for a missing hello. */
export const WITH_STRICT: boolean = true;
/** Tickets (X4): resumption, the wallet, a server's store. */
export const WITH_RESUMPTION: boolean = true;
/** A provisioned credential (X4). */
export const WITH_PROVISIONED: boolean = true;
/** The KEM rekey of a connection (X5). Key updates are always there. */
export const WITH_REKEY: boolean = true;
/** Messages kept until they are delivered (X9). */
export const WITH_EXACTLY_ONCE: boolean = true;
/** This end asks an idle peer whether it lives (X3). It answers such questions in any case. */
export const WITH_KEEPALIVE: boolean = true;
/** Round trip times and losses, from the answers to what is asked (X3). */
export const WITH_ROUND_TRIPS: boolean = true;
/** The clock of a device that may start without the time of day (X1, X2). */
export const WITH_CLOCK: boolean = true;
/** Values of a small client's storage lie in it in parts: it takes few bytes each. */
export const WITH_PARTS: boolean = true;
/** Bytes to keep over a deep sleep. */
export const WITH_SLEEP: boolean = true;
/** Several endpoints: each is tried in its turn. */
export const WITH_FAILOVER: boolean = true;
/** A chooser among several endpoints, such as QACE. */
export const WITH_PATHS: boolean = true;
/** Client identities (X6). */
export const WITH_IDENTITY: boolean = true;
/** Revocation lists (X7). */
export const WITH_REVOCATION: boolean = true;
/** Successors of certificates (X8). */
export const WITH_SUCCESSION: boolean = true;
/** ML-KEM and ML-DSA from the engine (Node from 24.7, Deno), and from the device kernels: alone, or for what it leaves. */
export const WITH_NATIVE: boolean = true;
export const WITH_MICRO: boolean = true;
/** Calls of these that answer at once: an engine that is asynchronous, and alone, has jobs only. */
export const WITH_CALLS: boolean = true;

/** Signing with ML-DSA: what a server and a client with an identity do. */
export const WITH_SIGNING: boolean = true;
/** Decapsulation and key generation: what a server and a KEM rekey need. */
export const WITH_DECAPSULATION: boolean = true;

/** Sentences of errors for people. Without them an error has its code alone (docs/profiles.md lists them). */
export const WITH_TEXTS: boolean = true;
/** Known-answer tests of the algorithms, as `qstp selftest` runs them on a bundle. */
export const WITH_SELFTEST: boolean = true;
