// Parameters that get the same constant in every call of their function are no parameters of a bundle: this puts the constant
// in their place, and short numbers in that of constants of the script. Folded are parameters of functions at the top of a script that are called and not passed around, if each
// call has the same literal or the same constant of the script there, or leaves it to its default value.

import ts from 'typescript';

const isFunction = (node) => ts.isFunctionLike(node) || ts.isSourceFile(node);

/** Names declared in each function (and the script), blocks of it included: name -> the declaration, null for several. */
function scopesOf(file) {
  const scopes = new Map();
  const declare = (scope, name, node) => {
    const names = scopes.get(scope);
    names.set(name, names.has(name) ? null : node);
  };
  const bind = (scope, name, node) => {
    if (ts.isIdentifier(name)) declare(scope, name.text, node);
    else for (const element of name.elements) if (element.name) bind(scope, element.name, element);
  };
  const visit = (node, scope) => {
    let inner = scope;
    if (isFunction(node)) {
      inner = node;
      scopes.set(node, new Map());
      if (node.name && ts.isIdentifier(node.name) && (ts.isFunctionDeclaration(node) || ts.isClassLike(node)))
        declare(scope, node.name.text, node);
      if (ts.isFunctionExpression(node) && node.name) declare(node, node.name.text, node);
      for (const parameter of node.parameters ?? []) bind(node, parameter.name, parameter);
    } else if (ts.isVariableDeclaration(node)) bind(scope, node.name, node);
    else if (ts.isClassLike(node) && node.name) declare(scope, node.name.text, node);
    ts.forEachChild(node, (child) => visit(child, inner));
  };
  visit(file, file);
  return scopes;
}

/** The scope that declares what an identifier stands for; undefined: a global. */
function scopeOf(identifier, scopes) {
  for (let at = identifier.parent; at !== undefined; at = at.parent) {
    if (isFunction(at) && scopes.get(at).has(identifier.text)) return at;
  }
  return undefined;
}

/** True where an identifier stands for a value, not for the name of a property or of what is declared. */
function isUse(node) {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  if (ts.isVariableDeclaration(parent) || ts.isParameter(parent) || ts.isBindingElement(parent))
    return parent.initializer === node;
  return !(ts.isFunctionLike(parent) || ts.isClassLike(parent)) || parent.body === node;
}

function isIndex(node) {
  return ts.isElementAccessExpression(node.parent) && node.parent.argumentExpression === node;
}

function isWritten(node) {
  const { parent } = node;
  if (ts.isBinaryExpression(parent) && parent.left === node)
    return ts.isAssignmentOperator(parent.operatorToken.kind);
  return (
    (ts.isPrefixUnaryExpression(parent) || ts.isPostfixUnaryExpression(parent)) &&
    (parent.operator === ts.SyntaxKind.PlusPlusToken || parent.operator === ts.SyntaxKind.MinusMinusToken)
  );
}

const LITERALS = new Set([
  ts.SyntaxKind.NumericLiteral,
  ts.SyntaxKind.StringLiteral,
  ts.SyntaxKind.TrueKeyword,
  ts.SyntaxKind.FalseKeyword,
  ts.SyntaxKind.NullKeyword,
]);
const isLiteral = (node) =>
  LITERALS.has(node.kind) ||
  (ts.isPrefixUnaryExpression(node) &&
    node.operator === ts.SyntaxKind.MinusToken &&
    ts.isNumericLiteral(node.operand));

/** A number that takes no more than the short name of a variable, and is no value to look up. */
const SHORT = 3;

const VARIES = { text: null };
const DEFAULT = { text: 'its default' };

const isConst = (node) => ts.isVariableDeclaration(node) && (node.parent.flags & ts.NodeFlags.Const) !== 0;

/** `const NAME = 21` at the top of a script. */
function isShort(node, top) {
  const value = node.initializer;
  return top && isConst(node) && value && ts.isNumericLiteral(value) && value.text.length <= SHORT;
}

