// What a peer could seal that holds the keys and means ill, and the clients it could be.
import { CLIENT_CONTEXT } from '../../src/session/identity.ts';
import type { Session } from '../../src/session/session.ts';
import { sha3_256 } from '../../src/crypto/micro/sponge.ts';
import { ascii, concat } from '../../src/bytes.ts';
import { ControlType, EdgeFlag, Flag } from '../../src/params.ts';
import { encodeClientHello, encodeFragments, encodeServerHello } from '../../src/wire/edge.ts';
import { CLIENT_ROOT, fakeClient, fakeSign } from './fake.ts';
import type { FakeClient } from './fake.ts';

export interface Evil {
  what: string;
  flag: number;
  body: Uint8Array;
}

export const EVIL: Evil[] = [];
for (let type = 0; type <= 0x10; type++) {
  for (const length of [1, 53]) {
    const body = new Uint8Array(length).fill(1);
    body[0] = type;
    EVIL.push({ what: `control ${type} of ${length}`, flag: EdgeFlag.control, body });
  }
}
for (const type of [ControlType.freshness, ControlType.rekeyKey, ControlType.rekeyCiphertext]) {
  for (const length of [1, 32, 40]) {
    const body = encodeFragments(type, new Uint8Array(length).fill(2), 512)[0]!;
    EVIL.push({ what: `message ${type} of ${length}`, flag: EdgeFlag.control, body });
  }
  const half = encodeFragments(type, new Uint8Array(32).fill(2), 21)[0]!;
  EVIL.push({ what: `half of message ${type}`, flag: EdgeFlag.control, body: half });
}
const HASH = new Uint8Array(32);
const NONCE = new Uint8Array(16);
for (const maxRecord of [0, 5, 600]) {
  for (const features of [0x127, -1]) {
    const common = {
      features,
      maxRecord,
      deliveredLow: 0,
      deliveredHigh: 0,
      profileHash: HASH,
      nonce: NONCE,
    };
    const what = `hello, records of ${maxRecord}, features ${features}`;
    const client = encodeClientHello({ ...common, clockState: 2, missed: 3, poll: 0 });
    EVIL.push({ what: `a client's ${what}`, flag: EdgeFlag.control, body: client });
    for (const discovery of [1, 5]) {
      const server = { ...common, discovery, mustAuthenticate: false, serverTime: 0, maxIdle: 0 };
      const body = encodeServerHello(server);
      EVIL.push({ what: `a server's ${what}, echo ${discovery}`, flag: EdgeFlag.control, body });
    }
  }
}
const MORE: [string, number, number][] = [
  ['a message', Flag.encryptedMessage, 4],
  ['a keep-alive request', EdgeFlag.keepaliveRequest, 8],
  ['a keep-alive request of 7', EdgeFlag.keepaliveRequest, 7],
  ['a keep-alive response', EdgeFlag.keepaliveResponse, 12],
  ['a notice', Flag.errorCondition, 1],
  ['a ratchet', Flag.symmetricRatchetRequest, 32],
  ['a resume response', EdgeFlag.resumeResponse, 64],
  ['a terminate', Flag.connectionTerminate, 4],
];
for (const [what, flag, length] of MORE) EVIL.push({ what, flag, body: new Uint8Array(length).fill(0x61) });

export const CLIENT = fakeClient(41);
/** Of the same root, and its key is the attacker's; and one that the root did not sign. */
const OTHER_CLIENT = fakeClient(42);
const SELF_MADE = fakeClient(43, new Uint8Array(1312).fill(43));
export const CLIENTS: readonly FakeClient[] = [CLIENT, OTHER_CLIENT, SELF_MADE];

/** Messages of type 03 that must not get anybody in, as fragments. */
export const LIES: readonly [what: string, fragments: (server: Session) => Uint8Array[]][] = [
  ["another's certificate", (server) => cut(shown(server, CLIENT, OTHER_CLIENT.signing))],
  ['one that no root signed', (server) => cut(shown(server, SELF_MADE, SELF_MADE.signing))],
  ['what it showed in another connection', (server) => cut(shown(server, CLIENT, CLIENT.signing, HASH))],
  ['what it showed after another hello', (server) => cut(shown(server, CLIENT, CLIENT.signing, null, NONCE))],
  ['its certificate without a signature', () => cut(CLIENT.certificate.bytes)],
  ['a root', () => cut(concat([CLIENT_ROOT.bytes, new Uint8Array(2420)]))],
  ['the second half first', (server) => halves(server).reverse()],
  ['the first half twice', (server) => [halves(server)[0]!, ...halves(server)]],
  [
    'the first half, then another message',
    (server) => [halves(server)[0]!, Uint8Array.of(ControlType.keyUpdate)],
  ],
  [
    "halves of its own and of another's",
    (server) => [halves(server)[0]!, cut(shown(server, OTHER_CLIENT, OTHER_CLIENT.signing))[1]!],
  ],
  ['one byte too much', (server) => cut(concat([shown(server, CLIENT, CLIENT.signing), new Uint8Array(1)]))],
];

function cut(message: Uint8Array): Uint8Array[] {
  return encodeFragments(ControlType.clientIdentity, message, 4000);
}

function halves(server: Session): Uint8Array[] {
  return cut(shown(server, CLIENT, CLIENT.signing));
}

/** A certificate with a signature over this connection, or over another's T or nonce. */
function shown(
  { phase }: Session,
  { certificate }: FakeClient,
  key: Uint8Array,
  transcript: Uint8Array | null = null,
  nonce: Uint8Array | null = null,
): Uint8Array {
  const message = concat([
    transcript ?? phase?.keys.transcript ?? HASH,
    sha3_256(certificate.bytes),
    phase?.serverNonce ?? NONCE,
    nonce ?? phase?.identity?.clientNonce ?? NONCE,
  ]);
  return concat([certificate.bytes, fakeSign(key, message, ascii(CLIENT_CONTEXT))]);
}
