// What a call throws, for tests.
import type { QstpError } from '../src/error.ts';

/** The code of the error that `act` throws. */
export function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as QstpError).code;
  }
  return 'nothing thrown';
}
