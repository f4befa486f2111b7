// Property names that a bundle may shorten: those the project declares, less every name that anybody outside the
// bundle could use. Kept are
//
//   what the exports of the entry lead to: options, results, classes and their public members
//   what the language and the platform declare: TypeScript's libraries, the declarations in targets/
//   what the profile carries, and every string the code holds, for a name may be looked up by it

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Where members of our own objects are declared, whose names may be shortened. */
const OWN = ['src/', 'targets/'];
/** How much of the platform a target's code meets beside the language. */
// Not Deno, nor Node: what libraries from npm call a member must stay, and is not read here.
const LIBRARIES = { moddable: /^lib\.es/, espruino: /^lib\.es/ };

/** What exports lead to, but is no concern of theirs: what a connection is made of. */
const INNER = /^src\/(session\/(base|core|handshake|inbound|session)|pool\/slot|wire\/\w+)\.ts$/;

const relative = (file) => path.relative(ROOT, file).replaceAll('\\', '/');
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

/** Names of the members that the exports of `entry` lead to. */
function exposedNames(entry, checker, tree, found) {
  const seen = new Set();
  const isInner = (symbol) => {
    const declaration = symbol?.declarations?.[0];
    return declaration !== undefined && INNER.test(relative(declaration.getSourceFile().fileName));
  };
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  const visitType = (type) => {
    if (seen.has(type)) return;
    seen.add(type);
    if (isInner(type.symbol)) return;
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
      found(property.name);
      visitType(checker.getTypeOfSymbol(property));
    }
  };
  for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(tree))) {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    if (target.flags & ts.SymbolFlags.Value) visitType(checker.getTypeOfSymbol(target));
    if (target.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface | ts.SymbolFlags.TypeAlias)) {
      visitType(checker.getDeclaredTypeOfSymbol(target));
    }
  }
}

const done = new Map();

/** The names a bundle of `entry` for `target` may shorten, in order; none where nothing is known of the platform. */
export function internalNames(target, entry, entries = [entry]) {
  const key = `${target} ${entry}`;
  if (LIBRARIES[target] === undefined) return [];
  if (!done.has(key)) {
    const program = programOf(entries);
    const checker = program.getTypeChecker();
    const names = new Set();
    const kept = new Set();
    const keep = (name) => kept.add(name);
    for (const tree of program.getSourceFiles()) {
      const name = path.basename(tree.fileName);
      if (isOwn(tree.fileName)) {
        declaredNames(tree, (member) => names.add(member));
        literals(tree, keep);
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
    exposedNames(entry, checker, program.getSourceFile(path.join(ROOT, entry)), keep);
    done.set(key, [...names].filter((name) => !kept.has(name) && /^[A-Za-z]\w*$/.test(name)).sort());
  }
  return done.get(key);
}
