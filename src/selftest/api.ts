// What the known-answer runner tests: an interface, so that it can be pointed at a built bundle's exports.

import type { Provider } from '../crypto/provider.ts';
import type * as rcs from '../crypto/micro/rcs.ts';
import type * as sponge from '../crypto/micro/sponge.ts';
import type { runJob } from '../crypto/job.ts';
import type { certificateHash, decodeRootCertificate, decodeServerCertificate } from '../cert/certificate.ts';
import type {
  bindServerKey,
  generateRootKey,
  generateServerKey,
  rootCertificate,
  signServerCertificate,
} from '../cert/issue.ts';
import type { decodeKey, encodeKey } from '../cert/key-file.ts';
import type { encodeCertificateText, readCertificate } from '../cert/text.ts';
import type { verifyChain } from '../cert/verify.ts';
import type { Mesh1 } from '../mesh/v1/index.ts';
import type * as proto from '../mesh/proto/index.ts';
import type { fitnessOf, FITNESS_DEFAULTS, measureRoutes, routeBase } from '../qace/exact.ts';
import type { createGaQace } from '../qace/ga.ts';
import type { createQaceDecision, createSimpleQace } from '../qace/simple.ts';
import type { ratchetState, sealRecord } from '../session/channel.ts';
import type { createClient } from '../session/client.ts';
import type { createServer, serverIdentity } from '../session/server.ts';
import type { createSession } from '../session/session.ts';
import type { ratchetKeys } from '../session/transcript.ts';

export type HashApi = Pick<typeof sponge, 'sha3_256' | 'shake' | 'cshake' | 'kmac' | 'kmacReference'>;

export type RcsApi = Pick<
  typeof rcs,
  'RCS256_WORDS' | 'RCS512_WORDS' | 'rcsInit' | 'rcsSeal' | 'rcsOpen' | 'rcsCounter'
>;

/** Certificates and sessions. */
export interface SessionApi {
  readonly generateRootKey: typeof generateRootKey;
  readonly generateServerKey: typeof generateServerKey;
  readonly rootCertificate: typeof rootCertificate;
  readonly signServerCertificate: typeof signServerCertificate;
  readonly bindServerKey: typeof bindServerKey;
  readonly encodeKey: typeof encodeKey;
  readonly decodeKey: typeof decodeKey;
  readonly certificateHash: typeof certificateHash;
  readonly decodeRootCertificate: typeof decodeRootCertificate;
  readonly decodeServerCertificate: typeof decodeServerCertificate;
  readonly encodeCertificateText: typeof encodeCertificateText;
  readonly readCertificate: typeof readCertificate;
  readonly verifyChain: typeof verifyChain;
  readonly serverIdentity: typeof serverIdentity;
  readonly createClient: typeof createClient;
  readonly createServer: typeof createServer;
  readonly createSession: typeof createSession;
  readonly sealRecord: typeof sealRecord;
  readonly ratchetKeys: typeof ratchetKeys;
  readonly ratchetState: typeof ratchetState;
  readonly runJob: typeof runJob;
}

/** Path controllers. */
export interface QaceApi {
  readonly createSimpleQace: typeof createSimpleQace;
  readonly createGaQace: typeof createGaQace;
  readonly createQaceDecision: typeof createQaceDecision;
  readonly fitnessOf: typeof fitnessOf;
  readonly measureRoutes: typeof measureRoutes;
  readonly routeBase: typeof routeBase;
  readonly FITNESS_DEFAULTS: typeof FITNESS_DEFAULTS;
}

/** Messages of the mesh. */
export type ProtoApi = Pick<
  typeof proto,
  | 'decodeProto'
  | 'encodeProto'
  | 'protoBytes'
  | 'FrameProto'
  | 'FrameAckProto'
  | 'RouteProto'
  | 'TupleMetadataProto'
  | 'QaceSignalProto'
  | 'QaceDecisionProto'
>;

/** The parts under test. A kind whose part a build does not have fails: it is never skipped. */
export interface KatApi {
  readonly hash?: HashApi;
  readonly rcs?: RcsApi;
  readonly provider?: Provider;
  readonly session?: SessionApi;
  readonly qace?: QaceApi;
  /** mesh/1. */
  readonly mesh?: Mesh1;
  readonly proto?: ProtoApi;
}

/** Told of each check: `failure` is null if it passed, otherwise one line that says what is wrong. */
export type Report = (check: string, failure: string | null) => void;

/** Runs one check. A check returns null if all is well; what it throws is its failure. */
export function check(report: Report, name: string, run: () => string | null): void {
  let failure: string | null;
  try {
    failure = run();
  } catch (error) {
    failure = error instanceof Error ? error.message : 'threw something that is not an error';
  }
  report(name, failure);
}
