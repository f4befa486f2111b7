// The quick starts of the README are the files in examples/: they run as they stand, from the built package.
import test from 'ava';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  generateRootKey,
  generateServerKey,
  rootCertificate,
  signServerCertificate,
} from '../../src/cert/issue.ts';
import { noble } from '../../src/crypto/noble.ts';
import { FILES, keyFile, publicFile, writeFiles } from '../../targets/node/files.ts';
import { nodeClock, nodeRandom } from '../../targets/node/platform.ts';
import { runDeno } from '../engines/deno.ts';

const NODE_EXAMPLES = ['examples/node/server.mjs', 'examples/node/client.mjs', 'examples/node/link.mjs'];

const folder = mkdtempSync(path.join(tmpdir(), 'qstp-examples-'));
const children: ChildProcess[] = [];
test.after.always(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

test.before(() => {
  const crypto = noble.suite(1);
  const hedge = new Uint8Array(32);
  const now = nodeClock.now();
  const rootKey = generateRootKey(crypto, 'example.qrr', 1, now, nodeRandom);
  const root = rootCertificate(crypto, rootKey, hedge);
  const key = generateServerKey(crypto, 'example.qrc', 1, now, nodeRandom);
  const server = signServerCertificate(crypto, root, rootKey, key, hedge);
  const at = (name: string) => path.join(folder, name);
  const certificates = [
    publicFile(at(FILES.rootCertificate), root.bytes),
    publicFile(at(FILES.serverCertificate), server.bytes),
  ];
  writeFiles([keyFile(at(FILES.serverKey), key, null), ...certificates], false);
});

/** Starts an example in the folder with the files; resolves with what `says` matches on its stdout. */
function start(
  example: string,
  port: string,
): { child: ChildProcess; says(pattern: RegExp): Promise<string> } {
  const child = spawn(process.execPath, [path.resolve(example)], {
    cwd: folder,
    env: { ...process.env, PORT: port },
  });
  children.push(child);
  let out = '';
  let err = '';
  child.stderr!.on('data', (chunk: Buffer) => (err += String(chunk)));
  const says = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(out);
        if (match !== null) resolve(match[1] ?? match[0]);
      };
      child.stdout!.on('data', (chunk: Buffer) => {
        out += String(chunk);
        look();
      });
      child.on('close', () => reject(new Error(`${example} ended: ${out}${err}`)));
      look();
    });
  return { child, says };
}

test.serial('examples/node: server and client', async (t) => {
  const server = start('examples/node/server.mjs', '0');
  const port = await server.says(/listening on port (\d+)/);
  const client = start('examples/node/client.mjs', port);
  t.is(await client.says(/received: (.*)/), 'hello, post-quantum world');
  await server.says(/client 1: the peer closed the connection/);
  const closed = new Promise((resolve) => server.child.once('close', resolve));
  server.child.kill('SIGTERM');
  t.is(await closed, 0);
});

test.serial('examples/node: a link that comes back, and resumes in the next process', async (t) => {
  const first = start('examples/node/server.mjs', '0');
  const port = await first.says(/listening on port (\d+)/);
  const link = start('examples/node/link.mjs', port);
  await link.says(/^connected\nreceived: here I am/);
  first.child.kill('SIGKILL');
  await link.says(/next try in \d+ ms/);
  const second = start('examples/node/server.mjs', port);
  await link.says(/connected\nreceived: here I am\n[^]*connected\nreceived: here I am/);
  const stopped = new Promise((resolve) => link.child.once('close', resolve));
  link.child.kill('SIGTERM');
  t.is(await stopped, 0);
  const again = start('examples/node/link.mjs', port);
  await again.says(/^resumed\nreceived: here I am/);
  again.child.kill('SIGTERM');
  second.child.kill('SIGTERM');
});

test.serial('examples/deno: the client bundle of deno-edge over real TCP', async (t) => {
  t.true(existsSync('dist/deno-edge/qstp.min.js'), 'run: npm run -s qstp -- build');
  copyFileSync('dist/deno-edge/qstp.min.js', path.join(folder, 'qstp.js'));
  const server = start('examples/node/server.mjs', '0');
  const port = await server.says(/listening on port (\d+)/);
  // The example has the default port; this server a free one.
  const source = readFileSync('examples/deno/client.ts', 'utf8').replace('32119,', `${port},`);
  const program = path.join(folder, 'client.ts');
  writeFileSync(program, source);
  const { exitCode, stdout, stderr } = await runDeno(program, {
    cwd: folder,
    root: process.cwd(),
    permissions: ['--allow-read=.', `--allow-net=localhost:${port}`],
  });
  t.is(stderr, '');
  t.is(exitCode, 0);
  t.is(stdout, 'received: hello from Deno\n');
  await server.says(/client 1: the peer closed the connection/);
  server.child.kill('SIGTERM');
});

test('the README shows the examples as they are', (t) => {
  const readme = readFileSync('README.md', 'utf8');
  for (const file of [...NODE_EXAMPLES, 'examples/deno/client.ts']) {
    t.true(readme.includes(readFileSync(file, 'utf8').trim()), `README.md must contain ${file} as it stands`);
  }
});

test('every subpath of package.json is there, with its types', async (t) => {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    exports: Record<string, string | { types: string; default: string }>;
  };
  for (const [name, entry] of Object.entries(exports)) {
    if (typeof entry === 'string') continue;
    t.true(existsSync(entry.types), entry.types);
    const module = (await import(path.resolve(entry.default))) as object;
    t.true(Object.keys(module).length > 0, name);
  }
});
