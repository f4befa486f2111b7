// The known-answer runner: one file of one kind against one implementation, on any engine.

import type { KatApi, Report } from './api.ts';
import { FormatError, rootEntry } from './fields.ts';
import type { Entry } from './fields.ts';
import { checkHash } from './hash.ts';
import { checkHs } from './hs.ts';
import type { MeshParts } from './mesh.ts';
import { checkMeshHandshake } from './mesh-handshake.ts';
import { checkPq } from './pq.ts';
import { checkPqc1 } from './pqc1.ts';
import { checkProto } from './proto.ts';
import { checkQace } from './qace.ts';
import { checkRcs } from './rcs.ts';
import { checkTunnel } from './tunnel.ts';

export { checkNative } from './native.ts';
export type { HashApi, KatApi, ProtoApi, QaceApi, RcsApi, Report, SessionApi } from './api.ts';

/** The kinds of known-answer files, by the names of `--kat KIND:FILE`. */
export const KAT_KINDS: readonly string[] = [
  'rcs',
  'hash',
  'pq',
  'hs',
  'qace',
  'tunnel',
  'mesh-handshake',
  'pqc1',
  'proto',
];

function need<T>(part: T | undefined, name: string): T {
  if (part !== undefined) return part;
  throw new FormatError(`this build has no ${name}`);
}

function meshParts(api: KatApi): MeshParts {
  return { mesh: need(api.mesh, 'mesh/1'), provider: need(api.provider, 'provider') };
}

function dispatch(kind: string, file: Entry, api: KatApi, report: Report): void {
  switch (kind) {
    case 'hash':
      return checkHash(file, need(api.hash, 'hash functions'), report);
    case 'rcs':
      return checkRcs(file, need(api.rcs, 'RCS'), report);
    case 'pq':
      return checkPq(file, need(api.provider, 'provider'), need(api.hash, 'hash functions'), report);
    case 'hs': {
      const parts = {
        hash: need(api.hash, 'hash functions'),
        rcs: need(api.rcs, 'RCS'),
        provider: need(api.provider, 'provider'),
        session: need(api.session, 'sessions'),
      };
      return checkHs(file, parts, report);
    }
    case 'qace':
      return checkQace(file, need(api.qace, 'QACE'), report);
    case 'tunnel':
      return checkTunnel(file, meshParts(api), report);
    case 'mesh-handshake':
      return checkMeshHandshake(file, meshParts(api), report);
    case 'pqc1':
      return checkPqc1(file, need(api.mesh, 'mesh/1'), report);
    case 'proto':
      return checkProto(file, need(api.proto, 'codec of qstp.proto'), report);
    default:
      throw new FormatError(`"${kind}" is no kind of known answers; there are ${KAT_KINDS.join(', ')}`);
  }
}

/**
 * Checks everything in a parsed file that can be recomputed; `report` is told of each check. Never throws for
 * what a file contains: a malformed or empty file, an unknown kind and a parameter set that is not in this
 * build are failures.
 */
export function runKat(kind: string, file: unknown, api: KatApi, report: Report): void {
  let checks = 0;
  const counted: Report = (name, failure) => {
    checks++;
    report(`${kind} ${name}`, failure);
  };
  try {
    dispatch(kind, rootEntry(file), api, counted);
  } catch (error) {
    report(kind, error instanceof Error ? error.message : 'threw something that is not an error');
    return;
  }
  if (checks === 0) report(kind, 'the file has no vectors');
}

/** {@link runKat} over the text of a file. */
export function runKatText(kind: string, text: string, api: KatApi, report: Report): void {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (error) {
    report(kind, `the file is not JSON: ${error instanceof Error ? error.message : ''}`);
    return;
  }
  runKat(kind, file, api, report);
}
