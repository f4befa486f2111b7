// What a server knows of trust (X6 to X8): the revocations of its roots, who of its clients may connect, and what to
// tell clients that hold less.

import { ControlType, SERIAL_BYTES } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { copyOf, equal, isZero } from '../bytes.ts';
import type { SuiteCrypto } from '../crypto/provider.ts';
import type { RootCertificate, ServerCertificate } from '../cert/certificate.ts';
import {
  badRevocationSignature,
  decodeRevocation,
  decodeRevocationList,
  isRevoked,
  revocationJob,
  revokedSerials,
  revocationOfJob,
} from '../cert/revocation.ts';
import type { RevocationList } from '../cert/revocation.ts';
import { decodeSuccession } from '../cert/succession.ts';
import type { Succession } from '../cert/succession.ts';
import { expirationCheck } from '../cert/verify.ts';
import type { ClientJudge, ClientName, RevocationVerdict, TrustDesk } from '../session/edge.ts';
import type { ServerIdentity } from '../session/server.ts';
import type { Holdings } from '../wire/edge.ts';
import type { Executor } from '../platform.ts';
import {
  checkIdentity,
  checkIncomingList,
  isRevokedHere,
  keepRevocation,
  keepRevocationList,
} from './revocation-store.ts';
import type { Revocations } from './revocation-store.ts';

/** A root whose clients and servers this server knows. */
export interface TrustedRoot {
  readonly crypto: SuiteCrypto;
  /** Its certificate, and what is held of its revocations. */
  readonly revocations: Revocations;
  /** The statement of the root that follows it, as `qstp root rollover` made it (X8). */
  readonly succession?: Uint8Array | undefined;
}

export interface ServerTrustOptions {
  readonly roots: readonly TrustedRoot[];
  /** `required`: clients without an identity are refused; `optional`: asked, and served without. Default `none`. */
  readonly clients?: 'none' | 'optional' | 'required' | undefined;
  /** A client is let in only under a revocation list that is held and not stale. Default false. */
  readonly requireList?: boolean | undefined;
  /** Why a client may not connect, beyond that; null if it may. Default: every identity may. */
  readonly authorise?: ((client: ClientName) => Reject | null) | undefined;
}

/** What changed: serials that were not revoked before, and the list that clients are to have. */
export interface TrustChange {
  readonly list: RevocationList | null;
  readonly serials: readonly Uint8Array[];
}

export interface ServerTrust extends TrustDesk {
  /** Null where clients are not asked who they are. */
  readonly clients: ClientJudge | null;
  /** True if a certificate was revoked by its root. */
  revoked(rootSerial: Uint8Array, serial: Uint8Array): boolean;
  /** True if clients that pin this certificate, which a list revokes, are told of one that follows and of that list. */
  followed(certificate: ServerCertificate, now: number): boolean;
  /** Why a client that is connected has to go; null if it may stay. */
  refuses(client: ClientName, now: number): Reject | null;
  /** Takes a list in its file form: checked, verified, stored, told to all. `done` gets the refusal, or null. */
  importList(bytes: Uint8Array, now: number, execute: Executor, done: (why: Reject | null) => void): void;
  /** Called after every change: returns what ends that. */
  listen(changed: (change: TrustChange) => void): () => void;
}

const MALFORMED = /* @__PURE__ */ reject(
  'revocation_malformed',
  ErrorCode.invalidInput,
  'this is no revocation list of a root of this server: `qstp root revoke` makes one',
);

const UNKNOWN_ROOT = /* @__PURE__ */ reject(
  'certificate_foreign_root',
  ErrorCode.keyUnrecognized,
  "the client's certificate is of a root that this server does not know",
  true,
);

const UNSTORED = /* @__PURE__ */ reject(
  'revocation_unstored',
  ErrorCode.keychainFail,
  'the revocation list counts now, but could not be stored: repair the storage, then load it again',
);

/** What an identity is refused for whose certificate ended while its ticket lived. */
const ENDED = /* @__PURE__ */ reject(
  'certificate_expired',
  ErrorCode.keyExpired,
  "the client's certificate has ended: renew it",
  true,
);

