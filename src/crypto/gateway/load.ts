// The module of WebAssembly of gateways, and the one instance of it that records and hashes share.

import { MODULE } from './module.ts';

/** What the module exports: see tools/gen-wasm-records.mjs. */
export interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  xor(at: number, end: number): void;
  absorb(at: number, count: number): void;
  gctr(at: number, end: number): void;
  ghash(at: number, count: number): void;
}

/** As much of WebAssembly (its JavaScript interface, §5) as is used here. */
interface Api {
  validate(code: Uint8Array): boolean;
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

/** A new instance of the module; null where the engine does not take it. */
export function loadModule(
  api: Api | undefined = (globalThis as unknown as { WebAssembly?: Api }).WebAssembly,
): Exports | null {
  if (api === undefined) return null;
  const text = atob(MODULE);
  const code = new Uint8Array(text.length);
  for (let i = 0; i < code.length; i++) code[i] = text.charCodeAt(i);
  if (!api.validate(code)) return null;
  return new api.Instance(new api.Module(code)).exports as Exports;
}

/** Gives what `make` makes, which is made with the first call. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}

/** The instance of this process: nothing lies in its memory between two calls. */
export const sharedModule: () => Exports | null = /* @__PURE__ */ once(() => loadModule());
