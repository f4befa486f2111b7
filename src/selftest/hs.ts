// Known answers of kind `hs`: certificates, key files, the handshake, records, close and ratchet of one
// suite, all reproduced from the deterministic random source the file was made with.

import { CONFIG_BYTES, Flag, HEADER_BYTES, TAG_BYTES } from '../params.ts';
import { ascii, concat, equal } from '../bytes.ts';
import { ErrorCode } from '../error.ts';
import type { SuiteCrypto } from '../crypto/provider.ts';
import type { RootCertificate, ServerCertificate } from '../cert/certificate.ts';
import type { RootKey, ServerKey } from '../cert/key-file.ts';
import { configurationFromString, suiteById } from '../cert/suite.ts';
import { headerTime } from '../wire/header.ts';
import type { RcsApi, Report } from './api.ts';
import { check } from './api.ts';
import { difference, FormatError, hex, integer, list, object, text, truth } from './fields.ts';
import type { Entry } from './fields.ts';
import { labelledRandom, Pair } from './hs-pair.ts';
import type { HsParts } from './hs-pair.ts';
import { either, readPacket, readScript } from './hs-script.ts';
import type { Script } from './hs-script.ts';

const MAC = 'kmac-r24';

/** A fresh 32-byte array of zeros: ML-DSA signs deterministically with it. */
function zeros(): Uint8Array {
  return new Uint8Array(32);
}

export function checkHs(file: Entry, parts: HsParts, report: Report): void {
  const config = text(file, 'config');
  const id = configurationFromString(config);
  if (id === 0) throw new FormatError(`no parameter set is called "${config}"`);
  const crypto = parts.provider.suite(suiteById(id).id);
  const mac = text(file, 'mac');
  if (mac !== MAC) throw new FormatError(`the MAC "${mac}" is not in this build; it has ${MAC}`);
  const script = readScript(file);
  checkCertificates(object(file, 'certs'), crypto, parts, report);
  checkSession(file, script, crypto, parts, report);
}

// ---- Certificates and key files --------------------------------------------------------------------------

interface Chain {
  readonly rootKey: RootKey;
  readonly root: RootCertificate;
  readonly serverKey: ServerKey;
  readonly server: ServerCertificate;
}

/** Makes the keys and certificates again; issuer and validity are the key files'. */
function makeChain(certs: Entry, crypto: SuiteCrypto, parts: HsParts): Chain {
  const { session } = parts;
  const draw = labelledRandom(parts.hash);
  const oldRoot = session.decodeKey(hex(certs, 'rootKeyFile'));
  const oldServer = session.decodeKey(hex(certs, 'serverKeyFile'));
  const rootKey = {
    ...session.generateRootKey(crypto, 'kat.qrr', 1, oldRoot.from, draw('root')),
    issuer: oldRoot.issuer,
    to: oldRoot.to,
  };
  const root = session.rootCertificate(crypto, rootKey, zeros());
  const unbound = {
    ...session.generateServerKey(crypto, 'kat.qrc', 1, oldServer.from, draw('srvkey')),
    issuer: oldServer.issuer,
    to: oldServer.to,
  };
  const server = session.signServerCertificate(crypto, root, rootKey, unbound, zeros());
  return { rootKey, root, serverKey: session.bindServerKey(unbound, root, server), server };
}

