// An exhaustive search over the real session objects (search.ts) with fake cryptography: no way to application data
// or `established` without a verified signature or ticket proof, no exception over anything a peer does, no end that
// is stuck, no secret and no slot left behind. The rules are in rules.ts.
import test from 'ava';
import { poolOf } from '../../src/pool/pool.ts';
import type { Session } from '../../src/session/session.ts';
import { search } from './search.ts';
import type { Config, Fault, Name } from './world.ts';

const STRICT: Config = { name: 'strict 1.4', client: 'strict', server: 'strict', gcm: false, kind: 0 };
const GCM: Config = { name: 'AES-256-GCM', client: 'require', server: 'allow', gcm: true, kind: 0 };
const DEVICE: Config = {
  ...GCM,
  name: 'RCS-256 with freshness, certificates, slots with buffers, byte by byte',
  gcm: false,
  freshness: true,
  verified: 'none',
  chopped: true,
  receiveBytes: 768,
  handshakeBytes: 1024,
};
const TICKET: Config = { ...GCM, name: 'ticket, AES-256-GCM', kind: 1, server: 'require' };
const ALLOW: Config = { ...GCM, name: 'allowed, of a strict server', client: 'allow', server: 'never' };

/** Fragments of 4,000 bytes: the identity comes in two. */
const IDENTITY: Config = {
  ...TICKET,
  name: 'identity required, ticket without a name',
  identity: true,
  receiveBytes: 4096,
};
const FULL_IDENTITY: Config = { ...IDENTITY, name: 'identity required, full handshake', kind: 0 };

// Stack traces of the errors that misuse throws are most of the work otherwise.
Error.stackTraceLimit = 0;

/** `least`: states there are to be, so that a search which finds nothing to do fails. */
function run(config: Config, disturbances: number, least: number): void {
  test(`${config.name}: ${disturbances} disturbances`, (t) => {
    const begin = Date.now();
    const { states, steps, violation } = search(config, disturbances);
    t.log(`${states} states, ${steps} steps, ${Date.now() - begin} ms`);
    t.is(violation, null);
    t.true(states >= least, `${states} states`);
  });
}

run(STRICT, 1, 400);
run(GCM, 1, 1500);
run(DEVICE, 1, 1500);
run(TICKET, 1, 800);
run(ALLOW, 1, 400);
run(IDENTITY, 1, 1000);
run(FULL_IDENTITY, 0, 20);

if (process.env['QSTP_DEEP'] === '1') {
  run(FULL_IDENTITY, 1, 3000);
  run(STRICT, 2, 4000);
  run(TICKET, 2, 15000);
}

const POLICIES = ['strict', 'never', 'allow', 'require'] as const;

test('every policy of both ends, all orders of what honest ends do', (t) => {
  for (const client of POLICIES) {
    for (const server of POLICIES) {
      const both = [client, server].every((policy) => policy === 'allow' || policy === 'require');
      for (const gcm of both ? [false, true] : [true]) {
        const config: Config = { name: '', client, server, gcm, kind: 0 };
        t.is(search(config, 0).violation, null, `client ${client}, server ${server}, gcm ${gcm}`);
      }
    }
  }
});

// ---- The search can fail ----------------------------------------------------------------------------------

/** A fault of one end: what it does with the verdict of an operation in the place of `resume`. */
function judging(
  who: Name,
  judge: (session: Session, resume: (good: boolean) => void, good: boolean) => void,
): Fault {
  return {
    session(session, name) {
      if (name !== who) return;
      const { resume } = session;
      session.resume = (good, now) => judge(session, (verdict) => resume.call(session, verdict, now), good);
    },
  };
}

function finds(what: string, config: Config, fault: Fault, violation: RegExp): void {
  test(`a fault is found: ${what}`, (t) => {
    const found = search(config, 1, fault).violation;
    t.regex(found ?? 'nothing', violation);
  });
}

finds(
  'the client goes on whatever the verdict of a signature',
  GCM,
  judging('client', (_session, resume) => resume(true)),
  /proved nothing/,
);

finds(
  'the verdict of the signature of an identity is ignored',
  IDENTITY,
  judging('server', ({ pending }, resume, good) =>
    resume(good || (pending?.op === 'verify' && pending.context !== undefined)),
  ),
  /client that proved nothing/,
);

finds(
  "the verdict of the root's signature of an identity is ignored",
  IDENTITY,
  judging('server', ({ pending }, resume, good) =>
    resume(good || (pending?.op === 'verify' && pending.context === undefined)),
  ),
  /the root did not sign/,
);

finds(
  'the freshness signature is not checked',
  { ...GCM, freshness: true },
  judging('client', (session, resume, good) => resume(good || session.phase !== null)),
  /without the freshness signature/,
);

finds(
  'the ticket is found, and not taken',
  TICKET,
  { tickets: (tickets) => void (tickets.take = (_id, _now, done) => done(true)) },
  /taken 0 times/,
);

finds(
  'the server delivers before the hello of the client',
  GCM,
  judging('server', (session, resume, good) => {
    resume(good);
    if (session.state === 'hello') session.establish();
  }),
  /without the hello/,
);

finds(
  'an end writes to its slot after it closed',
  STRICT,
  {
    session(session) {
      const { close } = session;
      session.close = (why, now) => {
        close.call(session, why, now);
        session.slot.words[0] = 1;
      };
    },
  },
  /closed with secrets in its slot/,
);

finds(
  'a slot is given back twice',
  STRICT,
  {
    session(session, name) {
      const { close } = session;
      session.close = (why, now) => {
        const open = session.state !== 'closed';
        close.call(session, why, now);
        if (open && name === 'server') poolOf(session.slot).free.push(session.slot);
      };
    },
  },
  /slots are taken|given back twice/,
);
