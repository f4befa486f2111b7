import { Command } from 'commander';
import { existsSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { QstpError } from '../../src/error.ts';
import { wipe } from '../../src/bytes.ts';
import {
  generateRootKey,
  rootCertificate,
  rootSignature,
  signClientCertificate,
  signServerCertificate,
} from '../../src/cert/issue.ts';
import {
  decodeRevocationList,
  encodeRevocationList,
  isRevoked,
  pruneRevoked,
  revokedSerials,
} from '../../src/cert/revocation.ts';
import { suiteByName } from '../../src/cert/suite.ts';
import { hashMatches, verifyClient, verifyServer } from '../../src/cert/verify.ts';
import { micro } from '../../src/crypto/micro.ts';
import { DAY_SECONDS } from '../../src/params.ts';
import { equal, toHex } from '../../src/bytes.ts';
import {
  FILES,
  keyFile,
  publicFile,
  readChildCertificate,
  readRootCertificate,
  readServerCertificate,
  writeFiles,
} from '../../targets/node/files.ts';
import { parseServer } from '../../targets/node/connector.ts';
import { nodeClock, nodeRandom } from '../../targets/node/platform.ts';
import { certificateFields, describe } from '../certificate-view.ts';
import { collect, defaultIssuer, wholeNumber } from '../options.ts';
import { keyLine, newKeyOptions, sealing } from '../new-key.ts';
import type { NewKeyOptions } from '../new-key.ts';
import { goodRoot, openRootKey, rootKeyOptions } from '../root-key.ts';
import type { RootKeyOptions } from '../root-key.ts';
import {
  describeList,
  folderCertificates,
  listFields,
  readList,
  serialOf,
  signRevocations,
  verifyList,
} from '../revocations.ts';
import { revokeOnline } from '../revoke-online.ts';
import { show, UsageError } from '../ui.ts';
import { rolloverCommand } from './rollover.ts';

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

  const signs = root
    .command('sign')
    .description("sign a server's or a client's certificate")
    .argument(
      '[file]',
      'the certificate, as `qstp server new` or `qstp client new` left it',
      FILES.serverCertificate,
    );
  rootKeyOptions(signs)
    .option('--out <file>', 'where the signed certificate goes; default: in place')
    .option('--force', 'replace the file of --out if it exists')
    .option('--json', 'as JSON')
    .action(sign);

  const revokes = root
    .command('revoke')
    .description(
      'issue the next revocation list, with these certificates added; without any, the same list with a new date',
    )
    .argument('[serial...]', 'serials in hexadecimal, or certificate files');
  rootKeyOptions(revokes)
    .option('--list <file>', 'the list, which is made if it is not there', FILES.revocations)
    .option(
      '--next-update <days>',
      'the list is stale after so many days',
      wholeNumber('--next-update', 1, 730),
      30,
    )
    .option('--number <n>', 'at least this number, if the list before was lost', listNumber)
    .option('--server <address>', 'tell this server at once, too; again for more', collect)
    .option('--server-cert <file>', "those servers' certificate", FILES.serverCertificate)
    .option('--certs <dir>', 'leave out serials whose certificate lies in this folder and has expired')
    .option('--json', 'as JSON')
    .action(revoke);

  root.addCommand(rolloverCommand());
  return root;
}

const listNumber = wholeNumber('--number', 1, 0xffffffff);

async function newRoot(options: NewKeyOptions): Promise<void> {
  const crypto = micro.suite(suiteByName(options.suite).id);
  const key = generateRootKey(crypto, options.issuer, options.days, nodeClock.now(), nodeRandom);
  const certificate = rootCertificate(crypto, key, new Uint8Array(randomBytes(32)));
  const secret = await sealing(options, options.key);
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
        keyLine(options.key, secret !== null),
        `certificate   ${options.cert}  (give it to servers and clients)`,
        'next: `qstp server new`, then `qstp root sign`',
      ].join('\n'),
  );
}

interface SignOptions extends RootKeyOptions {
  out?: string;
  force?: boolean;
  json?: boolean;
}

