// The hash of a built bundle: what the build wrote into it, and what a server hears of it.
import test from 'ava';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { toHex } from '../../src/bytes.ts';
import { isVerified, verifyBundle } from '../../src/telemetry/profile-hash.ts';
import type { MeasuredProfile } from '../../src/telemetry/profile-hash.ts';
import { buildIn } from '../profiles.ts';
import { clientEdge, exchange, serverEdge, Tickets } from '../session/edge-pair.ts';
import { clientOf, newChain, serverOf } from '../session/pair.ts';

const profileOf = (name: string): MeasuredProfile =>
  JSON.parse(readFileSync(`firmware-profiles/${name}.json`, 'utf8')) as MeasuredProfile;

test('the build writes into a bundle what verify-profile finds; another profile, or another byte, is told', async (t) => {
  t.timeout(300_000);
  const folder = await buildIn(t, 'bangle2');
  const profile = profileOf('bangle2');
  const hashes = ['qstp.js', 'qstp.min.js'].map((name) => {
    const bundle = readFileSync(path.join(folder, name));
    const verdict = verifyBundle(bundle, profile);
    t.true(isVerified(verdict), name);
    t.false(isVerified(verifyBundle(bundle, profileOf('espruino-wifi'))), name);
    const altered = Uint8Array.from(bundle);
    altered[1000]! ^= 1;
    t.false(isVerified(verifyBundle(altered, profile)), name);
    return toHex(verdict.hash);
  });
  t.not(hashes[0], hashes[1]);
});

test('a server hears what its client runs, and refuses what it does not take', (t) => {
  const chain = newChain(1, 'profile');
  const mine = new Uint8Array(32).fill(0x5a);
  const connect = (profileHash: Uint8Array | undefined, takes: string) => {
    const tickets = new Tickets();
    const heard: string[] = [];
    const acceptProfile = (hash: Uint8Array): boolean => {
      heard.push(toHex(hash));
      return toHex(hash) === takes;
    };
    const client = clientOf(chain, { verified: 'chain', edge: clientEdge(chain, tickets, { profileHash }) });
    const server = serverOf(chain, { edge: serverEdge(chain, tickets, { acceptProfile }) });
    server.start(chain.now);
    client.start(chain.now);
    exchange(chain, { client, server, sent: { client: [], server: [] } });
    return { heard, client, server };
  };
  const good = connect(mine, toHex(mine));
  t.deepEqual(good.heard, [toHex(mine)]);
  t.is(good.server.state, 'established');
  const bad = connect(undefined, toHex(mine));
  t.deepEqual(bad.heard, ['00'.repeat(32)]);
  t.not(bad.server.state, 'established');
  t.is(bad.server.closed?.reason, 'profile_refused');
  t.true(bad.server.closed?.authenticated);
});
