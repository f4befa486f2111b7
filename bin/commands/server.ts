import path from 'node:path';
import { Command } from 'commander';
import { FILES, readServerCertificate } from '../../targets/node/files.ts';
import { certificateFields, describe } from '../certificate-view.ts';
import { defaultIssuer } from '../options.ts';
import { daysOption, newChild, newKeyOptions, renewServer, sealOptions } from '../new-key.ts';
import type { NewKeyOptions } from '../new-key.ts';
import { show } from '../ui.ts';

export function serverCommand(): Command {
  const server = new Command('server').description("a server's key and certificate");

  newKeyOptions(server.command('new').description('make a server key and a certificate for a root to sign'))
    .option('--issuer <name>', 'name in the certificate, ending in .qrc', defaultIssuer('server'))
    .option('--key <file>', 'where the secret key goes', FILES.serverKey)
    .option('--cert <file>', 'where the unsigned certificate goes', FILES.serverCertificate)
    .action((options: NewKeyOptions) => newChild('server', options));

  const renew = server
    .command('renew')
    .description(
      'make the key and certificate that follow a certificate, under its issuer; the old ones stay',
    )
    .argument('[file]', 'the present certificate', FILES.serverCertificate)
    .option('--key <file>', 'where the new secret key goes', nextName(FILES.serverKey))
    .option(
      '--cert <file>',
      'where the new unsigned certificate goes; default: FILE with .next before its ending',
    );
  sealOptions(daysOption(renew)).action((file: string, options: NewKeyOptions & { cert?: string }) =>
    renewServer(readServerCertificate(file), { ...options, cert: options.cert ?? nextName(file) }),
  );

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

/** `a.next.qrc` for `a.qrc`: what follows a file. */
export function nextName(file: string): string {
  const { dir, name, ext } = path.parse(file);
  return path.join(dir, `${name}.next${ext}`);
}