function checkCertificates(certs: Entry, crypto: SuiteCrypto, parts: HsParts, report: Report): void {
  const { session } = parts;
  let made: Chain | null = null;
  const chain = (): Chain => (made ??= makeChain(certs, crypto, parts));

  const file = (name: string, bytes: () => Uint8Array): void =>
    check(report, `certs.${name}`, () => difference(bytes(), hex(certs, name)));
  file('rootKeyFile', () => session.encodeKey(chain().rootKey));
  file('rootCertFile', () => chain().root.bytes);
  file('serverKeyFile', () => session.encodeKey(chain().serverKey));
  file('serverCertFile', () => chain().server.bytes);
  file('rootCertTextHex', () => ascii(session.encodeCertificateText(chain().root)));
  file('serverCertTextHex', () => ascii(session.encodeCertificateText(chain().server)));
  file('rootHash', () => session.certificateHash(chain().root));
  file('serverHash', () => session.certificateHash(chain().server));
  file('schash0', () => chain().serverKey.cookie);

  for (const kind of ['root', 'server'] as const) {
    check(report, `certs.${kind}KeyFile decoded`, () => {
      const bytes = hex(certs, `${kind}KeyFile`);
      return difference(session.encodeKey(session.decodeKey(bytes)), bytes);
    });
    check(report, `certs.${kind}TextLen`, () => {
      const [got, wanted] = [
        session.encodeCertificateText(chain()[kind]).length,
        integer(certs, `${kind}TextLen`),
      ];
      return got === wanted ? null : `the text has ${got} characters instead of ${wanted}`;
    });
    check(report, `certs.${kind}CertTextHex decoded`, () => {
      const read = session.readCertificate(hex(certs, `${kind}CertTextHex`));
      if (!truth(certs, `${kind}DecodeOk`)) return `${kind}DecodeOk is false, but it can be decoded`;
      return difference(read.bytes, hex(certs, `${kind}CertFile`));
    });
    check(report, `certs.${kind}CertFile to text and back`, () => {
      const read = session.readCertificate(hex(certs, `${kind}CertFile`));
      const back = session.readCertificate(ascii(session.encodeCertificateText(read)));
      const same = equal(back.bytes, read.bytes);
      return same === truth(certs, `${kind}Roundtrip`) ? null : `${kind}Roundtrip is ${!same} in the file`;
    });
  }
  check(report, 'certs verified', () => {
    const root = session.decodeRootCertificate(hex(certs, 'rootCertFile'));
    const server = session.decodeServerCertificate(hex(certs, 'serverCertFile'));
    const refused = session.verifyChain(crypto, root, server, server.from + 1);
    return refused === null ? null : refused.detail;
  });
}

// ---- Handshake, records, close, ratchet ------------------------------------------------------------------

function checkSession(
  file: Entry,
  script: Script,
  crypto: SuiteCrypto,
  parts: HsParts,
  report: Report,
): void {
  const certs = object(file, 'certs');
  const open = (): Pair => {
    const pair = new Pair(certs, crypto, parts, script);
    pair.connect(script);
    return pair;
  };
  let pair: Pair;
  try {
    pair = open();
  } catch (error) {
    report('handshake', error instanceof Error ? error.message : 'failed');
    return;
  }
  for (const [i, { path, packet, time }] of script.handshake.entries()) {
    check(report, path, () => difference(pair.sent[i]!, packet));
    if (i === 0) check(report, 'time', () => (time === script.time ? null : `the first packet says ${time}`));
  }
  checkKeys(file, pair, parts, report);
  checkData(script, pair, report);
  checkClose(object(file, 'closeNotice'), script, open, report);
  checkRatchet(object(file, 'ratchet'), crypto, pair, parts, report);
  checkErrorPacket(file, () => new Pair(certs, crypto, parts, script, 1), report);
}

/** The cipher state that key and nonce of an entry lead to. */
function keyed(rcs: RcsApi, entry: Entry): Int32Array {
  const state = new Int32Array(rcs.RCS256_WORDS);
  rcs.rcsInit(state, hex(entry, 'key', 32), hex(entry, 'nonce', 32), new Uint8Array(0));
  return state;
}

function sameState(got: Int32Array, wanted: Int32Array): string | null {
  for (let i = 0; i < wanted.length; i++) if (got[i] !== wanted[i]) return 'the keys are others';
  return null;
}

function checkKeys(file: Entry, pair: Pair, { rcs, session }: HsParts, report: Report): void {
  const seen: string[] = [];
  for (const entry of list(file, 'keys')) {
    check(report, entry.path, () => {
      const end = either(entry, 'side', 'client', 'server') ? pair.client : pair.server;
      const state = either(entry, 'dir', 'tx', 'rx') ? end.slot.tx : end.slot.rx;
      seen.push(`${text(entry, 'side')} ${text(entry, 'dir')}`);
      return sameState(state, keyed(rcs, entry));
    });
  }
  for (const which of ['client tx', 'client rx', 'server tx', 'server rx']) {
    if (seen.indexOf(which) < 0) report('keys', `there is no valid entry for ${which}`);
  }
  check(report, 'rtcsClient', () =>
    difference(session.ratchetState(pair.client.slot), hex(file, 'rtcsClient')),
  );
  check(report, 'rtcsServer', () =>
    difference(session.ratchetState(pair.server.slot), hex(file, 'rtcsServer')),
  );
}

