// Telemetry: the runtime profile hash, entropy tuples, the QRNG feed, lines without secrets, Prometheus's text.
import test from 'ava';
import fc from 'fast-check';
import { blake2s } from '@noble/hashes/blake2.js';
import { readFileSync } from 'node:fs';
import { toHex } from '../../src/bytes.ts';
import { DRBG_WORDS, drbgGenerate, drbgInit, drbgSeed } from '../../src/crypto/micro/drbg.ts';
import { newMetrics } from '../../src/link/link-settings.ts';
import { Overlay } from '../../src/mesh/overlay/overlay.ts';
import { abw34Line, createSummary, summarise } from '../../src/telemetry/abw34.ts';
import type { Abw34 } from '../../src/telemetry/abw34.ts';
import {
  createFeedMixer,
  EntropyHealth,
  entropyTupleId,
  readQrngFeed,
  seedCommitment,
} from '../../src/telemetry/entropy.ts';
import {
  bundleManifest,
  isVerified,
  runtimeProfileHash,
  verifyBundle,
} from '../../src/telemetry/profile-hash.ts';
import type { MeasuredProfile, RuntimeManifest } from '../../src/telemetry/profile-hash.ts';
import { LINK_GAUGES, OVERLAY_GAUGES, prometheusText } from '../../src/telemetry/prometheus.ts';
import { gatewayMetrics, serveMetrics } from '../../targets/node/metrics.ts';
import { hex } from '../vectors.ts';

// ---- The runtime profile hash ----------------------------------------------------------------------------

const manifest: RuntimeManifest = {
  engine: 'node',
  engineVersion: '24.11.0',
  modules: [
    { name: 'b.js', hash: new Uint8Array(32).fill(2) },
    { name: 'a.js', hash: new Uint8Array(32).fill(1) },
  ],
  providers: ['native', 'noble'],
  suite: 2,
  policy: ['extensions=require', 'clients=required'],
};

/** The same by other code: DataView, TextEncoder and noble. */
function reference(parts: (string | Uint8Array | number)[]): string {
  const chunks: Buffer[] = [];
  const u32 = (value: number): void => {
    const b = Buffer.alloc(4);
    b.writeUInt32LE(value);
    chunks.push(b);
  };
  for (const part of parts) {
    if (typeof part === 'number') u32(part);
    else {
      const b = Buffer.from(part as string);
      u32(b.length);
      chunks.push(b);
    }
  }
  return Buffer.from(blake2s(Buffer.concat(chunks))).toString('hex');
}

test('the hash is over the manifest with lengths, modules and policy sorted', (t) => {
  const [one, two] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const parts = [
    'qstp:runtime-profile/1',
    'node',
    '24.11.0',
    2,
    'a.js',
    one,
    'b.js',
    two,
    2,
    'native',
    'noble',
    2,
    2,
  ];
  const wanted = reference([...parts, 'clients=required', 'extensions=require']);
  t.is(toHex(runtimeProfileHash(manifest)), wanted);
  const { modules, policy } = manifest;
  t.is(
    toHex(
      runtimeProfileHash({ ...manifest, modules: [...modules].reverse(), policy: [...policy].reverse() }),
    ),
    wanted,
  );
});

test('whatever changes in a manifest changes the hash', (t) => {
  const hashes = new Set<string>();
  const others: Partial<RuntimeManifest>[] = [
    {},
    { engine: 'deno' },
    { engineVersion: '24.11.1' },
    { engine: 'node2', engineVersion: '4.11.0' },
    { modules: manifest.modules.slice(1) },
    { modules: [manifest.modules[0]!, { name: 'a.js', hash: new Uint8Array(32).fill(3) }] },
    { modules: [manifest.modules[0]!, { name: 'c.js', hash: new Uint8Array(32).fill(1) }] },
    { providers: ['noble', 'native'] },
    { providers: ['native'] },
    { suite: 3 },
    { policy: manifest.policy.slice(1) },
    { policy: ['clients=requiredextensions=require'] },
    { providers: ['native', 'noble', 'clients=required'], policy: ['extensions=require'] },
  ];
  for (const other of others) hashes.add(toHex(runtimeProfileHash({ ...manifest, ...other })));
  t.is(hashes.size, others.length);
});

