// What is done to a bundle for engines that run source text: it is shorter and does the same.
import test from 'ava';
import path from 'node:path';

const { foldParameters } = (await import(path.resolve('tools/fold-parameters.mjs'))) as {
  foldParameters(code: string): { code: string; map: string };
};
const { letForConst } = (await import(path.resolve('tools/let-for-const.mjs'))) as {
  letForConst(code: string): string;
};
const { shorten } = (await import(path.resolve('tools/shorten.mjs'))) as {
  shorten(code: string, globals: readonly string[]): { code: string; map: string };
};

/** Of a script that ends in `return`. */
function valueOf(code: string): unknown {
  return (new Function(code) as () => unknown)();
}

for (const [what, code, folded] of [
  [
    'the same literal in every call, through other functions too',
    'function g(w, at) { return w[at]; } function f(w, at) { return g(w, at) + w[at + 1]; } return f([1, 2], 0) + f([3, 4], 0);',
    /function g\(w\).*function f\(w\)/s,
  ],
  ['a negative number', 'function f(a, b) { return a - b; } return f(1, -2) + f(2, -2);', /a - \(-2\)/],
  [
    'a constant of the script',
    'const P = { k: 3 }; function f(p, x) { return p.k * x; } return f(P, 1) + f(P, 2);',
    /P\.k \* x/,
  ],
  [
    'a default value that all calls leave',
    'function f(a, b = a.length) { return b; } return f("ab") + f("abc");',
    /let b = a\.length/,
  ],
  ['a property written short', 'function f(at) { return { at }; } return f(1).at + f(1).at;', /at: 1/],
] as const) {
  test(`folded: ${what}`, (t) => {
    const after = foldParameters(code).code;
    t.regex(after, folded);
    t.deepEqual(valueOf(after), valueOf(code));
  });
}

for (const [what, code] of [
  ['values that differ', 'function f(a) { return a; } return f(1) + f(2);'],
  ['a parameter that is written', 'function f(a) { a++; return a; } return f(1) + f(1);'],
  ['a function that is passed on', 'function f(a) { return a; } return [5].map(f)[0] + f(1);'],
  ['arguments that are spread', 'function f(a) { return a; } return f(...[1]) + f(1);'],
  ['a default value that some calls leave', 'function f(a = 1) { return a; } return f() + f(2);'],
  ['another variable of the name', 'let v = 1; function f(a) { return a; } v = 2; return f(v) + f(v);'],
  [
    'a name that is hidden',
    'const c = 1; function f(a) { return a; } function g(c) { return f(c); } return f(c) + g(5) + g(6);',
  ],
  ['a recursion that varies', 'function f(a) { return a > 3 ? a : f(a + 1); } return f(1);'],
] as const) {
  test(`not folded: ${what}`, (t) => {
    const after = foldParameters(code).code;
    t.regex(after, /function f\(a( = 1)?\)/);
    t.deepEqual(valueOf(after), valueOf(code));
  });
}

test('a zero is left out of an index, and stays in a text', (t) => {
  const code =
    'function f(w, at) { return "at " + at + w[at + 1] + w[0 + at]; } return f([1, 2], 0) + f([3, 4], 0);';
  const after = foldParameters(code).code;
  t.regex(after, /"at " \+ 0 \+ w\[1\]/);
  t.is(valueOf(after), valueOf(code));
});

test('short constants stand where they are used, and are exported by their names', (t) => {
  const { code } = foldParameters('const HEAD = 21; function f(b) { return b[HEAD]; } export { f, HEAD };');
  t.regex(code, /b\[21\]/);
  t.regex(code, /export \{ f, HEAD \}/);
});

test('members and globals that are named often are named once', (t) => {
  const body = Array.from({ length: 9 }, (_, i) => `new Uint8Array(${i}).subarray(0).byteLength`).join(' + ');
  const code = `var o = { subarray: 1, Uint8Array: 2 }; return ${body} + o.subarray + o.Uint8Array;`;
  const after = shorten(code, ['Uint8Array']).code;
  t.notRegex(after, /new Uint8Array/);
  t.is(after.match(/\.subarray/g), null);
  t.is(valueOf(after), valueOf(code));
  t.is(valueOf(after), 36 + 3);
});

test('what is named seldom stays as it is', (t) => {
  const code = 'return [1, 2].concat([3]).length;';
  t.is(shorten(code, ['Uint8Array']).code.trim(), code);
});

test('let for const: in functions alone, every character else in its place', (t) => {
  const code =
    'const a = [1]; const f = () => { const b = a; for (const c of b) { const d = () => c; return d() + "const e"; } }; class A { m() { const x = 1; return x; } }; return f() + new A().m();';
  const inside = `(() => {${code}})()`;
  t.is(letForConst('const a = 1; { const b = a; }'), 'const a = 1; { const b = a; }');
  const after = letForConst(`const top = ${inside};`);
  t.false(/const [a-d x]/.test(after));
  t.regex(after, /^const top = /);
  t.regex(after, /"const e"/);
  t.is(after.replaceAll('let  ', 'const'), `const top = ${inside};`);
  t.is(valueOf(`${after} return top;`), valueOf(`return ${inside};`));
});
