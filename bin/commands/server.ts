import { Command } from 'commander';
import { SERIAL_BYTES } from '../../src/params.ts';
import { decodeServerCertificate, encodeCertificate } from '../../src/cert/certificate.ts';
import { wipe } from '../../src/bytes.ts';
import { generateServerKey } from '../../src/cert/issue.ts';
import { suiteByName } from '../../src/cert/suite.ts';
import { noble } from '../../src/crypto/noble.ts';
import { FILES, keyFile, publicFile, readServerCertificate, writeFiles } from '../../targets/node/files.ts';
import { nodeClock, nodeRandom } from '../../targets/node/platform.ts';
import { certificateFields, describe } from '../certificate-view.ts';
import { defaultIssuer } from '../options.ts';
import { newKeyOptions, sealing } from '../new-key.ts';
import type { NewKeyOptions } from '../new-key.ts';
import { show } from '../ui.ts';

export function serverCommand(): Command {
  const server = new Command('server').description("a server's key and certificate");

  newKeyOptions(server.command('new').description('make a server key and a certificate for a root to sign'))
    .option('--issuer <name>', 'name in the certificate, ending in .qrc', defaultIssuer('server'))
    .option('--key <file>', 'where the secret key goes', FILES.serverKey)
    .option('--cert <file>', 'where the unsigned certificate goes', FILES.serverCertificate)
    .action(newServer);

  server
    .command('show')
    .description('print a server certificate')
    .argument('[file]', 'server certificate', FILES.serverCertificate)
    .option('--json', 'as JSON')
    .action((file: string, options: { json?: boolean }) => {
      const certificate = readServerCertificate(file);
      show(options.json === true, certificateFields(certificate), () => describe(certificate));
    });
  return server;
}

async function newServer(options: NewKeyOptions): Promise<void> {
  const crypto = noble.suite(suiteByName(options.suite).id);
  const key = generateServerKey(crypto, options.issuer, options.days, nodeClock.now(), nodeRandom);
  const unsigned = new Uint8Array(crypto.suite.signatureBytes);
  const request = decodeServerCertificate(
    encodeCertificate(key, key.verifyKey, new Uint8Array(SERIAL_BYTES), () => unsigned),
  );
  const secret = await sealing(options);
  writeFiles(
    [keyFile(options.key, key, secret), publicFile(options.cert, request.bytes)],
    options.force === true,
  );
  wipe(key.signingKey);
  show(
    options.json === true,
    { ...certificateFields(request), key: options.key, certificate: options.cert },
    () =>
      [
        describe(request),
        '',
        `secret key    ${options.key}${secret === null ? '  (not sealed: --seal protects it with a passphrase)' : '  (sealed)'}`,
        `certificate   ${options.cert}  (not signed yet)`,
        'next: `qstp root sign` where the root key is',
      ].join('\n'),
  );
}
