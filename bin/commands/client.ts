import { Command } from 'commander';
import { FILES, readClientCertificate } from '../../targets/node/files.ts';
import { certificateFields, describe } from '../certificate-view.ts';
import { defaultIssuer } from '../options.ts';
import { newChild, newKeyOptions } from '../new-key.ts';
import type { NewKeyOptions } from '../new-key.ts';
import { show } from '../ui.ts';

export function clientCommand(): Command {
  const client = new Command('client').description("a client's key and certificate: its identity");

  newKeyOptions(client.command('new').description('make a client key and a certificate for a root to sign'))
    .option('--issuer <name>', 'name in the certificate, ending in .qcc', defaultIssuer('client'))
    .option('--key <file>', 'where the secret key goes', FILES.clientKey)
    .option('--cert <file>', 'where the unsigned certificate goes', FILES.clientCertificate)
    .action((options: NewKeyOptions) => newChild('client', options));

  client
    .command('show')
    .description('print a client certificate')
    .argument('[file]', 'client certificate', FILES.clientCertificate)
    .option('--json', 'as JSON')
    .action((file: string, options: { json?: boolean }) => {
      const certificate = readClientCertificate(file);
      show(options.json === true, certificateFields(certificate), () => describe(certificate));
    });
  return client;
}
