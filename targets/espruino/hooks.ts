// What the application puts in the place of ours before it connects: native code is a thousand times faster than source that
// an interpreter reads. The modules beside this that use it stand in the place of kernels, as the profiles' hooks say.

/** As `require("crypto").AES` of the boards that have it. */
export interface Aes {
  /** In mode ECB each 16 bytes of `message` by themselves, with a key of 32; nothing where it fails. */
  encrypt(message: Uint8Array, key: Uint8Array, options: { readonly mode: 'ECB' }): ArrayBuffer | undefined;
}

export interface Hooks {
  /** Permutes 25 lanes in place: word 2i is the low half of lane i, word 2i + 1 its high half. */
  keccak: ((state: Int32Array) => void) | null;
  /** For connections made from then on, in bundles whose profile has the hook (gcm.ts). */
  aes?: Aes | null;
}

export const hooks: Hooks = { keccak: null };
