// Property names that a bundle may shorten: those the project declares, less every name that anybody outside the
// bundle could use. Kept are
//
//   what the exports of the entry lead to: options, results, classes and their public members
//   what the language and the platform declare: TypeScript's libraries, the declarations in targets/
//   on JIT engines, what our code uses of declarations that are not ours, and every word of the npm packages it stands on
//   what the profile carries, and every string in the modules of the bundle, for a name may be looked up by it

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { profileNames, readProfile } from './profiles.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Where members of our own objects are declared, whose names may be shortened. */
const OWN = ['src/', 'targets/'];
/** How much of the platform a target's code meets beside the language. */
// Not Node: its adapters meet too much of it by values of no type.
const LIBRARIES = { moddable: /^lib\.es/, espruino: /^lib\.es/, deno: /^lib\.es/ };
/** Whose code also meets declarations that neither are the language's nor in targets/: those of Node's types, and of npm. */
const WIDE = ['deno'];
const PACKAGE = /\/node_modules\/(?!@types\/|typescript\/|undici-types\/)/;

/** What exports lead to, but is no concern of theirs: what a connection is made of. Devices do not give it away at all. */
const INNER = /^src\/(session\/(base|core|handshake|inbound|session)|pool\/slot|wire\/\w+)\.ts$/;
const INNER_WIDE = /^src\/(session\/(base|core|handshake|inbound)|pool\/slot|wire\/\w+)\.ts$/;
/** What the self-test of a bundle is given: it runs outside, and sets up all that by itself. */
const SELFTEST = /^src\/selftest\//;
const NOTHING = /^(?!)/;

/** A function that answers each key from memory but once. */
function remembered(answer) {
  const known = new Map();
  return (key) => {
    if (!known.has(key)) known.set(key, answer(key));
    return known.get(key);
  };
}

/** A file's path from the project's folder. */
const relative = remembered((file) => path.relative(ROOT, file).replaceAll('\\', '/'));
const isOwn = (file) => OWN.some((folder) => relative(file).startsWith(folder)) && !file.endsWith('.d.ts');

let program = null;
/** One program of all entries: reading it costs seconds. */
function programOf(entries) {
  if (program === null) {
    const { config } = ts.readConfigFile(path.join(ROOT, 'tsconfig.build.json'), ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
    const declarations = readdirSync(path.join(ROOT, 'targets'), { recursive: true })
      .filter((file) => String(file).endsWith('.d.ts'))
      .map((file) => path.join(ROOT, 'targets', String(file)));
    const roots = entries.map((entry) => path.join(ROOT, entry));
    program = ts.createProgram([...roots, ...declarations], { ...options, noEmit: true, skipLibCheck: true });
  }
  return program;
}

/** Calls back with the name of each member declared in `tree`: of types, classes and object literals. */
function declaredNames(tree, found) {
  const visit = (node) => {
    const { name } = node;
    const member =
      ts.isPropertySignature(node) ||
      ts.isMethodSignature(node) ||
      ts.isPropertyDeclaration(node) ||
      ts.isMethodDeclaration(node) ||
      ts.isAccessor(node) ||
      ts.isPropertyAssignment(node) ||
      ts.isShorthandPropertyAssignment(node);
    if (member && (ts.isIdentifier(name) || ts.isStringLiteral(name))) found(name.text);
    ts.forEachChild(node, visit);
  };
  visit(tree);
}

function literals(tree, found) {
  const visit = (node) => {
    if (ts.isStringLiteralLike(node)) found(node.text);
    ts.forEachChild(node, visit);
  };
  visit(tree);
}

function isDeclaredIn(symbol, files) {
  const declaration = symbol?.declarations?.[0];
  return declaration !== undefined && files.test(relative(declaration.getSourceFile().fileName));
}

/** A function that calls back with the names of the members a type leads to, but not through what `inner` declares. */
function memberNames(checker, found, inner) {
  const seen = new Set();
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  const visitType = (type) => {
    if (seen.has(type)) return;
    seen.add(type);
    if (isDeclaredIn(type.symbol, inner)) return;
    if (type.isUnionOrIntersection()) type.types.forEach(visitType);
    for (const argument of checker.getTypeArguments?.(type) ?? []) visitType(argument);
    for (const signature of [...type.getCallSignatures(), ...type.getConstructSignatures()]) {
      visitType(signature.getReturnType());
      for (const parameter of signature.getParameters()) visitType(checker.getTypeOfSymbol(parameter));
    }
    for (const property of type.getProperties()) {
      const declaration = property.declarations?.[0];
      if (declaration === undefined || !isOwn(declaration.getSourceFile().fileName)) continue;
      if (ts.getCombinedModifierFlags(declaration) & hidden) continue;
      if (declaration.name !== undefined && ts.isPrivateIdentifier(declaration.name)) continue;
      found(property.name);
      visitType(checker.getTypeOfSymbol(property));
    }
  };
  return visitType;
}

/** `export type {...}` of a class gives its instances' type away, and not what constructs them. */
function isTypeOnly(symbol) {
  return (symbol.declarations ?? []).some((declaration) =>
    ts.isTypeOnlyImportOrExportDeclaration(declaration),
  );
}

/** Names of the members that the exports of `entry` lead to. */
function exposedNames(checker, tree, found, wide) {
  const visitType = memberNames(checker, found, wide ? INNER_WIDE : INNER);
  const visitAll = memberNames(checker, found, wide ? NOTHING : INNER);
  const visit = (type) => (isDeclaredIn(type.symbol, SELFTEST) ? visitAll : visitType)(type);
  for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(tree))) {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    if (target.flags & ts.SymbolFlags.Value && !isTypeOnly(symbol)) visit(checker.getTypeOfSymbol(target));
    if (target.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface | ts.SymbolFlags.TypeAlias)) {
      visit(checker.getDeclaredTypeOfSymbol(target));
    }
  }
}

