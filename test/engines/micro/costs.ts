// What single constructs of the language cost on an engine: the difference of two loops' lengths, less the
// loop itself. For choosing between variants of a kernel; the fewest opcodes are not always the fewest
// instructions.

import { engine, type MicroEngine } from './operations.ts';
import { EngineFailure } from './program.ts';

/** Loop bodies. i counts, y is a small integer, n a negative one, big * 3000 needs a double, d, e are doubles. */
const BODIES: readonly string[] = [
  'x = y;',
  'x = y + i;',
  'x ^= i;',
  'x = ~y;',
  'x = y & 4095;',
  'x = y << 3;',
  'x = y >> 10;',
  'x = y >>> 10;',
  'x = n >>> 10;',
  'x = (n >> 10) & 0x3fffff;',
  'x = n >>> 0;',
  'x = y ^ -2147483647;',
  'x = y * 17;',
  'x = big * 3000;',
  'x = (big * 3000) | 0;',
  'x = Math.imul(big, 3000);',
  'x = imul(big, 3000);',
  'x = y % 3329;',
  'x = (y / 17) | 0;',
  'x = y - (((y >> 10) * 20159 + 32768) >> 16) * 3329;',
  'x = d + e;',
  'x = d * e;',
  'x = d | 0;',
  'x = (big * 3000) % 8380417;',
  'x = big * 3000; x -= (x * 1.1932580443192743e-7 + 6755399441055744 - 6755399441055744) * 8380417;',
  'x = int32[i & 7];',
  'x = int16[i & 7];',
  'x = uint8[i & 7];',
  'x = float64[i & 7];',
  'x = list[i & 7];',
  'int32[i & 7] = y;',
  'int32[i & 7] = d;',
  'float64[i & 7] = d;',
  'list[i & 7] = y;',
  'int32[i & 7] ^= y;',
  'list[i & 7] ^= y;',
  'x = object.property;',
  'x = call(y);',
  'if (y < 3329) x = y;',
];

const SETUP = `
var operands = [new Int32Array(8), new Int16Array(8), new Uint8Array(8), new Float64Array(8),
  [1, 2, 3, 4, 5, 6, 7, 8], { property: 1 }, function (a) { return a; }, Math.imul];
var loops = [];
function run(k, length) { return loops[k].apply(null, [length].concat(operands)); }
`;
const LENGTHS = [1000, 3000] as const;

export interface Cost {
  construct: string;
  /** Instructions (m4) or cycles (rp2040) a pass. */
  count: number;
}

/** The cost of every construct; the first is the empty loop's pass, which the others do not contain. */
export async function costs(name: MicroEngine): Promise<Cost[]> {
  const bodies = ['', ...BODIES];
  const loops = bodies.map(
    (body) => `loops.push(function (length, int32, int16, uint8, float64, list, object, call, imul) {
      'use strict';
      var x = 0, y = 1234, n = -1234, big = 8000000, d = 1234567.25, e = 3.5;
      for (var i = 0; i < length; i++) { ${body} }
      return x;
    });`,
  );
  const expressions = bodies.flatMap((_, k) => LENGTHS.map((length) => `run(${k}, ${length})`));
  const { calls } = await engine(name)(SETUP + loops.join('\n'), { expressions });
  const passes = bodies.map((body, k) => {
    const [short, long] = [calls[2 * k]!, calls[2 * k + 1]!];
    if (short.thrown !== undefined) throw new EngineFailure(name, `${body} threw ${short.thrown}`);
    return (long.count! - short.count!) / (LENGTHS[1] - LENGTHS[0]);
  });
  const empty = passes[0]!;
  return bodies.map((body, k) => ({
    construct: k === 0 ? 'for (...) {}' : body,
    count: Math.round(k === 0 ? empty : passes[k]! - empty),
  }));
}
