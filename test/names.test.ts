// Names and codes that users and peers see: configuration strings, error and log codes.
import test from 'ava';
import {
  errorDescription,
  ErrorCode,
  errorToString,
  messageDescription,
  messageToString,
} from '../src/error.ts';
import { configurationFromString, configurationToString, suiteById, suiteByName } from '../src/cert/suite.ts';
import { SUITE_NAMES, SUITES } from '../src/params.ts';

test('the fourteen configuration strings, both ways', (t) => {
  t.is(SUITE_NAMES.length, 14);
  SUITE_NAMES.forEach((name, i) => {
    t.is(configurationFromString(name), i + 1);
    t.is(configurationToString(i + 1), name);
    t.true(name.length <= 41);
  });
  t.is(configurationFromString('dilithium-kyber'), 3);
  t.is(configurationFromString('dilithium-s5'), 0);
  t.is(configurationFromString(''), 0);
  t.is(configurationToString(0), undefined);
  t.is(configurationToString(15), undefined);
});

test('suites 1 to 3 are here; 4 to 14 are refused by name', (t) => {
  for (const suite of SUITES) {
    t.is(suiteById(suite.id), suite);
    t.is(suiteByName(suite.name), suite);
    t.is(suiteByName(String(suite.id)), suite);
    t.is(SUITE_NAMES[suite.id - 1], suite.name);
  }
  for (let id = 4; id <= 14; id++) {
    const expected = {
      code: 'unknown_suite',
      message: new RegExp(`${id} \\(${SUITE_NAMES[id - 1]}\\) is not in this build`),
    };
    t.throws(() => suiteById(id), expected);
    t.throws(() => suiteByName(SUITE_NAMES[id - 1]!), expected);
  }
  t.throws(() => suiteById(0), { code: 'unknown_suite' });
  t.throws(() => suiteByName('rsa'), { code: 'unknown_suite', message: /no parameter set is called "rsa"/ });
});

test('error codes have the numbers, names and texts of the protocol', (t) => {
  const snakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const names = Object.entries(ErrorCode).map(([name, code]) => ({ code, name: snakeCase(name) }));
  t.is(names.length, 0x1c + 9);
  for (const { code, name } of names) t.is(errorToString(code), name);
  t.is(errorToString(0x0e), 'key_expired');
  t.is(errorToString(0x1b), 'system_message');
  t.is(errorToString(0x1c), 'unknown');
  t.is(errorToString(0x3f), 'unknown');
  t.is(errorToString(0x40), 'extensions_required');
  t.is(errorToString(0x46), 'ticket_used');
  t.is(errorToString(0x48), 'certificate_revoked');
  t.is(errorToString(0x49), 'unknown');
  t.is(errorToString(255), 'unknown');
  for (const { code } of names) t.regex(errorDescription(code), /^[a-z].{5,}[a-z]$/);
  t.is(messageToString(0x05), 'connect_success');
  t.is(messageToString(0x12), 'symmetric_ratchet');
  t.is(messageToString(0x13), 'unknown');
  for (let id = 0; id <= 0x12; id++) t.regex(messageDescription(id), /^[a-z].{5,}[a-z]$/);
});