/**
 * Names of members that `tree` takes from, or gives to, what others declare; those of values without a type too, and all
 * of a type that such a value is said to be of.
 */
function foreignNames(tree, checker, found) {
  const visitType = memberNames(checker, found, INNER_WIDE);
  const isForeign = (symbol) =>
    symbol === undefined ||
    (symbol.declarations ?? []).some((declaration) => !isOwn(declaration.getSourceFile().fileName));
  // A union has the members that all of it have: none if `undefined` is one of it.
  const each = (type) => {
    if (type?.isUnion()) type.types.forEach(each);
    else for (const property of type?.getProperties() ?? []) if (isForeign(property)) found(property.name);
  };
  const visit = (node) => {
    if (ts.isPropertyAccessExpression(node)) {
      if (isForeign(checker.getSymbolAtLocation(node.name))) found(node.name.text);
    } else if (ts.isObjectBindingPattern(node)) {
      const type = checker.getTypeAtLocation(node);
      for (const { name, propertyName, dotDotDotToken } of node.elements) {
        const from = propertyName ?? name;
        if (dotDotDotToken === undefined && isForeign(type.getProperty(from.text))) found(from.text);
      }
    } else if (ts.isObjectLiteralExpression(node)) {
      each(checker.getContextualType(node));
    } else if (ts.isAsExpression(node)) {
      const { flags } = checker.getTypeAtLocation(node.expression);
      if (flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) visitType(checker.getTypeAtLocation(node));
    } else if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
      for (const parameter of checker.getResolvedSignature(node)?.getParameters() ?? []) {
        each(checker.getTypeOfSymbol(parameter));
      }
      // What came from there may go by a name of ours from here on.
      each(checker.getTypeAtLocation(node));
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
}

/** Every word of the code a package's declarations stand for: what it calls a member, it may look up by name. */
function packageWords(file, found) {
  const code = file.replace(/\.d\.([cm]?)ts$/, '.$1js');
  for (const [word] of readFileSync(code, 'utf8').matchAll(/[A-Za-z_$][\w$]*/g)) found(word);
}

/** The modules of each file, as they were found. */
const imports = new Map();

function importsOf(tree) {
  let found = imports.get(tree.fileName);
  if (found === undefined) {
    const options = program.getCompilerOptions();
    found = ts
      .preProcessFile(tree.text)
      .importedFiles.map(({ fileName }) => ts.resolveModuleName(fileName, tree.fileName, options, ts.sys))
      .flatMap(({ resolvedModule }) =>
        resolvedModule === undefined ? [] : [resolvedModule.resolvedFileName],
      );
    imports.set(tree.fileName, found);
  }
  return found;
}

/** The files of the program that `roots` lead to, themselves included. */
function reachable(roots) {
  const found = new Set();
  const visit = (file) => {
    const tree = program.getSourceFile(file);
    if (tree === undefined || found.has(tree)) return;
    found.add(tree);
    importsOf(tree).forEach(visit);
  };
  roots.forEach((root) => visit(path.join(ROOT, root)));
  return found;
}

const done = new Map();

const hooksOf = ({ hooks }) => Object.values(hooks ?? {});

/** Entries and hooks of all profiles, and of this one: the names in them are found in one go. */
function entriesWith(profile) {
  const all = [...profileNames().map((name) => readProfile(name)), profile];
  return [...new Set(all.flatMap((each) => [each.entry, ...hooksOf(each)]))];
}

/** True if anything is known of a profile's platform: else no name of its bundle is shortened. */
export const hasNames = ({ target }) => LIBRARIES[target] !== undefined;

/** The names the bundle of a profile may shorten, in order. */
export function internalNames(profile) {
  if (!hasNames(profile)) return [];
  const { target, entry } = profile;
  const roots = [entry, ...hooksOf(profile)];
  const key = [target, ...roots].join(' ');
  if (!done.has(key)) {
    const program = programOf(entriesWith(profile));
    const checker = program.getTypeChecker();
    const names = new Set();
    const kept = new Set();
    const keep = (name) => kept.add(name);
    const wide = WIDE.includes(target);
    const met = reachable(roots);
    for (const tree of program.getSourceFiles()) {
      const name = path.basename(tree.fileName);
      if (isOwn(tree.fileName)) {
        declaredNames(tree, (member) => names.add(member));
        if (met.has(tree)) literals(tree, keep);
        if (met.has(tree) && wide) foreignNames(tree, checker, keep);
      } else if (wide && met.has(tree) && PACKAGE.test(tree.fileName)) {
        packageWords(tree.fileName, keep);
      } else if (LIBRARIES[target].test(name) || relative(tree.fileName).startsWith('targets/')) {
        declaredNames(tree, keep);
      }
    }
    declaredNames(
      ts.createSourceFile(
        'p.ts',
        readFileSync(path.join(ROOT, 'src/profile.ts'), 'utf8'),
        ts.ScriptTarget.ES2022,
      ),
      keep,
    );
    exposedNames(checker, program.getSourceFile(path.join(ROOT, entry)), keep, wide);
    done.set(key, [...names].filter((name) => !kept.has(name) && /^[A-Za-z]\w*$/.test(name)).sort());
  }
  return done.get(key);
}
