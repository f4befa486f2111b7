// TypeScript for bundles: what tsc writes of a module, without checking it (`npx tsc -p .` and the package's build do that), and
// the lowering of a bundle to ES5.

import { readFileSync } from 'node:fs';
import ts from 'typescript';

const MODULE = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  sourceMap: true,
};

/** What a module became, for the bundles of one process that hold it. */
const done = new Map();

const withoutComment = (text) => text.replace(/\/\/# sourceMappingURL=.*\s*$/, '');

/** A rollup plugin that reads TypeScript modules. */
export function transpile() {
  return {
    name: 'transpile',
    load(id) {
      if (!id.endsWith('.ts')) return null;
      const source = readFileSync(id, 'utf8');
      const before = done.get(id);
      if (before !== undefined && before.source === source) return before.result;
      const { outputText, sourceMapText } = ts.transpileModule(source, {
        fileName: id,
        compilerOptions: MODULE,
      });
      const map = JSON.parse(sourceMapText);
      const result = { code: withoutComment(outputText), map: { ...map, sources: [id] } };
      done.set(id, { source, result });
      return result;
    },
  };
}

/** The body of a lowered class that extends another: `__extends(C, _super); function C() {...} ...`. */
function isDerived(node) {
  if (!ts.isBlock(node) || node.statements.length < 2) return false;
  const [first, second] = node.statements;
  if (!ts.isExpressionStatement(first) || !ts.isCallExpression(first.expression)) return false;
  return ts.isFunctionDeclaration(second) && first.expression.expression.text === '__extends';
}

/** Puts a class before what extends it: Espruino hoists no function. */
const definedFirst = (context) => (file) => {
  const visit = (node) => {
    const seen = ts.visitEachChild(node, visit, context);
    if (!isDerived(seen)) return seen;
    const [first, second, ...rest] = seen.statements;
    return context.factory.updateBlock(seen, [second, first, ...rest]);
  };
  return ts.visitNode(file, visit);
};

/**
 * A rollup plugin that lowers each chunk to ES5, for engines that know no more: Duktape, and Espruino, which lacks
 * half of ES2015.
 */
export function lower() {
  return {
    name: 'lower',
    renderChunk(code, chunk) {
      const { outputText, sourceMapText } = ts.transpileModule(code, {
        fileName: chunk.fileName,
        transformers: { after: [definedFirst] },
        compilerOptions: {
          target: ts.ScriptTarget.ES5,
          module: ts.ModuleKind.None,
          sourceMap: true,
          // ES5 as a target is deprecated in TypeScript 6.
          ignoreDeprecations: '6.0',
        },
      });
      return { code: withoutComment(outputText), map: sourceMapText };
    },
  };
}
