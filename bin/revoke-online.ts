// `qstp root revoke SERIAL --server ADDRESS`: a revocation told to live servers, each of which answers in its tunnel.

import { toHex } from '../src/bytes.ts';
import { QstpError } from '../src/error.ts';
import type { RootCertificate, ServerCertificate } from '../src/cert/certificate.ts';
import { RevocationStatus, sendRevocation } from '../src/session/trust.ts';
import { openTrust } from '../src/link/trust-store.ts';
import { parseServer } from '../targets/node/connector.ts';
import { connectQstp } from '../targets/node/tunnel.ts';
import type { Tunnel } from '../targets/node/tunnel.ts';

/** What one server said of one serial. */
export interface Answer {
  readonly server: string;
  readonly serial: string;
  readonly answer: string;
  readonly good: boolean;
}

const ANSWER_MS = 10_000;
const SERIAL_BYTES = 16;

const ANSWERS: Record<number, string> = {
  [RevocationStatus.revoked]: 'revoked',
  [RevocationStatus.already]: 'was revoked already',
  [RevocationStatus.badSignature]: 'refused: the signature is not of a root it knows',
  [RevocationStatus.unknownRoot]: 'refused: it has no root of this parameter set',
  [RevocationStatus.notKept]: 'NOT kept for good: its store is full or broken; load a list there',
};

function textOf(status: number): string {
  return ANSWERS[status] ?? `gave an unknown answer (${status})`;
}

/** Sends one revocation, signature || serial, and waits for the answer. */
function tell(tunnel: Tunnel, revocation: Uint8Array): Promise<number> {
  const { connection } = tunnel;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new QstpError('revocation_unanswered', `no answer within ${ANSWER_MS / 1000} s`)),
      ANSWER_MS,
    );
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      act();
    };
    tunnel.onRevocationAnswer = (status) => settle(() => resolve(status));
    tunnel.once('close', () => {
      const why = tunnel.reason?.detail ?? 'the tunnel closed before it answered';
      settle(() => reject(new QstpError('revocation_unanswered', why)));
    });
    let sent = false;
    connection.control((now) => {
      sent = sendRevocation(connection.session, revocation, now);
    });
    if (sent) return;
    const problem = 'it does not take revocations in the tunnel: load the list there with `qstp serve --crl`';
    settle(() => reject(new QstpError('revocation_unsupported', problem)));
  });
}

/** Tells every server of every revocation. A server that cannot be reached is one answer, and the others go on. */
export async function revokeOnline(
  servers: readonly string[],
  revocations: readonly Uint8Array[],
  root: RootCertificate,
  certificate: ServerCertificate,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const server of servers) {
    for (const revocation of revocations) {
      const serial = toHex(revocation.subarray(revocation.length - SERIAL_BYTES));
      const trust = openTrust({ root, server: certificate, storage: null });
      try {
        const tunnel = await connectQstp({
          ...parseServer(server),
          root,
          server: certificate,
          trust,
          pollMs: 0,
        });
        tunnel.on('error', () => undefined);
        const status = await tell(tunnel, revocation).finally(() => tunnel.destroy());
        const good = status === RevocationStatus.revoked || status === RevocationStatus.already;
        answers.push({ server, serial, answer: textOf(status), good });
      } catch (error) {
        answers.push({ server, serial, answer: `not told: ${(error as Error).message}`, good: false });
      }
    }
  }
  return answers;
}
