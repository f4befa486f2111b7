// The runtime profile hash: a measurement of what runs, which the hello of X2 carries (docs/telemetry.md).
//
// A bundle carries its own: the build writes the hash into it, in the place of 64 zeros, and the bundle's bytes are
// measured with the zeros there. So anybody who has the bundle and its profile can compute it again.

import { fromHex, toHex } from '../bytes.ts';
import { hashOf, plainHash } from './canonical.ts';
import type { Hashed } from './canonical.ts';

const LABEL = 'qstp:runtime-profile/1';

export interface MeasuredModule {
  readonly name: string;
  /** BLAKE2s-256 of its bytes. */
  readonly hash: Uint8Array;
}

/** What is measured. Text is ASCII. */
export interface RuntimeManifest {
  readonly engine: string;
  /** Empty where it is not known when the hash is made, as of a bundle. */
  readonly engineVersion: string;
  readonly modules: readonly MeasuredModule[];
  /** Of cryptography, the first choice first. */
  readonly providers: readonly string[];
  /** The parameter set: 1, 2 or 3. */
  readonly suite: number;
  /** `name=value` each. */
  readonly policy: readonly string[];
}

function sorted<T>(values: readonly T[], key: (value: T) => string): T[] {
  return values.slice().sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}

/** The hash of a manifest, 32 bytes: whatever the order of its modules and flags. */
export function runtimeProfileHash(manifest: RuntimeManifest): Uint8Array {
  const { engine, engineVersion, providers, suite } = manifest;
  const modules = sorted(manifest.modules, (module) => module.name);
  const policy = sorted(manifest.policy, (flag) => flag);
  const values: Hashed[] = [LABEL, engine, engineVersion, modules.length];
  for (const { name, hash } of modules) values.push(name, hash);
  values.push(providers.length, ...providers, suite, policy.length, ...policy);
  return hashOf(values);
}

/** The fields of a firmware profile that decide what a bundle does, as far as they are measured. */
export interface MeasuredProfile {
  readonly name: string;
  readonly target: string;
  readonly suite: number;
  readonly role: string;
  readonly provider: string;
  readonly fallback?: string | undefined;
  readonly slots: number;
  readonly records: string;
  readonly buffers: Readonly<Record<string, number>>;
  readonly keepalive: Readonly<Record<string, number>>;
  readonly handshakeDeadline: number;
  readonly features: readonly string[];
  readonly entropy: readonly { readonly source: string; readonly approved: boolean; readonly bits: number }[];
  readonly clock: { readonly source: string; readonly persist: boolean };
}

/** The manifest of a bundle of a profile. `bundle`: the hash of its bytes, with zeros in the place of its own. */
export function bundleManifest(profile: MeasuredProfile, bundle: Uint8Array): RuntimeManifest {
  const { target, suite, provider, fallback, buffers, keepalive, clock } = profile;
  const policy = [
    'profile=' + profile.name,
    'role=' + profile.role,
    'records=' + profile.records,
    'slots=' + profile.slots,
    'handshakeDeadline=' + profile.handshakeDeadline,
    'clock=' + clock.source + (clock.persist ? ',persist' : ''),
  ];
  for (const name of Object.keys(buffers)) policy.push('buffers.' + name + '=' + buffers[name]!);
  for (const name of Object.keys(keepalive)) policy.push('keepalive.' + name + '=' + keepalive[name]!);
  for (const feature of profile.features) policy.push('feature=' + feature);
  for (const { source, approved, bits } of profile.entropy) {
    policy.push('entropy=' + source + ',' + (approved ? 'approved' : 'mixed') + ',' + bits);
  }
  return {
    engine: target,
    engineVersion: '',
    modules: [{ name: 'bundle', hash: bundle }],
    providers: fallback === undefined ? [provider] : [provider, fallback],
    suite,
    policy,
  };
}

/** What the build writes over, and what is put back to measure. */
const zeros = (): string => '0'.repeat(64);

/** Where `text` stands in `bytes`, from `from` on; -1: nowhere. */
function indexOf(bytes: Uint8Array, text: string, from: number): number {
  for (let i = from; i + text.length <= bytes.length; i++) {
    let same = 0;
    while (same < text.length && bytes[i + same] === text.charCodeAt(same)) same++;
    if (same === text.length) return i;
  }
  return -1;
}

/** The hash of a bundle that carries `claimed`, 64 hexadecimal digits. */
function measured(bundle: Uint8Array, claimed: string, profile: MeasuredProfile): string {
  const bytes = new Uint8Array(bundle);
  for (let at = indexOf(bytes, claimed, 0); at !== -1; at = indexOf(bytes, claimed, at + 64)) {
    for (let i = 0; i < 64; i++) bytes[at + i] = 0x30;
  }
  return toHex(runtimeProfileHash(bundleManifest(profile, plainHash(bytes))));
}

export interface Verdict {
  /** What the bundle says its hash is; null: it says nothing. */
  readonly claimed: Uint8Array | null;
  /** What it is, of this profile. */
  readonly hash: Uint8Array;
}

/** True if a bundle is what its own hash says. */
export function isVerified({ claimed, hash }: Verdict): boolean {
  return claimed !== null && toHex(claimed) === toHex(hash);
}

function isDigit(c: number): boolean {
  return (c >= 0x30 && c <= 0x39) || (c >= 0x61 && c <= 0x66);
}

/** All strings of exactly 64 hexadecimal digits in quotes. */
function candidates(bundle: Uint8Array): string[] {
  const found: string[] = [];
  for (let at = 0; at < bundle.length; at++) {
    const quote = bundle[at]!;
    if ((quote !== 0x22 && quote !== 0x27) || bundle[at + 65] !== quote) continue;
    let text = '';
    for (let i = 1; i <= 64 && isDigit(bundle[at + i]!); i++) text += String.fromCharCode(bundle[at + i]!);
    if (text.length === 64 && found.indexOf(text) === -1) found.push(text);
  }
  return found;
}

/** Measures a built bundle of a profile again. */
export function verifyBundle(bundle: Uint8Array, profile: MeasuredProfile): Verdict {
  const claims = candidates(bundle);
  for (const claimed of claims) {
    const hash = measured(bundle, claimed, profile);
    if (hash === claimed) return { claimed: fromHex(claimed), hash: fromHex(hash)! };
  }
  // Altered: of what it says the first is shown, which is the only one of a bundle of ours.
  const [first] = claims;
  const hash = first === undefined ? measured(bundle, zeros(), profile) : measured(bundle, first, profile);
  return { claimed: first === undefined ? null : fromHex(first), hash: fromHex(hash)! };
}
