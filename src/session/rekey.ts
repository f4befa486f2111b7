// KEM rekey (docs/extensions.md, X5): a fresh ML-KEM exchange inside the connection, asked for by the client. It
// heals a passive compromise of the chains.
//
//   client                                    server
//   07 public key      ->                     encapsulates
//                      <-   08 ciphertext     switches its sending
//   switches receiving
//   05, switches sending ->                   switches its receiving

import { WITH_SERVER } from '../features.ts';
import { ControlType, Feature, TICKETS_MAX } from '../params.ts';
import { ErrorCode, QstpError, reject } from '../error.ts';
import { concat, wipe } from '../bytes.ts';
import { sha3_256 } from '../crypto/micro/sponge.ts';
import { hasFlag, setFlag, SlotFlag, slotSecrets, Word } from '../pool/slot.ts';
import type { Slot } from '../pool/slot.ts';
import { takeFragment } from '../wire/edge.ts';
import { CLIENT_TO_SERVER, SERVER_TO_CLIENT } from './channel.ts';
import { emitControl, emitFragments } from './core.ts';
import type { RekeyState, SessionCore } from './core.ts';
import type { ClientEdge, ServerEdge } from './edge.ts';
import { rekeyedChain } from './secrets.ts';
import { issueTickets } from './tickets.ts';
import { enterEpoch, updateAllowed, updateTimely } from './update.ts';

const EXPORT = 2;

const OUT_OF_TURN = /* @__PURE__ */ reject(
  'rekey',
  ErrorCode.keyUpdateInvalid,
  'a KEM rekey message is malformed or came out of turn',
  true,
);

const FAILED = /* @__PURE__ */ reject(
  'rekey',
  ErrorCode.keyUpdateInvalid,
  'the KEM rekey failed: the key is malformed',
  true,
);

export function wipeRekey(state: RekeyState): void {
  wipe(state.secretKey);
  wipe(state.sharedSecret);
}

function agreed(core: SessionCore): boolean {
  return (core.slot.words[Word.features]! & Feature.kemRekey) !== 0 && core.crypto !== null;
}

/** The chain of a direction, or export, after the rekey; epoch is the one that is left. */
function derive(slot: Slot, state: RekeyState, dir: number, epoch: number): Uint8Array {
  const chain = slotSecrets(slot).subarray(32 * dir, 32 * dir + 32);
  return rekeyedChain(chain, state.sharedSecret, dir, epoch, state.transcript);
}

function switchSending(core: SessionCore, state: RekeyState, dir: number, now: number): void {
  const { slot } = core;
  enterEpoch(slot, dir, derive(slot, state, dir, slot.words[Word.txEpoch]!), now);
}

function switchReceiving(core: SessionCore, state: RekeyState, dir: number, now: number): void {
  const { slot } = core;
  enterEpoch(slot, dir, derive(slot, state, dir, slot.words[Word.rxEpoch]!), now);
}

/**
 * Both directions are switched, and so is the export secret: tickets come from the new one. The client drops
 * those of before; a server's end by use or expiry.
 */
function finish(core: SessionCore, state: RekeyState): void {
  const next = derive(core.slot, state, EXPORT, 0);
  slotSecrets(core.slot).set(next, 32 * EXPORT);
  wipe(next);
  wipeRekey(state);
  core.rekey = null;
  setFlag(core.slot, SlotFlag.rekeyed);
}

function stateOf(publicKey: Uint8Array, secretKey: Uint8Array): RekeyState {
  return {
    publicKey,
    secretKey,
    sharedSecret: new Uint8Array(32),
    transcript: new Uint8Array(0),
    assembly: null,
  };
}

// ---- The client -------------------------------------------------------------------------------------------

