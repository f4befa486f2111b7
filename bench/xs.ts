// Figures of the XS worker: computrons, which repeat exactly for one build of it.

import { bundleScript } from '../test/engines/bundle.ts';
import { startXs } from '../test/engines/xs.ts';
import type { Figures } from './figures.ts';

/** `xs.<kernel>.computrons` for each kernel of device.ts, and `xs.load.computrons`. */
export async function benchXs(figures: Figures, root: string): Promise<void> {
  const worker = await startXs({ root });
  try {
    await worker.evaluate(await bundleScript('bench/device.ts', { name: 'device', root }));
    const { output } = await worker.evaluate('print(JSON.stringify(device.names))');
    const names = JSON.parse(output.join('')) as string[];
    // What an evaluation costs that calls nothing of ours.
    await worker.evaluate('globalThis.nothing = { run() { return 1; } };');
    const idle = (await worker.evaluate('print(nothing.run(0))')).meter.compute;
    for (const [i, name] of names.entries()) {
      const call = `print(device.run(${i}))`;
      await worker.evaluate(call);
      const { output, meter } = await worker.evaluate(call);
      figures[`xs.${name}.computrons`] = Math.round((meter.compute - idle) / Number(output[0]));
    }
  } finally {
    worker.close();
  }
  const fresh = await startXs({ root });
  try {
    const script = await bundleScript('bench/device-client.ts', { name: 'client', root });
    figures['xs.load.computrons'] = (await fresh.evaluate(script)).meter.compute;
  } finally {
    fresh.close();
  }
}
