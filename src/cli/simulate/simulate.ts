// `simulate`: submits to a running bridge as a fleet would, at a fixed rate, and reports the outcomes.
import { defaultConfigurations } from '../../sandbox/graph/default-tenant.ts';
import { printError, print, printJson } from '../out.ts';
import { createFleetClient } from './fleet-client.ts';
import { createSubmissions } from './simulate-fleet.ts';
import { createLatencies, runAtRate, toPercentiles, type Latencies } from './simulate-load.ts';
import { createStopController } from '../stop-controller.ts';
import { toTable } from '../table.ts';
import {
  count,
  createSubmissionCounts,
  exitCodeOf,
  toLatencyRows,
  toRefusalRows,
  type SubmissionCounts,
} from './submission-counts.ts';

export type SimulateFlags = {
  url: string;
  devices: number;
  /** Submissions per second. */
  rate: number;
  seconds?: number;
  /** Submissions in all, if no duration is given; one per device by default. */
  runs?: number;
  /** Percentage of submissions that repeat the previous one. */
  again: number;
  configuration?: string[];
  seed?: number;
  json?: true;
};

const PROGRESS_EVERY_MS = 5000;
/** With a seed, runs are dated before this fixed instant instead of now, so that the same seed gives the same runs. */
const SEEDED_NOW_MS = Date.UTC(2026, 10, 1);

export async function simulate(flags: SimulateFlags): Promise<void> {
  const submit = createFleetClient(flags.url);
  const next = createSubmissions({
    devices: flags.devices,
    configurationIds: flags.configuration ?? defaultConfigurations.map(({ id }) => id),
    seed: flags.seed ?? Math.floor(Math.random() * 2 ** 31),
    nowMs: flags.seed === undefined ? Date.now() : SEEDED_NOW_MS,
    again: flags.again,
  });
  const stopping = createStopController();
  const counts = createSubmissionCounts();
  const latencies = createLatencies();
  const startedAt = performance.now();
  const progress = setInterval(() => {
    if (!flags.json) printError(`${counts.submitted} submitted: ${counts.accepted} accepted, ${counts.known} known`);
  }, PROGRESS_EVERY_MS);
  const total = flags.seconds === undefined ? (flags.runs ?? flags.devices) : flags.seconds * flags.rate;
  await runAtRate(
    { total, perSecond: flags.rate, signal: stopping.signal },
    async () => count(counts, await submit(next())),
    latencies.record,
  );
  clearInterval(progress);
  stopping.abort();
  const seconds = (performance.now() - startedAt) / 1000;
  if (flags.json) printJson({ ...counts, seconds, latencyMs: toPercentiles(latencies) });
  else printCounts(counts, seconds, latencies, flags);
  process.exitCode = exitCodeOf(counts);
}

function printCounts(counts: SubmissionCounts, seconds: number, latencies: Latencies, { rate }: SimulateFlags): void {
  const pace = (counts.submitted / seconds).toFixed(1);
  const rows = [
    ['submissions', counts.submitted, `${pace}/s, ${rate}/s asked for`],
    ['accepted', counts.accepted, '202'],
    ['known already', counts.known, '200'],
    ...toRefusalRows(counts),
    ...toLatencyRows(toPercentiles(latencies)),
  ];
  print(...toTable(['what', 'how many', ''], rows));
}
