// The figures that a profile's budgets are held to; those of sizes are the build's.

import type { Figures } from './figures.ts';

/** What the budgets of a profile are held to. */
export interface Budgeted {
  readonly name: string;
  readonly budgets: Readonly<Record<string, number>>;
  readonly entry?: string;
  readonly records?: string;
  readonly suite?: number;
}

/** Facades over src/lean. */
const LEAN: readonly string[] = ['targets/moddable/lean.ts', 'targets/espruino/mod.ts'];

/** Budgets of what is to be there at the least. */
const LEASTS: readonly string[] = ['engineLeftBytes'];

/** The metric of each budget. Handshakes are measured of suite 2. */
function budgetMetrics({ name, entry, records, suite }: Budgeted): Readonly<Record<string, string>> {
  const cipher = records === 'gcm' ? 'gcm' : 'rcs';
  const lean = LEAN.includes(entry ?? '');
  const first = lean ? 'xs.lean.handshake.first' : 'xs.handshake.client.s3.first';
  return {
    stateBytes: lean ? 'xs.lean.state.bytes' : `xs.state.connection.${cipher}.bytes`,
    resumeComputrons: `xs.${lean ? 'lean.resume' : `resume.client.${cipher}`}.computrons`,
    ...((suite ?? 2) === 2 ? { handshakeComputrons: `${first}.computrons` } : {}),
    engineLeftBytes: `m4.bundle.${name}.left.bytes`,
    stackSlots: `m4.bundle.${name}.stack.slots`,
  };
}

/** A line for each measured figure that is beyond the budget of a profile. */
export function overBudget(figures: Figures, profile: Budgeted): string[] {
  const lines: string[] = [];
  for (const [budget, metric] of Object.entries(budgetMetrics(profile))) {
    const [value, limit] = [figures[metric], profile.budgets[budget]];
    if (value === undefined || limit === undefined) continue;
    const least = LEASTS.includes(budget);
    if (least ? value >= limit : value <= limit) continue;
    lines.push(
      `${metric} is ${value}, ${least ? 'under' : 'over'} ${budget} ${limit} of profile ${profile.name}`,
    );
  }
  return lines;
}
