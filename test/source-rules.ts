// The rules of the source tree, checked on its syntax trees: who may import whom, and what core folders must
// do without. imports.test.ts runs them over the project, and over snippets that break each one.

import path from 'node:path';
import ts from 'typescript';

export interface Source {
  /** Relative to the project, with slashes. */
  readonly file: string;
  readonly text: string;
}

// ---- Who may import whom ---------------------------------------------------------------------------------

const BASE = ['params', 'error', 'bytes', 'features'];
const CRYPTO = [...BASE, 'crypto/micro', 'crypto'];
const SESSION = [...CRYPTO, 'pool', 'wire', 'cert'];
const LINK = [...SESSION, 'session'];
const OVERLAY = [...CRYPTO];

/** For each part of src/: the other parts it may import. platform.ts and itself are understood. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  params: BASE,
  error: BASE,
  bytes: BASE,
  features: [],
  profile: ['params', 'features'],
  platform: BASE,
  'crypto/micro': BASE,
  crypto: [...BASE, 'crypto/micro'],
  'crypto/gateway': CRYPTO,
  pool: CRYPTO,
  wire: CRYPTO,
  cert: CRYPTO,
  session: SESSION,
  link: LINK,
  lean: [...CRYPTO, 'link', 'profile'],
  qace: ['error', 'qace/simple'],
  'qace/simple': ['error'],
  tuple: OVERLAY,
  // Identities may be certificates.
  mesh: [...OVERLAY, 'cert'],
  telemetry: OVERLAY,
  selftest: [...LINK, 'session', 'link', 'qace', 'qace/simple', 'tuple', 'mesh', 'telemetry'],
  index: [...LINK, 'session', 'link', 'qace', 'qace/simple', 'tuple', 'mesh', 'telemetry', 'profile'],
};

/** Parts seen through interfaces: only their types may be imported. */
const TYPES_ONLY: Readonly<Record<string, readonly string[]>> = {
  platform: CRYPTO,
  link: ['qace', 'qace/simple', 'tuple'],
  mesh: ['qace', 'qace/simple', 'tuple'],
};

/** Modules that exist to wrap something from outside. */
const WRAPPERS = /^src\/crypto\/(noble|native)\.ts$/;

/** What a Moddable device has: the bundle names no other module. */
const MODDABLE = /^(timer|time|preference|net)$/;

/** Folders whose code runs on devices: nothing of the engine but the language. */
const CORE =
  /^src\/(params|error|bytes|features|platform)\.ts$|^src\/(crypto\/micro|pool|wire|cert|session|link|lean|mesh|qace|tuple|telemetry|selftest)[/.]/;

export function isCore(file: string): boolean {
  return CORE.test(file);
}

/** `crypto/micro` for src/crypto/micro/rcs.ts, `bytes` for src/bytes.ts; undefined outside src/. */
function partOf(file: string): string | undefined {
  const match = /^src\/(crypto\/(?:micro|gateway)(?=\/)|qace\/simple|[^/.]+)/.exec(file);
  return match?.[1];
}

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
  readonly line: number;
}

function importsOf(tree: ts.SourceFile): Import[] {
  const found: Import[] = [];
  const add = (specifier: ts.Expression, typeOnly: boolean): void => {
    if (ts.isStringLiteral(specifier)) {
      found.push({ specifier: specifier.text, typeOnly, line: lineOf(tree, specifier) });
    }
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.isTypeOnly === true);
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      if (node.arguments[0]) add(node.arguments[0], false);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal as ts.Expression, true);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function lineOf(tree: ts.SourceFile, node: ts.Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}

function parse({ file, text }: Source): ts.SourceFile {
  return ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
}

