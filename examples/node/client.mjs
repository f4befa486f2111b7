// Sends a line and prints what comes back. Needs the two public files.
import { connectQstp, FILES, readRootCertificate, readServerCertificate } from 'qstp-edge/node';

try {
  const tunnel = await connectQstp({
    host: 'localhost',
    port: Number(process.env.PORT ?? 32119),
    root: readRootCertificate(FILES.rootCertificate),
    server: readServerCertificate(FILES.serverCertificate),
  });
  tunnel.write('hello, post-quantum world');
  tunnel.once('data', (bytes) => {
    console.log(`received: ${bytes}`);
    tunnel.end();
  });
  tunnel.on('error', (error) => console.error(`${error.code}: ${error.message}`));
} catch (error) {
  console.error(`${error.code}: ${error.message}`); // such as "response_signature: another server answered"
  process.exitCode = 1;
}
