// What a client's connections do with its trust (X7, X8): they tell the server what is held, have what comes judged
// and verified, and keep it.

import { ControlType, DAY_SECONDS } from '../params.ts';
import { ErrorCode, reject } from '../error.ts';
import type { Reject } from '../error.ts';
import { parseCertificate } from '../cert/certificate.ts';
import type { ServerCertificate } from '../cert/certificate.ts';
import { expiryWarning } from '../cert/verify.ts';
import { badRevocationSignature, decodeRevocationList, revoked } from '../cert/revocation.ts';
import { badSuccessionSignature, badSuccessorSignature, decodeSuccession } from '../cert/succession.ts';
import type { Judgement, TrustKeeper } from '../session/edge.ts';
import type { Session } from '../session/session.ts';
import { emitControl } from '../session/core.ts';
import { dueHoldings } from '../session/trust.ts';
import {
  checkTrustList,
  checkTrustRoot,
  checkTrustSuccessor,
  isTrustRevoked,
  keepRoot,
  keepSuccessor,
  keepTrustList,
  trustHoldings,
} from './trust-news.ts';
import type { TrustCheck } from './trust-news.ts';
import type { TrustedPair } from './trust-pair.ts';
import type { TrustStore } from './trust-store.ts';
import type { Holdings } from '../wire/edge.ts';

/** What the connections of one client share. */
export interface TrustState {
  /** The certificates of the connection under way; null before the first. */
  pair: TrustedPair | null;
  /** Seconds: when the server was last told what is held, or the first connection was made; 0: not yet. */
  askedAt: number;
}

export interface TrustEvents {
  /** A statement was taken: a `list`, a `root` or a `successor`. */
  kept?(what: 'list' | 'root' | 'successor'): void;
  refused?(why: Reject): void;
}

/** A connection that control messages can be put into. */
interface Asking {
  readonly session: Session;
  control(act: (now: number) => void): void;
}

const MALFORMED = /* @__PURE__ */ reject(
  'trust_malformed',
  ErrorCode.invalidRequest,
  'the server sent a list, root or certificate that is none of this suite',
  true,
);

const UNSTORED = /* @__PURE__ */ reject(
  'trust_unstored',
  ErrorCode.keychainFail,
  'what the server sent about trust could not be stored: repair the storage',
  true,
);

function judgement(
  check: (now: number) => TrustCheck,
  bad: Reject,
  keep: () => Reject | null,
  events: TrustEvents,
  now: number,
): Judgement | Reject {
  const { refused, jobs } = check(now);
  if (refused !== null) return refused;
  return {
    jobs,
    bad,
    keep(later) {
      // Another connection may have taken a newer one while this was verified.
      const late = check(later).refused;
      if (late === null) return keep();
      events.refused?.(late);
      return null;
    },
  };
}

class Keeper implements TrustKeeper {
  private readonly trust: TrustStore;
  private readonly state: TrustState;
  private readonly events: TrustEvents;

  constructor(trust: TrustStore, state: TrustState, events: TrustEvents) {
    this.trust = trust;
    this.state = state;
    this.events = events;
  }

  get bytesMax(): number | undefined {
    return this.trust.bytesMax;
  }

  held(fullHandshake: boolean, now: number): Holdings | null {
    const { state } = this;
    const passed = now - state.askedAt;
    // A clock that was ahead for a while has left a time to come.
    const again = state.askedAt > 0 && (passed < 0 || passed >= DAY_SECONDS);
    const due = fullHandshake || again;
    if (due || state.askedAt === 0) state.askedAt = now;
    return due ? trustHoldings(this.trust, state.pair!) : null;
  }

  judge(type: number, message: Uint8Array, now: number): Judgement | Reject {
    if (type === ControlType.revocationList) return this.judgeList(message, now);
    return type === ControlType.newRoot ? this.judgeRoot(message, now) : this.judgeSuccessor(message, now);
  }

  refused(why: Reject): void {
    if (this.events.refused !== undefined) this.events.refused(why);
  }

  private kept(good: boolean, what: 'list' | 'root' | 'successor'): null {
    if (!good) this.refused(UNSTORED);
    else if (this.events.kept !== undefined) this.events.kept(what);
    return null;
  }

  private judgeList(message: Uint8Array, now: number): Judgement | Reject {
    const { trust, state, events } = this;
    const list = decodeRevocationList(message, state.pair!.root.suite);
    if (list === null) return MALFORMED;
    const keep = (): Reject | null => {
      this.kept(keepTrustList(trust, list), 'list');
      return isTrustRevoked(trust, state.pair!.server) ? revoked('server') : null;
    };
    return judgement((at) => checkTrustList(trust, list, at), badRevocationSignature(), keep, events, now);
  }

  private judgeRoot(message: Uint8Array, now: number): Judgement | Reject {
    const { trust, state, events } = this;
    const statement = decodeSuccession(message, state.pair!.root.suite);
    if (statement === null) return MALFORMED;
    const keep = (): null => this.kept(keepRoot(trust, statement), 'root');
    const check = (at: number): TrustCheck => checkTrustRoot(trust, statement, at);
    return judgement(check, badSuccessionSignature(), keep, events, now);
  }

  private judgeSuccessor(message: Uint8Array, now: number): Judgement | Reject {
    const { trust, state, events } = this;
    const next = parseCertificate(message, state.pair!.root.suite);
    if (next === null || next.kind === 'root') return MALFORMED;
    const keep = (): null => this.kept(keepSuccessor(trust, next as ServerCertificate), 'successor');
    const check = (at: number): TrustCheck => checkTrustSuccessor(trust, next, at);
    return judgement(check, badSuccessorSignature(), keep, events, now);
  }
}

/** A keeper over a client's trust. `state` is kept by the owner from connection to connection. */
export function trustKeeper(trust: TrustStore, state: TrustState, events: TrustEvents): TrustKeeper {
  return new Keeper(trust, state, events);
}

/** Ends of a full handshake that say nothing of its certificates. */
const ELSEWHERE = ['disconnected', 'handshake_timeout', 'closed', 'no_slot', 'handshake_buffer'];

/** True if a full handshake that ended so may have failed for its certificates: then the other pair is tried. */
export function blamesCertificates(why: Reject): boolean {
  return ELSEWHERE.indexOf(why.reason) < 0 && why.code !== ErrorCode.hostsExceeded;
}

/** Says what is held, once a day, on a connection that lasts. `now` in seconds. */
export function askTrust(connection: Asking, state: TrustState, now: number): void {
  if (now - state.askedAt < DAY_SECONDS) return;
  const { session } = connection;
  connection.control((time) => {
    const held = dueHoldings(session, false, time);
    if (held !== null) emitControl(session, held, time);
  });
}

/** What a link says of the ends of the certificates it uses; null while neither is near. */
export function expiryNotice(pair: TrustedPair, now: number): string | null {
  const rootFirst = pair.root.to < pair.server.to;
  const { to } = rootFirst ? pair.root : pair.server;
  const days = expiryWarning(to, now);
  if (days === 0) return null;
  const what = rootFirst ? 'root' : 'server';
  const how = rootFirst ? '`qstp root rollover`' : '`qstp server renew`';
  const when = days < 0 ? 'has ended' : `ends in less than ${days} days`;
  return `the ${what} certificate ${when}, and none that follows is held: ${how}`;
}
