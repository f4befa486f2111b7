// Reads firmware profiles and checks them: against firmware-profiles/schema.json, then for fields that do not go
// together. The checker knows the keywords that schema uses, and refuses a schema that uses others.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../firmware-profiles/', import.meta.url));

const KNOWN =
  /^(\$schema|title|description|type|enum|pattern|minimum|maximum|required|properties|additionalProperties|items|minItems|uniqueItems)$/;

const TYPES = {
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  array: (value) => Array.isArray(value),
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  number: (value) => Number.isFinite(value),
  integer: (value) => Number.isInteger(value),
};

/** Throws an error that names the first field of `value` that does not follow `schema`. */
export function validate(value, schema, field = '') {
  const fail = (why) => {
    throw new Error(`${field === '' ? 'the profile' : `"${field}"`} ${why}`);
  };
  for (const keyword of Object.keys(schema)) {
    if (!KNOWN.test(keyword))
      throw new Error(`the schema of "${field}" uses "${keyword}", which is not checked`);
  }
  if (value === undefined) fail('is missing');
  if (schema.type !== undefined && !TYPES[schema.type](value)) fail(`must be of type ${schema.type}`);
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    fail(`must be one of ${schema.enum.join(', ')}, not ${JSON.stringify(value)}`);
  }
  if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value))
    fail(`must match ${schema.pattern}`);
  if (value < schema.minimum) fail(`must be at least ${schema.minimum}, not ${value}`);
  if (value > schema.maximum) fail(`must be at most ${schema.maximum}, not ${value}`);
  if (value.length < schema.minItems) fail(`must have at least ${schema.minItems} item(s)`);
  if (schema.uniqueItems && new Set(value).size !== value.length) fail('names something twice');
  if (schema.items !== undefined) value.forEach((item, i) => validate(item, schema.items, `${field}[${i}]`));
  if (schema.properties === undefined) return;
  const below = (name) => (field === '' ? name : `${field}.${name}`);
  for (const name of schema.required ?? []) {
    if (value[name] === undefined) validate(undefined, {}, below(name));
  }
  for (const name of Object.keys(value)) {
    const property = schema.properties[name];
    if (property !== undefined) validate(value[name], property, below(name));
    else if (schema.additionalProperties === false) {
      throw new Error(
        `"${below(name)}" is no field of a profile; there are ${Object.keys(schema.properties).join(', ')}`,
      );
    }
  }
}

// ---- Fields that do not go together ----------------------------------------------------------------------

const DEVICES = ['moddable', 'espruino'];
const PROVIDERS = {
  moddable: ['micro', 'none'],
  espruino: ['micro', 'none'],
  deno: ['native', 'micro'],
  node: ['native', 'micro'],
};
const ENTROPY = {
  moddable: ['espRandom', 'hwrng', 'feed', 'deviceSeed'],
  espruino: ['hwrng', 'feed', 'deviceSeed'],
  deno: ['webcrypto'],
  node: ['webcrypto'],
};
/** The fields of `engine` that a target must have. */
const ENGINE = { moddable: ['platform', 'creation'], espruino: ['variables'] };
/** What needs ML-KEM or ML-DSA. */
const NEEDS_PROVIDER = ['fullHandshake', 'rekey', 'identity', 'revocation', 'succession'];

/** What signs, or has signatures with a context. */
const NEEDS_SIGNER = ['identity', 'revocation', 'succession'];

/** Bytes of the largest packet of a full handshake a client takes, by suite: header, signature, hash, KEM key. */
export const CONNECT_RESPONSE = [0, 21 + 2420 + 32 + 800, 21 + 3309 + 32 + 1184, 21 + 4627 + 32 + 1568];

/** Bytes of the statement that brings a new root, by suite: the largest of those that succession takes. */
export const SUCCESSION = [0, 6254, 8672, 11948];
/** Bytes of a revocation list of one beside its signature, and of signatures. */
const LIST_OF_ONE = 38 + 16;
const SIGNATURE = [0, 2420, 3309, 4627];

