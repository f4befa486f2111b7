// A device with the facade of Node or of Deno as an agent of the suite (protocol.ts): a process of that engine, the
// built bundle, and real TCP. Commands come as lines of JSON on stdin, events go out as such on stdout.
//
//   AGENT BUNDLE FOLDER       FOLDER: where track.js is, and the certificates as files

import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [bundle, trackScript] = process.argv.slice(2);
const deno = globalThis.Deno !== undefined;
const tell = (...event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
const numbers = (text) => (text.match(/../g) ?? []).map((byte) => parseInt(byte, 16));
const fromHex = (text) => new Uint8Array(numbers(text));

let boot;
let qstp;
let find;
let link;
let storage;

/** Values of the host, which is told of every change. */
function hostStorage(values) {
  const held = new Map(values.map(([key, value]) => [key, fromHex(value)]));
  return {
    get: (key) => held.get(key)?.slice() ?? null,
    set(key, value) {
      held.set(key, value.slice());
      tell('stored', key, hex(value));
    },
    remove(key) {
      held.delete(key);
      tell('stored', key, null);
    },
  };
}

/** Certificates and key by what the bundle reads them with. */
async function trusted() {
  const file = (name) => path.join(boot.folder, name);
  if (deno) {
    const { identity } = boot;
    return {
      root: qstp.decodeRootCertificate(fromHex(boot.root)),
      server: qstp.decodeServerCertificate(fromHex(boot.server)),
      endpoints: { hostname: boot.host, port: boot.port },
      ...(identity === null
        ? {}
        : {
            identity: {
              certificate: qstp.decodeClientCertificate(fromHex(identity.certificate)),
              signing: fromHex(identity.key),
            },
          }),
    };
  }
  return {
    root: qstp.readRootCertificate(file('root.qrr')),
    server: qstp.readServerCertificate(file('server.qrc')),
    endpoints: `${boot.host}:${boot.port}`,
    ...(boot.identity === null
      ? {}
      : {
          identity: {
            certificate: qstp.readClientCertificate(file('device.qcc')),
            signing: (await qstp.readClientKey(file('device.qsk'))).signingKey,
          },
        }),
  };
}

/** A ticket that is used again and again, as src/link/provisioned.ts makes one of a device's storage. */
function credential({ id, secret }) {
  const nonce = () => crypto.getRandomValues(new Uint8Array(32));
  return { id: fromHex(id), secret: fromHex(secret), expiry: 0, since: 0, resumptions: 0, nonce };
}

const COMMANDS = {
  async boot(options) {
    boot = options;
    storage = hostStorage(boot.values ?? []);
    if (boot.track) {
      find = new Function(`${readFileSync(trackScript, 'utf8')}\nreturn trackBuffers();`)();
    }
    qstp = await import(pathToFileURL(bundle).href);
    tell('ready');
  },
  async start() {
    const given = boot.credential === null ? {} : { credential: credential(boot.credential) };
    const options = {
      ...(await trusted()),
      ...given,
      storage,
      pollMs: boot.pollMs,
      missed: boot.missed,
      report: () => {},
    };
    link = qstp.openLink(options, {
      state(state, why) {
        if (state === 'connected') tell('up');
        else if (state === 'stopped') tell('stopped');
        else if (state === 'waiting' && why !== null) tell('down', why.reason);
      },
      message: (bytes) => tell('got', new TextDecoder('latin1').decode(bytes)),
    });
  },
  write: (text) => link.send(new TextEncoder().encode(text)),
  end: () => link.stop(),
  find: (digits) => tell('found', find(numbers(digits))),
};

createInterface({ input: process.stdin }).on('line', (line) => {
  const [name, ...rest] = JSON.parse(line);
  new Promise((done) => done(COMMANDS[name](...rest))).catch((error) =>
    tell('thrown', error.code ?? String(error)),
  );
});
