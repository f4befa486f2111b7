// The search of search.test.ts: from the start, every input of inputs.ts is tried in every state that the inputs
// before led to, with at most so many disturbances, and the rules of rules.ts hold after every step.
import { inputs } from './inputs.ts';
import type { Input } from './inputs.ts';
import { checkRules, continueHonestly } from './rules.ts';
import { World, Violation, digest } from './world.ts';
import type { Config, Fault } from './world.ts';

/** The longest way through a connection has fewer steps than this. */
const DEPTH = 60;

export interface Found {
  states: number;
  steps: number;
  violation: string | null;
}

interface Node {
  path: readonly Input[];
  cost: number;
  /** Nothing but the first of the honest inputs was taken since the last disturbance. */
  straight: boolean;
}

function replay(config: Config, fault: Fault, path: readonly Input[]): World {
  const world = new World(config, fault);
  for (const input of path) input.run(world);
  return world;
}

/** Packets of a connection of the same two ends, with other random bytes. */
function otherConnection(config: Config): World['seen'] {
  const world = new World(config, {}, 1);
  // A draw shifts all that follow.
  world['chain'].random('shift')(new Uint8Array(1));
  continueHonestly(world, false);
  return world.seen;
}

/**
 * Searches with at most `disturbances`. Honest inputs are tried in every order; a disturbance is tried in every
 * state of the straight way, and what follows it goes straight too: it is the disturbances that are multiplied.
 */
export function search(config: Config, disturbances: number, fault: Fault = {}): Found {
  const others = otherConnection(config);
  const seen = new Set<string>();
  const levels: Node[][] = Array.from({ length: disturbances + 1 }, () => []);
  levels[0]!.push({ path: [], cost: 0, straight: true });
  const found: Found = { states: 0, steps: 0, violation: null };
  let path: readonly Input[] = [];
  try {
    for (const level of levels) {
      for (let at = 0; at < level.length; at++) {
        const node = level[at]!;
        if (node.path.length >= DEPTH) throw new Violation('the way is longer than any connection');
        path = node.path;
        const honest: Input[] = [];
        for (const input of inputs(replay(config, fault, path), others)) {
          const cost = node.cost + input.cost;
          const first = input.cost > 0 || honest.length === 0;
          if (input.cost === 0) honest.push(input);
          if (cost > disturbances || !(node.straight || node.cost + cost === 0)) continue;
          if (!first && node.cost > 0) continue;
          found.steps++;
          path = [...node.path, input];
          const next = replay(config, fault, path);
          checkRules(next);
          const straight = node.straight && first;
          const state = `${straight} ${digest(next)}`;
          if (seen.has(state)) continue;
          seen.add(state);
          found.states++;
          if (next.client.closed === null || next.server.closed === null)
            levels[cost]!.push({ path, cost, straight });
          continueHonestly(next, cost === 0);
        }
      }
    }
  } catch (error) {
    const way = path.map(({ name }) => name).join('; ');
    found.violation = `${error instanceof Violation ? error.message : (error as Error).stack} after: ${way}`;
  }
  return found;
}
