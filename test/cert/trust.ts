// A root with its servers, clients, lists and successors, made from the deterministic random source: for tests,
// and for the known answers in test/vectors/edge/trust.json.
import { toHex } from '../../src/bytes.ts';
import { certificateHash } from '../../src/cert/certificate.ts';
import type { ClientCertificate, RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
import {
  generateClientKey,
  generateRootKey,
  generateServerKey,
  rootCertificate,
  rootSignature,
  signClientCertificate,
  signServerCertificate,
} from '../../src/cert/issue.ts';
import { encodeKey } from '../../src/cert/key-file.ts';
import type { ClientKey, RootKey } from '../../src/cert/key-file.ts';
import { encodeRevocation, encodeRevocationList } from '../../src/cert/revocation.ts';
import type { SignWith } from '../../src/cert/revocation.ts';
import { encodeSuccession, rootKeyHash } from '../../src/cert/succession.ts';
import { sha3_256 } from '../../src/crypto/micro/sponge.ts';
import { noble } from '../../src/crypto/noble.ts';
import type { Random, SuiteCrypto } from '../../src/crypto/provider.ts';
import { labelledRandom } from '../kat.ts';

export const FROM = 1_800_000_000;
export const NOW: number = FROM + 100;
export const DAY = 86400;
const ZEROS = new Uint8Array(32);

export interface World {
  crypto: SuiteCrypto;
  random: Random;
  rootKey: RootKey;
  root: RootCertificate;
  /** The root's signature, deterministic. */
  sign: SignWith;
  server: ServerCertificate;
  /** Of the same issuer, 200 days longer. */
  successor: ServerCertificate;
  clientKey: ClientKey;
  client: ClientCertificate;
  nextRoot: RootCertificate;
  nextRootKey: RootKey;
}

export function newServer(
  world: Pick<World, 'crypto' | 'random' | 'root' | 'rootKey'>,
  issuer: string,
  days: number,
  from: number = FROM,
): ServerCertificate {
  const key = generateServerKey(world.crypto, issuer, days, from, world.random);
  return signServerCertificate(world.crypto, world.root, world.rootKey, key, ZEROS);
}

export function newWorld(suite = 1, label = 'trust', crypto: SuiteCrypto = noble.suite(suite)): World {
  const random = labelledRandom()(label);
  const rootKey = generateRootKey(crypto, 'fleet.qrr', 600, FROM, random);
  const root = rootCertificate(crypto, rootKey, ZEROS);
  const at = { crypto, random, root, rootKey };
  const server = newServer(at, 'gateway.qrc', 100);
  const successor = newServer(at, 'gateway.qrc', 300);
  const clientKey = generateClientKey(crypto, 'device-1.qcc', 300, FROM, random);
  const client = signClientCertificate(crypto, root, rootKey, clientKey, ZEROS);
  const nextRootKey = generateRootKey(crypto, 'fleet.qrr', 730, FROM, random);
  const nextRoot = rootCertificate(crypto, nextRootKey, ZEROS);
  const sign = rootSignature(crypto, root, rootKey, ZEROS);
  return { ...at, sign, server, successor, clientKey, client, nextRoot, nextRootKey };
}

export function listOf(
  world: World,
  serials: readonly Uint8Array[],
  number = 1,
  issued: number = FROM,
  nextUpdate: number = FROM + 30 * DAY,
): Uint8Array {
  const content = { rootSerial: world.root.serial, number, issued, nextUpdate };
  return encodeRevocationList(content, serials, world.crypto.suite, world.sign);
}

export interface TrustSet {
  suite: number;
  /** Hex: whole, or of the larger sets length and SHA3-256. */
  root: string;
  server: string;
  successor: string;
  clientKey: string;
  client: string;
  /** Of the client's serial, then of server's and client's. */
  list1: string;
  list2: string;
  revocation: string;
  succession: string;
  rootHash: string;
  nextRootKeyHash: string;
}

export interface TrustFile {
  about: string;
  from: number;
  sets: TrustSet[];
}

function trustSet(suite: number): TrustSet {
  const world = newWorld(suite);
  const { client, server } = world;
  const text = (bytes: Uint8Array): string =>
    suite === 1 ? toHex(bytes) : `${bytes.length} ${toHex(sha3_256(bytes))}`;
  return {
    suite,
    root: text(world.root.bytes),
    server: text(server.bytes),
    successor: text(world.successor.bytes),
    clientKey: text(encodeKey(world.clientKey)),
    client: text(client.bytes),
    list1: text(listOf(world, [client.serial])),
    list2: text(listOf(world, [server.serial, client.serial], 2, FROM + DAY, FROM + 40 * DAY)),
    revocation: text(encodeRevocation(client.serial, world.sign)),
    succession: text(encodeSuccession(world.root, world.nextRoot, 1, world.sign)),
    rootHash: toHex(certificateHash(world.root)),
    nextRootKeyHash: toHex(rootKeyHash(world.nextRoot)),
  };
}

export const TRUST_FILE = 'test/vectors/edge/trust.json';

export function trustJson(): string {
  const file: TrustFile = {
    about:
      'QSTP-EDGE 1, X6 to X8: random bytes are SHAKE256("trust" || le32(count)), signatures deterministic; written by tools/gen-trust-vectors.mjs',
    from: FROM,
    sets: [1, 2, 3].map(trustSet),
  };
  return `${JSON.stringify(file, null, 1)}\n`;
}
