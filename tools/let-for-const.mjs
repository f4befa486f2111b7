// Constants of functions declared as variables: `let` is two bytes shorter, and neighbours become one declaration. What the
// compiler has checked nobody assigns. Constants of the script stay: Moddable's preload keeps those in flash.

import { parseAst } from 'rollup/parseAst';

/** As long as `const`: every place in the code stays where it is. */
const LET = 'let  ';

/** Calls back with each node, and with how many functions are around it. */
function walk(node, depth, visit) {
  visit(node, depth);
  const inner = depth + (/Function/.test(node.type) ? 1 : 0);
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) {
      for (const child of value) if (child?.type) walk(child, inner, visit);
    } else if (value?.type) walk(value, inner, visit);
  }
}

/** A script, `let` for `const` inside its functions, every character else in its place. */
export function letForConst(code) {
  const at = [];
  walk(parseAst(code), 0, (node, depth) => {
    if (node.type === 'VariableDeclaration' && node.kind === 'const' && depth > 0) at.push(node.start);
  });
  let out = '';
  let from = 0;
  for (const start of at.sort((a, b) => a - b)) {
    out += code.slice(from, start) + LET;
    from = start + LET.length;
  }
  return out + code.slice(from);
}