const profile = JSON.parse(readFileSync('firmware-profiles/esp32.json', 'utf8')) as MeasuredProfile;

/** A bundle as the build makes it. */
function sealed(of: MeasuredProfile, before: string, after: string): Uint8Array {
  const zeros = '0'.repeat(64);
  const bundle = blake2s(Buffer.from(`${before}"${zeros}"${after}`));
  return Buffer.from(`${before}"${toHex(runtimeProfileHash(bundleManifest(of, bundle)))}"${after}`);
}

test('a bundle that carries its hash is verified; any byte of it, and any field of its profile, counts', (t) => {
  const bundle = sealed(profile, `const other = '${'ab'.repeat(32)}', hash = `, '; hello(hash);');
  const verdict = verifyBundle(bundle, profile);
  t.true(isVerified(verdict));
  t.true(Buffer.from(bundle).toString().includes(toHex(verdict.claimed!)));
  for (let at = 0; at < bundle.length; at++) {
    const altered = Uint8Array.from(bundle);
    altered[at]! ^= 1;
    t.false(isVerified(verifyBundle(altered, profile)), `byte ${at}`);
  }
  const changes: Partial<MeasuredProfile>[] = [
    { name: 'other' },
    { target: 'deno' },
    { suite: 1 },
    { role: 'both' },
    { provider: 'noble' },
    { fallback: 'noble' },
    { slots: 99 },
    { records: 'rcs' },
    { buffers: { ...profile.buffers, receive: 1 } },
    { keepalive: { ...profile.keepalive, pollMs: 1 } },
    { handshakeDeadline: 1 },
    { features: profile.features.slice(1) },
    { entropy: profile.entropy.map((source) => ({ ...source, approved: !source.approved })) },
    { clock: { ...profile.clock, persist: !profile.clock.persist } },
  ];
  for (const change of changes)
    t.false(isVerified(verifyBundle(bundle, { ...profile, ...change })), Object.keys(change)[0]);
  t.is(verifyBundle(Buffer.from('no hash here'), profile).claimed, null);
  t.false(isVerified(verifyBundle(new Uint8Array(0), profile)));
});

// ---- Entropy ---------------------------------------------------------------------------------------------

const seed = (): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => i * 7);

test('a tuple id commits to source, epoch, health and seed, by their lengths', (t) => {
  const sample = { source: 'sandbox', epoch: 2 ** 40 + 5, health: EntropyHealth.good, seed: seed() };
  const wanted = reference(['qrng-tuple', 'sandbox', 5, 256, 1, blake2s(seed())]);
  t.is(toHex(entropyTupleId(sample)), wanted);
  const ids = [
    sample,
    { ...sample, source: 'sandbox2' },
    { ...sample, epoch: 5 },
    { ...sample, health: EntropyHealth.failed },
    { ...sample, seed: new Uint8Array(32) },
  ].map((each) => toHex(entropyTupleId(each)));
  t.is(new Set(ids).size, ids.length);
  t.is(toHex(seedCommitment(seed())), reference(['qrng-seed', blake2s(seed())]));
});

const FEED = {
  qrng_epoch: 12,
  qrng_seed_hex: `${toHex(seed())}ffff`,
  qrng_bits: 2048,
  hyper_tuple_bits: 4096,
  tuple_receipt: { tuple_id: 'tuple/17', shard_id: 3 },
};

