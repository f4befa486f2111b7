// UTF-8 (RFC 3629) for engines without an encoder of their own.

const REPLACEMENT = 0xfffd;

/** The code point at `i` of a string; a surrogate without its other half is U+FFFD. */
function pointAt(text: string, i: number): number {
  const c = text.charCodeAt(i);
  if (c < 0xd800 || c > 0xdfff) return c;
  const next = c < 0xdc00 && i + 1 < text.length ? text.charCodeAt(i + 1) : 0;
  if (next < 0xdc00 || next > 0xdfff) return REPLACEMENT;
  return 0x10000 + ((c - 0xd800) << 10) + (next - 0xdc00);
}

function widthOf(point: number): number {
  return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

/** Bytes of a string in UTF-8. */
export function utf8Bytes(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const point = pointAt(text, i);
    bytes += widthOf(point);
    if (point > 0xffff) i++;
  }
  return bytes;
}

/** Writes a string; returns where it ends. */
export function putUtf8(out: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) {
    const point = pointAt(text, i);
    const width = widthOf(point);
    if (width === 1) {
      out[at++] = point;
      continue;
    }
    if (point > 0xffff) i++;
    // The first byte says by its leading ones how many there are.
    out[at++] = ((0xf00 >> width) & 0xff) | (point >> (6 * (width - 1)));
    for (let k = width - 2; k >= 0; k--) out[at++] = 0x80 | ((point >> (6 * k)) & 0x3f);
  }
  return at;
}

/** The least code point that takes 2, 3 and 4 bytes: what is below was written too long. */
const LEAST = [0, 0, 0x80, 0x800, 0x10000];

/** The string in `b[at .. end)`; null if that is not UTF-8. */
export function getUtf8(b: Uint8Array, at: number, end: number): string | null {
  let text = '';
  while (at < end) {
    const first = b[at++]!;
    if (first < 0x80) {
      text += String.fromCharCode(first);
      continue;
    }
    const width = first >= 0xf8 ? 0 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0;
    if (width === 0 || at + width - 1 > end) return null;
    let point = first & (0x7f >> width);
    for (let k = 1; k < width; k++) {
      const next = b[at++]!;
      if ((next & 0xc0) !== 0x80) return null;
      point = (point << 6) | (next & 0x3f);
    }
    if (point < LEAST[width]! || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return null;
    if (point < 0x10000) text += String.fromCharCode(point);
    else text += String.fromCharCode(0xd7c0 + (point >> 10), 0xdc00 + (point & 0x3ff));
  }
  return text;
}
