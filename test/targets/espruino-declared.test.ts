// What Espruino does not hoist: the rule that built bundles keep, on snippets that break it and on the bundles.
import test from 'ava';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

const { declareFirst, usedTooEarly } = (await import(path.resolve('tools/declare-first.mjs'))) as {
  declareFirst(code: string): string;
  usedTooEarly(code: string): { names: string[] }[];
};

const early = (code: string): string[] => usedTooEarly(code).flatMap(({ names }) => names);

for (const [code, names] of [
  ['function f(a) { if (a) { var i = 1; } else { i = 2; } }', ['i']],
  ['function f(a) { for (var i = 0; i < a; i++); for (i = 0; i < a; i++); }', []],
  ['function f(a) { if (a) for (var i = 0; i < a; i++); for (i = 0; i < a; i++); }', ['i']],
  ['function f() { x = 1; var x; return x; }', ['x']],
  ['function f() { return x = 1; var x; }', ['x']],
  ['function f(x) { x = 1; }', []],
  ['function f(a) { switch (a) { case 1: var x = 1; break; case 2: x = 2; } }', ['x']],
  ['function f(a) { a && function () { var x = 1; x = 2; }(); }', []],
  ['function f(a) { while (a) { var x = 1; x = 2; } return x; }', ['x']],
  ['x = 1; var x;', ['x']],
  ['function f(o) { var a = o.x; var x = a; return { x: x }; }', []],
] as const) {
  test(`used before it is made: ${code}`, (t) => {
    t.deepEqual(early(code), [...names]);
    t.deepEqual(early(declareFirst(code)), []);
  });
}

test('what is declared first means the same', (t) => {
  const code = 'function f(a) { if (a) { var i = 1; } else { i = 2; } return i; }';
  for (const source of [code, declareFirst(code)]) {
    const f = new Function(`${source}; return f;`)() as (a: boolean) => number;
    t.deepEqual([f(true), f(false)], [1, 2]);
  }
});

test('the built bundles use nothing before it is made', async (t) => {
  for (const profile of ['espruino-puck-class', 'espruino-pico-class', 'espruino-wifi', 'bangle2']) {
    for (const file of ['qstp.js', 'qstp.min.js']) {
      t.deepEqual(
        early(await readFile(path.resolve('dist', profile, file), 'utf8')),
        [],
        `${profile}/${file}`,
      );
    }
  }
});
