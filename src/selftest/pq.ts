// Known answers of kind `pq`: ML-KEM and ML-DSA of one parameter set, in either form of the files: single
// values, or lists of encapsulations, altered ciphertexts and signatures.

import type { Provider, SuiteCrypto } from '../crypto/provider.ts';
import { decapsulate, encapsulate, keygen, sign } from '../crypto/provider.ts';
import { ascii, concat } from '../bytes.ts';
import { configurationFromString, suiteById } from '../cert/suite.ts';
import type { HashApi, Report } from './api.ts';
import { check } from './api.ts';
import { difference, FormatError, has, hex, integer, list, object, onlyDraw, text, truth } from './fields.ts';
import type { Entry } from './fields.ts';
import { kPkeDecrypt } from './k-pke.ts';

const RATE_256 = 136;

function differs(name: string, got: number | boolean, wanted: number | boolean): string | null {
  return got === wanted ? null : `${name} is ${got} instead of ${wanted}`;
}

/** Runs a part of the file; if it is malformed, that is one failure and the other part goes on. */
function part(report: Report, name: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    report(name, error.message);
  }
}

export function checkPq(file: Entry, provider: Provider, hash: HashApi, report: Report): void {
  const config = text(file, 'config');
  const id = configurationFromString(config);
  if (id === 0) throw new FormatError(`no parameter set is called "${config}"`);
  const crypto = provider.suite(suiteById(id).id);
  part(report, 'sizes', () => checkSizes(object(file, 'sizes'), crypto, report));
  part(report, 'kem', () => checkKem(object(file, 'kem'), crypto, hash, report));
  part(report, 'dsa', () => checkDsa(object(file, 'dsa'), crypto, report));
}

function checkSizes(sizes: Entry, { kem, signer }: SuiteCrypto, report: Report): void {
  const ours: [string, number][] = [
    ['kemPk', kem.publicKeyBytes],
    ['kemSk', kem.secretKeyBytes],
    ['kemCt', kem.ciphertextBytes],
    ['dsaPk', signer.publicKeyBytes],
    ['dsaSk', signer.secretKeyBytes],
    ['dsaSig', signer.signatureBytes],
  ];
  for (const [name, bytes] of ours) {
    check(report, `sizes.${name}`, () => differs(name, bytes, integer(sizes, name)));
  }
}

// ---- ML-KEM ----------------------------------------------------------------------------------------------

interface Encapsulation {
  readonly path: string;
  readonly coins: Uint8Array;
  readonly ct: Uint8Array;
  readonly ss: Uint8Array;
  readonly decapsulates: boolean;
}

interface Altered {
  readonly path: string;
  readonly byte: number;
  readonly xor: number;
  readonly accepted: boolean;
  readonly ss: Uint8Array;
}

function readEncapsulations(at: Entry, ctBytes: number): Encapsulation[] {
  if (!has(at, 'encaps')) {
    return [
      {
        path: 'kem',
        coins: hex(at, 'encapsCoins', 32),
        ct: hex(at, 'ct', ctBytes),
        ss: hex(at, 'ss', 32),
        decapsulates: truth(at, 'decapsOk'),
      },
    ];
  }
  return list(at, 'encaps').map((e) => ({
    path: e.path,
    coins: onlyDraw(e, 'rng', 32),
    ct: hex(e, 'ct', ctBytes),
    ss: hex(e, 'ss', 32),
    decapsulates: truth(e, 'decapsOk'),
  }));
}

function readAltered(at: Entry): Altered[] {
  if (!has(at, 'encaps')) {
    return [
      {
        path: 'kem.tampered',
        byte: integer(at, 'tamperedByte'),
        xor: integer(at, 'tamperedXor'),
        accepted: truth(at, 'tamperedReturn'),
        ss: hex(at, 'tamperedSs', 32),
      },
    ];
  }
  return list(at, 'tampered').map((e) => ({
    path: e.path,
    byte: integer(e, 'byte'),
    xor: integer(e, 'xor'),
    accepted: truth(e, 'return'),
    ss: hex(e, 'ss', 32),
  }));
}

function checkKem(at: Entry, crypto: SuiteCrypto, hash: HashApi, report: Report): void {
  const kem = crypto.kem;
  const seed = has(at, 'encaps') ? onlyDraw(at, 'keygenRng', 64) : hex(at, 'keygenCoins', 64);
  const pk = hex(at, 'pk', kem.publicKeyBytes);
  const sk = hex(at, 'sk', kem.secretKeyBytes);
  const encapsulations = readEncapsulations(at, kem.ciphertextBytes);
  const altered = readAltered(at);
  const last = encapsulations[encapsulations.length - 1];
  if (last === undefined) throw new FormatError('kem.encaps is empty');

  check(report, 'kem.pk', () => difference(keygen(kem, seed).publicKey, pk));
  check(report, 'kem.sk', () => difference(keygen(kem, seed).secretKey, sk));
  for (const e of encapsulations) {
    check(report, `${e.path}.ct`, () => difference(encapsulate(kem, pk, e.coins)!.ciphertext, e.ct));
    check(report, `${e.path}.ss`, () => difference(encapsulate(kem, pk, e.coins)!.sharedSecret, e.ss));
    check(report, `${e.path} decapsulated`, () => difference(decapsulate(kem, e.ct, sk)!, e.ss));
    check(report, `${e.path}.decapsOk`, () => {
      const again = encapsulate(kem, pk, kPkeDecrypt(crypto.suite, e.ct, sk))!.ciphertext;
      return differs('decapsOk', difference(again, e.ct) === null, e.decapsulates);
    });
  }
  for (const a of altered) {
    check(report, `${a.path} decapsulated`, () => {
      const ct = alter(last.ct, a);
      return difference(decapsulate(kem, ct, sk)!, rejection(hash, sk, ct));
    });
    // The reference derives its rejection secret from the re-encryption, not from what it received, and
    // says that it rejected.
    check(report, `${a.path} as the reference`, () => {
      const ct = alter(last.ct, a);
      const again = encapsulate(kem, pk, kPkeDecrypt(crypto.suite, ct, sk))!.ciphertext;
      const failure = differs('return', difference(again, ct) === null, a.accepted);
      return failure ?? difference(rejection(hash, sk, again), a.ss);
    });
  }
}

