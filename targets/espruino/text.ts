// Binary strings: what Espruino's sockets and files are made of. They end here: everything behind works on bytes.

export function fromBinary(text: string): Uint8Array {
  const b = new Uint8Array(text.length);
  for (let i = 0; i < b.length; i++) b[i] = text.charCodeAt(i);
  return b;
}

export function toBinary(b: Uint8Array, from: number, end: number): string {
  let text = '';
  while (from < end) text += String.fromCharCode(b[from++]!);
  return text;
}
