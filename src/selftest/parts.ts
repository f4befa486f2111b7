// The parts of this implementation that every build has, for its self-test.

import { runJob } from '../crypto/job.ts';
import * as sponge from '../crypto/micro/sponge.ts';
import * as rcs from '../crypto/micro/rcs.ts';
import { certificateHash, decodeRootCertificate, decodeServerCertificate } from '../cert/certificate.ts';
import {
  bindServerKey,
  generateRootKey,
  generateServerKey,
  rootCertificate,
  signServerCertificate,
} from '../cert/issue.ts';
import { decodeKey, encodeKey } from '../cert/key-file.ts';
import { encodeCertificateText, readCertificate } from '../cert/text.ts';
import { verifyChain } from '../cert/verify.ts';
import { ratchetState, sealRecord } from '../session/channel.ts';
import { createClient } from '../session/client.ts';
import { createServer, serverIdentity } from '../session/server.ts';
import { createSession } from '../session/session.ts';
import { ratchetKeys } from '../session/transcript.ts';
import type { Provider } from '../crypto/provider.ts';
import type { KatApi } from './api.ts';

/** All parts under test, with a provider chosen at the entry point. */
export function katApi(provider: Provider): KatApi {
  const { sha3_256, shake, cshake, kmac, kmacReference } = sponge;
  return {
    hash: { sha3_256, shake, cshake, kmac, kmacReference },
    rcs,
    provider,
    session: {
      generateRootKey,
      generateServerKey,
      rootCertificate,
      signServerCertificate,
      bindServerKey,
      encodeKey,
      decodeKey,
      certificateHash,
      decodeRootCertificate,
      decodeServerCertificate,
      encodeCertificateText,
      readCertificate,
      verifyChain,
      serverIdentity,
      createClient,
      createServer,
      createSession,
      sealRecord,
      ratchetKeys,
      ratchetState,
      runJob,
    },
  };
}
