// The Espruino-class engine: the built bundle of an Espruino profile on Duktape under the strict prelude, over the
// stand-in of the board. This is not Espruino.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startEspruinoClass } from '../../engines/duktape.ts';
import type { Step } from '../protocol.ts';
import type { VirtualEngine } from './virtual.ts';

export async function espruinoClassEngine(code: string): Promise<VirtualEngine> {
  const parts = ['espruino-board.js', 'track.js', 'espruino-agent.js'].map((name) =>
    readFile(path.join('test/engines', name), 'utf8'),
  );
  const folder = await mkdtemp(path.join(tmpdir(), 'qstp-suite-'));
  const script = [`var BUNDLE = ${JSON.stringify(code)};`, ...(await Promise.all(parts))].join('\n');
  const worker = await startEspruinoClass(script, folder);
  return {
    async step(ms, commands) {
      return JSON.parse(
        await worker.evaluate(`JSON.stringify(agent.step(${ms}, ${JSON.stringify(commands)}))`),
      ) as Step;
    },
    close() {
      worker.close();
      void rm(folder, { recursive: true, force: true });
    },
  };
}
