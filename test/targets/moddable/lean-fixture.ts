// What the lean scenarios are played with: certificates of a server, what provisioning puts into a device, its credential.

import { generateServerKey, signServerCertificate } from '../../../src/cert/issue.ts';
import { encodeKey } from '../../../src/cert/key-file.ts';
import { toHex } from '../../../src/bytes.ts';
import { preferenceValues } from '../../../targets/node/provision/moddable.ts';
import { newRecord } from '../../../targets/node/provision/record.ts';
import { newChain } from '../../session/pair.ts';
import { bundleScript } from '../../engines/bundle.ts';
import { asFunction } from './bundle.ts';
import type { LeanFixture } from './lean-scenarios.ts';

export function leanFixture(): LeanFixture {
  const chain = newChain(2, 'moddable-lean');
  const record = newRecord({
    deviceId: 'sensor-1',
    profile: 'esp32-lean',
    root: chain.root.bytes,
    server: chain.server.bytes,
    random: chain.random('device'),
    now: chain.now,
    withCredential: true,
  });
  const other = generateServerKey(chain.crypto, 'gateway.qrc', 100, chain.now - 100, chain.random('other'));
  return {
    root: toHex(chain.root.bytes),
    server: toHex(chain.server.bytes),
    key: toHex(encodeKey(chain.key)),
    now: chain.now,
    renewed: [
      {
        server: toHex(
          signServerCertificate(chain.crypto, chain.root, chain.rootKey, other, new Uint8Array(32)).bytes,
        ),
        key: toHex(encodeKey(other)),
      },
    ],
    values: preferenceValues(record, { lean: true }).map(({ namespace, key, value }) => ({
      name: `${namespace}/${key}`,
      hex: toHex(value),
    })),
    credential: {
      id: toHex(record.credential!.id),
      deviceSecret: toHex(record.credential!.deviceSecret),
    },
  };
}

/** Scenarios and bundle as a script of the globals `play(name)` and `connecting(keys)`. */
export async function leanScript(code: string, fixture: LeanFixture, root = '.'): Promise<string> {
  const options = { name: 'scenarios', root };
  const scenarios = await bundleScript('test/targets/moddable/lean-scenarios.ts', options);
  const given = JSON.stringify(fixture);
  return `globalThis.trace = () => undefined;
    ${scenarios}\nglobalThis.load = ${asFunction(code)};
    globalThis.play = (name) => scenarios.play(name, { load }, ${given});
    globalThis.connecting = (keys) => scenarios.connecting(keys, { load }, ${given});`;
}
