import test from 'ava';
import { rollup } from 'rollup';

/** The code of what `names` of qstp-edge/qace take, in a bundle of their own. */
async function bundled(names: string): Promise<string> {
  const entry = 'entry.js';
  const code = `export { ${names} } from '${process.cwd()}/build/src/qace/index.js';`;
  const build = await rollup({
    input: entry,
    treeshake: { moduleSideEffects: false },
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === entry ? id : null),
        load: (id) => (id === entry ? code : null),
      },
    ],
  });
  const { output } = await build.generate({ format: 'es' });
  await build.close();
  return output[0].code;
}

/** What only the genetic algorithm and its fitness have. */
const GENES = /'ga-|mutation|createEvolution|tournament|fitness/i;

test('what a device takes of QACE holds nothing of the genetic algorithm', async (t) => {
  const simple = await bundled('createSimpleQace, decideViable, createQaceDecision');
  t.notRegex(simple, GENES);
  const paths = await bundled(
    'createSimpleQace, choosePath, createPaths, PATH_DEFAULTS, pathAnswered, pathMissed',
  );
  t.notRegex(paths, GENES);
  t.true(paths.length > simple.length);
  const exact = await bundled('decideExact, FITNESS_DEFAULTS');
  t.notRegex(exact, /mutation|createEvolution|tournament/i);
  // The pattern finds it where it is.
  t.regex(await bundled('createGaQace'), GENES);
});