function checkData(script: Script, pair: Pair, report: Report): void {
  for (const { path, fromClient, plain, packet, time } of script.data) {
    const [from, to] = pair.ends(fromClient);
    check(report, `${path} sealed`, () => difference(from.seal(plain, time), packet));
    check(report, `${path} opened`, () => {
      const message = pair.deliver(to, packet, time);
      return message === null ? (to.closed?.detail ?? 'it brought no message') : difference(message, plain);
    });
  }
}

/** The notice was made by an end that never saw the ratchet: it comes from sessions of their own. */
function checkClose(notice: Entry, script: Script, open: () => Pair, report: Report): void {
  check(report, 'closeNotice', () => {
    const { fromClient, packet, time } = readPacket(notice, either(notice, 'from', 'client', 'server'));
    const code = integer(notice, 'err');
    const pair = open();
    for (const record of script.data) {
      const [from, to] = pair.ends(record.fromClient);
      pair.deliver(to, from.seal(record.plain, record.time), record.time);
    }
    const [from, to] = pair.ends(fromClient);
    from.close({ reason: 'local', code, detail: 'closed here', authenticated: false }, time);
    const failure = difference(from.takeOutput() ?? new Uint8Array(0), packet);
    if (failure !== null) return failure;
    pair.deliver(to, packet, time);
    if (to.closed?.authenticated !== true) return `received as ${to.closed?.reason ?? 'nothing'}`;
    return to.closed.code === code ? null : `received as code ${to.closed.code}`;
  });
}

function checkRatchet(
  ratchet: Entry,
  crypto: SuiteCrypto,
  pair: Pair,
  { rcs, session }: HsParts,
  report: Report,
): void {
  if (!truth(ratchet, 'sent')) throw new FormatError('ratchet.sent is false: there is nothing to check');
  const { packet, time } = readPacket(ratchet, true);
  const token = new Uint8Array(32);
  check(report, 'ratchet.token', () => {
    pair.draw('ratchet')(token);
    return difference(token, hex(ratchet, 'token', 32));
  });
  check(report, 'ratchet.packet', () => {
    const made = new Uint8Array(HEADER_BYTES + token.length + TAG_BYTES);
    made.set(token, HEADER_BYTES);
    session.sealRecord(pair.client.slot, made, Flag.symmetricRatchetRequest, token.length, time);
    return difference(made, packet);
  });
  check(report, 'ratchet received', () => {
    pair.deliver(pair.server, packet, time);
    return pair.server.state === 'established' ? null : (pair.server.closed?.detail ?? pair.server.state);
  });
  check(report, 'ratchet.client_tx', () =>
    sameState(pair.server.slot.rx, keyed(rcs, object(ratchet, 'client_tx'))),
  );
  check(report, 'ratchet.client_rx', () =>
    sameState(pair.server.slot.tx, keyed(rcs, object(ratchet, 'client_rx'))),
  );
  check(report, 'ratchet.rtcsAfter', () =>
    difference(session.ratchetState(pair.server.slot), hex(ratchet, 'rtcsAfter', 32)),
  );
  check(report, 'ratchet derivation', () => {
    const configuration = ascii(crypto.suite.name, CONFIG_BYTES);
    const next = session.ratchetKeys(token, configuration, session.ratchetState(pair.client.slot));
    const [tx, rx] = [object(ratchet, 'client_tx'), object(ratchet, 'client_rx')];
    const wanted = concat([hex(tx, 'key'), hex(tx, 'nonce'), hex(rx, 'key'), hex(rx, 'nonce')]);
    return difference(next.material.subarray(0, 128), wanted);
  });
}

/** The packet a server with an expired key answers with. */
function checkErrorPacket(file: Entry, expired: () => Pair, report: Report): void {
  check(report, 'kexErrorPacket_keyExpired', () => {
    const packet = hex(file, 'kexErrorPacket_keyExpired', HEADER_BYTES + 1);
    const time = headerTime(packet);
    const pair = expired();
    const { client, server } = pair;
    client.start(time);
    pair.deliver(server, client.takeOutput()!, time);
    const failure = difference(server.takeOutput() ?? new Uint8Array(0), packet);
    if (failure !== null) return failure;
    pair.deliver(client, packet, time);
    if (client.closed?.code === ErrorCode.keyExpired && !client.closed.authenticated) return null;
    return `received as ${client.closed?.reason ?? 'nothing'}`;
  });
}
