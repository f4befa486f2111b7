// Connections that share a wallet: which ticket each tries, what goes back, what is dropped.
import test from 'ava';
import { ErrorCode, reject } from '../../src/error.ts';
import type { Reject } from '../../src/error.ts';
import type { ClientSide } from '../../src/link/client.ts';
import { createTurn, turnFailed, turnTicket, turnWorked } from '../../src/link/turn.ts';
import { openWallet, walletAdd } from '../../src/link/wallet.ts';
import type { Wallet } from '../../src/link/wallet.ts';
import { newChain } from '../session/pair.ts';

const { crypto, root, server, random, now } = newChain(1, 'turn');

function walletOf(count: number, max = 8): Wallet {
  const wallet = openWallet({ serial: server.serial, max });
  for (let i = 0; i < count; i++) {
    const [id, secret] = [new Uint8Array(16).fill(i + 1), new Uint8Array(32).fill(i + 1)];
    walletAdd(wallet, { id, secret, expiry: now + 100 + i, since: now, resumptions: 0 });
  }
  return wallet;
}

const turnOf = (wallet: Wallet | null, more: Partial<ClientSide> = {}) =>
  createTurn({ crypto, root, server, random: random('turn'), wallet, ...more });
const ids = (wallet: Wallet): number[] => wallet.tickets.map((ticket) => ticket.id[0]!);

const peerError = (code: number, authenticated = false): Reject =>
  reject('peer_error', code, '', authenticated);
const REFUSED = peerError(ErrorCode.keyUnrecognized);
const USED = peerError(ErrorCode.ticketUsed, true);
const CUT = reject('disconnected', ErrorCode.channelDown, '');

test('refusals: each of three tickets twice, then a full handshake; what worked ends them all', (t) => {
  const wallet = walletOf(5);
  const turn = turnOf(wallet);
  const tried: number[] = [];
  for (;;) {
    const ticket = turnTicket(turn, now);
    if (ticket === null) break;
    tried.push(ticket.id[0]!);
    t.true(turnFailed(turn, REFUSED));
  }
  t.deepEqual(tried, [1, 1, 2, 2, 3, 3]);
  t.deepEqual(ids(wallet), [4, 5]);
  const secrets = [...turn.held, ...wallet.tickets].map((ticket) => ticket.secret);
  turnWorked(turn);
  t.deepEqual(ids(wallet), []);
  t.true(secrets.every((secret) => secret.every((byte) => byte === 0)));
});

test('where the full handshake fails too, all goes back: nothing proved them bad', (t) => {
  const wallet = walletOf(3);
  const turn = turnOf(wallet);
  while (turnTicket(turn, now) !== null) turnFailed(turn, REFUSED);
  t.false(turnFailed(turn, CUT));
  t.deepEqual(ids(wallet), [1, 2, 3]);
  t.is(turnTicket(turn, now), null, 'the turn is over');
});

test('two turns never hold the same ticket; a ticket that worked is wiped', (t) => {
  const wallet = walletOf(2);
  const turns = [turnOf(wallet), turnOf(wallet), turnOf(wallet)];
  const tickets = turns.map((turn) => turnTicket(turn, now));
  t.deepEqual(
    tickets.map((ticket) => ticket?.id[0]),
    [1, 2, undefined],
  );
  turnWorked(turns[0]!);
  t.is(tickets[0]!.secret[0], 0);
  t.false(turnFailed(turns[1]!, CUT, false), 'its owner does not want to go on');
  t.deepEqual(ids(wallet), [2]);
  t.is(wallet.tickets[0]!.secret[0], 2);
});

test('what a failure leads to', (t) => {
  const cases: [why: Reject, again: boolean, next: number | null, left: number[]][] = [
    [REFUSED, true, 1, [2]],
    [CUT, true, null, [2]],
    [peerError(ErrorCode.invalidRequest), true, null, [2]],
    [USED, true, 2, []],
    [peerError(ErrorCode.hostsExceeded), false, null, [1, 2]],
    [peerError(ErrorCode.acceptFail), false, null, [1, 2]],
    [reject('connect_failed', ErrorCode.connectFailure, ''), false, null, [1, 2]],
    [reject('idle_too_short', ErrorCode.idleTooShort, '', true), false, null, [1, 2]],
    [reject('closed', ErrorCode.none, '', true), false, null, [1, 2]],
    [reject('handshake_timeout', ErrorCode.connectionFailure, ''), false, null, [2]],
  ];
  for (const [why, again, next, left] of cases) {
    const wallet = walletOf(2);
    const turn = turnOf(wallet);
    t.is(turnTicket(turn, now)!.id[0], 1);
    const what = `${why.reason} ${why.code}`;
    t.is(turnFailed(turn, why), again, what);
    t.is(turnTicket(turn, now)?.id[0] ?? null, next, what);
    t.deepEqual(ids(wallet), left, what);
  }
});

test('the loser of a race, told after it was connected, goes on; after a full handshake nobody can say so', (t) => {
  const wallet = walletOf(1);
  const turn = turnOf(wallet);
  turnTicket(turn, now);
  turnWorked(turn);
  t.true(turnFailed(turn, USED));
  t.is(turnTicket(turn, now), null);
  turnWorked(turn);
  t.false(turnFailed(turn, USED));
});

test('strict 1.4 and a client without a wallet take no ticket', (t) => {
  const wallet = walletOf(1);
  t.is(turnTicket(turnOf(wallet, { extensions: 'never' }), now), null);
  t.is(turnTicket(turnOf(null), now), null);
  t.is(wallet.tickets.length, 1);
});