/** SHAKE256(z || ciphertext), z being the end of the secret key (FIPS 203 §6.3). */
function rejection(hash: HashApi, sk: Uint8Array, ct: Uint8Array): Uint8Array {
  return hash.shake(RATE_256, concat([sk.subarray(sk.length - 32), ct]), 32);
}

function alter(ct: Uint8Array, { path, byte, xor }: Altered): Uint8Array {
  if (byte >= ct.length) throw new FormatError(`${path} alters byte ${byte} of ${ct.length}`);
  if (xor < 1 || xor > 255) throw new FormatError(`${path} alters nothing: xor ${xor}`);
  const out = new Uint8Array(ct);
  out[byte]! ^= xor;
  return out;
}

// ---- ML-DSA ----------------------------------------------------------------------------------------------

interface Signed {
  readonly path: string;
  readonly random: Uint8Array;
  readonly msg: Uint8Array;
  /** signature || message */
  readonly signedMessage: Uint8Array;
  readonly verifies: boolean;
  readonly context?: Uint8Array;
}

function readSigned(at: Entry, signatureBytes: number): Signed[] {
  const zeros = new Uint8Array(32);
  if (!has(at, 'sigs')) {
    const msg = hex(at, 'msg');
    const length = signatureBytes + msg.length;
    const verifies = truth(at, 'verify');
    return [
      {
        path: 'dsa.signedMessage',
        random: zeros,
        msg,
        signedMessage: hex(at, 'signedMessage', length),
        verifies,
      },
      {
        path: 'dsa.signedMessageCtx_ctx',
        random: zeros,
        msg,
        signedMessage: hex(at, 'signedMessageCtx_ctx', length),
        verifies: true,
        context: ascii('ctx'),
      },
    ];
  }
  return list(at, 'sigs').map((e) => {
    const draws = e.value['rng'];
    const msg = hex(e, 'msg');
    return {
      path: e.path,
      random: Array.isArray(draws) && draws.length === 0 ? zeros : onlyDraw(e, 'rng', 32),
      msg,
      signedMessage: hex(e, 'signedMessage', signatureBytes + msg.length),
      verifies: truth(e, 'verify'),
    };
  });
}

function checkDsa(at: Entry, { signer }: SuiteCrypto, report: Report): void {
  const isList = has(at, 'sigs');
  const seed = isList ? onlyDraw(at, 'keygenRng', 32) : hex(at, 'seed', 32);
  const pk = hex(at, 'pk', signer.publicKeyBytes);
  const sk = hex(at, 'sk', signer.secretKeyBytes);
  const signed = readSigned(at, signer.signatureBytes);
  const first = signed[0];
  if (first === undefined) throw new FormatError('dsa.sigs is empty');

  check(report, 'dsa.pk', () => difference(keygen(signer, seed).publicKey, pk));
  check(report, 'dsa.sk', () => difference(keygen(signer, seed).secretKey, sk));
  for (const s of signed) {
    check(report, s.path, () =>
      difference(concat([sign(signer, s.msg, sk, s.random, s.context), s.msg]), s.signedMessage),
    );
    check(report, `${s.path} verified`, () => {
      const signature = s.signedMessage.subarray(0, signer.signatureBytes);
      const message = s.signedMessage.subarray(signer.signatureBytes);
      return differs('verify', signer.verify(signature, message, pk, s.context), s.verifies);
    });
  }
  if (isList) {
    check(report, 'dsa altered', () => differs('accepted', acceptedAltered(signer, first, pk), 0));
    return;
  }
  check(report, 'dsa.recovered', () =>
    difference(first.signedMessage.subarray(signer.signatureBytes), hex(at, 'recovered')),
  );
  check(report, 'dsa.ctildeBitflipAccepted', () =>
    differs('accepted', acceptedAltered(signer, first, pk), integer(at, 'ctildeBitflipAccepted')),
  );
}

/**
 * How many signatures pass with one bit of c~ flipped. c~ has 32, 48 or 64 bytes by strength: the first byte,
 * and the 33rd and the last of its longer forms, which the reference does not compare.
 */
function acceptedAltered(signer: SuiteCrypto['signer'], signed: Signed, pk: Uint8Array): number {
  const commitmentBytes = signer.signatureBytes === 2420 ? 32 : signer.signatureBytes === 3309 ? 48 : 64;
  let accepted = 0;
  for (const at of [0, 32, commitmentBytes - 1]) {
    if (at >= commitmentBytes) continue;
    const signature = new Uint8Array(signed.signedMessage.subarray(0, signer.signatureBytes));
    signature[at]! ^= 1;
    if (signer.verify(signature, signed.msg, pk, signed.context)) accepted++;
  }
  return accepted;
}
