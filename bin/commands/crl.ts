import { Command } from 'commander';
import { QstpError } from '../../src/error.ts';
import { revocationListState } from '../../src/cert/revocation.ts';
import { FILES, readRootCertificate } from '../../targets/node/files.ts';
import { nodeClock } from '../../targets/node/platform.ts';
import { describeList, listFields, readList, verifyList } from '../revocations.ts';
import { dateText, show } from '../ui.ts';

export function crlCommand(): Command {
  const crl = new Command('crl').description('revocation lists: show, verify; `qstp root revoke` makes them');

  crl
    .command('show')
    .description('print a revocation list; verifies nothing')
    .argument('[file]', 'revocation list', FILES.revocations)
    .option('--json', 'as JSON')
    .action((file: string, options: { json?: boolean }) => {
      const list = readList(file);
      show(options.json === true, listFields(list), () => describeList(list));
    });

  crl
    .command('verify')
    .description('check a revocation list under its root: signature, root, next update')
    .argument('[file]', 'revocation list', FILES.revocations)
    .option('--root <file>', "the root's certificate", FILES.rootCertificate)
    .option('--json', 'as JSON')
    .action((file: string, options: { root: string; json?: boolean }) => {
      const list = readList(file);
      verifyList(list, file, readRootCertificate(options.root));
      if (revocationListState(list, nodeClock.now()) === 'stale') {
        throw new QstpError(
          'revocation_stale',
          `${file} was due for an update on ${dateText(list.nextUpdate)}: \`qstp root revoke\` issues a new one`,
        );
      }
      show(
        options.json === true,
        { file, verified: true, ...listFields(list) },
        () => `${file}: good, number ${list.number}, ${list.count} serials, signed by ${options.root}`,
      );
    });
  return crl;
}
