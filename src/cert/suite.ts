// Names of parameter sets, both ways.

import { DEFAULT_SUITE_ID, SUITE_NAMES, SUITES } from '../params.ts';
import type { Suite } from '../params.ts';
import { QstpError } from '../error.ts';

/** The guide's short form of the default set. */
const SHORT_NAME = 'dilithium-kyber';

/** The id, 1 to 14, of a configuration string or the short form `dilithium-kyber`; 0 if it is neither. */
export function configurationFromString(name: string): number {
  if (name === SHORT_NAME) return DEFAULT_SUITE_ID;
  return SUITE_NAMES.indexOf(name) + 1;
}

/** The configuration string of an id, 1 to 14; undefined for another. */
export function configurationToString(id: number): string | undefined {
  return SUITE_NAMES[id - 1];
}

/** The suite with this id; throws `unknown_suite`, naming the set, if this build does not speak it. */
export function suiteById(id: number): Suite {
  const found = SUITES[id - 1];
  if (found !== undefined) return found;
  const name = configurationToString(id);
  throw new QstpError(
    'unknown_suite',
    name === undefined
      ? `there is no parameter set ${id}; use 1, 2 or 3`
      : `parameter set ${id} (${name}) is not in this build; use 1, 2 or 3`,
  );
}

/** The suite of a configuration string, the short form, or a decimal id. Throws as {@link suiteById}. */
export function suiteByName(name: string): Suite {
  const id = configurationFromString(name);
  if (id !== 0) return suiteById(id);
  if (/^[0-9]{1,2}$/.test(name)) return suiteById(+name);
  throw new QstpError(
    'unknown_suite',
    `no parameter set is called "${name}"; use 1, 2, 3 or a name such as ${SUITE_NAMES[DEFAULT_SUITE_ID - 1]}`,
  );
}
