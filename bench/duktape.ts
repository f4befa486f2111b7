// Figures of Duktape: ratios to noble, of which only Keccak can run there.

import { bundleScript } from '../test/engines/bundle.ts';
import { runEspruinoClass } from '../test/engines/duktape.ts';
import type { Figures } from './figures.ts';
import { median } from './node.ts';

const ROUNDS = 7;
/** Time of one round of one thing, milliseconds. */
const ROUND_MS = 200;

/** How @noble/hashes makes the tables of Keccak, in the bundle: from its first BigInt to the last table. */
const TABLES = /var _0n = BigInt\(0\);[^]*?var SHA3_IOTA_L = IOTAS\[1\];/;

/**
 * noble computes Keccak's tables as it loads, with BigInt, which Duktape has not. They are computed here, by the same
 * code, and stand in its place; the permutation stays as it is. Other constants of BigInts are not used.
 * Number.isSafeInteger, which checks its argument, is added.
 */
export function withoutBigInt(script: string): string {
  if (!TABLES.test(script)) throw new Error('noble makes the tables of Keccak in some other way');
  const names = ['SHA3_PI', 'SHA3_ROTL', 'SHA3_IOTA_H', 'SHA3_IOTA_L'];
  const folded = script.replace(TABLES, (text) => {
    const split = `function split(list) {
      return [Uint32Array.from(list, (x) => Number(x & 0xffffffffn)), Uint32Array.from(list, (x) => Number(x >> 32n))];
    }`;
    const tables = new Function(`${split}\n${text}\nreturn [${names.join()}];`)() as ArrayLike<number>[];
    return names
      .map((name, i) => {
        const list = `[${Array.from(tables[i]!).join()}]`;
        return `var ${name} = ${i < 2 ? list : `new Uint32Array(${list})`};`;
      })
      .join('\n');
  });
  const isSafeInteger =
    'function (x) { return Math.floor(x) === x && x >= -9007199254740991 && x <= 9007199254740991; }';
  return `var BigInt = Number;\nNumber.isSafeInteger = ${isSafeInteger};\n${folded}`;
}

/** `duktape.keccakF1600.noble.ratio`: how many times as long noble's permutation takes. */
export async function benchDuktape(figures: Figures, root: string): Promise<void> {
  const script = await bundleScript('bench/device-duktape.ts', { name: 'device', root, es5: true });
  const call = `print(JSON.stringify(device.ratios(${ROUNDS}, ${ROUND_MS})));`;
  const output = await runEspruinoClass(`${withoutBigInt(script)}\n${call}`, root);
  figures['duktape.keccakF1600.noble.ratio'] = median(JSON.parse(output) as number[]);
}
