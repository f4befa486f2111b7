import { Command } from 'commander';
import { QstpError } from '../../src/error.ts';
import { encodeCertificateText } from '../../src/cert/text.ts';
import { subjectPublicKeyInfo } from '../../src/cert/spki.ts';
import { verifyClient, verifyRoot, verifyServer } from '../../src/cert/verify.ts';
import { micro } from '../../src/crypto/micro.ts';
import {
  FILES,
  isTextFile,
  readCertificateFile,
  readRootCertificate,
  publicFile,
  writeFiles,
} from '../../targets/node/files.ts';
import { nodeClock } from '../../targets/node/platform.ts';
import { certificateFields, describe, isSigned } from '../certificate-view.ts';
import { show, UsageError } from '../ui.ts';

const FORMS = ['binary', 'text', 'spki'];

export function certCommand(): Command {
  const cert = new Command('cert').description('certificates: show, verify, convert');

  cert
    .command('show')
    .description('print certificates, binary or text; verifies nothing')
    .argument('<file...>', 'certificates')
    .option('--json', 'as JSON')
    .action((files: string[], options: { json?: boolean }) => {
      const all = files.map((file) => ({ file, certificate: readCertificateFile(file) }));
      show(
        options.json === true,
        all.map(({ file, certificate }) => ({ file, ...certificateFields(certificate) })),
        () => all.map(({ file, certificate }) => `${file}\n${describe(certificate)}`).join('\n\n'),
      );
    });

  cert
    .command('verify')
    .description('check a root, or a server certificate under its root: signature, hash, validity, names')
    .argument('[file]', 'certificate', FILES.serverCertificate)
    .option('--root <file>', 'root certificate', FILES.rootCertificate)
    .option('--json', 'as JSON')
    .action((file: string, options: { root: string; json?: boolean }) => {
      const certificate = readCertificateFile(file);
      const now = nodeClock.now();
      const root = certificate.kind === 'root' ? certificate : readRootCertificate(options.root);
      const crypto = micro.suite(root.suite.id);
      const badRoot = verifyRoot(crypto, root, now);
      if (badRoot !== null) {
        throw new QstpError(
          badRoot.reason,
          `${certificate.kind === 'root' ? file : options.root}: ${badRoot.detail}`,
        );
      }
      if (certificate.kind !== 'root') {
        if (!isSigned(certificate))
          throw new QstpError('not_signed', `${file} is not signed: \`qstp root sign\``);
        const verify = certificate.kind === 'client' ? verifyClient : verifyServer;
        const bad = verify(crypto, certificate, root, now);
        if (bad !== null) throw new QstpError(bad.reason, `${file}: ${bad.detail}`);
      }
      show(options.json === true, { file, verified: true, ...certificateFields(certificate) }, () =>
        certificate.kind === 'root'
          ? `${file}: good, signed by itself: trust it only if it came from your root`
          : `${file}: good, signed by ${options.root}`,
      );
    });

  cert
    .command('convert')
    .description('binary to text and back, or the public key as standard PEM (SubjectPublicKeyInfo)')
    .argument('<in>', 'certificate, binary or text')
    .argument('<out>', 'where the result goes')
    .option('--to <form>', `${FORMS.join(', ')}; default: binary to text, text to binary`)
    .option('--force', 'replace a file that exists')
    .action((input: string, output: string, options: { to?: string; force?: boolean }) => {
      const certificate = readCertificateFile(input);
      const form = options.to ?? (isTextFile(input) ? 'binary' : 'text');
      if (!FORMS.includes(form)) throw new UsageError(`--to takes ${FORMS.join(', ')}, not "${form}"`);
      const contents =
        form === 'binary'
          ? certificate.bytes
          : form === 'text'
            ? encodeCertificateText(certificate)
            : subjectPublicKeyInfo(certificate);
      writeFiles([publicFile(output, contents)], options.force === true);
      console.log(`${output}: ${form}, ${contents.length} bytes`);
    });
  return cert;
}
