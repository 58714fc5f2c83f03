// What a campaign says: a line per run, everything about a violation, and a summary at the end.
import { FAULTS, type Violation } from './oracle.ts';
import { describeDisturbance } from './plan.ts';
import type { RunReport } from './run.ts';

const MOST_SHOWN = 20;

export const isBad = ({ violations, surprises }: RunReport): boolean => violations.length + surprises.length > 0;

export function describeRun(run: RunReport): string {
  const { plan, obligations, delivered, dead, seconds, quietAfterMs, defects } = run;
  const verdict = isBad(run) ? 'VIOLATED' : 'kept';
  const owned = defects.length === 0 ? '' : `, ${defects.length} defects logged`;
  const several = run.tenants === 1 ? '' : ` of ${run.tenants} tenants`;
  const access = `${plan.isRestricted ? ', restricted' : ''}${plan.isEncrypted ? ', encrypted' : ''}`;
  return `seed ${plan.seed}: ${verdict} · ${obligations} obligations${several}, ${delivered} delivered, ${dead} dead, ${plan.disturbances.length} disturbances${access}, quiet after ${(quietAfterMs / 1000).toFixed(1)} s, ${seconds.toFixed(1)} s${owned}`;
}

/** How to see it again, what happened, and where to look. */
export function describeViolations(run: RunReport, replay: string): string {
  const { plan, violations, surprises, directory } = run;
  const shown = [...violations.map(({ fault, what }) => `${fault}: ${what}`), ...surprises];
  return [
    `  again with: ${replay}`,
    `  logs: ${directory}`,
    `  timeline (concurrency ${plan.concurrency}, $filter ${plan.filter}, clocks ahead by ${JSON.stringify(plan.clockAheadS)} s):`,
    ...plan.disturbances.map((disturbance) => `    ${describeDisturbance(disturbance)}`),
    ...shown.slice(0, MOST_SHOWN).map((what) => `  ! ${what}`),
    ...(shown.length > MOST_SHOWN ? [`  … and ${shown.length - MOST_SHOWN} more`] : []),
  ].join('\n');
}

export function summarise(runs: readonly RunReport[], seconds: number): string {
  const sum = (of: (run: RunReport) => number) => runs.reduce((all, run) => all + of(run), 0);
  const violations = runs.flatMap((run) => run.violations);
  const disturbances = count(runs.flatMap(({ plan }) => plan.disturbances.map(({ kind }) => kind)));
  const faults = total(runs.map((run) => run.faults));
  return [
    `${runs.length} runs, ${runs.filter(isBad).length} violated, ${seconds.toFixed(0)} s`,
    `obligations ${sum((run) => run.obligations)}, delivered ${sum((run) => run.delivered)}, dead ${sum((run) => run.dead)}`,
    ...FAULTS.map((fault) => `${fault}: ${countOf(violations, fault)}`),
    `surprises: ${sum((run) => run.surprises.length)}, defects logged: ${sum((run) => run.defects.length)}`,
    `exercised: ${list(total(runs.map((run) => run.exercised)))}`,
    `disturbances ${sum(({ plan }) => plan.disturbances.length)}: ${list(disturbances)}`,
    `faults ${Object.values(faults).reduce((a, b) => a + b, 0)}: ${list(faults)}`,
  ].join('\n');
}

const countOf = (violations: readonly Violation[], fault: Violation['fault']) =>
  violations.filter((violation) => violation.fault === fault).length;

function total(all: readonly Record<string, number>[]): Record<string, number> {
  const totals: Record<string, number> = {};
  for (const [name, times] of all.flatMap((counts) => Object.entries(counts)))
    totals[name] = (totals[name] ?? 0) + times;
  return totals;
}

function count(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

const list = (counts: Record<string, number>) =>
  Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([name, times]) => `${name} ${times}`)
    .join(' · ');