/** Breaches of the import rules by one import of `file`. */
function checkImport(file: string, { specifier, typeOnly }: Import): string | null {
  if (!specifier.startsWith('.')) {
    if (/^(src|targets)\//.test(file) === false || WRAPPERS.test(file)) return null;
    if (file.startsWith('targets/')) {
      const own = file.startsWith('targets/moddable/') ? MODDABLE : /^node:/;
      return own.test(specifier) ? null : `targets must not import the package "${specifier}"`;
    }
    return typeOnly ? null : `src must not import "${specifier}": only wrappers may`;
  }
  const to = path.posix.join(path.posix.dirname(file), specifier);
  if (!specifier.endsWith('.ts') && !/\.(json|mjs)$/.test(specifier)) return `"${specifier}" lacks .ts`;
  const [target, otherTarget] = [file, to].map((f) => /^targets\/([^/]+)/.exec(f)?.[1]);
  if (target !== undefined) {
    if (/^(bin|bench|test)\//.test(to)) return `targets must not import ${to}`;
    return otherTarget !== undefined && otherTarget !== target
      ? `targets must not import each other: ${to}`
      : null;
  }
  const [part, other] = [partOf(file), partOf(to)];
  if (part === undefined) return null;
  if (other === undefined) return `src must not import ${to}`;
  if (part === other || other === 'platform') return null;
  const allowed = MAY_IMPORT[part];
  if (allowed === undefined) return `src/${part} is not in the table of test/source-rules.ts`;
  if (allowed.includes(other)) return null;
  if (typeOnly && TYPES_ONLY[part]?.includes(other)) return null;
  return `src/${part} must not import src/${other} (${to})`;
}

/** All breaches of the import rules, cycles included, as `file:line: what`. */
export function importBreaches(sources: readonly Source[]): string[] {
  const breaches: string[] = [];
  const graph = new Map<string, string[]>();
  for (const source of sources) {
    const imports = importsOf(parse(source));
    for (const item of imports) {
      const breach = checkImport(source.file, item);
      if (breach !== null) breaches.push(`${source.file}:${item.line}: ${breach}`);
    }
    const relative = imports.filter((item) => item.specifier.startsWith('.'));
    graph.set(
      source.file,
      relative.map((item) => path.posix.join(path.posix.dirname(source.file), item.specifier)),
    );
  }
  return [...breaches, ...cycles(graph)];
}

function cycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    const at = trail.indexOf(file);
    if (at !== -1) {
      found.push(`${[...trail.slice(at), file].join(' -> ')}: a cycle`);
      return;
    }
    if (done.has(file)) return;
    for (const to of graph.get(file) ?? []) visit(to, [...trail, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}

// ---- What core folders do without ------------------------------------------------------------------------

/** The language itself, as every engine of the project has it. Everything else that is global is banned. */
const LANGUAGE = new Set([
  ...['undefined', 'NaN', 'Infinity', 'Object', 'Array', 'String', 'Number', 'Boolean', 'Math', 'JSON'],
  ...['Error', 'TypeError', 'RangeError', 'parseInt', 'ArrayBuffer', 'DataView', 'Uint8Array', 'Uint16Array'],
  ...['Uint32Array', 'Int8Array', 'Int16Array', 'Int32Array', 'Float64Array', 'arguments'],
]);

/** Collections: the smallest engines lack them, and what runs there (see CORE) must not need them. */
const COLLECTIONS = new Set(['Map', 'Set']);
const MAY_COLLECT = /^src\/(link|mesh)\//;

const MUTATORS = new Set([
  ...['push', 'pop', 'shift', 'unshift', 'splice', 'sort', 'reverse', 'fill', 'set', 'copyWithin', 'add'],
  ...['delete', 'clear'],
]);

/** All breaches of the bans in one core file, as `file:line: what`. */
export function coreBreaches(source: Source): string[] {
  const { tree, checker } = bind(source);
  const breaches: string[] = [];
  const report = (node: ts.Node, what: string): void => {
    breaches.push(`${source.file}:${lineOf(tree, node)}: ${what}`);
  };
  for (const item of importsOf(tree)) {
    if (!item.specifier.startsWith('.'))
      breaches.push(`${source.file}:${item.line}: imports "${item.specifier}"`);
  }
  for (const statement of tree.statements) checkModuleLevel(statement, tree, report);

  const visit = (node: ts.Node): void => {
    if (ts.isBigIntLiteral(node) || node.kind === ts.SyntaxKind.BigIntKeyword) report(node, 'BigInt');
    if (node.kind === ts.SyntaxKind.AsyncKeyword || ts.isAwaitExpression(node))
      report(node, 'Promise (async)');
    if (node.kind === ts.SyntaxKind.ImportKeyword && ts.isCallExpression(node.parent))
      report(node, 'import()');
    if (ts.isMetaProperty(node)) report(node, 'import.meta or new.target');
    if (ts.isTypeReferenceNode(node) && /^(Promise|Date)$/.test(node.typeName.getText(tree))) {
      report(node, `global ${node.typeName.getText(tree)}`);
    }
    if (ts.isIdentifier(node) && isReference(node) && isGlobal(node, checker)) {
      const fine = LANGUAGE.has(node.text) || (COLLECTIONS.has(node.text) && MAY_COLLECT.test(source.file));
      if (!fine) report(node, `global ${node.text}`);
    }
    checkWrite(node, checker, tree, report);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return breaches;
}

/** A program of one file without libraries: what a name does not resolve to in it is global or imported. */
function bind(source: Source): { tree: ts.SourceFile; checker: ts.TypeChecker } {
  const tree = parse(source);
  const host: ts.CompilerHost = {
    getSourceFile: (name) => (name === source.file ? tree : undefined),
    getDefaultLibFileName: () => 'lib.d.ts',
    writeFile: () => undefined,
    getCurrentDirectory: () => '',
    getCanonicalFileName: (name) => name,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => '\n',
    fileExists: (name) => name === source.file,
    readFile: () => undefined,
  };
  const options = { noLib: true, noResolve: true, types: [], target: ts.ScriptTarget.ES2022 };
  return { tree, checker: ts.createProgram([source.file], options, host).getTypeChecker() };
}

/** True if an identifier stands for a value, and is not a property's, a type's or a declaration's name. */
function isReference(node: ts.Identifier): boolean {
  const parent = node.parent;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  if (ts.isExpressionWithTypeArguments(parent)) {
    return ts.isHeritageClause(parent.parent) && parent.parent.token === ts.SyntaxKind.ExtendsKeyword;
  }
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent) || ts.isVariableDeclaration(parent) || ts.isParameter(parent)) {
    return parent.initializer === node;
  }
  if (ts.isBindingElement(parent)) return parent.initializer === node;
  return ts.isExpression(parent) || isStatementExpression(parent) || ts.isComputedPropertyName(parent);
}

function isStatementExpression(parent: ts.Node): boolean {
  return (
    ts.isExpressionStatement(parent) ||
    ts.isReturnStatement(parent) ||
    ts.isIfStatement(parent) ||
    ts.isIterationStatement(parent, false) ||
    ts.isSwitchStatement(parent) ||
    ts.isCaseClause(parent) ||
    ts.isThrowStatement(parent) ||
    ts.isTemplateSpan(parent) ||
    ts.isExportAssignment(parent) ||
    ts.isPropertyDeclaration(parent)
  );
}

function symbolOf(node: ts.Identifier, checker: ts.TypeChecker): ts.Symbol | undefined {
  return ts.isShorthandPropertyAssignment(node.parent)
    ? checker.getShorthandAssignmentValueSymbol(node.parent)
    : checker.getSymbolAtLocation(node);
}

function isGlobal(node: ts.Identifier, checker: ts.TypeChecker): boolean {
  return (symbolOf(node, checker)?.declarations ?? []).length === 0;
}

type ReportNode = (node: ts.Node, what: string) => void;

/** Mutable state at module level, and code that runs at import. */
function checkModuleLevel(statement: ts.Statement, tree: ts.SourceFile, report: ReportNode): void {
  if (ts.isVariableStatement(statement)) {
    if ((statement.declarationList.flags & ts.NodeFlags.Const) === 0) {
      report(statement, 'module-level state: let or var');
      return;
    }
    for (const declaration of statement.declarationList.declarations) {
      if (declaration.initializer) checkConstant(declaration.initializer, tree, report);
    }
  } else if (ts.isClassDeclaration(statement)) {
    for (const member of statement.members) {
      const isStatic = ts.canHaveModifiers(member)
        ? (ts.getModifiers(member) ?? []).some((m) => m.kind === ts.SyntaxKind.StaticKeyword)
        : false;
      if (isStatic && ts.isPropertyDeclaration(member)) report(member, 'module-level state: static field');
      if (ts.isClassStaticBlockDeclaration(member)) report(member, 'code that runs at import');
    }
  } else if (
    !ts.isImportDeclaration(statement) &&
    !ts.isExportDeclaration(statement) &&
    !ts.isFunctionDeclaration(statement) &&
    !ts.isInterfaceDeclaration(statement) &&
    !ts.isTypeAliasDeclaration(statement) &&
    !ts.isEmptyStatement(statement)
  ) {
    report(statement, 'code that runs at import');
  }
}

/** A module-level constant: literals, functions, tables of these, and marked calls that build a table. */
function checkConstant(value: ts.Expression, tree: ts.SourceFile, report: ReportNode): void {
  if (ts.isAsExpression(value) || ts.isSatisfiesExpression(value) || ts.isParenthesizedExpression(value)) {
    checkConstant(value.expression, tree, report);
  } else if (ts.isArrayLiteralExpression(value)) {
    if (value.elements.length === 0) report(value, 'module-level state: an empty array');
    for (const element of value.elements) checkConstant(element, tree, report);
  } else if (ts.isObjectLiteralExpression(value)) {
    if (value.properties.length === 0) report(value, 'module-level state: an empty object');
    for (const property of value.properties) {
      if (ts.isPropertyAssignment(property)) checkConstant(property.initializer, tree, report);
    }
  } else if (ts.isSpreadElement(value)) {
    checkConstant(value.expression, tree, report);
  } else if (ts.isConditionalExpression(value)) {
    checkConstant(value.whenTrue, tree, report);
    checkConstant(value.whenFalse, tree, report);
  } else if (ts.isNewExpression(value)) {
    const table = value.arguments?.[0];
    const isTable = table !== undefined && ts.isArrayLiteralExpression(table) && table.elements.length > 0;
    if (!/^\w+Array$/.test(value.expression.getText(tree)) || !isTable) {
      report(value, 'module-level state: a new object');
    }
  } else if (ts.isCallExpression(value)) {
    if (value.expression.getText(tree) === 'Object.freeze' && value.arguments[0]) {
      if (!isEmptyLiteral(value.arguments[0])) checkConstant(value.arguments[0], tree, report);
    } else if (!isMarkedPure(value, tree)) {
      report(value, 'a call at module level that is not marked /* @__PURE__ */');
    }
  }
}

function isEmptyLiteral(value: ts.Expression): boolean {
  if (ts.isArrayLiteralExpression(value)) return value.elements.length === 0;
  return ts.isObjectLiteralExpression(value) && value.properties.length === 0;
}

function isMarkedPure(call: ts.CallExpression, tree: ts.SourceFile): boolean {
  return /[@#]__PURE__/.test(tree.text.slice(call.getFullStart(), call.getStart(tree)));
}

/** Writing to a module-level constant: assignment to a part of it, or a mutating method. */
function checkWrite(node: ts.Node, checker: ts.TypeChecker, tree: ts.SourceFile, report: ReportNode): void {
  let target: ts.Expression | undefined;
  if (ts.isBinaryExpression(node) && isAssignment(node.operatorToken.kind)) target = node.left;
  else if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) {
    if (node.operator === ts.SyntaxKind.PlusPlusToken || node.operator === ts.SyntaxKind.MinusMinusToken) {
      target = node.operand;
    }
  } else if (ts.isDeleteExpression(node)) target = node.expression;
  else if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
    if (MUTATORS.has(node.expression.name.text)) target = node.expression.expression;
  }
  const root = target === undefined ? undefined : rootOf(target);
  if (root === undefined) return;
  const declaration = symbolOf(root, checker)?.declarations?.[0];
  const list = declaration && ts.isVariableDeclaration(declaration) ? declaration.parent : undefined;
  if (list?.parent.parent === tree) report(node, `module-level state: ${root.text} is written`);
}

function isAssignment(kind: ts.SyntaxKind): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}

/** The identifier at the left end of `a.b[c]!`. */
function rootOf(value: ts.Expression): ts.Identifier | undefined {
  let at = value;
  while (
    ts.isPropertyAccessExpression(at) ||
    ts.isElementAccessExpression(at) ||
    ts.isNonNullExpression(at) ||
    ts.isParenthesizedExpression(at) ||
    ts.isAsExpression(at)
  ) {
    at = at.expression;
  }
  return ts.isIdentifier(at) ? at : undefined;
}
