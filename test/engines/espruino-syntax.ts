// What Espruino lacks and the engine that stands in for it in the tests, Duktape, takes: found in the syntax tree
// of a built bundle. The list is what was tried on Espruino 2v29, a probe of each feature: the language's features that
// failed there. Not here is what no tool sees: `E.hwRand`, numbers over 2^53, loops whose closures share a variable.

import ts from 'typescript';

const GLOBALS =
  /^(Map|Set|WeakMap|WeakSet|Symbol|Proxy|Reflect|BigInt|BigInt64Array|BigUint64Array|TextEncoder|TextDecoder|structuredClone|queueMicrotask|performance|crypto)$/;

/** Of these objects, the members that are not there. */
const MEMBERS: Readonly<Record<string, RegExp>> = {
  Math: /^(imul|clz32|trunc|fround)$/,
  Object: /^(freeze|isFrozen|seal|preventExtensions)$/,
  Number: /^(isInteger|isSafeInteger|MAX_SAFE_INTEGER|MIN_SAFE_INTEGER)$/,
  Array: /^(from|of)$/,
  ArrayBuffer: /^isView$/,
};

/** Methods that no object there has, or that are not what they are elsewhere. */
const METHODS = /^(finally|flat|flatMap|copyWithin|entries|BYTES_PER_ELEMENT)$/;

const TYPED = /^(Uint8|Int8|Uint16|Int16|Uint32|Int32|Float32|Float64|Uint8Clamped)Array$/;

const SYNTAX = new Map<ts.SyntaxKind, string>([
  [ts.SyntaxKind.SpreadElement, 'spread'],
  [ts.SyntaxKind.SpreadAssignment, 'spread'],
  [ts.SyntaxKind.ObjectBindingPattern, 'destructuring'],
  [ts.SyntaxKind.ArrayBindingPattern, 'destructuring'],
  [ts.SyntaxKind.ComputedPropertyName, 'a computed key'],
  [ts.SyntaxKind.YieldExpression, 'a generator'],
  [ts.SyntaxKind.AwaitExpression, 'async'],
  [ts.SyntaxKind.AsyncKeyword, 'async'],
  [ts.SyntaxKind.LabeledStatement, 'a label'],
  [ts.SyntaxKind.PrivateIdentifier, 'a private member'],
  [ts.SyntaxKind.BigIntLiteral, 'a BigInt'],
  [ts.SyntaxKind.ImportDeclaration, 'import'],
  [ts.SyntaxKind.ExportDeclaration, 'export'],
  [ts.SyntaxKind.ExportAssignment, 'export'],
  [ts.SyntaxKind.ExportKeyword, 'export'],
  [ts.SyntaxKind.MetaProperty, 'new.target'],
  [ts.SyntaxKind.AsteriskAsteriskToken, '**'],
  [ts.SyntaxKind.AsteriskAsteriskEqualsToken, '**'],
  [ts.SyntaxKind.BarBarEqualsToken, '||='],
  [ts.SyntaxKind.AmpersandAmpersandEqualsToken, '&&='],
  [ts.SyntaxKind.QuestionQuestionEqualsToken, '??='],
  [ts.SyntaxKind.QuestionDotToken, '?.'],
]);

/** True for a name that stands for a value, rather than being declared, or a property's. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  if (ts.isVariableDeclaration(parent) || ts.isParameter(parent)) return parent.initializer === node;
  if (ts.isFunctionLike(parent) || ts.isClassLike(parent)) return parent.name !== node;
  if (ts.isMethodDeclaration(parent) || ts.isAccessor(parent)) return false;
  if (ts.isBreakOrContinueStatement(parent) || ts.isLabeledStatement(parent)) return false;
  return !ts.isTypeOfExpression(parent);
}

interface Scope {
  /** Where each name of the scope is declared first. */
  readonly declared: Map<string, number>;
  readonly uses: { readonly name: string; readonly at: number; readonly node: ts.Node }[];
}

