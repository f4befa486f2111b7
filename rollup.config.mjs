// How everything that ships is bundled. tools/build.mjs and tools/bundles.mjs run it; `npx rollup -c` builds
// all of it in place.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import commonjs from '@rollup/plugin-commonjs';
import resolve from '@rollup/plugin-node-resolve';
import { parseAst } from 'rollup/parseAst';
import typescript from '@rollup/plugin-typescript';
import { internalNames } from './tools/names.mjs';
import { HASH_ZEROS } from './tools/measure.mjs';
import { featuresOf, isLean, profileNames, readProfile } from './tools/profiles.mjs';
import { declareFirst } from './tools/declare-first.mjs';
import { foldParameters } from './tools/fold-parameters.mjs';
import { shortNames } from './tools/short-names.mjs';
import { letForConst } from './tools/let-for-const.mjs';
import { shorten } from './tools/shorten.mjs';
import { terse } from './tools/terse.mjs';
import { lower, transpile } from './tools/transpile.mjs';

const ROOT = fileURLToPath(new URL('.', import.meta.url));
const PROFILE_MODULE = path.join(ROOT, 'src/profile.ts');
const FEATURES_MODULE = path.join(ROOT, 'src/features.ts');

/** Entry points of the package: name in dist/ and module. Those that do not exist yet are left out. */
const ENTRIES = {
  qstp: 'bin/qstp.ts',
  micro: 'src/crypto/micro/index.ts',
  noble: 'src/crypto/noble.ts',
  native: 'src/crypto/native.ts',
  cert: 'src/cert/index.ts',
  session: 'src/session/index.ts',
  link: 'src/link/index.ts',
  qace: 'src/qace/index.ts',
  telemetry: 'src/telemetry/index.ts',
  mesh: 'src/mesh/index.ts',
  'mesh-proto': 'src/mesh/proto/index.ts',
  selftest: 'src/selftest/run.ts',
  node: 'targets/node/mod.ts',
  deno: 'targets/deno/mod.ts',
  tuple: 'src/tuple/index.ts',
  'node-mesh': 'targets/node/mesh.ts',
  'deno-mesh': 'targets/deno/mesh.ts',
};

/** The fields of a profile that its bundle carries. */
function carried(profile) {
  const {
    $schema: _schema,
    description: _description,
    entry: _entry,
    hooks: _hooks,
    features: _features,
    engine: _engine,
    budgets: _budgets,
    ...rest
  } = profile;
  return rest;
}

/** Puts a profile and its features in the place of their constants: what is false then folds away. */
function withProfile(profile) {
  const value = JSON.stringify(carried(profile));
  const features = featuresOf(profile);
  return {
    name: 'profile',
    transform(code, id) {
      if (id === PROFILE_MODULE) {
        return {
          code: code
            .replace(/^export const PROFILE = null;$/m, `export const PROFILE = ${value};`)
            .replace(/^export const PROFILE_HASH = '';$/m, `export const PROFILE_HASH = '${HASH_ZEROS}';`),
          map: null,
        };
      }
      if (id !== FEATURES_MODULE) return null;
      const found = [];
      const folded = code.replace(/^export const (WITH_\w+) = true;$/gm, (_line, name) => {
        found.push(name);
        return `export const ${name} = ${features[name]};`;
      });
      const [inSource, inTool] = [found, Object.keys(features)].map((names) => names.sort().join(' '));
      if (inSource !== inTool) this.error(`features.ts has ${inSource}; tools/profiles.mjs has ${inTool}`);
      return { code: folded, map: null };
    },
  };
}

/** Which argument of a call is a sentence for people. */
const SENTENCES = { reject: 2, QstpError: 1, tell: 2, doubtClock: 1, report: 0 };

/** Takes the sentences of errors out of a bundle without WITH_TEXTS; blanks of the same length keep the source map right. */
function withoutTexts(profile) {
  if (featuresOf(profile).WITH_TEXTS) return { name: 'texts' };
  return {
    name: 'texts',
    transform(code, id) {
      if (!id.startsWith(path.join(ROOT, 'src')) && !id.startsWith(path.join(ROOT, 'targets'))) return null;
      let out = code;
      const visit = (node) => {
        if (node === null || typeof node !== 'object') return;
        if (Array.isArray(node)) {
          node.forEach(visit);
          return;
        }
        if (node.type === 'CallExpression' || node.type === 'NewExpression') {
          const at = node.callee.type === 'Identifier' ? SENTENCES[node.callee.name] : undefined;
          const text = at === undefined ? undefined : node.arguments[at];
          // A name is an argument passed on: what it stands for went where it was made.
          if (text !== undefined && text.type !== 'Identifier' && text.type !== 'MemberExpression') {
            const blanks = out.slice(text.start, text.end).replace(/[^\n]/g, ' ');
            out = `${out.slice(0, text.start)}''${blanks.slice(2)}${out.slice(text.end)}`;
            node.arguments.forEach((argument, i) => i !== at && visit(argument));
            return;
          }
        }
        for (const [key, value] of Object.entries(node)) if (key !== 'type') visit(value);
      };
      visit(this.parse(code).body);
      return out === code ? null : { code: out, map: null };
    },
  };
}

