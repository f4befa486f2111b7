// Sends a line and prints what comes back. Run beside the two public files:
// deno run --allow-read=. --allow-net=localhost:32119 client.ts
import { connectQstp, decodeRootCertificate, decodeServerCertificate } from './qstp.js';

await using tunnel = await connectQstp({
  hostname: 'localhost',
  port: 32119,
  root: decodeRootCertificate(await Deno.readFile('root_public_cert.qrr')),
  server: decodeServerCertificate(await Deno.readFile('server_public_cert.qrc')),
  signal: AbortSignal.timeout(30_000),
});
const writer = tunnel.writable.getWriter();
await writer.write(new TextEncoder().encode('hello from Deno'));
const { value } = await tunnel.readable.getReader().read();
console.log(`received: ${new TextDecoder().decode(value)}`);
