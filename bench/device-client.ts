// What a device's client loads before it can open a connection: the figure `xs.load` is its evaluation.

export { microS3 } from '../src/crypto/micro.ts';
export { readCertificate } from '../src/cert/text.ts';
export { createClient } from '../src/session/client.ts';
export { createSession } from '../src/session/session.ts';
