// Hexadecimal text on engines where the character at an index is found from the start of a string, and where every piece
// of text is garbage at once: in parts. Where the engine's host does it, no garbage is made: it would be collected in
// the little memory of a device.

const host = globalThis as {
  hexBytes?: (text: string) => ArrayBuffer;
  hexText?: (buffer: ArrayBufferLike, from: number, length: number) => string;
};

/** Digits of a part that is looked into, and of one that is cut off whole first. */
const FEW = 32;
const MANY = 1024;

const digit = (code: number): number => code - (code < 58 ? 48 : 87);
const code = (value: number): number => value + (value < 10 ? 48 : 87);

/** The bytes of lower-case digits. */
export function bytesOfHex(text: string): Uint8Array<ArrayBuffer> {
  if (host.hexBytes !== undefined) return new Uint8Array(host.hexBytes(text));
  const { length } = text;
  const out = new Uint8Array(length >> 1);
  let n = 0;
  for (let from = 0; from < length; from += MANY) {
    const many = text.slice(from, from + MANY);
    for (let at = 0; at < many.length; at += FEW) {
      const few = many.slice(at, at + FEW);
      for (let i = 0; i < few.length; i += 2)
        out[n++] = digit(few.charCodeAt(i)) * 16 + digit(few.charCodeAt(i + 1));
    }
  }
  return out;
}

/** Lower-case digits of bytes. */
export function hexOf(bytes: Uint8Array): string {
  if (host.hexText !== undefined) return host.hexText(bytes.buffer, bytes.byteOffset, bytes.length);
  let text = '';
  let part = '';
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    part += String.fromCharCode(code(byte >> 4), code(byte & 15));
    if (part.length < FEW && i + 1 < bytes.length) continue;
    text += part;
    part = '';
  }
  return text;
}
