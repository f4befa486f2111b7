import test from 'ava';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { coreBreaches, importBreaches, isCore } from './source-rules.ts';
import type { Source } from './source-rules.ts';

function sources(): Source[] {
  return ['src', 'targets', 'bin', 'bench']
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true }).map((name) => `${folder}/${String(name)}`))
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .map((file) => ({ file, text: readFileSync(file, 'utf8') }));
}

test('the source tree keeps the import rules and has no cycles', (t) => {
  const all = sources();
  t.true(all.length > 20);
  t.deepEqual(importBreaches(all), []);
});

test('core folders do without the engine', (t) => {
  const core = sources().filter((source) => isCore(source.file));
  t.true(core.length > 15);
  t.deepEqual(core.flatMap(coreBreaches), []);
});

// ---- Each rule catches what it forbids -------------------------------------------------------------------

function importsOf(file: string, line: string): string[] {
  return importBreaches([{ file, text: line }]);
}

const forbidden: [file: string, line: string][] = [
  ['src/bytes.ts', "import { sha3_256 } from './crypto/micro/sponge.ts';"],
  ['src/crypto/provider.ts', "import { x } from '../wire/header.ts';"],
  ['src/crypto/micro/rcs.ts', "import { noble } from '../noble.ts';"],
  ['src/wire/header.ts', "import { x } from '../cert/text.ts';"],
  ['src/cert/text.ts', "import { x } from '../session/channel.ts';"],
  ['src/session/client.ts', "import { x } from '../link/link.ts';"],
  ['src/session/client.ts', "export * from '../link/link.ts';"],
  ['src/session/client.ts', "const x = await import('../link/link.ts');"],
  ['src/session/client.ts', "type X = import('../link/link.ts').X;"],
  ['src/link/link.ts', "import { x } from '../../targets/node/tcp.ts';"],
  ['src/link/link.ts', "import { x } from '../qace/simple.ts';"],
  ['src/link/link.ts', "import { runKat } from '../selftest/run.ts';"],
  ['src/qace/simple.ts', "import { x } from '../bytes.ts';"],
  ['src/qace/simple.ts', "import { x } from './exact.ts';"],
  ['src/qace/ga.ts', "import { x } from '../crypto/micro/drbg.ts';"],
  ['src/mesh/overlay.ts', "import { x } from '../session/channel.ts';"],
  ['src/tuple/store.ts', "import { x } from '../mesh/overlay.ts';"],
  ['src/novelty/new.ts', "import { x } from '../bytes.ts';"],
  ['src/crypto/micro/rcs.ts', "import { sha3 } from '@noble/hashes/sha3.js';"],
  ['src/session/client.ts', "import fs from 'node:fs';"],
  ['src/bytes.ts', "import { x } from '../test/vectors.ts';"],
  ['src/bytes.ts', "import { x } from './params';"],
  ['targets/node/mod.ts', "import { x } from '../deno/mod.ts';"],
  ['targets/node/mod.ts', "import { x } from '../../bench/bench.ts';"],
  ['targets/node/mod.ts', "import { x } from 'left-pad';"],
];
for (const [file, line] of forbidden) {
  test(`forbidden in ${file}: ${line}`, (t) => {
    t.is(importsOf(file, line).length, 1);
  });
}

test('collections are for link and mesh only', (t) => {
  const text = 'export const f = () => new Set();';
  t.deepEqual(coreBreaches({ file: 'src/link/x.ts', text }), []);
  t.is(coreBreaches({ file: 'src/session/x.ts', text }).length, 1);
});

const allowed: [file: string, line: string][] = [
  ['src/crypto/micro/rcs.ts', "import { getI32 } from '../../bytes.ts';"],
  ['src/crypto/noble.ts', "import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';"],
  ['src/session/client.ts', "import { x } from '../cert/text.ts';"],
  ['src/link/link.ts', "import type { X } from '../qace/simple.ts';"],
  ['src/qace/ga.ts', "import { x } from './simple.ts';"],
  ['src/link/link.ts', "import type { Timer } from '../platform.ts';"],
  ['targets/node/mod.ts', "import net from 'node:net';"],
  ['targets/node/mod.ts', "import { x } from './tcp.ts';"],
  ['bench/bench.ts', "import { x } from '../targets/node/mod.ts';"],
];
for (const [file, line] of allowed) {
  test(`allowed in ${file}: ${line}`, (t) => {
    t.deepEqual(importsOf(file, line), []);
  });
}

