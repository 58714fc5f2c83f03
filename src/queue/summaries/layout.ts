// How a summary is stored: one string of 32-bit counters, most significant byte first, for scripts and for TypeScript.
import { ENDS, SUMMARISED_PER_DAY } from '../../domain/summaries/summary.ts';
import { BUCKETS_PER_DOUBLING, LATENCY_BUCKETS, LATENCY_FROM_MS } from '../../domain/summaries/latency.ts';
import { DAY_MS, SUMMARIES_KEPT_DAYS } from '../../domain/summaries/day.ts';
import { RUN_STATES } from '../../domain/submission/run-result.ts';

/** The length of a configuration's key. A day's list of configurations is these, one after the other. */
const CONFIGURATION_BYTES = 22;

/** Before the counters by name: when in its day the first result was accepted, in milliseconds. */
const NAMES = ['first', ...RUN_STATES, ...ENDS];

/** What scripts know of it, by the names they use. */
export const SUMMARY_CONSTANTS = {
  DAY_MS,
  SUMMARIES_KEPT_DAYS,
  SUMMARISED_PER_DAY,
  /** In the place of a configuration's key, which has none of these dots. */
  SHARED_SUMMARY: 'others'.padEnd(CONFIGURATION_BYTES, '.'),
  CONFIGURATION_BYTES,
  /** Counter numbers by state and by end. */
  SUMMARY_COUNTERS: Object.fromEntries(NAMES.map((name, number) => [name, String(number)])),
  FIRST_BUCKET: NAMES.length,
  SUMMARY_BYTES: 4 * (NAMES.length + LATENCY_BUCKETS),
  LATENCY_FROM_MS,
  BUCKETS_PER_DOUBLING,
  LATENCY_BUCKETS,
} as const;
