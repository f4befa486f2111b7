// The one scenario of an RTU: it connects, is polled, is cut off and comes back, loses its power and comes back, is
// revoked. It writes a log, and the log of every engine is this one, less the lines of features its profile lacks.
import type { Rig } from './rig.ts';

/** A feature of the profile that a line needs; with a `!`, must lack; null: every profile has the line. */
type Needs = readonly string[] | null;

const FULL = ['fullHandshake'];
const NOT_FULL = ['!fullHandshake'];
const REVOKED = ['identity', 'revocation'];
const POLL = (register: number): readonly (readonly [Needs, string])[] => [
  [null, `device: got read ${register}`],
  [null, `gateway: got ${register} is ${3 * register}`],
];

const LOG: readonly (readonly [Needs, string])[] = [
  [null, 'device: connected'],
  [FULL, 'gateway: full handshake'],
  [NOT_FULL, 'gateway: resumed'],
  ...[1, 2, 3].flatMap(POLL),
  [null, 'device: down disconnected'],
  [null, 'gateway: closed disconnected'],
  [null, 'device: connected'],
  [null, 'gateway: resumed'],
  ...[4, 5].flatMap(POLL),
  [null, 'gateway: closed disconnected'],
  [null, 'device: connected'],
  [null, 'gateway: resumed'],
  ...[6].flatMap(POLL),
  [REVOKED, 'device: down peer_error'],
  [REVOKED, 'gateway: closed revoked'],
  [REVOKED, 'gateway: refused revoked'],
  [null, 'device: stopped'],
  [['!revocation'], 'gateway: closed peer_closed'],
];

/** The log that a profile's device gives. */
export function expectedLog(features: readonly string[]): string[] {
  const has = (name: string): boolean =>
    name.startsWith('!') ? !features.includes(name.slice(1)) : features.includes(name);
  return LOG.filter(([needs]) => needs === null || needs.every(has)).map(([, line]) => line);
}

/** Features on which the log depends. */
export const SCENARIO_FEATURES: readonly string[] = [
  ...new Set(LOG.flatMap(([needs]) => (needs ?? []).map((name) => name.replace('!', '')))),
];

export async function runScenario(rig: Rig): Promise<string[]> {
  const revocable = REVOKED.every((feature) => rig.has(feature));
  await rig.boot({ identity: revocable });
  rig.start();
  await rig.see(/^connected$/, /^(full handshake|resumed)$/);
  for (const register of [1, 2, 3]) await rig.poll(register);

  rig.gateway.cut();
  await rig.see(/^down /, /^closed /);
  await rig.see(/^connected$/, /^(full handshake|resumed)$/);
  for (const register of [4, 5]) await rig.poll(register);

  await rig.boot({ identity: revocable, holds: 'kept' });
  rig.start();
  await rig.see(null, /^closed /);
  await rig.see(/^connected$/, /^(full handshake|resumed)$/);
  await rig.poll(6);

  if (revocable) {
    await rig.revoke();
    await rig.see(/^down /, /^closed /);
    // How often it tries in vain, and with what, depends on its pauses.
    const refused = 'refused revoked';
    await rig.until(() => rig.gateway.lines.includes(refused), 'it comes back and is refused');
    rig.log.push(`gateway: ${refused}`);
    rig.end();
    await rig.until(() => rig.device.includes('stopped'), 'it stops');
    rig.log.push('device: stopped');
  } else {
    rig.end();
    await rig.see(/^stopped$/, /^closed /);
  }
  return rig.log;
}
