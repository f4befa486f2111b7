// Words that a script says again and again, said once: a member that is named often (`x.subarray`) is looked up by a variable
// (`x[s]`), and a global that is named often gets a short name; and functions come first. For engines that run source text, where bytes are memory.

import ts from 'typescript';

/** Of the variable that stands for a word, as far as is known before names are chosen. */
const NAME_BYTES = 1.5;

/** Bytes that are won if `count` times `each` becomes a name, at the price of its declaration: `,n="word"`. */
const gain = (count, each, declaration) => count * each - declaration - NAME_BYTES;

/** What may have a name of its own in `file`: members and globals with how often they are there. */
function wordsOf(file, globals) {
  const members = new Map();
  const names = new Map();
  const count = (map, word) => map.set(word, (map.get(word) ?? 0) + 1);
  const visit = (node) => {
    if (ts.isPropertyAccessExpression(node)) count(members, node.name.text);
    else if (ts.isIdentifier(node) && globals.has(node.text)) {
      const { parent } = node;
      const isName =
        (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
        (ts.isPropertyAssignment(parent) && parent.name === node);
      if (!isName) count(names, node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { members, names };
}

const isWorth = {
  member: ([word, n]) => gain(n, word.length + 1 - 2 - NAME_BYTES, word.length + 4) > 0,
  global: ([word, n]) => gain(n, word.length - NAME_BYTES, word.length + 2) > 0,
};

/** Functions first: Espruino hoists none. */
function functionsFirst(statements) {
  return [
    ...statements.filter(ts.isFunctionDeclaration),
    ...statements.filter((statement) => !ts.isFunctionDeclaration(statement)),
  ];
}

const shortening = (globals) => (context) => (file) => {
  const { factory } = context;
  const { members, names } = wordsOf(file, globals);
  const variable = (word) => `$${word}`;
  const chosenMembers = new Set([...members].filter(isWorth.member).map(([word]) => word));
  const chosenNames = new Set([...names].filter(isWorth.global).map(([word]) => word));
  // One that is a member and a global too has one variable for each use.
  const memberVariable = (word) => `${variable(word)}$`;
  const visit = (node) => {
    if (ts.isPropertyAccessExpression(node) && chosenMembers.has(node.name.text)) {
      return factory.createElementAccessExpression(
        ts.visitNode(node.expression, visit),
        factory.createIdentifier(memberVariable(node.name.text)),
      );
    }
    if (ts.isPropertyAccessExpression(node)) {
      return factory.updatePropertyAccessExpression(node, ts.visitNode(node.expression, visit), node.name);
    }
    if (ts.isPropertyAssignment(node)) {
      return factory.updatePropertyAssignment(node, node.name, ts.visitNode(node.initializer, visit));
    }
    if (ts.isIdentifier(node) && chosenNames.has(node.text))
      return factory.createIdentifier(variable(node.text));
    const seen = ts.visitEachChild(node, visit, context);
    return ts.isBlock(seen) ? factory.updateBlock(seen, functionsFirst(seen.statements)) : seen;
  };
  const declarations = [
    ...[...chosenMembers].map((word) => [memberVariable(word), factory.createStringLiteral(word)]),
    ...[...chosenNames].map((word) => [variable(word), factory.createIdentifier(word)]),
  ].map(([name, value]) => factory.createVariableDeclaration(name, undefined, undefined, value));
  const statements = functionsFirst(ts.visitEachChild(file, visit, context).statements);
  const first = factory.createVariableStatement(
    undefined,
    factory.createVariableDeclarationList(declarations),
  );
  return factory.updateSourceFile(file, declarations.length === 0 ? statements : [first, ...statements]);
};

/** A script in ES5 with what it says often shortened, and the source map. `globals`: those that nothing in it declares. */
export function shorten(code, globals) {
  const { outputText, sourceMapText } = ts.transpileModule(code, {
    fileName: 'script.js',
    transformers: { before: [shortening(new Set(globals))] },
    compilerOptions: {
      target: ts.ScriptTarget.ES2015,
      module: ts.ModuleKind.None,
      sourceMap: true,
      allowJs: true,
      alwaysStrict: false,
    },
  });
  return { code: outputText.replace(/\/\/# sourceMappingURL=.*\s*$/, ''), map: sourceMapText };
}
