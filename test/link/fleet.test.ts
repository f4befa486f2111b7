// A year of a fleet in virtual time: no device may be stranded but those that were revoked, and what cannot be helped
// is found out and counted. `npx ava build/test/link/fleet.test.js` prints the tables of docs/trust.md.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { noble } from '../../src/crypto/noble.ts';
import { memoryStorage } from '../../src/link/storage-memory.ts';
import { RevocationStatus } from '../../src/session/trust.ts';
import { DAY } from '../cert/trust.ts';
import { Device } from '../net/fleet-device.ts';
import type { DevicePlan } from '../net/fleet-device.ts';
import { count, Fleet, table } from '../net/fleet.ts';
import type { Counts, Gateway } from '../net/fleet.ts';
import { fakeCryptoOf } from '../session/fake.ts';

const YEAR = 365;
/** From this day on every device wakes once more, to be counted. */
const ROLL_CALL = 357;

// When the operator does what.
const FIRST_RENEWAL = 60;
const STALE = 106;
const LIST_REVOCATION = 130;
const ROLLOVER = 150;
const SEALED_REVOCATION = 180;
const FIRST_ENDS = 200;
const CORRUPT = 215;
const MISSING = 240;
const SECOND_RENEWAL = 260;
const LAST_REVOCATION = 290;
const SECOND_ENDS = 320;
const PROVISIONED = 350;

const every =
  (days: number, from = -1, to = -1) =>
  (number: number) =>
  (day: number): boolean =>
    day >= ROLL_CALL
      ? day === ROLL_CALL + (number % 7)
      : !(day >= from && day < to) && (day + number) % days === 0;

/** Off for three weeks of each six. */
const weeks =
  (number: number) =>
  (day: number): boolean =>
    every(8)(number)(day) && (day >= ROLL_CALL || (day + number * 5) % 42 < 21);

interface Group extends Omit<DevicePlan, 'group' | 'online'> {
  readonly online: (number: number) => (day: number) => boolean;
  readonly count: number;
}

/** Who is in the fleet: what happens to them, and how many. */
const GROUPS: Readonly<Record<string, Group>> = {
  'wakes every two weeks': { count: 77, online: every(14) },
  'wakes every two weeks, and moves to the other gateway while awake': {
    count: 24,
    online: every(14),
    moves: true,
  },
  'stays connected all year': { count: 4, online: (n) => (day) => day === 0 && n >= 0, always: true },
  'off for three weeks of each six': { count: 24, online: weeks },
  'off for five months': { count: 14, online: every(10, 70, 220) },
  'off while the servers were renewed': { count: 10, online: every(10, 50, 120) },
  'off over the renewal and over the rollover, back before the old certificate ended': {
    count: 10,
    online: every(10, 50, 190),
  },
  'off over the rollover, back after the old certificate had ended': { count: 8, online: every(10, 75, 230) },
  'the power fails at one of five writes': { count: 10, online: every(14), moves: true, cuts: 5 },
  'its clock goes 400 days ahead for a week, twice': {
    count: 3,
    online: every(4),
    skew: (day) => (day % 150 >= 90 && day % 150 < 97 ? 400 * DAY : 0),
  },
  'its clock goes 30 days back for two weeks, over the end of the old certificate': {
    count: 3,
    online: every(4),
    skew: (day) => (day >= 192 && day < 206 ? -30 * DAY : 0),
  },
  'its own certificate ends, and the application brings the next': { count: 6, online: every(12), days: 250 },
  'lost, and revoked by a list': { count: 1, online: every(12) },
  'lost, and revoked by the single sealed revocation': { count: 1, online: every(12) },
  'lost while connected, and revoked by a list': {
    count: 1,
    online: (n) => (day) => day === 0 && n >= 0,
    always: true,
  },
  'off until all it holds has ended: the first certificate': { count: 3, online: every(10, 50, 230) },
  'off until all it holds has ended: the first and the second': { count: 1, online: every(10, 100, 330) },
};

const REVOKED = /revoked/;
const DARK = /all it holds has ended/;

