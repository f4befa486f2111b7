// What a bundler leaves of the package's modules.
import { rollup } from 'rollup';

/** The code of what `names` of a built module, given below build/src/, take in a bundle of their own. */
export async function bundled(names: string, module: string): Promise<string> {
  const entry = 'entry.js';
  const code = `export { ${names} } from '${process.cwd()}/build/src/${module}';`;
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
