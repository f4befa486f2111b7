// The bundle of the profile esp32 over stand-ins of Moddable's modules, on Node and on XS: the same lines.
import { generateServerKey, signServerCertificate } from '../../src/cert/issue.ts';
import { encodeKey } from '../../src/cert/key-file.ts';
import { toHex } from '../../src/bytes.ts';
import { bundleScript } from '../engines/bundle.ts';
import { newChain } from '../session/pair.ts';
import { asFunction } from './moddable/bundle.ts';
import { playScenarios } from './moddable/play.ts';
import { names } from './moddable/scenarios.ts';

const chain = newChain(2, 'moddable');
const fixture = JSON.stringify({
  root: toHex(chain.root.bytes),
  server: toHex(chain.server.bytes),
  key: toHex(encodeKey(chain.key)),
  now: chain.now,
  renewed: [100, 300].map((days) => {
    const key = generateServerKey(
      chain.crypto,
      'gateway.qrc',
      days,
      chain.now - 100,
      chain.random(`${days}`),
    );
    const server = signServerCertificate(chain.crypto, chain.root, chain.rootKey, key, new Uint8Array(32));
    return { server: toHex(server.bytes), key: toHex(encodeKey(key)) };
  }),
});

async function script(code: string): Promise<string> {
  const scenarios = await bundleScript('test/targets/moddable/scenarios.ts', { name: 'scenarios' });
  return `${scenarios}\nglobalThis.load = ${asFunction(code)};
    globalThis.play = (name) => scenarios.play(name, { load }, ${fixture});`;
}

const expected: Record<string, string> = {
  life: `
report: clock synced
writable 5085
server: full handshake
readable 5: first
server: peer_closed
clock off by 0 s
writable 5085
server: resumed
readable 6: second
server: peer_closed
report: clock synced
writable 5085
server: resumed
readable 14: after a reboot
server: peer_closed
sockets open: 0, got first, second, after a reboot
qstp.a/qstp.boot qstp.a/qstp.clock qstp.a/qt.9ee64db90a7e`,
  keepalive: `
report: clock synced
server: full handshake
idle for 100 s: 225 bytes, 1 peer, true
device: keepalive_expired
after 22 s
server: disconnected
sockets open: 0`,
  entropy: `
device: entropy_missing
report: clock synced
writable 5085
server: full handshake
readable 1: x
server: peer_closed
report: clock synced
writable 5085
server: full handshake
readable 1: x
server: peer_closed
device: boot_counter
report: clock synced
writable 5085
server: resumed
readable 1: x
server: peer_closed
device: entropy_failed`,
  contract: `
number 7 undefined not_connected
RangeError
device: writable 5085
server: full handshake
-- one record of several writes; all kinds of buffers
true
A|bcdefgh
would_block
-- reading in parts
A undefined
98 99
RangeError
de
1 2
f gh undefined
-- as much as is writable, and all of it arrives
true true true
-- a reader that waits holds the peer back
60 true
-- two at once, a third has no slot; closing frees it
second: writable 5085
server: resumed
third: no_slot
server refuses: disconnected
not_connected
server: peer_closed
fourth: writable 5085
server: resumed
server: peer_closed
server: peer_closed
sockets open: 0, peers: 0
-- the end comes after what was sent before it
server: resumed
server: closed
before reading: ""
bye
after: "E"
-- closing in a callback
server: resumed
server: peer_closed
server: resumed
server: peer_closed
invalid_input
sockets open: 0, peers: 0`,
  hostile: `
nobody there: connect_failed
silence: handshake_timeout
hangs up: disconnected
noise: length
a length without end: length
packet 0 changed: response_signature
packet 0 cut: disconnected
packet 1 changed: authentication
packet 1 cut: disconnected
packet 2 changed: writable, authentication
packet 2 cut: writable, disconnected
writable 5085
server: full handshake
readable 11: all is well
server: peer_closed
server: resumed
refusals: writable
server: peer_closed
forged 2, sockets open: 0`,
  follow: `
report: clock synced
server: full handshake
read: before
server: peer_closed
report: clock synced
server: full handshake
report: a successor was taken
read: both are there
server: peer_closed
server refuses: key_expired
report: clock synced
report: trust: another certificate of the server is in use
server: full handshake
read: after the first has ended
server: peer_closed`,
  link: `
link: waiting
report: clock synced
link: connected
server: full handshake
link: got a reading
link: waiting (disconnected)
server: disconnected
link: connected
server: resumed
link: stopped (closed)
link: waiting
report: clock synced
link: connected
server: full handshake
report: a successor was taken
1 taken, 8639900 s left
1 full, ends in 25919900 s
link: stopped (closed)`,
  storage: `
27 writes, then 1, left: 0
54 cuts, 0 wrong
qstp.a2/a 1208 bytes, rotten: not there
qstp.a1/a 3900 bytes, rotten: not there
qstp.a/a 3900 bytes, rotten: not there
9000
storage_key
storage_key
storage_key
storage_key
storage_full`,
};

playScenarios('esp32', { names, expected, frozen: ['life', 'entropy'], script });