/** What a script says of its functions, parameters and short constants. */
function analyse(file) {
  const scopes = scopesOf(file);
  const top = scopes.get(file);
  /** Each function that may lose parameters, with its calls; each parameter and short constant with its uses. */
  const functions = new Map();
  const uses = new Map();
  for (const [name, node] of top) {
    if (node !== null && ts.isFunctionDeclaration(node) && !node.modifiers)
      functions.set(node, { name, calls: [] });
  }
  const drop = (node) => functions.delete(node);
  const visit = (node) => {
    if (ts.isIdentifier(node) && isUse(node)) {
      const scope = scopeOf(node, scopes);
      const declaration = scope === undefined ? undefined : scopes.get(scope).get(node.text);
      if (declaration && functions.has(declaration)) {
        const call = ts.isCallExpression(node.parent) && node.parent.expression === node ? node.parent : null;
        if (call === null || call.arguments.some(ts.isSpreadElement)) drop(declaration);
        else functions.get(declaration).calls.push(call);
      } else if (
        declaration &&
        (ts.isParameter(declaration) || isShort(declaration, scope === file)) &&
        !ts.isExportSpecifier(node.parent)
      ) {
        uses.set(declaration, [...(uses.get(declaration) ?? []), node]);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { scopes, top, functions, uses };
}

/** For each parameter that folds: the expression in its place, or DEFAULT. */
function foldable(file) {
  const { scopes, top, functions, uses } = analyse(file);
  const isOnce = (name) => [...scopes.values()].filter((names) => names.has(name)).length === 1;
  const values = new Map();
  for (const [node] of functions) {
    for (const parameter of node.parameters) {
      const plain = ts.isIdentifier(parameter.name) && !parameter.dotDotDotToken;
      const fixed = plain && scopes.get(node).get(parameter.name.text) === parameter;
      const written = (uses.get(parameter) ?? []).some(isWritten);
      values.set(parameter, fixed && !written ? undefined : VARIES);
    }
  }
  /** What an argument is: undefined while nothing is known. */
  const valueOf = (argument) => {
    if (argument === undefined) return DEFAULT;
    if (isLiteral(argument)) return argument;
    if (!ts.isIdentifier(argument)) return VARIES;
    const scope = scopeOf(argument, scopes);
    const declaration = scope === undefined ? null : scopes.get(scope).get(argument.text);
    if (declaration === null || declaration === undefined) return VARIES;
    if (values.has(declaration)) return values.get(declaration);
    const constant = scope === file && isConst(declaration) && isOnce(argument.text);
    return constant ? argument : VARIES;
  };
  const textOf = (value) => (value === DEFAULT ? DEFAULT.text : value.getText(file));
  for (let changed = true; changed;) {
    changed = false;
    for (const [node, { calls }] of functions) {
      node.parameters.forEach((parameter, i) => {
        let value = values.get(parameter);
        if (value === VARIES) return;
        for (const call of calls) {
          const given = valueOf(call.arguments[i]);
          if (given === undefined) continue;
          if (value === undefined) value = given;
          else if (given === VARIES || textOf(value) !== textOf(given)) value = VARIES;
          if (value === VARIES) break;
        }
        if (value !== values.get(parameter)) {
          values.set(parameter, value);
          changed = true;
        }
      });
    }
  }
  for (const [parameter, value] of values) {
    const bare = value === DEFAULT && parameter.initializer === undefined;
    if (value === undefined || value === VARIES || bare) values.delete(parameter);
  }
  return { values, functions, uses };
}

/** A transformer of TypeScript's. */
function folding(context) {
  const { factory } = context;
  return (file) => {
    const { values, functions, uses } = foldable(file);
    const replaced = new Map();
    for (const [parameter, value] of values) {
      if (value !== DEFAULT) for (const use of uses.get(parameter) ?? []) replaced.set(use, value);
    }
    for (const [declaration, list] of uses) {
      if (!ts.isParameter(declaration)) for (const use of list) replaced.set(use, declaration.initializer);
    }
    const calls = new Map();
    for (const [node, { calls: list }] of functions) for (const call of list) calls.set(call, node);
    const copyOf = (value) => {
      if (ts.isIdentifier(value)) return factory.createIdentifier(value.text);
      if (ts.isNumericLiteral(value)) return factory.createNumericLiteral(value.text);
      if (ts.isStringLiteral(value)) return factory.createStringLiteral(value.text);
      if (ts.isPrefixUnaryExpression(value)) {
        const literal = factory.createNumericLiteral(value.operand.text);
        return factory.createParenthesizedExpression(factory.createPrefixMinus(literal));
      }
      return factory.createToken(value.kind);
    };
    const isZero = (node) => replaced.get(node)?.text === '0';
    const visit = (node) => {
      if (replaced.has(node)) return copyOf(replaced.get(node));
      // What is added to an offset that is 0, where it can only be numbers.
      if (ts.isBinaryExpression(node)) {
        const { left, operatorToken, right } = node;
        const sum = operatorToken.kind === ts.SyntaxKind.PlusToken && isIndex(node);
        if (isZero(right) && (sum || operatorToken.kind === ts.SyntaxKind.MinusToken))
          return ts.visitNode(left, visit);
        if (isZero(left) && sum) return ts.visitNode(right, visit);
      }
      if (ts.isShorthandPropertyAssignment(node) && replaced.has(node.name)) {
        return factory.createPropertyAssignment(node.name.text, copyOf(replaced.get(node.name)));
      }
      if (calls.has(node)) {
        const kept = node.arguments.filter((_, i) => !values.has(calls.get(node).parameters[i]));
        return factory.updateCallExpression(
          node,
          node.expression,
          undefined,
          kept.map((argument) => ts.visitNode(argument, visit)),
        );
      }
      if (functions.has(node) && node.parameters.some((parameter) => values.has(parameter))) {
        const body = ts.visitNode(node.body, visit);
        const defaults = node.parameters
          .filter((parameter) => values.get(parameter) === DEFAULT)
          .map((parameter) =>
            factory.createVariableDeclaration(
              parameter.name,
              undefined,
              undefined,
              ts.visitNode(parameter.initializer, visit),
            ),
          );
        const list = factory.createVariableDeclarationList(defaults, ts.NodeFlags.Let);
        const first = defaults.length > 0 ? [factory.createVariableStatement(undefined, list)] : [];
        return factory.updateFunctionDeclaration(
          node,
          node.modifiers,
          node.asteriskToken,
          node.name,
          undefined,
          node.parameters
            .filter((parameter) => !values.has(parameter))
            .map((parameter) => ts.visitNode(parameter, visit)),
          undefined,
          factory.updateBlock(body, [...first, ...body.statements]),
        );
      }
      return ts.visitEachChild(node, visit, context);
    };
    return ts.visitNode(file, visit);
  };
}

/** A script with its constant parameters folded, and the source map. */
export function foldParameters(code) {
  const { outputText, sourceMapText } = ts.transpileModule(code, {
    fileName: 'script.js',
    transformers: { before: [folding] },
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      sourceMap: true,
      allowJs: true,
    },
  });
  return { code: outputText.replace(/\/\/# sourceMappingURL=.*\s*$/, ''), map: sourceMapText };
}