/** Starts a rekey. Throws `rekey_unavailable` where it was not agreed on, or one is under way. */
export function startRekey(core: SessionCore, now: number): void {
  const repeated = core.state === 'established' && hasFlag(core.slot, SlotFlag.rekeyed);
  const early = repeated && !updateAllowed(core, now);
  if (
    core.role !== 'client' ||
    core.state !== 'established' ||
    !agreed(core) ||
    core.rekey !== null ||
    core.waiting !== null ||
    early
  ) {
    throw new QstpError(
      'rekey_unavailable',
      'a KEM rekey is for a client to start, on an established connection whose server offers it, one at a time, 1,024 packets or an hour after the keys before',
    );
  }
  const edge = core.edge as ClientEdge;
  const { kem } = core.crypto!;
  const seed = new Uint8Array(64);
  edge.random(seed);
  const publicKey = new Uint8Array(kem.publicKeyBytes);
  const secretKey = new Uint8Array(kem.secretKeyBytes);
  core.rekey = stateOf(publicKey, secretKey);
  core.waiting = {
    job: { op: 'keygen', seed, publicKey, secretKey },
    then(good, now) {
      if (good) emitFragments(core, ControlType.rekeyKey, publicKey, now);
      else core.fail(FAILED, now);
    },
  };
}

function receiveCiphertext(core: SessionCore, state: RekeyState, ciphertext: Uint8Array): void {
  const { secretKey, sharedSecret, publicKey } = state;
  core.waiting = {
    job: { op: 'decapsulate', ciphertext, secretKey, sharedSecret },
    then(good, now) {
      if (!good) {
        core.fail(FAILED, now);
        return;
      }
      state.transcript = sha3_256(concat([publicKey, ciphertext]));
      switchReceiving(core, state, SERVER_TO_CLIENT, now);
      emitControl(core, new Uint8Array([ControlType.rekeyDone]), now);
      switchSending(core, state, CLIENT_TO_SERVER, now);
      finish(core, state);
      const edge = core.edge as ClientEdge;
      if (edge.rekeyed !== undefined) edge.rekeyed();
    },
  };
}

// ---- The server -------------------------------------------------------------------------------------------

function receivePublicKey(core: SessionCore, publicKey: Uint8Array): void {
  const edge = core.edge as ServerEdge;
  const { kem } = core.crypto!;
  const coins = new Uint8Array(32);
  edge.random(coins);
  const ciphertext = new Uint8Array(kem.ciphertextBytes);
  const state = core.rekey!;
  core.waiting = {
    job: { op: 'encapsulate', publicKey, coins, ciphertext, sharedSecret: state.sharedSecret },
    then(good, now) {
      if (!good) {
        core.fail(FAILED, now);
        return;
      }
      state.transcript = sha3_256(concat([publicKey, ciphertext]));
      emitFragments(core, ControlType.rekeyCiphertext, ciphertext, now);
      switchSending(core, state, SERVER_TO_CLIENT, now);
    },
  };
}

// ---- Both -------------------------------------------------------------------------------------------------

/** Types 05, 07 and 08 of an established connection. */
export function receiveRekey(core: SessionCore, body: Uint8Array, now: number): void {
  const type = body[0];
  const server = WITH_SERVER && core.role === 'server';
  if (!agreed(core)) {
    core.fail(OUT_OF_TURN, now);
    return;
  }
  const { kem } = core.crypto!;
  if (type === ControlType.rekeyDone) {
    const state = core.rekey;
    if (!server || body.length !== 1 || state === null || state.transcript.length === 0) {
      core.fail(OUT_OF_TURN, now);
      return;
    }
    switchReceiving(core, state, CLIENT_TO_SERVER, now);
    finish(core, state);
    issueTickets(core, null, TICKETS_MAX, now);
    return;
  }
  if (
    server &&
    core.rekey === null &&
    hasFlag(core.slot, SlotFlag.rekeyed) &&
    !updateTimely(core.slot, now)
  ) {
    core.fail(OUT_OF_TURN, now);
    return;
  }
  if (server && core.rekey === null) core.rekey = stateOf(new Uint8Array(0), new Uint8Array(0));
  const state = core.rekey;
  const wanted = server ? kem.publicKeyBytes : kem.ciphertextBytes;
  const due = server ? ControlType.rekeyKey : ControlType.rekeyCiphertext;
  const next =
    state === null || type !== due || state.transcript.length !== 0
      ? null
      : takeFragment(state.assembly, body, wanted);
  if (state === null || next === null || next.bytes.length !== wanted) {
    core.fail(OUT_OF_TURN, now);
    return;
  }
  state.assembly = next;
  if (next.fill < wanted) return;
  if (server) receivePublicKey(core, next.bytes);
  else receiveCiphertext(core, state, next.bytes);
}
