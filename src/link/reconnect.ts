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

class Pauses implements Backoff {
  private readonly first: number;
  private readonly max: number;
  private bound: number;

  constructor(first: number, max: number) {
    this.first = first;
    this.max = max;
    this.bound = first;
  }

  next(random: number): number {
    const { bound, max } = this;
    this.bound = bound * 2 < max ? bound * 2 : max;
    return LEAST_MS + Math.floor(random * (bound - LEAST_MS));
  }

  succeeded(): void {
    this.bound = this.first;
  }
}

export function createBackoff(options: BackoffOptions = {}): Backoff {
  return new Pauses(options.firstMs ?? 500, options.maxMs ?? BACKOFF_MAX_MS);
}