test('a feed is read; what is none is refused', (t) => {
  const sample = readQrngFeed(JSON.stringify(FEED), 'lab');
  t.deepEqual(sample, {
    source: 'lab',
    epoch: 12,
    health: 0,
    seed: seed(),
    bits: 2048,
    receipt: 'tuple/17',
    shard: 3,
  });
  const { tuple_receipt: _, ...bare } = FEED;
  t.like(readQrngFeed(JSON.stringify(bare)), { source: 'sandbox', receipt: 'tuple/unknown', shard: 0 });
  const wrong: [unknown, RegExp][] = [
    ['', /not JSON/],
    ['7', /no JSON object/],
    ['null', /no JSON object/],
    [{ ...FEED, qrng_epoch: -1 }, /qrng_epoch/],
    [{ ...FEED, qrng_epoch: '12' }, /qrng_epoch/],
    [{ ...FEED, qrng_seed_hex: 'ab'.repeat(31) }, /64 hexadecimal digits/],
    [{ ...FEED, qrng_seed_hex: 'xy'.repeat(32) }, /not hexadecimal/],
    [{ ...FEED, qrng_seed_hex: undefined }, /64 hexadecimal/],
  ];
  for (const [feed, message] of wrong) {
    const text = typeof feed === 'string' ? feed : JSON.stringify(feed);
    const error = t.throws(() => readQrngFeed(text), { code: 'feed_invalid', message });
    t.notRegex(error!.message, /xyxy|abab/, 'the seed is not shown');
  }
  fc.assert(
    fc.property(fc.json(), (text) => {
      try {
        readQrngFeed(text);
      } catch (error) {
        t.is((error as { code: string }).code, 'feed_invalid');
      }
    }),
  );
});

test('a feed changes what a generator gives, counts for no entropy, and each epoch is mixed in once', (t) => {
  const start = (): Int32Array => {
    const drbg = new Int32Array(DRBG_WORDS);
    drbgInit(drbg);
    return drbg;
  };
  const unseeded = start();
  for (let i = 0; i < 5; i++) {
    const sample = readQrngFeed(JSON.stringify({ ...FEED, qrng_epoch: i }));
    t.true(createFeedMixer(unseeded).mix(sample));
    t.deepEqual(sample.seed, new Uint8Array(32), 'wiped');
  }
  t.throws(() => drbgGenerate(unseeded, new Uint8Array(1)), { code: 'entropy_missing' });

  const given = (epochs: readonly number[], health: number = EntropyHealth.unknown): string => {
    const drbg = start();
    drbgSeed(drbg, hex('11'.repeat(32)));
    const mixer = createFeedMixer(drbg);
    for (const epoch of epochs) mixer.mix({ source: 'lab', epoch, health, seed: seed() });
    const out = new Uint8Array(32);
    drbgGenerate(drbg, out);
    return toHex(out);
  };
  t.not(given([1]), given([]));
  t.is(given([1, 1, 0]), given([1]));
  t.not(given([1, 2]), given([1]));
  t.is(given([1], EntropyHealth.failed), given([]));
});

// ---- Lines -----------------------------------------------------------------------------------------------

const record = (): Abw34 => ({
  timestampMs: 1_800_000_000_000,
  qrng: readQrngFeed(JSON.stringify(FEED)),
  shardCount: 10,
  noiseRatio: 0.02,
  qaceReroutes: 1,
  tpsPerShard: 1.5e6,
  tpsGlobal: 1.5e7,
  kemKeyId: new Uint8Array(32).fill(0xa1),
  signingKeyId: new Uint8Array(32).fill(0xa2),
  kemCreatedAt: 1,
  kemExpiresAt: 2,
  profileHash: new Uint8Array(32).fill(0xa3),
  profile: 'rtu-gateway',
  tunnelId: new Uint8Array(16).fill(0xa4),
  latencyMs: createSummary(),
});

test('a line has the fields of ABW34 by name, and no secret', (t) => {
  const line = abw34Line(record());
  t.notRegex(line, /\n/);
  const fields = JSON.parse(line) as Record<string, unknown>;
  const original =
    'timestamp_ms qrng_source qrng_epoch qrng_tuple_id qrng_seed_hex qrng_bits qrng_shard_id shard_count noise_ratio qace_reroutes ' +
    'observed_tps_per_shard observed_tps_global kem_key_id signing_key_id kem_created_at kem_expires_at';
  t.deepEqual(Object.keys(fields).slice(0, 16), original.split(' '));
  t.is(fields['qrng_seed_hex'], '');
  t.is(fields['qrng_seed_commitment'], toHex(seedCommitment(seed())));
  t.false('chsh_shots' in fields);
  // No 4 bytes of the seed in a row, in hexadecimal, as numbers or as text.
  const secret = seed();
  for (let at = 0; at + 4 <= secret.length; at++) {
    const part = secret.subarray(at, at + 4);
    t.false(line.toLowerCase().includes(toHex(part)), `byte ${at}`);
    t.false(line.includes(part.join()), `byte ${at}`);
    t.false(line.includes(Buffer.from(part).toString('latin1')), `byte ${at}`);
  }
  const chsh = { twoQubitExact: 2.8, shots: 1000 };
  t.like(JSON.parse(abw34Line({ ...record(), chsh })), { chsh_two_qubit_exact: 2.8, chsh_shots: 1000 });
});

