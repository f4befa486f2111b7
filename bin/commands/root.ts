import { Command } from 'commander';
import { randomBytes } from 'node:crypto';
import { QstpError } from '../../src/error.ts';
import { wipe } from '../../src/bytes.ts';
import { generateRootKey, rootCertificate, signServerCertificate } from '../../src/cert/issue.ts';
import { suiteByName } from '../../src/cert/suite.ts';
import { hashMatches, verifyRoot, verifyServer } from '../../src/cert/verify.ts';
import { noble } from '../../src/crypto/noble.ts';
import {
  FILES,
  keyFile,
  publicFile,
  readRootCertificate,
  readRootKey,
  readServerCertificate,
  writeFiles,
} from '../../targets/node/files.ts';
import { nodeClock, nodeRandom } from '../../targets/node/platform.ts';
import { certificateFields, describe } from '../certificate-view.ts';
import { defaultIssuer } from '../options.ts';
import { newKeyOptions, sealing } from '../new-key.ts';
import type { NewKeyOptions } from '../new-key.ts';
import { passphrase } from '../passphrase.ts';
import { note, show } from '../ui.ts';

export function rootCommand(): Command {
  const root = new Command('root').description('the root: the key every certificate hangs on');

  newKeyOptions(root.command('new').description('make a root key and its certificate'))
    .option('--issuer <name>', 'name in the certificate, ending in .qrr', defaultIssuer('root'))
    .option('--key <file>', 'where the secret key goes', FILES.rootKey)
    .option('--cert <file>', 'where the certificate goes', FILES.rootCertificate)
    .action(newRoot);

  root
    .command('show')
    .description('print a root certificate')
    .argument('[file]', 'root certificate', FILES.rootCertificate)
    .option('--json', 'as JSON')
    .action((file: string, options: { json?: boolean }) => {
      const certificate = readRootCertificate(file);
      show(options.json === true, certificateFields(certificate), () => describe(certificate));
    });

  root
    .command('sign')
    .description("sign a server's certificate")
    .argument('[file]', "the server's certificate, as `qstp server new` left it", FILES.serverCertificate)
    .option('--key <file>', "the root's secret key", FILES.rootKey)
    .option('--root <file>', "the root's certificate", FILES.rootCertificate)
    .option('--out <file>', 'where the signed certificate goes; default: in place')
    .option('--force', 'replace the file of --out if it exists')
    .option('--passphrase-fd <n>', 'read the passphrase of a sealed key from this file descriptor')
    .option('--json', 'as JSON')
    .action(sign);
  return root;
}

async function newRoot(options: NewKeyOptions): Promise<void> {
  const crypto = noble.suite(suiteByName(options.suite).id);
  const key = generateRootKey(crypto, options.issuer, options.days, nodeClock.now(), nodeRandom);
  const certificate = rootCertificate(crypto, key, new Uint8Array(randomBytes(32)));
  const secret = await sealing(options);
  writeFiles(
    [keyFile(options.key, key, secret), publicFile(options.cert, certificate.bytes)],
    options.force === true,
  );
  wipe(key.signingKey);
  show(
    options.json === true,
    { ...certificateFields(certificate), key: options.key, certificate: options.cert },
    () =>
      [
        describe(certificate),
        '',
        `secret key    ${options.key}${secret === null ? '  (not sealed: --seal protects it with a passphrase)' : '  (sealed)'}`,
        `certificate   ${options.cert}  (give it to servers and clients)`,
        'next: `qstp server new`, then `qstp root sign`',
      ].join('\n'),
  );
}

interface SignOptions {
  key: string;
  root: string;
  out?: string;
  force?: boolean;
  passphraseFd?: string;
  json?: boolean;
}

async function sign(file: string, options: SignOptions): Promise<void> {
  const now = nodeClock.now();
  const root = readRootCertificate(options.root);
  const request = readServerCertificate(file);
  const crypto = noble.suite(root.suite.id);
  const bad = verifyRoot(crypto, root, now);
  if (bad !== null) throw new QstpError(bad.reason, `${options.root}: ${bad.detail}`);
  if (!hashMatches(request)) {
    throw new QstpError('certificate_hash', `${file} does not match its own hash: it was damaged on its way`);
  }
  const key = await readRootKey(options.key, {
    warn: note,
    passphrase: () => passphrase(options.passphraseFd, `passphrase of ${options.key}`),
  });
  const signed = signServerCertificate(crypto, root, key, request, new Uint8Array(randomBytes(32)));
  wipe(key.signingKey);
  const wrong = verifyServer(crypto, signed, root, request.from);
  if (wrong !== null)
    throw new QstpError(wrong.reason, `the signed certificate does not verify: ${wrong.detail}`);
  const out = options.out ?? file;
  writeFiles([publicFile(out, signed.bytes)], out === file || options.force === true);
  show(options.json === true, { ...certificateFields(signed), certificate: out }, () =>
    [
      describe(signed),
      '',
      `certificate   ${out}  (give it to the server and its clients)`,
      ...(signed.to < request.to ? ['its validity was cut to the root’s'] : []),
      'next: `qstp serve` on the server, `qstp connect` on a client',
    ].join('\n'),
  );
}
