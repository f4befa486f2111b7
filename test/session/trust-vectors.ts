// Known-answer transcript of X6 to X8: a connection of AES-256-GCM records with a client's identity, what it holds
// answered by root, successor and list, and a revocation with its answer. tools/gen-edge-vectors.mjs writes it;
// trust-vectors.test.ts reads it independently.
import { toHex } from '../../src/bytes.ts';
import { encodeRevocation } from '../../src/cert/revocation.ts';
import { encodeSuccession } from '../../src/cert/succession.ts';
import { ControlType } from '../../src/params.ts';
import { slotSecrets } from '../../src/pool/slot.ts';
import { sendRevocation } from '../../src/session/trust.ts';
import { listOf, newWorld } from '../cert/trust.ts';
import { chainOwner, clientEdge, exchange, serverEdge, Tickets } from './edge-pair.ts';
import { clientOf, newChain, serverOf, split } from './pair.ts';

export const TRUST_TRANSCRIPT = 'test/vectors/edge/identity.json';
const LABEL = 'trust-vectors';

export interface TrustTranscript {
  about: string;
  suite: number;
  transcript: string;
  /** Before any ticket moves export on. */
  chain0: string;
  chain1: string;
  /** Sealed packets only, in order of each direction. */
  client: string[];
  server: string[];
}

export function trustTranscript(): TrustTranscript {
  const chain = newChain(1, LABEL);
  const world = newWorld(1, LABEL);
  const { root, sign, crypto } = world;
  const tickets = new Tickets();
  const statements = [
    { type: ControlType.newRoot, message: encodeSuccession(root, world.nextRoot, 1, sign) },
    { type: ControlType.successor, message: world.successor.bytes },
    { type: ControlType.revocationList, message: listOf(world, [new Uint8Array(16).fill(7)]) },
  ];
  const held = {
    listNumber: 0,
    successionNumber: 0,
    until: chain.server.to,
    serial: chain.server.serial,
    rootSerial: root.serial,
  };
  // Fixed: the hedge of a signature is zeros then.
  const identity = {
    certificate: world.client,
    signing: {
      sign(message: Uint8Array, context: Uint8Array, out: Uint8Array, done: (good: boolean) => void) {
        crypto.signer.signInto(message, world.clientKey.signingKey, new Uint8Array(32), out, context);
        done(true);
      },
    },
  };
  const client = clientOf(chain, {
    verified: 'chain',
    edge: clientEdge(chain, tickets, {
      identity,
      trust: {
        held: () => held,
        judge: () => ({ reason: 'held', code: 0, detail: '', authenticated: true }),
        refused: () => undefined,
      },
    }),
  });
  const server = serverOf(chain, {
    edge: serverEdge(chain, tickets, {
      clients: { required: true, judge: () => ({ root, crypto }), refuses: () => null },
      trust: {
        newer: () => statements,
        mayVerify: () => true,
        refuses: () => null,
        judge: () => [
          {
            crypto,
            job: { op: 'call', call: (done) => done(true) },
            known: () => false,
            keep: () => 'kept',
            enforce: () => undefined,
          },
        ],
      },
    }),
  });
  let secrets = new Uint8Array(96);
  client.owner = chainOwner();
  server.owner = {
    ...chainOwner(),
    holdings: () => true,
    identified: () => void (secrets = slotSecrets(server.slot).slice()),
  };
  const pair = { client, server, sent: { client: [] as Uint8Array[], server: [] as Uint8Array[] } };
  server.start(chain.now);
  client.start(chain.now);
  let transcript = '';
  const { establish } = client;
  client.establish = () => {
    transcript = toHex(pair.sent.server.flatMap(split)[1]!.slice(21));
    establish.call(client);
  };
  exchange(chain, pair);
  sendRevocation(client, encodeRevocation(new Uint8Array(16).fill(9), sign), chain.now);
  exchange(chain, pair);
  if (client.state !== 'established' || server.state !== 'established') {
    throw new Error(`${client.closed?.detail} ${server.closed?.detail}`);
  }
  const sealedOf = (sent: Uint8Array[]): string[] =>
    sent
      .flatMap(split)
      .filter((p) => p[0]! === 0x19 || p[0]! === 0x10)
      .map(toHex);
  return {
    about:
      'QSTP-EDGE 1, X6 to X8 under AES-256-GCM, S1: random bytes are SHAKE256(label || le32(count)); written by tools/gen-edge-vectors.mjs',
    suite: 1,
    transcript,
    chain0: toHex(secrets.subarray(0, 32)),
    chain1: toHex(secrets.subarray(32, 64)),
    client: sealedOf(pair.sent.client),
    server: sealedOf(pair.sent.server),
  };
}

export function trustTranscriptJson(): string {
  return `${JSON.stringify(trustTranscript(), null, 1)}\n`;
}
