// Base64 (RFC 4648 §4), standard alphabet with padding.

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export function encodeBase64(data: Uint8Array): string {
  let text = '';
  for (let i = 0; i < data.length; i += 3) {
    const left = data.length - i;
    const word = (data[i]! << 16) | (left > 1 ? data[i + 1]! << 8 : 0) | (left > 2 ? data[i + 2]! : 0);
    text += ALPHABET.charAt(word >> 18) + ALPHABET.charAt((word >> 12) & 63);
    text += left > 1 ? ALPHABET.charAt((word >> 6) & 63) : '=';
    text += left > 2 ? ALPHABET.charAt(word & 63) : '=';
  }
  return text;
}

/** The bytes of canonical base64, or null if the text is not that. */
export function decodeBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0) return null;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const out = new Uint8Array((text.length / 4) * 3 - padding);
  let word = 0;
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = i < text.length - padding ? ALPHABET.indexOf(text.charAt(i)) : 0;
    if (digit < 0) return null;
    word = (word << 6) | digit;
    if ((i & 3) === 3) {
      for (let shift = 16; shift >= 0; shift -= 8) {
        if (at < out.length) out[at++] = word >> shift;
        else if (((word >> shift) & 255) !== 0) return null;
      }
      word = 0;
    }
  }
  return out;
}
