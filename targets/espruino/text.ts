// Binary strings: what Espruino's sockets and files are made of. They end here: everything behind works on bytes.

export { ascii as fromBinary } from '../../src/bytes.ts';

export function toBinary(b: Uint8Array): string {
  let text = '';
  for (let i = 0; i < b.length; i++) text += String.fromCharCode(b[i]!);
  return text;
}