/** The fields of `trust` that do not go with the others. */
function checkTrust({ target, suite, trust, features }, refuse) {
  if (trust === undefined) return;
  if (target !== 'moddable') {
    refuse('trust', `is for moddable: on ${target} a program opens its trust store itself, or has none`);
  }
  const takes = ['revocation', 'succession'].filter((feature) => features.includes(feature));
  if (takes.length === 0) refuse('trust', 'needs revocation or succession');
  const least = takes.includes('succession') ? SUCCESSION[suite] : LIST_OF_ONE + SIGNATURE[suite];
  if (trust.bytesMax < least) {
    refuse('trust.bytesMax', `must be at least ${least} for ${takes.join(' and ')} of suite ${suite}`);
  }
}

/** Throws an error that names the field at fault if a valid profile asks for what cannot be. */
export function checkTogether(profile) {
  const { target, features, records, provider, role, buffers, entropy, clock, engine } = profile;
  const has = (feature) => features.includes(feature);
  const refuse = (field, why) => {
    throw new Error(`"${field}" ${why}`);
  };
  if (!PROVIDERS[target].includes(provider)) {
    refuse('provider', `cannot be ${provider} on ${target}: ${PROVIDERS[target].join(' or ')}`);
  }
  if (profile.fallback !== undefined && provider !== 'native') {
    refuse('fallback', `is for provider native, not ${provider}`);
  }
  for (const feature of NEEDS_SIGNER) {
    if (provider === 'native' && profile.fallback === undefined && target === 'deno' && has(feature)) {
      refuse('fallback', `must be micro for ${feature}: the engine takes no contexts, nor keys from files`);
    }
  }
  if (provider === 'native' && profile.fallback === undefined && role !== 'client') {
    refuse('fallback', `must be micro for role ${role}: not every engine signs with keys from files`);
  }
  checkTrust(profile, refuse);
  for (const feature of NEEDS_PROVIDER) {
    if (has(feature) && provider === 'none') refuse('provider', `none has no algorithms for ${feature}`);
  }
  if (provider !== 'none' && !has('fullHandshake')) {
    refuse('provider', `must be none: without fullHandshake nothing uses ${provider}`);
  }
  if (!has('fullHandshake') && !has('provisioned')) {
    refuse('features', 'lack fullHandshake and provisioned: there is no way to connect for the first time');
  }
  if (!has('fullHandshake') && role !== 'client') refuse('role', `${role} needs fullHandshake`);
  if (has('strict') && records === 'gcm') refuse('records', 'gcm has no room for the RCS-256 of strict');
  if (has('strict') && !has('fullHandshake')) refuse('features', 'strict needs fullHandshake');
  if (profile.hooks?.gcm !== undefined && featuresOf(profile).WITH_ENGINE) {
    refuse('hooks.gcm', 'is not for gateways: what does their records stands on the state of the kernel');
  }
  if (profile.hooks?.leanGcm !== undefined && !isLean(profile)) {
    refuse('hooks.leanGcm', `is for clients that stand on src/lean: ${profile.entry} does not`);
  }
  if (has('failover') && has('paths')) refuse('features', 'need no failover beside paths, which has it');
  if (has('sleep') && !has('resumption')) refuse('features', 'sleep needs resumption');
  if (has('exactlyOnce') && !has('resumption')) refuse('features', 'exactlyOnce needs resumption');
  if (has('fullHandshake') && buffers.handshake !== 0) {
    const least = CONNECT_RESPONSE[profile.suite];
    if (buffers.handshake < least) {
      refuse('buffers.handshake', `must be 0 or at least ${least} for suite ${profile.suite}`);
    }
  }
  if (buffers.transmit !== 0 && !DEVICES.includes(target)) {
    refuse('buffers.transmit', `must be 0 on ${target}: its sockets keep what they are given to write`);
  }
  entropy.forEach(({ source }, i) => {
    if (!ENTROPY[target].includes(source)) {
      refuse(`entropy[${i}].source`, `cannot be ${source} on ${target}: ${ENTROPY[target].join(', ')}`);
    }
  });
  if (!entropy.some((source) => source.approved)) {
    refuse('entropy', 'approves of no source: a device that boots with it refuses every handshake');
  }
  if (DEVICES.includes(target) === (clock.source === 'system')) {
    refuse('clock.source', `cannot be ${clock.source} on ${target}`);
  }
  const wanted = ENGINE[target] ?? [];
  for (const name of Object.keys(engine)) {
    if (!wanted.includes(name)) refuse(`engine.${name}`, `is not for ${target}`);
  }
  for (const name of wanted)
    if (engine[name] === undefined) refuse(`engine.${name}`, `is missing on ${target}`);
  if (profile.storage !== undefined && target !== 'moddable') {
    refuse('storage', 'is for moddable: other storages take what there is');
  }
}