export function createServerTrust(
  options: ServerTrustOptions,
  identities: readonly ServerIdentity[],
): ServerTrust {
  const { roots } = options;
  const authorise = options.authorise ?? ((): null => null);
  const required = options.requireList === true;
  /** Seconds: when a revocation in cleartext was looked at last. */
  let verifiedAt = 0;
  const listeners: ((change: TrustChange) => void)[] = [];

  const rootOf = (serial: Uint8Array): TrustedRoot | null => {
    for (const root of roots) if (equal(root.revocations.root.serial, serial)) return root;
    return null;
  };

  const changed = (change: TrustChange): void => {
    for (const listener of listeners.slice()) listener(change);
  };

  const refusesUnder = (client: ClientName, listed: boolean, now: number): Reject | null => {
    if (now > client.to) return ENDED;
    // A ticket says who, not under which root: none of them may speak against it.
    for (const { revocations } of roots) {
      const bad = checkIdentity(revocations, client.serial, listed, now);
      if (bad !== null) return bad;
    }
    return authorise(client);
  };

  // Who is connected stays while a list is late: it would not get in again.
  const refuses = (client: ClientName, now: number): Reject | null => refusesUnder(client, false, now);

  const clients: ClientJudge = {
    required: options.clients === 'required',
    judge(certificate, now) {
      const root = rootOf(certificate.rootSerial);
      if (root === null) return UNKNOWN_ROOT;
      const { serial, issuer, to } = certificate;
      const bad = checkIdentity(root.revocations, serial, required, now) ?? authorise({ serial, issuer, to });
      return bad ?? { root: root.revocations.root, crypto: root.crypto };
    },
    refuses: (client, now) => refusesUnder(client, required, now),
  };

  /** The statement that follows a root, if it is valid. */
  const successionOf = (root: TrustedRoot): Succession | null =>
    root.succession === undefined ? null : decodeSuccession(root.succession, root.revocations.root.suite);

  /** The certificate that follows the one a client pins, under one of these roots. */
  const successorOf = (held: Holdings, under: readonly RootCertificate[], now: number): Uint8Array | null => {
    const pinned = identities.find(({ certificate }) => equal(certificate.serial, held.serial));
    if (pinned === undefined) return null;
    let best: Uint8Array | null = null;
    let { until } = held;
    for (const { certificate } of identities) {
      const mine = certificate.issuer === pinned.certificate.issuer && certificate.to > until;
      const known = under.some(({ serial }) => equal(serial, certificate.rootSerial));
      const root = rootOf(certificate.rootSerial);
      const good = root === null || !isRevokedHere(root.revocations, certificate.serial);
      if (mine && known && good && expirationCheck(certificate, now) === 'valid') {
        best = certificate.bytes;
        until = certificate.to;
      }
    }
    return best;
  };

  const verdict = (root: TrustedRoot, revocation: Uint8Array): RevocationVerdict | null => {
    const { revocations, crypto } = root;
    const decoded = decodeRevocation(revocation, revocations.root.suite);
    if (decoded === null) return null;
    const { serial } = decoded;
    return {
      crypto,
      job: revocationOfJob(decoded, revocations.root),
      known: () => isRevokedHere(revocations, serial),
      keep() {
        const kept = keepRevocation(revocations, serial);
        return kept === 'full' || kept === 'unstored' ? kept : 'kept';
      },
      enforce: () => changed({ list: null, serials: [copyOf(serial)] }),
    };
  };

  const newer: ServerTrust['newer'] = (held, now) => {
    const root = rootOf(held.rootSerial);
    if (root === null) return [];
    const statements: { type: number; message: Uint8Array }[] = [];
    const succession = successionOf(root);
    const under: RootCertificate[] = [root.revocations.root];
    if (succession !== null) {
      under.push(succession.certificate);
      if (succession.number > held.successionNumber) {
        statements.push({ type: ControlType.newRoot, message: succession.bytes });
      }
    }
    const successor = successorOf(held, under, now);
    if (successor !== null) statements.push({ type: ControlType.successor, message: successor });
    // Last: it may end the connection, by revoking the certificate that the client pins.
    const { list } = root.revocations;
    if (list !== null && list.number > held.listNumber && now <= list.nextUpdate) {
      statements.push({ type: ControlType.revocationList, message: list.bytes });
    }
    return statements;
  };

  return {
    clients: options.clients === undefined || options.clients === 'none' ? null : clients,
    refuses,
    revoked(rootSerial, serial) {
      const root = rootOf(rootSerial);
      return root !== null && isRevokedHere(root.revocations, serial);
    },
    followed({ serial, rootSerial, to }, now) {
      const root = rootOf(rootSerial);
      if (root === null || !isRevoked(root.revocations.list, serial)) return false;
      const held = { listNumber: 0, successionNumber: 0, until: to, serial, rootSerial };
      const types = newer(held, now).map(({ type }) => type);
      return types.indexOf(ControlType.successor) >= 0 && types.indexOf(ControlType.revocationList) >= 0;
    },
    newer,
    mayVerify(now) {
      if (now === verifiedAt) return false;
      verifiedAt = now;
      return true;
    },
    judge(revocation) {
      if (revocation.length <= SERIAL_BYTES || isZero(revocation.subarray(-SERIAL_BYTES))) return [];
      const verdicts: RevocationVerdict[] = [];
      for (const root of roots) {
        const one = verdict(root, revocation);
        if (one !== null) verdicts.push(one);
      }
      return verdicts;
    },
    importList(bytes, now, execute, done) {
      for (const { revocations, crypto } of roots) {
        const list = decodeRevocationList(bytes, revocations.root.suite);
        if (list === null || !equal(list.rootSerial, revocations.root.serial)) continue;
        const bad = checkIncomingList(revocations, list, now);
        if (bad !== null) {
          done(bad);
          return;
        }
        execute(crypto, revocationJob(list, revocations.root), (good) => {
          if (!good) {
            done(badRevocationSignature());
            return;
          }
          // Another may have been verified meanwhile.
          const late = checkIncomingList(revocations, list, now);
          if (late !== null) {
            done(late);
            return;
          }
          const serials = revokedSerials(list).filter((serial) => !isRevokedHere(revocations, serial));
          const stored = keepRevocationList(revocations, list);
          changed({ list: revocations.list, serials });
          done(stored ? null : UNSTORED);
        });
        return;
      }
      done(MALFORMED);
    },
    listen(listener) {
      listeners.push(listener);
      return () => {
        const at = listeners.indexOf(listener);
        if (at >= 0) listeners.splice(at, 1);
      };
    },
  };
}
