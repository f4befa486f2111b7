// Known answers of primitives and of QACE, which every device has room for; and what runs a file of any kind.

import type { KatApi, Report } from './api.ts';
import { FormatError, rootEntry } from './fields.ts';
import type { Entry } from './fields.ts';
import { checkHash } from './hash.ts';
import { checkPq } from './pq.ts';
import { checkQace } from './qace.ts';
import { checkRcs } from './rcs.ts';

export const PRIMITIVE_KINDS: readonly string[] = ['rcs', 'hash', 'pq', 'qace'];

export function need<T>(part: T | undefined, name: string): T {
  if (part !== undefined) return part;
  throw new FormatError(`this build has no ${name}`);
}

/** Checks a file, if it is of one of these kinds. */
export function checkPrimitives(kind: string, file: Entry, api: KatApi, report: Report): boolean {
  switch (kind) {
    case 'hash':
      checkHash(file, need(api.hash, 'hash functions'), report);
      return true;
    case 'rcs':
      checkRcs(file, need(api.rcs, 'RCS'), report);
      return true;
    case 'pq':
      checkPq(file, need(api.provider, 'provider'), need(api.hash, 'hash functions'), report);
      return true;
    case 'qace':
      checkQace(file, need(api.qace, 'QACE'), report);
      return true;
    default:
      return false;
  }
}

/** Checks a file: `check` says whether it knows the kind, which is one of `kinds`. As `runKat`. */
export function runWith(
  check: typeof checkPrimitives,
  kinds: readonly string[],
  kind: string,
  file: unknown,
  api: KatApi,
  report: Report,
): void {
  let checks = 0;
  const counted: Report = (name, failure) => {
    checks++;
    report(`${kind} ${name}`, failure);
  };
  try {
    if (!check(kind, rootEntry(file), api, counted)) {
      throw new FormatError(`"${kind}" is no kind of known answers; there are ${kinds.join(', ')}`);
    }
  } catch (error) {
    report(kind, error instanceof Error ? error.message : 'threw something that is not an error');
    return;
  }
  if (checks === 0) report(kind, 'the file has no vectors');
}
