// A link that stays up, for the echo server: it comes back after every cut, and resumes even after a restart.
import { FILES, fileStorage, openLink, readRootCertificate, readServerCertificate } from 'qstp-edge/node';

const POLL_MS = 5000;
const send = (text) => link.send(new TextEncoder().encode(text));

const link = openLink(
  {
    endpoints: `localhost:${process.env.PORT ?? 32119}`, // or several, the preferred one first
    root: readRootCertificate(FILES.rootCertificate),
    server: readServerCertificate(FILES.serverCertificate),
    storage: fileStorage('link-state'), // tickets: keep them as secret as a key
    pollMs: POLL_MS, // keep-alives align with what you send, and replace it when there is nothing
  },
  {
    state(state, why, waitMs) {
      if (state === 'waiting' && why !== null) console.log(`${why.detail}: next try in ${waitMs} ms`);
      if (state === 'connected') console.log(link.metrics.resumptions > 0 ? 'resumed' : 'connected');
      if (state === 'connected') send('here I am');
    },
    message: (bytes) => console.log(`received: ${new TextDecoder().decode(bytes)}`),
  },
);
const polling = setInterval(() => link.connected && send('poll'), POLL_MS);
process.once('SIGTERM', () => {
  clearInterval(polling);
  link.stop();
});
