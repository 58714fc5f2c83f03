// A summary: what became of the run results of one hardware configuration that were accepted on one day.
import { RUN_STATES, type RunState } from '../submission/run-result.ts';
import { LATENCY_BUCKETS } from './latency.ts';

/** How a delivery can end. */
export const ENDS = ['delivered', 'dead', 'superseded'] as const;
export type End = (typeof ENDS)[number];

/** Which summary, and whose. */
export type SummaryName = {
  tenantId: string;
  /** Of acceptance, in UTC, from 1970-01-01. */
  day: number;
  /** In lower case; null for all configurations that day beyond those that have a summary each. */
  hardwareConfigurationId: string | null;
};

export type SummaryCounts = {
  /** By the state that goes to Graph. */
  states: Record<RunState, number>;
  /** By how they have ended so far; a replay takes one back from `dead`. */
  ends: Record<End, number>;
  /** Created ones by the time from acceptance, see `latency.ts`. */
  latency: number[];
};

export type Summary = SummaryName & SummaryCounts;

/** Configurations that get a summary each, per day; the others share one, so that made-up ids cannot fill Redis. */
export const SUMMARISED_PER_DAY = 100;

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

export const acceptedOf = ({ states }: Pick<SummaryCounts, 'states'>): number => sum(states);

/** Those that have not ended. */
export const openOf = (counts: Pick<SummaryCounts, 'states' | 'ends'>): number =>
  Math.max(0, acceptedOf(counts) - sum(counts.ends));

/** Several summaries as one; without any, all counts are 0. */
export function addUp(summaries: readonly SummaryCounts[]): SummaryCounts {
  return {
    states: addMembers(
      RUN_STATES,
      summaries.map(({ states }) => states),
    ),
    ends: addMembers(
      ENDS,
      summaries.map(({ ends }) => ends),
    ),
    latency: Array.from({ length: LATENCY_BUCKETS }, (_, bucket) =>
      summaries.reduce((total, { latency }) => total + (latency[bucket] ?? 0), 0),
    ),
  };
}

function addMembers<K extends string>(names: readonly K[], counts: readonly Record<K, number>[]): Record<K, number> {
  const added = names.map((name) => [name, counts.reduce((total, each) => total + each[name], 0)]);
  return Object.fromEntries(added) as Record<K, number>;
}
