// Reads firmware profiles and checks them against firmware-profiles/schema.json. The checker knows the
// keywords that schema uses, and refuses a schema that uses others.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../firmware-profiles/', import.meta.url));

const KNOWN =
  /^(\$schema|title|description|type|enum|pattern|minimum|maximum|required|properties|additionalProperties)$/;

const TYPES = {
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  string: (value) => typeof value === 'string',
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
    if (profile.name !== name) throw new Error(`"name" must be the file's name, ${name}`);
    return profile;
  } catch (error) {
    throw new Error(`firmware-profiles/${name}.json: ${error.message}`, { cause: error });
  }
}
