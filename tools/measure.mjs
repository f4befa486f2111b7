// Writes the runtime profile hash into a built bundle (docs/telemetry.md): H over the profile and the bundle's bytes, in
// which 64 zeros stand in its place. `qstp verify-profile` computes it again, with code of its own.

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { blake2s } from '@noble/hashes/blake2.js';

/** What src/profile.ts has in a bundle until this is done. */
export const HASH_ZEROS = '0'.repeat(64);

function u32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

const text = (value) => Buffer.concat([u32(Buffer.byteLength(value)), Buffer.from(value)]);

function policyOf(profile) {
  const { name, role, records, slots, handshakeDeadline, clock, buffers, keepalive, features, entropy } =
    profile;
  const each = (prefix, values) => Object.entries(values).map(([key, value]) => `${prefix}.${key}=${value}`);
  return [
    `profile=${name}`,
    `role=${role}`,
    `records=${records}`,
    `slots=${slots}`,
    `handshakeDeadline=${handshakeDeadline}`,
    `clock=${clock.source}${clock.persist ? ',persist' : ''}`,
    ...each('buffers', buffers),
    ...each('keepalive', keepalive),
    ...features.map((feature) => `feature=${feature}`),
    ...entropy.map(
      ({ source, approved, bits }) => `entropy=${source},${approved ? 'approved' : 'mixed'},${bits}`,
    ),
  ].sort();
}

/** The hash of a bundle that has zeros in its place, in hexadecimal. */
export function bundleHash(profile, code) {
  const { target, provider, fallback, suite } = profile;
  const providers = fallback === undefined ? [provider] : [provider, fallback];
  const policy = policyOf(profile);
  const manifest = Buffer.concat([
    text('qstp:runtime-profile/1'),
    text(target),
    text(''),
    u32(1),
    text('bundle'),
    u32(32),
    blake2s(code),
    u32(providers.length),
    ...providers.map(text),
    u32(suite),
    u32(policy.length),
    ...policy.map(text),
  ]);
  return Buffer.from(blake2s(manifest)).toString('hex');
}

/** Writes each bundle's hash into it; of another length nothing changes, so source maps stay right. */
export function writeHashes(profile, folder) {
  for (const name of ['qstp.js', 'qstp.min.js']) {
    const file = path.join(folder, name);
    const code = readFileSync(file);
    const before = code.toString('latin1');
    // The smallest bundles have no room for it: their hello says zeros.
    if (!before.includes(HASH_ZEROS)) continue;
    writeFileSync(file, before.replaceAll(HASH_ZEROS, bundleHash(profile, code)), 'latin1');
  }
}
