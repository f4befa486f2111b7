import type { Problem } from './types.ts';

/** An error with this code. */
export function problem(code: string): Problem {
  const error = new Error('qstp: ' + code) as Problem;
  error.code = code;
  return error;
}
