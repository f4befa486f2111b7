// Bytes that one more object takes on the 32-bit XS worker, with everything that hangs on it alone.

import { bundleScript } from '../test/engines/bundle.ts';
import { startDevice32 } from './heap.ts';

export interface SlopeOptions {
  /** The module whose exports the worker has as the global `device`; from the project's folder. */
  readonly entry: string;
  /** An expression of the n-th object: `n` is 0 for one that is made to warm up, then 1, 2, ... */
  readonly make: string;
  /** Statements before the first object, such as of keys that all share. None by default. */
  readonly setup?: string;
  /** The project's folder. */
  readonly root?: string;
}

export interface Slope {
  /** Bytes an object: slope of the line through the points by least squares. */
  readonly bytes: number;
  /** Bytes alive with 1, 2, 4 and 8 objects, over those with none. */
  readonly points: readonly { readonly n: number; readonly bytes: number }[];
  /** The most that a point is off the line, bytes: near 0, unless objects differ in size. */
  readonly off: number;
}

const COUNTS = [1, 2, 4, 8] as const;

/** Makes 8 objects one after the other and keeps them. Rejects with what making one throws. */
export async function slope(options: SlopeOptions): Promise<Slope> {
  const root = options.root ?? '.';
  const script = await bundleScript(options.entry, { name: 'device', root });
  const worker = await startDevice32(script, root);
  try {
    const last = COUNTS[COUNTS.length - 1]!;
    // The list has its full length from the start.
    await worker.evaluate(
      `${options.setup ?? ''};
       var slopeMake = function (n) { return (${options.make}\n); };
       var slopeKept = [];
       for (var slopeAt = 0; slopeAt <= ${last}; slopeAt++) slopeKept.push(null);
       slopeAt = 0;`,
    );
    const more = 'slopeKept[slopeAt] = slopeMake(slopeAt); slopeAt++;';
    await worker.evaluate(more);
    await worker.evaluate('slopeKept[0] = null;');
    const none = await worker.liveBytes();
    const points: { n: number; bytes: number }[] = [];
    for (let n = 1; n <= last; n++) {
      await worker.evaluate(more);
      if ((COUNTS as readonly number[]).includes(n))
        points.push({ n, bytes: (await worker.liveBytes()) - none });
    }
    return { ...line(points), points };
  } finally {
    worker.close();
  }
}

export function line(points: Slope['points']): { bytes: number; off: number } {
  const mean = (of: (point: { n: number; bytes: number }) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [n, bytes] = [mean((p) => p.n), mean((p) => p.bytes)];
  const rise = mean((p) => (p.n - n) * (p.bytes - bytes)) / mean((p) => (p.n - n) ** 2);
  const off = Math.max(...points.map((p) => Math.abs(p.bytes - bytes - rise * (p.n - n))));
  return { bytes: rise, off };
}
