// QaceSignal, QaceDecision and QaceReport of qstp.proto.

import type { QaceMetrics } from '../../qace/simple.ts';
import { RouteProto } from './route.ts';
import type { RouteMessage } from './route.ts';
import {
  takeBytes,
  takeEnum,
  takeMessage,
  takeMessageEntry,
  takeSigned,
  takeString,
  takeUint,
} from './reading.ts';
import { putBytes, putMessage, putSigned, putString, putUint } from './writing.ts';
import type { ProtoType } from './type.ts';

/** Alternates of a decision that are read. */
export const ALTERNATES_MAX = 16;

/** Numbers of the actions. */
export const QaceActionNumber = { maintain: 0, rekey: 1, reroute: 2 } as const;

export const QaceSignalProto: ProtoType<QaceMetrics> = {
  put(sink, signal) {
    putUint(sink, 1, signal.latencyMs);
    putUint(sink, 2, signal.lossBps);
    putUint(sink, 3, signal.threatScore);
    putUint(sink, 4, signal.routeChanges);
    putUint(sink, 5, signal.jitterMs);
    putUint(sink, 6, signal.bandwidthMbps);
    putUint(sink, 7, signal.chaosLevel);
  },
  take(source, field, signal) {
    if (field === 1) signal.latencyMs = takeUint(source);
    else if (field === 2) signal.lossBps = takeUint(source);
    else if (field === 3) signal.threatScore = takeUint(source);
    else if (field === 4) signal.routeChanges = takeUint(source);
    else if (field === 5) signal.jitterMs = takeUint(source);
    else if (field === 6) signal.bandwidthMbps = takeUint(source);
    else if (field === 7) signal.chaosLevel = takeUint(source);
    else return false;
    return true;
  },
  make: () => ({
    latencyMs: 0,
    lossBps: 0,
    threatScore: 0,
    routeChanges: 0,
    jitterMs: 0,
    bandwidthMbps: 0,
    chaosLevel: 0,
  }),
};

export interface QaceDecisionMessage {
  /** {@link QaceActionNumber}, or a number that nobody knows. */
  action: number;
  newRoute: RouteMessage | null;
  /** The original's field, which has no sign: 0 for a negative one, at most 2^32 - 1. */
  score: number;
  rationale: string;
  /** Ours from here on: the score itself, a whole number of at most 2^53 either way. */
  signedScore: number;
  alternates: RouteMessage[];
  generations: number;
  staleGenerations: number;
  /** Ten-thousandths. */
  confidenceBps: number;
}

export const QaceDecisionProto: ProtoType<QaceDecisionMessage> = {
  put(sink, decision) {
    putUint(sink, 1, decision.action);
    putMessage(sink, 2, decision.newRoute, RouteProto.put);
    putUint(sink, 3, decision.score);
    putString(sink, 4, decision.rationale);
    putSigned(sink, 5, decision.signedScore);
    for (let i = 0; i < decision.alternates.length; i++) {
      putMessage(sink, 6, decision.alternates[i]!, RouteProto.put);
    }
    putUint(sink, 7, decision.generations);
    putUint(sink, 8, decision.staleGenerations);
    putUint(sink, 9, decision.confidenceBps);
  },
  take(source, field, decision) {
    if (field === 1) decision.action = takeEnum(source);
    else if (field === 2) {
      decision.newRoute = takeMessage(source, decision.newRoute, RouteProto);
    } else if (field === 3) decision.score = takeUint(source);
    else if (field === 4) decision.rationale = takeString(source);
    else if (field === 5) decision.signedScore = takeSigned(source);
    else if (field === 6) takeMessageEntry(source, decision.alternates, RouteProto, ALTERNATES_MAX);
    else if (field === 7) decision.generations = takeUint(source);
    else if (field === 8) decision.staleGenerations = takeUint(source);
    else if (field === 9) decision.confidenceBps = takeUint(source);
    else return false;
    return true;
  },
  make: () => ({
    action: QaceActionNumber.maintain,
    newRoute: null,
    score: 0,
    rationale: '',
    signedScore: 0,
    alternates: [],
    generations: 0,
    staleGenerations: 0,
    confidenceBps: 0,
  }),
};

export interface QaceReport {
  tunnelId: Uint8Array;
  signal: QaceMetrics | null;
}

export const QaceReportProto: ProtoType<QaceReport> = {
  put(sink, report) {
    putBytes(sink, 1, report.tunnelId);
    putMessage(sink, 2, report.signal, QaceSignalProto.put);
  },
  take(source, field, report) {
    if (field === 1) report.tunnelId = takeBytes(source);
    else if (field === 2) report.signal = takeMessage(source, report.signal, QaceSignalProto);
    else return false;
    return true;
  },
  make: () => ({ tunnelId: new Uint8Array(0), signal: null }),
};
