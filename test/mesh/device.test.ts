// mesh/2 where it is to run: on XS, as a Moddable build freezes it, and in the bundle of a device.
import test from 'ava';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { readFile } from 'node:fs/promises';
import { bundleScript, PRELOAD } from '../engines/bundle.ts';
import { startXs } from '../engines/xs.ts';
import { buildSized } from '../profiles.ts';
import { MESH_FILE } from './vectors.ts';

const PATIENCE_MS = 600_000;

for (const preload of [false, true]) {
  test(`XS: a handshake, frames, a rekey, a reroute and metadata as in the known answers${preload ? ', frozen' : ''}`, async (t) => {
    t.timeout(PATIENCE_MS);
    const worker = await startXs({ timeout: PATIENCE_MS });
    try {
      if (preload) await worker.evaluate(PRELOAD);
      await worker.evaluate(await bundleScript('test/mesh/device-suite.ts', { name: 'device' }));
      const { output } = await worker.evaluate('print(device.transcript())');
      t.is(output.join('\n'), readFileSync(MESH_FILE, 'utf8').trimEnd());
    } finally {
      worker.close();
    }
  });
}

/** What only GaQace has, and mesh/1. */
const GENES = /'ga-|\bmutation|createEvolution|tournament|fitness/i;
const LEGACY = /PQC1|function mesh1|legacyRouteHash|QSTP:TUPLE/;

test('the bundle of esp32-mesh has mesh/2 and SimpleQace, no genetic algorithm and no mesh/1', async (t) => {
  t.timeout(PATIENCE_MS);
  const { folder, size } = await buildSized(t, 'esp32-mesh');
  const code = await readFile(path.join(folder, 'qstp.js'), 'utf8');
  for (const name of ['sealInto', 'openInto', 'deriveSessionKeys', 'createSimpleQace', 'ecmaMqttOverlay'])
    t.regex(code, new RegExp(`\\b${name}\\b`));
  t.notRegex(code, GENES);
  t.notRegex(code, LEGACY);
  t.false(size.modules.some(({ module }) => /qace\/(ga|exact)|mesh\/v1|selftest/.test(module)));
  t.notRegex(code, /all tunnel slots are taken/, 'sentences for people are left out');
});
