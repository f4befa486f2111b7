// Steps of the lean client on XS, from the built bundle: its first connection and its resumption, to the first record.

import { startXs } from '../test/engines/xs.ts';
import { leanFixture, leanScript } from '../test/targets/moddable/lean-fixture.ts';
import type { Figures } from './figures.ts';

const PATIENCE_MS = 600_000;

/** Of the full handshake: a hash and the server's signature, the encapsulation, the keys. */
const LISTS_TO_KEYS = 3;

/**
 * `xs.lean.handshake.first.computrons`: the full handshake, the freshness signature included, which a device without a clock
 * asks for, and the hellos; `xs.lean.handshake.keys.computrons`: of that what leads to the keys; `xs.lean.resume.computrons`:
 * a resumption by the credential. What the device itself does, server excluded.
 */
export async function leanComputrons(figures: Figures, code: string, root = '.'): Promise<void> {
  const worker = await startXs({ root, timeout: PATIENCE_MS });
  try {
    await worker.evaluate(await leanScript(code, leanFixture(), root));
    for (const [metric, keys] of [
      ['handshake.first', 'certificate'],
      ['resume', 'credential'],
    ] as const) {
      await worker.evaluate(`globalThis.step = connecting('${keys}')`);
      let [sum, toKeys] = [0, 0];
      for (let said = ''; said !== 'null';) {
        const { output, meter } = await worker.evaluate('print(String(step()))');
        said = output.join('');
        if (said === 'null' || said === '-1') continue;
        sum += meter.compute;
        if (Number(said) < LISTS_TO_KEYS) toKeys += meter.compute;
      }
      figures[`xs.lean.${metric}.computrons`] = sum;
      if (keys === 'certificate') figures['xs.lean.handshake.keys.computrons'] = toKeys;
    }
  } finally {
    worker.close();
  }
}
