// `bench`: submits to a running bridge as fast as it answers; reports throughput, latency and refusals.
import { setTimeout as delay } from 'node:timers/promises';
import type { SubmitOutcome } from '../../device/outcome.ts';
import { defaultConfigurations } from '../../sandbox/graph/default-tenant.ts';
import { confirm } from '../operator/confirm.ts';
import { printError, print, printJson } from '../out.ts';
import { createFleetClient } from './fleet-client.ts';
import { createSubmissions } from './simulate-fleet.ts';
import { createLatencies, toPercentiles } from './simulate-load.ts';
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

export type BenchFlags = {
  url: string;
  seconds: number;
  warmUp: number;
  connections: number;
  size?: number;
  devices: number;
  configuration?: string[];
  yes?: true;
  json?: true;
};

/** The result of a period of load. Latencies are of accepted submissions only. */
type Measured = SubmissionCounts & {
  seconds: number;
  acceptedPerSecond: number;
  /** Utilization of this process's event loop, 0 to 1: near 1, this command is the bottleneck and not the bridge. */
  clientBusy: number;
  latencyMs: ReturnType<typeof toPercentiles>;
};

/** Pause after an unanswered call, so that an absent bridge is not polled in a tight loop. */
const UNANSWERED_WAIT_MS = 100;
/** Above this utilization, the result says more about this command than about the bridge. */
const BUSY = 0.9;

export async function bench(flags: BenchFlags): Promise<void> {
  const submit = createFleetClient(flags.url);
  const configurationIds = flags.configuration ?? defaultConfigurations.map(({ id }) => id);
  await confirm(
    `For ${flags.warmUp + flags.seconds} s ${flags.url} gets as many run results as it takes, and each one it accepts is created in Graph, for ${configurationIds.join(', ')}. Go on?`,
    flags.yes,
  );
  const next = createSubmissions({
    devices: flags.devices,
    configurationIds,
    seed: Math.floor(Math.random() * 2 ** 31),
    nowMs: Date.now(),
    again: 0,
  });
  const output = flags.size === undefined ? {} : { output: 'x'.repeat(flags.size) };
  const stopping = createStopController();
  const submitNext = () => submit({ ...next(), ...output });
  const load = (seconds: number) => submitFor(seconds, flags.connections, stopping.signal, submitNext);

  const warmUp = await load(flags.warmUp);
  const measured = await load(flags.seconds);
  stopping.abort();
  if (flags.json) printJson({ warmUp: toCounts(warmUp), ...measured });
  else printMeasured(measured, warmUp, flags);
  process.exitCode = exitCodeOf(warmUp, measured);
}

/** Each connection submits as soon as its previous response has arrived; calls in flight at the end are awaited. */
async function submitFor(
  forSeconds: number,
  connections: number,
  signal: AbortSignal,
  submitNext: () => Promise<SubmitOutcome>,
): Promise<Measured> {
  const counts = createSubmissionCounts();
  const latencies = createLatencies();
  const loopBefore = performance.eventLoopUtilization();
  const startedAt = performance.now();
  const endsAt = startedAt + forSeconds * 1000;
  const isOver = () => signal.aborted || performance.now() >= endsAt;

  async function keepSubmitting(): Promise<void> {
    while (!isOver()) {
      const submittedAt = performance.now();
      const outcome = await submitNext();
      count(counts, outcome);
      if (outcome.kind === 'accepted') latencies.record(performance.now() - submittedAt);
      if (outcome.kind === 'unreachable') await delay(UNANSWERED_WAIT_MS);
    }
  }

  await Promise.all(Array.from({ length: connections }, keepSubmitting));
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    ...counts,
    seconds,
    acceptedPerSecond: counts.accepted / seconds,
    clientBusy: performance.eventLoopUtilization(loopBefore).utilization,
    latencyMs: toPercentiles(latencies),
  };
}

const toCounts = ({ submitted, accepted, known, refused, unanswered }: SubmissionCounts): SubmissionCounts => ({
  submitted,
  accepted,
  known,
  refused,
  unanswered,
});

function printMeasured(measured: Measured, warmUp: SubmissionCounts, { connections }: BenchFlags): void {
  const rows = [
    [
      'accepted',
      `${measured.acceptedPerSecond.toFixed(1)}/s`,
      `${measured.accepted} in ${measured.seconds.toFixed(1)} s`,
    ],
    ['connections', connections, `this command was busy ${Math.round(measured.clientBusy * 100)}% of the time`],
    ...toLatencyRows(measured.latencyMs),
    ...toRefusalRows(measured),
    ['warm-up', warmUp.accepted, 'accepted before that'],
    ...toRefusalRows(warmUp).map(([what, times, why]) => [`warm-up, ${what}`, times, why]),
  ];
  print(...toTable(['what', 'how many', ''], rows));
  if (measured.clientBusy > BUSY) {
    printError('This command was the limit, not the bridge: run several at once, or on another machine.');
  }
}
