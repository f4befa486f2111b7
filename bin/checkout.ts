// What only a checkout has: the build tools and the engines. From an installed package, a clear error.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { QstpError } from '../src/error.ts';
import { progress } from './ui.ts';

/** The project's folder: the command is built to dist/ in it. */
export const PROJECT = new URL('..', import.meta.url);

/** A module of the checkout, by its path from the project's folder. */
export async function fromCheckout<T>(path: string): Promise<T> {
  const url = new URL(path, PROJECT);
  if (!existsSync(fileURLToPath(url)) || !existsSync(new URL('node_modules/rollup', PROJECT))) {
    throw new QstpError('checkout_needed', 'this needs a checkout of qstp-edge with `npm ci` run in it');
  }
  return (await import(url.href)) as T;
}

export interface Bundles {
  buildProfiles(options: {
    names: readonly string[];
    out?: string;
    progress(text: string): void;
  }): Promise<readonly unknown[]>;
  sizeTable(sizes: readonly unknown[]): string;
  modulesTable(sizes: readonly unknown[]): string;
}

export function bundleTools(): Promise<Bundles> {
  return fromCheckout<Bundles>('tools/bundles.mjs');
}

/** Builds bundles of profiles and returns their sizes. Throws `build_failed`. */
export async function buildBundles(names: readonly string[], out?: string): Promise<readonly unknown[]> {
  const { buildProfiles } = await bundleTools();
  try {
    return await buildProfiles({ names, progress, ...(out === undefined ? {} : { out }) });
  } catch (error) {
    throw new QstpError('build_failed', (error as Error).message);
  } finally {
    progress('');
  }
}

/** Installs and builds the engines the tests run on, if that was not done yet. */
export async function prepareEngines(): Promise<void> {
  const { prepare } = await fromCheckout<{ prepare(): Promise<void> }>('tools/engines.mjs');
  await prepare();
}
