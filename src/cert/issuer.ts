import { ISSUER_BYTES } from '../params.ts';
import { QstpError } from '../error.ts';

/** Issuer names end in this, by kind. */
export const ISSUER_SUFFIX = { root: '.qrr', server: '.qrc', client: '.qcc' } as const;

/** True for the issuer of a client's certificate. */
export function isClientIssuer(issuer: string): boolean {
  return issuer.slice(-ISSUER_SUFFIX.client.length) === ISSUER_SUFFIX.client;
}

/** Throws `issuer_invalid` unless `issuer` is 1 to 31 printable ASCII characters with the kind's suffix. */
export function checkIssuer(issuer: string, kind: keyof typeof ISSUER_SUFFIX): void {
  const suffix = ISSUER_SUFFIX[kind];
  if (issuer.length < ISSUER_BYTES && /^[\x21-\x7e]+$/.test(issuer) && issuer.endsWith(suffix)) return;
  throw new QstpError(
    'issuer_invalid',
    `the issuer "${issuer}" must be at most ${ISSUER_BYTES - 1} printable characters without spaces and end in ${suffix}`,
  );
}
