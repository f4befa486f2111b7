// Pauses between attempts to connect: capped exponential growth with full jitter, so that a fleet whose
// server was away does not return all at once.

export interface Backoff {
  /** The pause before the next attempt, milliseconds; `random` is a number in [0, 1). */
  next(random: number): number;
  /** An attempt led to a working connection: begin again with short pauses. */
  succeeded(): void;
}

export interface BackoffOptions {
  /** Upper bound of the first pause. Default 500. */
  readonly firstMs?: number;
  /** Upper bound of every pause. Default 60,000. */
  readonly maxMs?: number;
}

/** Upper bound of every pause unless told otherwise, milliseconds. */
export const BACKOFF_MAX_MS = 60000;

/** No pause is shorter: a server that accepts and closes at once is not hammered. */
const LEAST_MS = 100;

export function createBackoff(options: BackoffOptions = {}): Backoff {
  const first = options.firstMs ?? 500;
  const max = options.maxMs ?? BACKOFF_MAX_MS;
  let bound = first;
  return {
    next(random) {
      const pause = LEAST_MS + Math.floor(random * (bound - LEAST_MS));
      bound = bound * 2 < max ? bound * 2 : max;
      return pause;
    },
    succeeded() {
      bound = first;
    },
  };
}