function crew(fleet: Fleet, groups: Readonly<Record<string, Group>>): Device[] {
  const devices: Device[] = [];
  for (const [group, plan] of Object.entries(groups)) {
    for (let i = 0; i < plan.count; i++) {
      const number = devices.length;
      devices.push(new Device(fleet, number, { ...plan, group, online: plan.online(number) }));
    }
  }
  return devices;
}

/** Lets a day pass, on which each device that is due wakes at an hour of its own. */
function pass(fleet: Fleet, devices: readonly Device[]): void {
  const { world, day } = fleet;
  const end = (day + 1) * DAY * 1000;
  for (const device of devices) {
    if (!device.plan.online(day)) continue;
    const hour = ((device.number * 7 + day * 5) % 22) + 0.1 + (device.number % 10) / 20;
    const at = day * DAY * 1000 + Math.floor(hour * 3_600_000);
    if (at > world.ms) world.after(at - world.ms, () => device.wake());
  }
  world.run(end - world.ms);
}

function sum(devices: readonly Device[], name: string): number {
  return devices.reduce((total, { counts }) => total + (counts[name] ?? 0), 0);
}

function reasons(devices: readonly Device[]): string {
  const all: Counts = {};
  for (const { whys } of devices) for (const [name, times] of Object.entries(whys)) count(all, name, times);
  const words = Object.entries(all).map(([name, times]) => `${times} ${name}`);
  return words.length === 0 ? 'none' : words.join(', ');
}

/** A gateway let it in on the last days, or has it still. */
function inTouch({ fleet, name, plan, link }: Device): boolean {
  const seen = fleet.ledger.get(name)!.at >= fleet.world.epoch + ROLL_CALL * DAY;
  return seen || (plan.always === true && link?.state === 'connected');
}

function seen(devices: readonly Device[], what: 'full' | 'resumed'): number {
  return devices.reduce((total, { fleet, name }) => total + fleet.ledger.get(name)![what], 0);
}

/** What became of a group, from what its devices counted. */
function fleetTable(devices: readonly Device[], provisioned: ReadonlySet<Device>): string {
  const rows: (string | number)[][] = [];
  const row = (group: string, all: readonly Device[]): void => {
    const touch = all.filter((device) => inTouch(device) && !provisioned.has(device)).length;
    const anew = all.filter((device) => provisioned.has(device)).length;
    rows.push([
      group,
      all.length,
      touch,
      all.length - touch - anew,
      anew,
      seen(all, 'full'),
      seen(all, 'resumed'),
      sum(all, 'taken'),
      sum(all, 'cuts'),
      reasons(all),
    ]);
  };
  for (const group of new Set(devices.map(({ plan }) => plan.group))) {
    row(
      group,
      devices.filter(({ plan }) => plan.group === group),
    );
  }
  row('**all**', devices);
  return table(
    [
      'what happened to the device',
      'how many',
      'in touch at the end',
      'shut out',
      'provisioned anew',
      'full handshakes',
      'resumptions',
      'lists, roots and successors taken',
      'power cuts',
      'attempts that failed, by reason',
    ],
    rows,
  );
}

function refusalTable(fleet: Fleet): string {
  const rows = Object.entries(fleet.refusals).sort(([, a], [, b]) => b - a);
  return table(['why a gateway turned a connection away', 'how often'], rows);
}

function logTable(fleet: Fleet): string {
  return table(
    ['day', 'what happened', 'what became of it'],
    fleet.log.map(({ day, what, outcome }) => [day, what, outcome]),
  );
}

function corrupt(gateway: Gateway, name: string): void {
  const value = gateway.storage.get(name)!;
  value[value.length >> 1]! ^= 1;
  gateway.storage.set(name, value);
}

