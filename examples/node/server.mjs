// An echo server. Needs the three files of `qstp root new`, `qstp server new`, `qstp root sign`.
import { FILES, listenQstp, loadIdentity } from 'qstp-edge/node';

const identity = await loadIdentity({
  root: FILES.rootCertificate,
  certificate: FILES.serverCertificate,
  key: FILES.serverKey,
});
const server = await listenQstp(
  { identities: [identity], port: Number(process.env.PORT ?? 32119) },
  (tunnel, peer) => {
    console.log(`client ${peer.id} connected`);
    tunnel.pipe(tunnel);
    tunnel.on('error', (error) => console.log(`client ${peer.id}: ${error.message}`));
    tunnel.on('close', () => console.log(`client ${peer.id}: ${tunnel.reason.detail}`));
  },
);
console.log(`listening on port ${server.port}`);
process.once('SIGTERM', () => server.quit());
