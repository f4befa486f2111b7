import test from 'ava';
import { bundled } from '../bundled.ts';

const QACE = 'qace/index.js';

/** What only the genetic algorithm and its fitness have. */
const GENES = /'ga-|mutation|createEvolution|tournament|fitness/i;

test('what a device takes of QACE holds nothing of the genetic algorithm', async (t) => {
  const simple = await bundled('createSimpleQace, decideViable, createQaceDecision', QACE);
  t.notRegex(simple, GENES);
  const paths = await bundled(
    'createSimpleQace, choosePath, createPaths, PATH_DEFAULTS, pathAnswered, pathMissed',
    QACE,
  );
  t.notRegex(paths, GENES);
  t.true(paths.length > simple.length);
  const exact = await bundled('decideExact, FITNESS_DEFAULTS', QACE);
  t.notRegex(exact, /mutation|createEvolution|tournament/i);
  // The pattern finds it where it is.
  t.regex(await bundled('createGaQace', QACE), GENES);
});