/** The kernels a profile's hooks can replace. */
const HOOKED = {
  keccak: 'src/crypto/micro/keccak-f.ts',
  aes: 'src/crypto/micro/aes.ts',
  gcm: 'src/crypto/micro/aes-gcm.ts',
  leanGcm: 'src/lean/gcm.ts',
};

/** The package runs where there is WebAssembly; on an engine that has none, its hook is the kernel again. */
const PACKAGE_HOOKS = { keccak: 'src/crypto/gateway/keccak-f.ts' };
/** What measures the kernels themselves. */
const BENCH = path.join(ROOT, 'bench') + path.sep;

/** Finds our own modules, with hooks in the place of kernels. A hook may itself import the kernel it replaces. */
function ownModules(hooks = {}) {
  const replaced = new Map();
  for (const [name, hook] of Object.entries(hooks))
    replaced.set(path.join(ROOT, HOOKED[name]), path.join(ROOT, hook));
  return {
    name: 'own-modules',
    resolveId(source, importer) {
      if (importer === undefined || !source.startsWith('.') || importer.startsWith(BENCH)) return null;
      const file = path.resolve(path.dirname(importer), source);
      // The compiler has given the package's imports the names of what it writes.
      const hook = replaced.get(file.replace(/\.js$/, '.ts'));
      if (hook !== undefined && importer !== hook) return hook;
      // Ours are named in full: nothing is to be looked for.
      return file.endsWith('.ts') ? { id: file, moduleSideEffects: false } : null;
    },
  };
}

/** Fails the build if a chunk would still import something its engine does not provide. */
function selfContained(allowed) {
  return {
    name: 'self-contained',
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue;
        for (const id of [...chunk.imports, ...chunk.dynamicImports]) {
          if (!allowed.test(id) && bundle[id] === undefined) {
            this.error(`${chunk.fileName} still imports "${id}": bundle it, or do without it`);
          }
        }
      }
    },
  };
}

/** Paths in source maps: relative to the project, whatever folder it or its packages are in. */
function sourcePath(relative, map) {
  const absolute = path.resolve(path.dirname(map), relative);
  const modules = absolute.lastIndexOf(`${path.sep}node_modules${path.sep}`);
  return modules === -1 ? path.relative(ROOT, absolute) : absolute.slice(modules + 1);
}

function compile(outDir) {
  return typescript({
    tsconfig: path.join(ROOT, 'tsconfig.build.json'),
    filterRoot: ROOT,
    noEmitOnError: true,
    outputToFilesystem: false,
    declaration: true,
    declarationDir: path.join(outDir, 'types'),
    outDir,
  });
}

/**
 * The compiler wraps computed imports in a helper that it then leaves out. Blanks of the same length in its place
 * keep the source map right.
 */
function plainImports() {
  const helper = '__rewriteRelativeImportExtension';
  const blanks = ' '.repeat(helper.length);
  return {
    name: 'plain-imports',
    renderChunk: (code) => ({ code: code.replaceAll(helper, blanks), map: null }),
  };
}

/** A warning would be a fault in what ships. */
function onLog(level, log) {
  if (level === 'warn') throw new Error(log.message);
}

// Where bytecode is interpreted, terser's default inlining doubles the time and costs memory, and statements joined
// by commas leave a value to drop each: a tenth more steps of XS for a kernel. JIT engines take the smaller code.
// No getter here does anything but answer.
const SMALL = { passes: 2, pure_getters: true, keep_fargs: false };
const INTERPRETED = { ...SMALL, inline: 1, reduce_funcs: false, sequences: false };

/** What each engine takes: the form of the module, the language, and how it is minified. */
const FORMS = {
  moddable: {
    device: true,
    output: { format: 'es' },
    minify: { module: true, ecma: 2020, compress: INTERPRETED },
  },
  espruino: {
    device: true,
    output: { format: 'cjs', exports: 'named', esModule: false, freeze: false, strict: false },
    lower: true,
    // Before it is lowered: what is declared in a block stays there (tools/declare-first.mjs).
    minify: {
      toplevel: true,
      ecma: 2015,
      compress: { ...SMALL, passes: 4, arrows: false, unsafe: true },
    },
  },
  // Nothing in these is constructed but classes: any other function may be an arrow.
  deno: {
    output: { format: 'es' },
    folded: true,
    minify: { module: true, ecma: 2020, compress: { ...SMALL, passes: 4, unsafe_arrows: true } },
  },
  node: { output: { format: 'es' }, minify: { module: true, ecma: 2020, compress: SMALL } },
};

