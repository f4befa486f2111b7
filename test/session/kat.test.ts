import test from 'ava';
import { headerTime } from '../../src/wire/header.ts';
import { encodeError } from '../../src/wire/messages.ts';
import { RCS256_WORDS, rcsInit } from '../../src/crypto/micro/rcs.ts';
import { ErrorCode } from '../../src/error.ts';
import { kats } from '../kat.ts';
import { hex } from '../vectors.ts';
import { ratchetState } from '../../src/session/channel.ts';
import { clientOf, connect, deliver, katChain, serverOf } from './pair.ts';

function rcsState(keys: { key: string; nonce: string }): Int32Array {
  const state = new Int32Array(RCS256_WORDS);
  rcsInit(state, hex(keys.key), hex(keys.nonce), new Uint8Array(0));
  return state;
}

for (const { name, file } of kats()) {
  const open = () => {
    const chain = katChain(file);
    const [client, server] = [clientOf(chain), serverOf(chain)];
    const packets = connect(chain, client, server);
    return { chain, client, server, packets };
  };

  test(`${name}: S1 to S4 byte for byte, and the keys of both ends`, (t) => {
    const { client, server, packets } = open();
    t.deepEqual(
      packets,
      file.handshake.map((p) => hex(p.packet)),
    );
    t.is(client.state, 'established');
    t.is(server.state, 'established');
    for (const { side, dir, ...keys } of file.keys) {
      const session = side === 'client' ? client : server;
      t.deepEqual(session.slot[dir], rcsState(keys), `${side} ${dir}`);
    }
    t.deepEqual(ratchetState(client.slot), hex(file.rtcsClient));
    t.deepEqual(ratchetState(server.slot), hex(file.rtcsServer));
  });

  test(`${name}: records both ways; the close notice; the ratchet, as receiver`, (t) => {
    const { chain, client, server } = open();
    for (const { dir, plain, packet } of file.data) {
      const [from, to] = dir === 'c2s' ? [client, server] : [server, client];
      const time = headerTime(hex(packet));
      t.deepEqual(from.seal(hex(plain), time), hex(packet));
      t.deepEqual(deliver(to, hex(packet), chain.crypto, time), [hex(plain)]);
    }
    t.true(client.confirmed && server.confirmed);

    // The server that made the close notice never saw the ratchet.
    const other = open();
    for (const { dir, plain, packet } of file.data) {
      const [from, to] = dir === 'c2s' ? [other.client, other.server] : [other.server, other.client];
      from.seal(hex(plain), headerTime(hex(packet)));
      deliver(to, hex(packet), chain.crypto, headerTime(hex(packet)));
    }
    const notice = hex(file.closeNotice.packet);
    other.server.close({ reason: 'local', code: 0, detail: '', authenticated: false }, headerTime(notice));
    t.deepEqual(other.server.takeOutput(), notice);
    deliver(other.client, notice, chain.crypto, headerTime(notice));
    t.is(other.client.closed?.reason, 'peer_closed');
    t.true(other.client.closed?.authenticated);

    const ratchet = hex(file.ratchet.packet);
    t.deepEqual(deliver(server, ratchet, chain.crypto, file.time), []);
    t.is(server.state, 'established');
    t.deepEqual(server.slot.rx, rcsState(file.ratchet.client_tx));
    t.deepEqual(server.slot.tx, rcsState(file.ratchet.client_rx));
    t.deepEqual(ratchetState(server.slot), hex(file.ratchet.rtcsAfter));
  });

  test(`${name}: the error packet of a failed handshake`, (t) => {
    const packet = hex(file.kexErrorPacket_keyExpired);
    t.deepEqual(encodeError(ErrorCode.keyExpired, headerTime(packet)), packet);
    const { chain } = open();
    const client = clientOf(chain, { verified: 'chain' });
    client.start(chain.now);
    deliver(client, packet, chain.crypto, chain.now);
    t.is(client.closed?.reason, 'peer_error');
    t.is(client.closed?.code, ErrorCode.keyExpired);
    t.false(client.closed?.authenticated);
    t.is(client.state, 'closed');
  });
}
