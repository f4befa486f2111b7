// What runs on a device engine: the transcript of the known answers, made there.
import { microS1 } from '../../src/crypto/micro.ts';
import { meshJson } from './vectors.ts';

/** Without the line end at its end. */
export function transcript(): string {
  return meshJson(microS1).slice(0, -1);
}
