// Short names for members, the shortest for those that a script says most often: terser takes them in the order it meets them.

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ$_';

/** Names of members in a syntax tree (ESTree), with how often they are there. */
function members(tree) {
  const found = new Map();
  const count = (node, computed) => {
    if (!computed && node.type === 'Identifier') found.set(node.name, (found.get(node.name) ?? 0) + 1);
  };
  const visit = (node) => {
    if (node === null || typeof node !== 'object') return;
    if (node.type === 'MemberExpression') count(node.property, node.computed);
    else if (/^(Property|MethodDefinition|PropertyDefinition)$/.test(node.type))
      count(node.key, node.computed);
    for (const child of Object.values(node)) visit(child);
  };
  visit(tree);
  return found;
}

function* candidates() {
  yield* LETTERS;
  for (const first of LETTERS) for (const second of LETTERS) yield first + second;
}

/** What each of `names` becomes in a script: nothing that the script calls a member by already. */
export function shortNames(tree, names) {
  const uses = members(tree);
  const own = new Set(names);
  const free = candidates();
  const next = () => {
    for (;;) {
      const { value } = free.next();
      if (own.has(value) || !uses.has(value)) return value;
    }
  };
  return new Map(
    names
      .filter((name) => uses.has(name))
      .sort((a, b) => uses.get(b) - uses.get(a) || (a < b ? -1 : 1))
      .map((name) => [name, next()]),
  );
}