/** What is declared in, and used directly by, a function or the script, nested functions left out. */
function scopeOf(body: ts.Node, parameters: readonly ts.ParameterDeclaration[]): Scope {
  const declared = new Map<string, number>();
  const uses: { name: string; at: number; node: ts.Node }[] = [];
  const declare = (name: string, at: number): void => {
    if (!declared.has(name)) declared.set(name, at);
  };
  for (const { name } of parameters) if (ts.isIdentifier(name)) declare(name.text, -1);
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) || ts.isClassLike(node)) {
      if ((ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node)) && node.name !== undefined) {
        declare(node.name.text, node.getStart());
      }
      return;
    }
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name)) {
      // A variable is there once its declaration was reached, its value after it.
      if (node.initializer !== undefined) visit(node.initializer);
      declare(node.name.text, node.getStart());
      return;
    }
    if (ts.isIdentifier(node) && isReference(node)) uses.push({ name: node.text, at: node.getStart(), node });
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(body, visit);
  return { declared, uses };
}

/** What `code`, a built bundle, would fail over on Espruino, as `line:column: what`. */
export function espruinoBreaches(code: string): string[] {
  const tree = ts.createSourceFile('bundle.js', code, ts.ScriptTarget.ES2022, true, ts.ScriptKind.JS);
  const breaches: string[] = [];
  const report = (node: ts.Node, what: string): void => {
    const { line, character } = tree.getLineAndCharacterOfPosition(node.getStart(tree));
    breaches.push(`${line + 1}:${character + 1}: ${what}`);
  };
  /** Names the bundle declares somewhere: they are no globals. */
  const own = new Set<string>();
  const checkScope = (body: ts.Node, parameters: readonly ts.ParameterDeclaration[]): void => {
    const { declared, uses } = scopeOf(body, parameters);
    for (const { name, at, node } of uses) {
      if (at < (declared.get(name) ?? -1)) report(node, `${name} is used before its definition`);
    }
  };
  const visit = (node: ts.Node): void => {
    const what = SYNTAX.get(node.kind);
    if (what !== undefined) report(node, what);
    if (ts.isParameter(node)) {
      if (node.initializer !== undefined) report(node, 'a default parameter');
      if (node.dotDotDotToken !== undefined) report(node, 'a rest parameter');
    }
    if (ts.isFunctionLike(node) && 'asteriskToken' in node && node.asteriskToken !== undefined) {
      report(node, 'a generator');
    }
    if (ts.isHeritageClause(node) && TYPED.test(node.types[0]!.expression.getText(tree))) {
      report(node, 'a class that extends a typed array');
    }
    if (ts.isIdentifier(node) && isReference(node) && GLOBALS.test(node.text) && !own.has(node.text)) {
      report(node, node.text);
    }
    if (ts.isPropertyAccessExpression(node)) {
      const object = node.expression.getText(tree);
      const name = node.name.text;
      const typed = TYPED.test(object) && /^(from|of)$/.test(name);
      if (typed || MEMBERS[object]?.test(name) === true) report(node, `${object}.${name}`);
      else if (METHODS.test(name)) report(node, `.${name}`);
      if (name === 'slice' && /\bbuffer$/.test(object)) report(node, 'ArrayBuffer.slice');
    }
    if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword) {
      const of = node.right.getText(tree);
      if (!TYPED.test(of) && of !== 'Array')
        report(node, `instanceof ${of}: false there for a subclass of Error`);
    }
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      checkScope(node.body, [...node.parameters]);
    }
    ts.forEachChild(node, visit);
  };
  const declare = (node: ts.Node): void => {
    const { name } = node as { name?: ts.Node };
    const declares = ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isFunctionDeclaration(node);
    if (declares && name !== undefined && ts.isIdentifier(name)) own.add(name.text);
    ts.forEachChild(node, declare);
  };
  declare(tree);
  checkScope(tree, []);
  ts.forEachChild(tree, visit);
  return breaches;
}

/**
 * Calls of `slice` on typed arrays in modules of a bundle: there the result is a plain array. Only types tell, so this
 * looks at the sources. `files` are the project's modules, `types` its compiler options.
 */
export function typedSlices(files: readonly string[], types: ts.CompilerOptions): string[] {
  const program = ts.createProgram([...files], { ...types, noEmit: true });
  const checker = program.getTypeChecker();
  const breaches: string[] = [];
  for (const file of files) {
    const tree = program.getSourceFile(file)!;
    const visit = (node: ts.Node): void => {
      if (ts.isPropertyAccessExpression(node) && node.name.text === 'slice') {
        const type = checker.getTypeAtLocation(node.expression).getNonNullableType();
        if (TYPED.test(type.symbol?.name ?? '')) {
          const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree));
          breaches.push(`${file}:${line + 1}: slice of a ${type.symbol.name}`);
        }
      }
      ts.forEachChild(node, visit);
    };
    visit(tree);
  }
  return breaches;
}
