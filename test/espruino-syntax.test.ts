import test from 'ava';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import ts from 'typescript';
import { espruinoBreaches, typedSlices } from './engines/espruino-syntax.ts';
import { buildIn, espruinoProfiles, modulesOf } from './profiles.ts';

for (const name of await espruinoProfiles()) {
  test(`${name}: its bundle has nothing that Espruino lacks`, async (t) => {
    const folder = await buildIn(t, name);
    for (const file of ['qstp.js', 'qstp.min.js']) {
      const code = await readFile(path.join(folder, file), 'utf8');
      t.true(code.length > 1000);
      t.deepEqual(espruinoBreaches(code), [], file);
      // One script, whose exports are CommonJS's.
      t.regex(code, /exports\.\w+ ?=/);
      // Of one byte a character: Espruino reads no UTF-8.
      if (file === 'qstp.min.js') t.notRegex(code, /[^\n\x20-\x7e]/);
    }
    const modules = (await modulesOf(folder)).filter((module) => module.endsWith('.ts'));
    t.true(modules.length > 5);
    const { config } = ts.readConfigFile('tsconfig.build.json', (file) => ts.sys.readFile(file)) as {
      config: unknown;
    };
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, '.');
    t.deepEqual(typedSlices(modules, options), []);
  });
}

for (const [code, breach] of [
  ['f(); function f() {}', /f is used before its definition/],
  ['var a = b; var b = 1;', /b is used before its definition/],
  ['function f() { g(); function g() {} }', /g is used before/],
  ['function f() { x = 1; var x; }', /x is used before/],
  ['var g = function (a) { return h; var h = a; };', /h is used before/],
  ['Math.imul(1, 2)', /Math\.imul/],
  ['Number.isInteger(1)', /Number\.isInteger/],
  ['Object.freeze({})', /Object\.freeze/],
  ['new Map()', /Map/],
  ['var s = typeof x === "symbol" ? Symbol : 0;', /Symbol/],
  ['new Proxy({}, {})', /Proxy/],
  ['a: for (;;) { continue a; }', /a label/],
  ['var o = { [k]: 1 };', /a computed key/],
  ['var x = 2 ** 3;', /\*\*/],
  ['function F() { return new.target; }', /new\.target/],
  ['var f = function (a = 1) { return a; };', /a default parameter/],
  ['var f = function (...a) { return a; };', /a rest parameter/],
  ['f(...a)', /spread/],
  ['var { a } = o;', /destructuring/],
  ['a?.b', /\?\./],
  ['a ||= b', /\|\|=/],
  ['var f = async function () {};', /async/],
  ['var f = function* () {};', /a generator/],
  ['1n', /BigInt/],
  ['Uint8Array.from([1])', /Uint8Array\.from/],
  ['Array.from([1])', /Array\.from/],
  ['b.buffer.slice(0)', /ArrayBuffer\.slice/],
  ['e instanceof QstpError', /instanceof QstpError/],
  ['export var a = 1;', /export/],
] as const) {
  test(`refused for Espruino: ${code}`, (t) => {
    t.regex(espruinoBreaches(code).join('\n'), breach);
  });
}

for (const code of [
  'function f() { return g(); } function g() { return 1; } f();',
  'var C = (function () { function C() { this.a = 1; } C.prototype.f = function () { return C; }; return C; }());',
  'var t = { slice: 1, Map: 2 }; t.Map; t.slice;',
  'if (x instanceof Uint8Array) x.set([1]);',
  'var f = function f(n) { return n > 0 ? f(n - 1) : 0; }; for (var i = 0; i < 3; i++) f(i);',
  'var a = typeof Promise; try { a(); } catch (e) { throw e; }',
]) {
  test(`fine for Espruino: ${code}`, (t) => {
    t.deepEqual(espruinoBreaches(code), []);
  });
}

test('a slice of a typed array is found by its type', (t) => {
  const options = { target: ts.ScriptTarget.ES2022, allowImportingTsExtensions: true, strict: true };
  t.is(typedSlices(['test/fixtures/slices.ts'], options).length, 1);
});