test('latencies are summed up in constant memory', (t) => {
  const summary = createSummary();
  for (let i = 1; i <= 10_000; i++) summarise(summary, i % 100);
  summarise(summary, NaN);
  summarise(summary, Infinity);
  t.like(summary, { count: 10_000, min: 0, max: 99 });
  t.true(Math.abs(summary.mean - 49.5) < 1e-9);
  t.deepEqual(Object.keys(summary), ['count', 'min', 'mean', 'max']);
  t.like(JSON.parse(abw34Line({ ...record(), latencyMs: summary })), {
    tunnel_latency_count: 10_000,
    tunnel_latency_max_ms: 99,
  });
});

// ---- Prometheus ------------------------------------------------------------------------------------------

test('the text of metrics: types, labels, what is not known left out', (t) => {
  const one = { ...newMetrics(), attempts: 3, endpoint: 1 };
  const two = { ...newMetrics(), rttMs: 40 };
  const text = prometheusText([
    { prefix: 'qstp_link', values: one, gauges: LINK_GAUGES, unknown: -1, labels: { link: 'a"\\\nb' } },
    { prefix: 'qstp_link', values: two, gauges: LINK_GAUGES, unknown: -1, labels: { link: 'two' } },
  ]);
  t.true(
    text.includes(
      '# TYPE qstp_link_attempts_total counter\nqstp_link_attempts_total{link="a\\"\\\\\\nb"} 3\nqstp_link_attempts_total{link="two"} 0\n',
    ),
  );
  t.true(text.includes('# TYPE qstp_link_rtt_ms gauge\nqstp_link_rtt_ms{link="two"} 40\n'));
  const lines = text.trimEnd().split('\n');
  for (const line of lines)
    t.regex(line, /^(# TYPE [a-z_]+ (counter|gauge)|[a-z_]+\{link="([^"\\]|\\.)*"\} -?[\d.]+)$/);
  t.is(
    new Set(lines.filter((line) => line.startsWith('#'))).size,
    lines.filter((line) => line.startsWith('#')).length,
  );
  const port = {
    resends: false,
    publish: () => undefined,
    subscribe: () => undefined,
    unsubscribe: () => undefined,
  };
  const names = [Object.keys(newMetrics()), Object.keys(new Overlay(port).metrics)];
  for (const gauge of LINK_GAUGES) t.true(names[0]!.includes(gauge), gauge);
  for (const gauge of OVERLAY_GAUGES) t.true(names[1]!.includes(gauge), gauge);
});

test('a gateway serves them', async (t) => {
  const server = { connections: 2, counters: { connected: 7, 'half open': 1 } };
  const metrics = await serveMetrics({ port: 0 }, () => gatewayMetrics(server));
  t.teardown(() => metrics.close());
  const url = `http://127.0.0.1:${metrics.port}`;
  const answer = await fetch(`${url}/metrics`);
  t.is(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  const text = await answer.text();
  t.regex(text, /^qstp_server_connected_total 7$/m);
  t.regex(text, /^qstp_server_half_open_total 1$/m);
  t.regex(text, /^qstp_server_connections 2$/m);
  t.regex(text, /^qstp_process_resident_bytes \d+$/m);
  server.connections = 3;
  t.regex(await (await fetch(`${url}/metrics`)).text(), /^qstp_server_connections 3$/m);
  t.is((await fetch(`${url}/`)).status, 404);
  t.is((await fetch(`${url}/metrics`, { method: 'POST' })).status, 405);
  await t.throwsAsync(
    serveMetrics({ port: metrics.port }, () => []),
    { code: 'listen_failed' },
  );
});