test('a year of 200 devices: none is stranded but the revoked, and what cannot be helped is found out', async (t) => {
  t.timeout(300_000);
  const started = Date.now();
  const fleet = new Fleet(fakeCryptoOf(noble.suite(1).suite), 420, FIRST_ENDS);
  const devices = crew(fleet, GROUPS);
  t.is(devices.length, 200);
  const [listed] = devices.filter(({ plan }) => plan.group === 'lost, and revoked by a list');
  const [single] = devices.filter(({ plan }) => plan.group.includes('single sealed'));
  const [live] = devices.filter(({ plan }) => plan.group.includes('lost while connected'));
  const provisioned = new Set<Device>();
  const [first, second] = [fleet.gateways[0]!, fleet.gateways[1]!];

  const operator: Record<number, () => void> = {
    [FIRST_RENEWAL]() {
      fleet.renew(SECOND_ENDS - FIRST_RENEWAL);
      fleet.note('the servers are renewed', 'both gateways serve the old certificate and its successor');
    },
    [STALE]() {
      const before = fleet.refusals['revocation_stale'] ?? 0;
      pass(fleet, devices);
      const refused = fleet.refusals['revocation_stale']! - before;
      t.true(refused > 0, 'it fails closed');
      fleet.note(
        'the list, which is required, is past its next update: the operator forgot it',
        `the gateways refused ${refused} times, until the next was issued on the day after`,
        STALE,
      );
      fleet.issueLists();
    },
    [LIST_REVOCATION]() {
      fleet.revokeByList(listed!.identity.certificate);
      fleet.note('a lost device is revoked by a list', 'both gateways took it');
    },
    [ROLLOVER]() {
      fleet.rollover(600, 400);
      fleet.note(
        'the root is followed by another',
        'the gateways serve a third certificate, under the new root',
      );
      for (const device of devices.filter(({ plan }) => plan.days !== undefined)) {
        fleet.renewClient(device.name, device.identity, 400);
      }
    },
    [SEALED_REVOCATION]() {
      const statuses = fleet.revokeSealed(single!.identity.certificate);
      t.deepEqual(statuses, [RevocationStatus.revoked, RevocationStatus.revoked]);
      t.deepEqual(fleet.revokeSealed(single!.identity.certificate), [1, 1], 'known already');
      fleet.note('a lost device is revoked by one sealed packet', 'both gateways answered: revoked');
      // Before any list names it.
      second.start();
      const { serial, rootSerial } = single!.identity.certificate;
      t.true(second.trust.revoked(rootSerial, serial));
      fleet.note('the second gateway restarts from its storage', 'it knows of that revocation');
    },
    [CORRUPT]() {
      corrupt(first, 'qr0.n');
      const before = fleet.refusals['revocation_damaged'] ?? 0;
      const lines = first.lines.length;
      first.start();
      t.is(first.lines.length, lines + 1, 'one line');
      t.regex(first.lines[lines]!, /damaged.*load.*qstp root revoke/);
      pass(fleet, devices);
      const refused = fleet.refusals['revocation_damaged']! - before;
      t.true(refused > 0, 'it fails closed');
      fleet.note(
        'the first gateway starts with damaged revocations',
        `it said "${first.lines[lines]!}", and refused ${refused} times; the devices went to the second`,
        CORRUPT,
      );
      fleet.issueLists();
      t.false(first.lines.length > lines + 1);
      const [known] = first.trust.newer({ ...holdings(fleet), listNumber: 0 }, fleet.now);
      t.truthy(known);
    },
    [MISSING]() {
      second.storage = memoryStorage();
      const before = fleet.refusals['revocation_missing'] ?? 0;
      second.start();
      pass(fleet, devices);
      const refused = fleet.refusals['revocation_missing']! - before;
      t.true(refused > 0, 'it fails closed');
      fleet.note(
        'the second gateway starts without its list, which is required',
        `it refused ${refused} times; the devices went to the first`,
        MISSING,
      );
      fleet.loadLists(second);
    },
    [SECOND_RENEWAL]() {
      fleet.renew(330);
      fleet.note('the servers are renewed', 'under the new root');
    },
    [LAST_REVOCATION]() {
      t.is(live!.link!.state, 'connected');
      fleet.revokeByList(live!.identity.certificate);
      fleet.world.run(30_000);
      t.not(live!.link!.state, 'connected', 'its tunnel is closed');
      fleet.note('a lost device that is connected is revoked by a list', 'its tunnel was closed at once');
    },
    [PROVISIONED]() {
      const dark = fleet.dark().sort();
      const lost = devices.filter(({ plan }) => DARK.test(plan.group));
      t.deepEqual(dark, lost.map(({ name }) => name).sort(), 'the operator can tell who they are');
      for (const device of lost) {
        t.is(device.lastWhy, 'certificate_expired');
        provisioned.add(device);
        device.sleep();
        device.provision();
      }
      fleet.note(
        'who was not seen since before the certificates that it can hold have ended?',
        `${dark.length} devices, which are provisioned anew`,
      );
    },
  };

  while (fleet.day < YEAR) {
    const { day } = fleet;
    operator[day]?.();
    if (day % 30 === 0 && day > 0 && day !== 90) fleet.issueLists();
    if (day === FIRST_ENDS + 1 || day === SECOND_ENDS + 1) fleet.restart();
    if (fleet.day === day) pass(fleet, devices);
    await breath();
  }

  for (const device of devices) device.harvest();
  const seconds = (Date.now() - started) / 1000;
  t.log(`${seconds.toFixed(1)} s for ${seen(devices, 'full') + seen(devices, 'resumed')} connections`);
  print(t, [fleetTable(devices, provisioned), logTable(fleet), refusalTable(fleet)]);
  for (const device of devices) {
    const { group } = device.plan;
    if (REVOKED.test(group)) t.false(inTouch(device), `${device.name}, ${group}`);
    else
      t.true(inTouch(device), `${device.name}, ${group}: ${device.lastWhy}, ${JSON.stringify(device.whys)}`);
  }
});

