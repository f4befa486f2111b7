// Known answers of kind `hash`: SHA3-256, SHAKE, cSHAKE and KMAC at strengths 128, 256 and 512.
// The KMAC answers have the reference's finalisation (docs/protocol.md, "Records").

import type { HashApi, Report } from './api.ts';
import { check } from './api.ts';
import { difference, FormatError, has, hex, integer, list } from './fields.ts';
import type { Entry } from './fields.ts';

function rateOf(entry: Entry): number {
  const strength = integer(entry, 'strength');
  if (strength === 128) return 168;
  if (strength === 256) return 136;
  if (strength === 512) return 72;
  throw new FormatError(`${entry.path}.strength is ${strength}; known are 128, 256 and 512`);
}

/** All vectors of one section of the file; returns how many there were. */
function section(file: Entry, name: string, each: (entry: Entry) => void): number {
  if (!has(file, name)) return 0;
  const entries = list(file, name);
  for (const entry of entries) each(entry);
  return entries.length;
}

export function checkHash(file: Entry, api: HashApi, report: Report): void {
  for (const name of Object.keys(file.value)) {
    if (Array.isArray(file.value[name]) && !/^(sha3_256|shake|cshake|kmac)$/.test(name)) {
      report(name, 'there is no check for this section');
    }
  }
  let vectors = section(file, 'sha3_256', (v) =>
    check(report, v.path, () => difference(api.sha3_256(hex(v, 'msg')), hex(v, 'out', 32))),
  );
  vectors += section(file, 'shake', (v) =>
    check(report, v.path, () => {
      const out = hex(v, 'out');
      return difference(api.shake(rateOf(v), hex(v, 'msg'), out.length), out);
    }),
  );
  vectors += section(file, 'cshake', (v) =>
    check(report, v.path, () => {
      const out = hex(v, 'out');
      const got = api.cshake(rateOf(v), hex(v, 'key'), hex(v, 'name'), hex(v, 'custom'), out.length);
      return difference(got, out);
    }),
  );
  vectors += section(file, 'kmac', (v) => {
    check(report, v.path, () => {
      const out = hex(v, 'out');
      const got = api.kmacReference(rateOf(v), hex(v, 'key'), hex(v, 'msg'), hex(v, 'custom'), out.length);
      return difference(got, out);
    });
    check(report, `${v.path} standard form`, () => {
      const [rate, msg, out] = [rateOf(v), hex(v, 'msg'), hex(v, 'out')];
      const same = difference(api.kmac(rate, hex(v, 'key'), msg, hex(v, 'custom'), out.length), out) === null;
      const expected = (msg.length % rate) + 3 < rate;
      if (same === expected) return null;
      return same ? 'equals the reference where that deviates' : 'differs from the reference';
    });
  });
  if (vectors === 0) throw new FormatError('the file has no vectors');
}
