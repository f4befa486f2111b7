// Espruino knows no hoisting: `var x` makes x when it is executed. An assignment that comes before it, or past a branch that
// has it, is to the x of an outer function, or makes a global one. Minifiers rely on hoisting. This finds such uses in a
// script and declares their variables at the head of their functions.

import { parseAst } from 'rollup/parseAst';

const isFunction = (node) => /Function/.test(node.type);

/** Parts of a statement that may not be executed when it is. */
const CONDITIONAL = {
  IfStatement: ['consequent', 'alternate'],
  ForStatement: ['body', 'update'],
  ForInStatement: ['body'],
  ForOfStatement: ['body'],
  WhileStatement: ['body'],
  SwitchStatement: ['cases'],
  TryStatement: ['block', 'handler'],
  CatchClause: ['body'],
  LogicalExpression: ['right'],
  ConditionalExpression: ['consequent', 'alternate'],
};

/** `var a, b` that does no more: minifiers put it behind a return. */
const isBare = (node) =>
  node.type === 'VariableDeclaration' && node.declarations.every(({ init }) => init === null);

/** Functions of a script, the script itself among them: each with its variables' declarations and its own uses of names. */
function functionsOf(tree) {
  const all = [];
  const visit = (node, inside, context) => {
    if (node === null || typeof node !== 'object') return;
    if (Array.isArray(node)) {
      for (const item of node) visit(item, inside, context);
      return;
    }
    if (typeof node.type !== 'string') return;
    if (isFunction(node)) {
      const own = { node, declared: new Map(), used: [], bare: [] };
      all.push(own);
      for (const parameter of node.params) own.declared.set(parameter.name, [{ at: -1, context: node }]);
      if (node.id !== null && node.type === 'FunctionExpression')
        own.declared.set(node.id.name, [{ at: -1, context: node }]);
      visit(node.body, own, node);
      return;
    }
    if (node.type === 'VariableDeclarator') {
      const list = inside.declared.get(node.id.name) ?? [];
      list.push({ at: node.start, context });
      inside.declared.set(node.id.name, list);
      visit(node.init, inside, context);
      return;
    }
    if (node.type === 'Identifier') {
      inside.used.push({ name: node.name, at: node.start });
      return;
    }
    if (node.type === 'MemberExpression') {
      visit(node.object, inside, context);
      if (node.computed) visit(node.property, inside, context);
      return;
    }
    if (node.type === 'Property') {
      if (node.computed) visit(node.key, inside, context);
      visit(node.value, inside, context);
      return;
    }
    if (node.type === 'BlockStatement') inside.bare.push(...node.body.filter(isBare));
    const parts = CONDITIONAL[node.type] ?? [];
    for (const [key, child] of Object.entries(node)) {
      if (key === 'type' || child === null || typeof child !== 'object') continue;
      if (!parts.includes(key)) visit(child, inside, context);
      else if (Array.isArray(child)) for (const item of child) visit(item, inside, item);
      else visit(child, inside, child);
    }
  };
  const script = { node: tree, declared: new Map(), used: [], bare: [] };
  all.push(script);
  visit(tree.body, script, tree);
  return all;
}

/** For each function of a script that uses variables before they are made: the function, their names, and bare declarations. */
export function usedTooEarly(code) {
  const found = [];
  const functions = functionsOf(parseAst(code, { allowReturnOutsideFunction: true }));
  for (const { node, declared, used, bare } of functions) {
    const names = new Set();
    for (const { name, at } of used) {
      const list = declared.get(name);
      if (list === undefined) continue;
      const made = list.some((d) => d.at < at && d.context.start <= at && at < d.context.end);
      if (!made) names.add(name);
    }
    if (names.size > 0) found.push({ node, names: [...names].sort(), bare });
  }
  return found;
}

/** The script with these variables declared first, and not again. */
export function declareFirst(code) {
  const edits = [];
  for (const { node, names, bare } of usedTooEarly(code)) {
    const at = node.type === 'Program' ? 0 : node.body.start + 1;
    edits.push({ from: at, to: at, text: `var ${names.join(',')};` });
    for (const { start, end, declarations } of bare) {
      if (declarations.every(({ id }) => names.includes(id.name)))
        edits.push({ from: start, to: end, text: '' });
    }
  }
  let out = code;
  for (const { from, to, text } of edits.sort((a, b) => b.from - a.from)) {
    out = out.slice(0, from) + text + out.slice(to);
  }
  return out;
}