function holdings(fleet: Fleet): Parameters<Gateway['trust']['newer']>[0] {
  const { root } = fleet.authorities[0]!;
  const { serial } = fleet.identities[0]!.certificate;
  return { listNumber: 0, successionNumber: 0, until: 0, serial, rootSerial: root.serial };
}

/** The deadline of the test runner is told of by messages. */
function breath(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function print(t: ExecutionContext, tables: readonly string[]): void {
  for (const one of tables) for (const line of one.split('\n')) t.log(line);
}

test('a year of six devices with ML-KEM-512 and ML-DSA-44: none is stranded but the revoked', async (t) => {
  t.timeout(300_000);
  const started = Date.now();
  const fleet = new Fleet(noble.suite(1), 420, FIRST_ENDS);
  const devices = crew(fleet, {
    'wakes every two months': { count: 1, online: every(60), moves: true },
    'off over the renewal and over the rollover': { count: 1, online: every(12, 50, 190) },
    'off over the rollover, back after the old certificate had ended': {
      count: 1,
      online: every(30, 95, 230),
    },
    'the power fails at one of five writes': { count: 1, online: every(60), cuts: 5 },
    'lost, and revoked by a list': { count: 1, online: every(60) },
    'off until all it holds has ended: the first certificate': { count: 1, online: every(30, 50, 230) },
  });
  while (fleet.day < YEAR) {
    const { day } = fleet;
    if (day === FIRST_RENEWAL) fleet.renew(SECOND_ENDS - FIRST_RENEWAL);
    if (day === LIST_REVOCATION) fleet.revokeByList(devices[4]!.identity.certificate);
    if (day === ROLLOVER) fleet.rollover(600, 400);
    if (day > 0 && day % 30 === 0) fleet.issueLists();
    if (day === FIRST_ENDS + 1 || day === SECOND_ENDS + 1) fleet.restart();
    pass(fleet, devices);
    await breath();
  }
  const seconds = (Date.now() - started) / 1000;
  t.log(`${seconds.toFixed(1)} s for ${seen(devices, 'full') + seen(devices, 'resumed')} connections`);
  print(t, [fleetTable(devices, new Set())]);
  const outcomes = devices.map(inTouch);
  t.deepEqual(outcomes, [true, true, true, true, false, false]);
  t.deepEqual(fleet.dark(), [devices[5]!.name]);
});
