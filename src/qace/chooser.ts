// The choice among a link's endpoints, by what its keep-alives and probes tell of each path.

import { missing } from '../error.ts';
import {
  choosePath,
  createPaths,
  PATH_DEFAULTS,
  pathAnswered,
  pathLost,
  pathMissed,
  pathUsed,
} from './metrics.ts';
import type { Paths } from './metrics.ts';
import { createQaceDecision } from './simple.ts';
import type { QaceDecision } from './simple.ts';

/** What is asked of an endpoint before it is attempted: link's PathState has it. */
export interface WaitingPath {
  readonly index: number;
  /** Milliseconds until it may be tried. */
  readonly waitMs: number;
}

/** As link's PathChooser. */
export interface QacePathChooser {
  choose(waiting: readonly WaitingPath[]): number;
  answered(index: number, tripMs: number): void;
  missed(index: number): void;
  lost(index: number): void;
  used(index: number): void;
}

/** The first pause after a cut is shorter: a better path is worth that. */
const WAIT_MOST_MS = 500;

/**
 * {@link choosePath} for a list of endpoints that asks before each attempt: the index to try, or -1 to leave it to the
 * list, as long as no path is known to answer or the chosen one has to wait for long. The link tells it how each path does.
 */
export function createPathChooser(paths: Paths, out: QaceDecision): QacePathChooser {
  return {
    choose(waiting) {
      const chosen = choosePath(paths, out);
      if (chosen === -1) return -1;
      for (let i = 0; i < waiting.length; i++) {
        if (waiting[i]!.index === chosen) return waiting[i]!.waitMs > WAIT_MOST_MS ? -1 : chosen;
      }
      return -1;
    },
    answered: (index, tripMs) => pathAnswered(paths, index, tripMs),
    missed: (index) => pathMissed(paths, index),
    lost: (index) => pathLost(paths, index),
    used: (index) => pathUsed(paths, index),
  };
}

/** How often paths that are not in use are asked, unless somebody says otherwise, milliseconds. */
export const PROBE_EVERY_MS = 30000;

/** What a link of several endpoints is given to choose among them, and how often it asks them all. */
export interface Choosing<C> {
  readonly chooser?: C | 'qace' | null | undefined;
  readonly probeMs?: number | undefined;
}

/** Fills in what is not given: with several endpoints SimpleQace, which asks them every 30 s. */
export function choosing<C>(
  given: Choosing<C>,
  endpoints: number,
): { chooser: C | QacePathChooser | null; probeMs: number } {
  const { chooser, probeMs } = given;
  if (chooser !== 'qace' && (chooser !== undefined || endpoints === 1)) {
    return { chooser: chooser === undefined ? null : chooser, probeMs: probeMs === undefined ? 0 : probeMs };
  }
  const qace = createPathChooser(createPaths(endpoints, PATH_DEFAULTS), createQaceDecision(endpoints));
  return { chooser: qace, probeMs: probeMs === undefined ? PROBE_EVERY_MS : probeMs };
}

/** The same in a build that chooses among none: endpoints go in their order. Throws `feature_missing` for a chooser. */
export function inOrder<C>({ chooser }: Choosing<C>): { chooser: null } {
  if (chooser !== undefined && chooser !== null) throw missing('paths');
  return { chooser: null };
}