async function sign(file: string, options: SignOptions): Promise<void> {
  const { crypto, root } = goodRoot(options.root);
  const request = readChildCertificate(file);
  if (!hashMatches(request)) {
    throw new QstpError('certificate_hash', `${file} does not match its own hash: it was damaged on its way`);
  }
  const key = await openRootKey(options);
  const client = request.kind === 'client';
  const hedge = new Uint8Array(randomBytes(32));
  const signed = (client ? signClientCertificate : signServerCertificate)(crypto, root, key, request, hedge);
  wipe(key.signingKey);
  const wrong = (client ? verifyClient : verifyServer)(crypto, signed, root, request.from);
  if (wrong !== null)
    throw new QstpError(wrong.reason, `the signed certificate does not verify: ${wrong.detail}`);
  const out = options.out ?? file;
  writeFiles([publicFile(out, signed.bytes)], out === file || options.force === true);
  show(options.json === true, { ...certificateFields(signed), certificate: out }, () =>
    [
      describe(signed),
      '',
      `certificate   ${out}  (give it to the ${client ? 'client' : 'server and its clients'})`,
      ...(signed.to < request.to ? ['its validity was cut to the root’s'] : []),
      client
        ? 'next: the client shows it to servers that want an identity'
        : 'next: `qstp serve` on the server, `qstp connect` on a client',
    ].join('\n'),
  );
}

interface RevokeOptions extends RootKeyOptions {
  list: string;
  nextUpdate: number;
  number?: number;
  certs?: string;
  server?: string[];
  serverCert: string;
  json?: boolean;
}

async function revoke(texts: string[], options: RevokeOptions): Promise<void> {
  const { crypto, root } = goodRoot(options.root);
  const now = nodeClock.now();
  const held = existsSync(options.list) ? readList(options.list) : null;
  if (held !== null) verifyList(held, options.list, root);
  const added = texts.map((text) => serialOf(text, root));
  const servers = options.server ?? [];
  for (const server of servers) parseServer(server);
  const certificate = servers.length === 0 ? null : readServerCertificate(options.serverCert);
  if (certificate !== null && added.length === 0) {
    throw new UsageError('--server tells of serials: name those that are to be revoked');
  }
  const ends = options.certs === undefined ? [] : folderCertificates(options.certs);
  const endOf = (serial: Uint8Array): number | null =>
    ends.find(({ certificate }) => equal(certificate.serial, serial))?.certificate.to ?? null;
  const before = held === null ? [] : revokedSerials(held);
  const serials = pruneRevoked([...before, ...added], endOf, now);
  const number = nextNumber(held?.number ?? 0, options.number);
  const content = {
    rootSerial: root.serial,
    number,
    issued: now,
    nextUpdate: now + options.nextUpdate * DAY_SECONDS,
  };
  // Laid out once before the key is opened: a list that is too long is said before a passphrase is asked for.
  encodeRevocationList(content, serials, crypto.suite, () => new Uint8Array(crypto.suite.signatureBytes));
  const key = await openRootKey(options);
  const signWith = rootSignature(crypto, root, key, new Uint8Array(randomBytes(32)));
  const bytes = encodeRevocationList(content, serials, crypto.suite, signWith);
  const revocations = certificate === null ? [] : signRevocations(added, signWith);
  wipe(key.signingKey);
  const list = decodeRevocationList(bytes, crypto.suite)!;
  verifyList(list, options.list, root);
  writeFiles([publicFile(options.list, bytes)], true);
  const fresh = added.filter((serial) => isRevoked(list, serial) && !isRevoked(held, serial));
  const left = before.filter((serial) => !isRevoked(list, serial));
  const answers = certificate === null ? [] : await revokeOnline(servers, revocations, root, certificate);
  if (answers.some(({ good }) => !good)) process.exitCode = 1;
  show(
    options.json === true,
    { ...listFields(list), list: options.list, added: fresh.map(toHex), left: left.map(toHex), answers },
    () =>
      [
        describeList(list),
        '',
        `list          ${options.list}  (${fresh.length} added, ${left.length} left out)`,
        ...answers.map(({ server, serial, answer }) => `${server}  ${serial}: ${answer}`),
        'next: give it to every server; they tell their clients',
      ].join('\n'),
  );
}

function nextNumber(held: number, least = 1): number {
  if (held >= 0xffffffff) {
    throw new QstpError('revocation_full', 'the list has the last number there is: roll over to a new root');
  }
  return Math.max(held + 1, least);
}
