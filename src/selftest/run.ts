// The known-answer runner: one file of one kind against one implementation, on any engine.

import type { KatApi, Report } from './api.ts';
import type { Entry } from './fields.ts';
import { checkHs } from './hs.ts';
import type { MeshParts } from './mesh.ts';
import { checkMeshHandshake } from './mesh-handshake.ts';
import { checkPqc1 } from './pqc1.ts';
import { checkPrimitives, need, PRIMITIVE_KINDS, runWith } from './primitives.ts';
import { checkProto } from './proto.ts';
import { checkTunnel } from './tunnel.ts';

export { checkNative } from './native.ts';
export type { HashApi, KatApi, ProtoApi, QaceApi, RcsApi, Report, SessionApi } from './api.ts';

/** The kinds of known-answer files, by the names of `--kat KIND:FILE`. */
export const KAT_KINDS: readonly string[] = [
  ...PRIMITIVE_KINDS,
  'hs',
  'tunnel',
  'mesh-handshake',
  'pqc1',
  'proto',
];

function meshParts(api: KatApi): MeshParts {
  return { mesh: need(api.mesh, 'mesh/1'), provider: need(api.provider, 'provider') };
}

function dispatch(kind: string, file: Entry, api: KatApi, report: Report): boolean {
  switch (kind) {
    case 'hs': {
      const parts = {
        hash: need(api.hash, 'hash functions'),
        rcs: need(api.rcs, 'RCS'),
        provider: need(api.provider, 'provider'),
        session: need(api.session, 'sessions'),
      };
      checkHs(file, parts, report);
      return true;
    }
    case 'tunnel':
      checkTunnel(file, meshParts(api), report);
      return true;
    case 'mesh-handshake':
      checkMeshHandshake(file, meshParts(api), report);
      return true;
    case 'pqc1':
      checkPqc1(file, need(api.mesh, 'mesh/1'), report);
      return true;
    case 'proto':
      checkProto(file, need(api.proto, 'codec of qstp.proto'), report);
      return true;
    default:
      return checkPrimitives(kind, file, api, report);
  }
}

/**
 * Checks everything in a parsed file that can be recomputed; `report` is told of each check. Never throws for
 * what a file contains: a malformed or empty file, an unknown kind and a parameter set that is not in this
 * build are failures.
 */
export function runKat(kind: string, file: unknown, api: KatApi, report: Report): void {
  runWith(dispatch, KAT_KINDS, kind, file, api, report);
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