/** Entries of clients that stand on src/lean: they measure nothing. */
const LEAN = /^targets\/espruino\/|\/lean\.ts$/;
export const isLean = ({ entry }) => LEAN.test(entry);

// ---- What is folded into a bundle ------------------------------------------------------------------------

/** The value of each constant of src/features.ts for a profile. */
export function featuresOf(profile) {
  const { target, role, records, provider, suite, clock } = profile;
  const has = (feature) => profile.features.includes(feature);
  const client = role !== 'server';
  const server = role !== 'client';
  // A device has its own set alone.
  const set = (id) => provider !== 'none' && (suite === id || !DEVICES.includes(target));
  return {
    WITH_CLIENT: client,
    WITH_SERVER: server,
    WITH_RCS: records !== 'gcm',
    WITH_GCM: records !== 'rcs',
    // A Deno worker that only dials out is kept small, and has AES-256-GCM by a hook.
    WITH_ENGINE: target === 'node' || (target === 'deno' && server),
    WITH_S1: set(1),
    WITH_S3: set(2),
    WITH_S5: set(3),
    WITH_FULL_HANDSHAKE: has('fullHandshake'),
    WITH_STRICT: has('strict'),
    WITH_RESUMPTION: has('resumption'),
    WITH_PROVISIONED: has('provisioned'),
    WITH_REKEY: has('rekey'),
    WITH_EXACTLY_ONCE: has('exactlyOnce'),
    WITH_KEEPALIVE: profile.keepalive.pollMs > 0,
    WITH_ROUND_TRIPS: !isLean(profile),
    WITH_CLOCK: clock.source !== 'system',
    WITH_PARTS: profile.storage !== undefined,
    WITH_SLEEP: has('sleep'),
    WITH_FAILOVER: has('paths') || has('failover'),
    WITH_PATHS: has('paths'),
    WITH_IDENTITY: has('identity'),
    WITH_REVOCATION: has('revocation'),
    WITH_SUCCESSION: has('succession'),
    WITH_NATIVE: provider === 'native',
    WITH_MICRO: provider === 'micro' || profile.fallback === 'micro',
    // WebCrypto answers later.
    WITH_CALLS: target !== 'deno' || provider !== 'native' || profile.fallback !== undefined,
    WITH_SIGNING: server || has('identity'),
    WITH_DECAPSULATION: server || has('rekey'),
    WITH_TEXTS: has('texts'),
    WITH_SELFTEST: has('selftest'),
  };
}

/** Names of all profiles. */
export function profileNames() {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json') && file !== 'schema.json')
    .map((file) => file.slice(0, -5))
    .sort();
}

/** A profile by name. Throws an error that names the file and the field if it is not valid. */
export function readProfile(name) {
  if (!profileNames().includes(name)) {
    throw new Error(`there is no profile "${name}"; there are ${profileNames().join(', ')}`);
  }
  const file = path.join(FOLDER, `${name}.json`);
  try {
    const profile = JSON.parse(readFileSync(file, 'utf8'));
    validate(profile, JSON.parse(readFileSync(path.join(FOLDER, 'schema.json'), 'utf8')));
    checkTogether(profile);
    if (profile.name !== name) throw new Error(`"name" must be the file's name, ${name}`);
    return profile;
  } catch (error) {
    throw new Error(`firmware-profiles/${name}.json: ${error.message}`, { cause: error });
  }
}