/** Minifies as an engine takes it, with the names that nobody outside can use shortened (tools/names.mjs). */
const minify = (profile) =>
  terse((code) => {
    const names = internalNames(profile);
    const options = FORMS[profile.target].minify;
    if (names.length === 0) return options;
    const properties = { regex: new RegExp(`^(?:${names.join('|')})$`), builtins: true };
    const short = [...shortNames(parseAst(code), names)].map(([name, to]) => [`$${name}`, to]);
    const nameCache = { props: { props: Object.fromEntries(short) } };
    return { ...options, nameCache, mangle: { properties } };
  });

/** Constant parameters of functions, in what they stand for. */
const folded = () => ({ name: 'folded', renderChunk: (code) => foldParameters(code) });

/** Constants of functions, shorter. */
const relaxed = () => ({ name: 'relaxed', renderChunk: (code) => ({ code: letForConst(code), map: null }) });

/** Globals that bundles for Espruino name often. */
const GLOBALS = ['Uint8Array', 'Int32Array', 'Date', 'Math', 'String'];
const shortened = () => ({ name: 'shortened', renderChunk: (code) => shorten(code, GLOBALS) });

/** What an engine without hoisting takes, of a bundle in ES5. */
const declared = () => ({
  name: 'declared',
  renderChunk: (code) => ({ code: declareFirst(code), map: null }),
});

/** Espruino reads bytes, not UTF-8; and what the compiler wrote of a minified bundle is to be as short again. */
const LOWERED = {
  toplevel: true,
  ecma: 5,
  compress: {
    defaults: false,
    booleans: true,
    comparisons: true,
    conditionals: true,
    dead_code: true,
    evaluate: true,
    if_return: true,
    join_vars: true,
    collapse_vars: true,
    properties: true,
    sequences: true,
    side_effects: true,
  },
  format: { ascii_only: true },
};

const NODE_BUILTIN = /^node:/;
const NOTHING = /^(?!)/;
/** What a bundle may import of its platform's own. */
const BUILTIN = {
  moddable: /^(timer|time|preference|net)$/,
  espruino: NOTHING,
  deno: /^node:crypto$/,
  node: NODE_BUILTIN,
};

/** One self-contained file for a profile: qstp.js to read, qstp.min.js to ship. */
export function profileConfig(profile, outDir) {
  const builtin = BUILTIN[profile.target];
  const form = FORMS[profile.target];
  const output = {
    ...form.output,
    dir: outDir,
    generatedCode: { preset: form.lower ? 'es5' : 'es2015', symbols: false },
    // A device has no use for the comment that says where the map is.
    sourcemap: form.device ? 'hidden' : true,
    sourcemapPathTransform: sourcePath,
    inlineDynamicImports: true,
  };
  const lowered = form.lower ? [lower(), declared()] : [];
  const short = form.lower
    ? [folded(), minify(profile), lower(), shortened(), terse(LOWERED), declared()]
    : [...(form.folded || isLean(profile) ? [folded()] : []), relaxed(), minify(profile)];
  return {
    input: path.join(ROOT, profile.entry),
    external: (id) => builtin.test(id),
    // Nothing runs on import, and reading a property does nothing else (test/source-rules.ts).
    treeshake: { moduleSideEffects: false, propertyReadSideEffects: false },
    plugins: [
      ownModules(profile.hooks),
      transpile(),
      withProfile(profile),
      withoutTexts(profile),
      resolve(),
      selfContained(builtin),
    ],
    onLog,
    output: [
      { ...output, entryFileNames: 'qstp.js', plugins: lowered },
      { ...output, entryFileNames: 'qstp.min.js', plugins: short },
    ],
  };
}

/** The package: the command and the library entry points, sharing chunks, with type declarations. */
export function packageConfig(outDir) {
  const input = Object.fromEntries(
    Object.entries(ENTRIES)
      .map(([name, file]) => [name, path.join(ROOT, file)])
      .filter(([, file]) => existsSync(file)),
  );
  return {
    input,
    external: (id) => NODE_BUILTIN.test(id),
    // The command's library is CommonJS.
    plugins: [
      ownModules(PACKAGE_HOOKS),
      compile(outDir),
      resolve({ preferBuiltins: true }),
      commonjs({ include: /node_modules.commander./ }),
      plainImports(),
      selfContained(NODE_BUILTIN),
    ],
    onLog,
    output: {
      dir: outDir,
      format: 'es',
      generatedCode: 'es2015',
      sourcemap: true,
      sourcemapPathTransform: sourcePath,
      entryFileNames: '[name].js',
      chunkFileNames: 'chunks/[name]-[hash].js',
    },
  };
}

export default () => [
  packageConfig(path.join(ROOT, 'dist')),
  ...profileNames().map((name) => profileConfig(readProfile(name), path.join(ROOT, 'dist', name))),
];