test('a cycle is found, through types too', (t) => {
  const cycle = importBreaches([
    { file: 'src/wire/a.ts', text: "import { b } from './b.ts';" },
    { file: 'src/wire/b.ts', text: "export { c } from './c.ts';" },
    { file: 'src/wire/c.ts', text: "import type { A } from './a.ts';" },
  ]);
  t.deepEqual(cycle, ['src/wire/a.ts -> src/wire/b.ts -> src/wire/c.ts -> src/wire/a.ts: a cycle']);
});

// ---- Each ban catches what it forbids --------------------------------------------------------------------

const banned: [text: string, breach: RegExp][] = [
  ['export const now = () => Date.now();', /global Date/],
  ['export function f(d: Date) { return d; }', /global Date/],
  ['export const later = (f: () => void) => setTimeout(f, 1);', /global setTimeout/],
  ['export const soon = (f: () => void) => setInterval(f, 1);', /global setInterval/],
  ['export const soon = (f: () => void) => queueMicrotask(f);', /global queueMicrotask/],
  ['export const p = () => Promise.resolve(1);', /global Promise/],
  ['export async function f() { return 1; }', /async/],
  ['export function f(): Promise<void> { throw new Error(); }', /global Promise/],
  ['export const f = () => BigInt(1);', /global BigInt/],
  ['export const f = () => 1n;', /BigInt/],
  ['export function f(x: bigint) { return x; }', /BigInt/],
  ['export const f = () => new BigUint64Array(1);', /global BigUint64Array/],
  ['export const f = () => process.env;', /global process/],
  ['export const f = () => console.log(1);', /global console/],
  ['export const f = (b: Uint8Array) => crypto.getRandomValues(b);', /global crypto/],
  ['export const f = () => Buffer.alloc(1);', /global Buffer/],
  ['export const f = () => new TextEncoder();', /global TextEncoder/],
  ['export const f = () => performance.now();', /global performance/],
  ['export const f = () => globalThis;', /global globalThis/],
  ['export const f = () => ({ process });', /global process/],
  ['export const f = (x = process) => x;', /global process/],
  ['export const f = () => `$' + '{process}`;', /global process/],
  ['export class X extends EventTarget {}', /global EventTarget/],
  ['export const f = () => new Map();', /global Map/],
  ["import { sha3 } from '@noble/hashes/sha3.js'; export { sha3 };", /imports "@noble/],
  ["import fs from 'node:fs'; export { fs };", /imports "node:fs"/],
  ["export const f = () => import('./x.ts');", /import\(\)/],
  ['export let count = 0;', /let or var/],
  ['var count = 0; export const f = () => count;', /let or var/],
  ['export const scratch = new Uint8Array(32);', /a new object/],
  ['export const cache = new Map();', /a new object/],
  ['export const list: number[] = [];', /an empty array/],
  ['export const table: Record<string, number> = {};', /an empty object/],
  ['export const state = { buffer: new Int32Array(50) };', /a new object/],
  ['export const table = make(); function make() { return [1]; }', /not marked/],
  ['const T = [1, 2]; export function f() { T[0] = 3; }', /T is written/],
  ['const T = [1, 2]; export function f() { T.push(3); }', /T is written/],
  ['const T = { n: 1 }; export function f() { T.n++; }', /T is written/],
  ['export class X { static count = 0; }', /static field/],
  ['if (true) { throw new Error(); }', /runs at import/],
];
for (const [text, breach] of banned) {
  test(`banned in core: ${text}`, (t) => {
    t.regex(coreBreaches({ file: 'src/wire/x.ts', text }).join('\n'), breach);
  });
}

const welcome = [
  'export const T = [1, 2, 3];',
  'export const T: readonly number[] = /* @__PURE__ */ make(); function make() { return [1]; }',
  'export const T = [/* @__PURE__ */ make(1), /* @__PURE__ */ make(2)]; function make(n: number) { return n; }',
  'export const T = { a: 1, b: [2] } as const;',
  'export const T = new Uint8Array([1, 2]);',
  'export const T = Object.freeze([1, 2]);',
  'export const f = (crypto: { sign(): void }) => crypto.sign();',
  'export function f(o: { process: number }) { const { process } = o; return process; }',
  'export function f(a: Int32Array) { a[0] = 1; let n = 0; n++; return n; }',
  'export const f = (n: number) => Math.imul(n, 2) + "Date".length;',
  'export interface X { crypto: number; process(): void }',
  'export class X extends Error { readonly n = 1; }',
];
for (const text of welcome) {
  test(`fine in core: ${text}`, (t) => {
    t.deepEqual(coreBreaches({ file: 'src/wire/x.ts', text }), []);
  });
}
