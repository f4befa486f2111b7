// Real Deno beside a test: folders with certificates and bundle, and processes that go on while the test does.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { encodeKey } from '../../src/cert/key-file.ts';
import type { ServerKey } from '../../src/cert/key-file.ts';
import {
  generateRootKey,
  generateServerKey,
  rootCertificate,
  signServerCertificate,
} from '../../src/cert/issue.ts';
import type { RootCertificate, ServerCertificate } from '../../src/cert/certificate.ts';
import type { RootKey } from '../../src/cert/key-file.ts';
import { noble } from '../../src/crypto/noble.ts';
import { FILES } from '../../targets/node/files.ts';
import { nodeClock, nodeRandom } from '../../targets/node/platform.ts';
import { engineProgram } from '../engines/engines.ts';

export interface Fleet {
  readonly rootKey: RootKey;
  readonly root: RootCertificate;
  readonly server: ServerCertificate;
  readonly key: ServerKey;
}

export function newFleet(name: string): Fleet {
  const crypto = noble.suite(1);
  const hedge = new Uint8Array(32);
  const now = nodeClock.now();
  const rootKey = generateRootKey(crypto, `${name}.qrr`, 60, now, nodeRandom);
  const root = rootCertificate(crypto, rootKey, hedge);
  const key = generateServerKey(crypto, `${name}.qrc`, 30, now, nodeRandom);
  return { rootKey, root, key, server: signServerCertificate(crypto, root, rootKey, key, hedge) };
}

/** A folder with the files of a fleet under their usual names, removed after the test. */
export function fleetFolder(t: ExecutionContext, { root, server, key }: Fleet): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'qstp-deno-e2e-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(path.join(folder, FILES.rootCertificate), root.bytes);
  writeFileSync(path.join(folder, FILES.serverCertificate), server.bytes);
  writeFileSync(path.join(folder, FILES.serverKey), encodeKey(key), { mode: 0o600 });
  return folder;
}

/** The same with the bundle as `qstp.js`, and a program. */
export function programFolder(
  t: ExecutionContext,
  fleet: Fleet,
  program: string,
  profile = 'deno-edge',
): string {
  const folder = fleetFolder(t, fleet);
  copyFileSync(`dist/${profile}/qstp.min.js`, path.join(folder, 'qstp.js'));
  writeFileSync(path.join(folder, 'program.ts'), program);
  return folder;
}

export interface DenoProcess {
  readonly child: ChildProcess;
  /** What it has said on stdout and stderr. */
  readonly out: () => string;
  /** Waits for a line and gives its match; fails when the process ends before, or after 30 s. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  /** Its exit code, once it has ended by itself. */
  readonly ended: Promise<number | null>;
  /** Sends a signal to it and its children; gives its exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts Deno in `folder`. The test ends it. */
export function startDeno(
  t: ExecutionContext,
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): DenoProcess {
  const child = spawn(engineProgram('deno'), args, {
    cwd: folder,
    // A group of its own: a task is a shell with a program.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1', ...env },
  });
  let out = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (out += String(chunk)));
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  const kill = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-child.pid!, signal);
    } catch {
      // It has ended.
    }
  };
  t.teardown(() => kill('SIGKILL'));
  return {
    child,
    out: () => out,
    ended: exited,
    async says(pattern) {
      for (let waited = 0; waited < 30_000; waited += 20) {
        const match = pattern.exec(out);
        if (match !== null) return match;
        if (child.exitCode !== null) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw new Error(`not said: ${String(pattern)}\n${out}`);
    },
    end(signal = 'SIGTERM') {
      kill(signal);
      return exited;
    },
  };
}
