// Answers every message. Its tickets are in Deno KV, so that clients resume after a restart, and with any of several
// servers that share certificate, ticket key and KV. Run beside the three files:
// deno run --unstable-kv --allow-read=. --allow-env=QSTP_TICKET_KEY --allow-net=0.0.0.0:32119 server.ts
import {
  decodeKey,
  decodeRootCertificate,
  decodeServerCertificate,
  denoProvider,
  kvTickets,
  listenQstp,
  serverIdentity,
} from './qstp.js';

const root = decodeRootCertificate(await Deno.readFile('root_public_cert.qrr'));
const certificate = decodeServerCertificate(await Deno.readFile('server_public_cert.qrc'));
const key = decodeKey(await Deno.readFile('server_secret_key.qsk'));
if (key.kind !== 'server') throw new Error(`server_secret_key.qsk is a ${key.kind} key`);
const identity = serverIdentity(denoProvider().suite(root.suite.id), root, certificate, key);

const hex = Deno.env.get('QSTP_TICKET_KEY') ?? '';
if (!/^[0-9a-f]{64}$/.test(hex))
  throw new Error('QSTP_TICKET_KEY: 64 hexadecimal digits, as of `openssl rand -hex 32`');
const ticketKey = Uint8Array.from(hex.match(/../g)!, (byte) => parseInt(byte, 16));

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) Deno.addSignalListener(signal, () => stop.abort());

const server = listenQstp(
  {
    identities: [identity],
    hostname: '0.0.0.0',
    port: 32119,
    tickets: kvTickets(await Deno.openKv(), ticketKey, { report: (line) => console.error(line) }),
    signal: stop.signal,
  },
  async (tunnel, { id, address }) => {
    const how = tunnel.connection.session.fullHandshake ? 'full handshake' : 'resumed by ticket';
    console.log(`client ${id}: connected from ${address}, ${how}`);
    const writer = tunnel.writable.getWriter();
    try {
      for await (const chunk of tunnel.readable) {
        await writer.write(new TextEncoder().encode(`${new TextDecoder().decode(chunk)}, says the gateway`));
      }
    } catch {
      // Said below.
    }
    console.log(`client ${id}: ${(await tunnel.closed).detail}`);
  },
);
console.log(`listening on port ${server.port}`);
stop.signal.addEventListener('abort', () => void server.quit().then(() => Deno.exit()));
