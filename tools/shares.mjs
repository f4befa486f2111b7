// Which module each byte of a minified bundle came from, by its source map.

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The numbers of one segment of a source map's mappings (base64 VLQ). */
function decodeSegment(segment) {
  const numbers = [];
  let value = 0;
  let shift = 0;
  for (const character of segment) {
    const digit = BASE64.indexOf(character);
    value += (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    numbers.push(value & 1 ? -(value >>> 1) : value >>> 1);
    value = 0;
    shift = 0;
  }
  return numbers;
}

/** What no module stands for: what the bundler and the lowering add. */
const GLUE = '(bundle)';

/**
 * Bytes of `code` by source, most first: [{ module, bytes }]. A stretch belongs to the mapping it follows; their
 * sum is the code's length.
 */
export function shares(code, map) {
  const bytes = new Map();
  const lines = code.split('\n');
  let source = 0;
  map.mappings.split(';').forEach((line, at) => {
    let column = 0;
    let start = 0;
    let module = GLUE;
    // The end of a line is a byte too, but of the last one.
    const text = (lines[at] ?? '') + (at < lines.length - 1 ? '\n' : '');
    const add = (end) => {
      const count = Buffer.byteLength(text.slice(start, end));
      if (count > 0) bytes.set(module, (bytes.get(module) ?? 0) + count);
      start = end;
    };
    for (const segment of line === '' ? [] : line.split(',')) {
      const [columns, sources] = decodeSegment(segment);
      column += columns;
      add(column);
      if (sources === undefined) module = GLUE;
      else {
        source += sources;
        module = map.sources[source] ?? GLUE;
      }
    }
    add(text.length);
  });
  // Behind the last mapping: where the map is.
  const rest = Buffer.byteLength(code) - [...bytes.values()].reduce((sum, count) => sum + count, 0);
  if (rest > 0) bytes.set(GLUE, (bytes.get(GLUE) ?? 0) + rest);
  return [...bytes]
    .map(([module, count]) => ({ module, bytes: count }))
    .sort((a, b) => b.bytes - a.bytes || (a.module < b.module ? -1 : 1));
}
