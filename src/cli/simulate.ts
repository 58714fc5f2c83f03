// `simulate`: a fleet that reports to a running bridge at a steady pace, and what it was told.
import { once } from 'node:events';
import Table from 'cli-table3';
import { deriveDeviceKey } from '../domain/device-key.ts';
import { parseGroupKeys } from '../environment.ts';
import { submit } from '../sandbox/agent.ts';
import { defaultConfigurations } from '../sandbox/default-tenant.ts';
import type { SubmitOutcome } from '../sandbox/agent-outcome.ts';
import { EXIT } from './exit.ts';
import { OperatorError } from './operator.ts';
import { complain, print } from './out.ts';
import { createSubmissions } from './simulate-fleet.ts';
import { createLatencies, runAtRate, type Latencies } from './simulate-load.ts';

export type SimulateFlags = {
  url: string;
  devices: number;
  rate: number;
  seconds?: number;
  runs?: number;
  again: number;
  configuration?: string[];
  seed?: number;
  json?: true;
};

/** What the fleet was told; refusals by status and code, silence by its reason. */
type Told = {
  submitted: number;
  accepted: number;
  known: number;
  refused: Record<string, number>;
  unanswered: Record<string, number>;
  seconds: number;
};

const PROGRESS_EVERY_MS = 5000;
/** Runs of a given seed were all completed before this, whenever they are submitted. */
const SEEDED_NOW_MS = Date.UTC(2026, 10, 1);
const LATER = /^(408|429|5\d\d) /;

export async function simulate(flags: SimulateFlags): Promise<void> {
  const [groupKey] = parseGroupKeys(process.env['DEVICE_GROUP_KEYS']);
  if (!groupKey) throw new OperatorError('DEVICE_GROUP_KEYS must hold base64 keys of 16 to 64 bytes', EXIT.usage);
  const next = createSubmissions({
    devices: flags.devices,
    configurationIds: flags.configuration ?? defaultConfigurations.map(({ id }) => id),
    seed: flags.seed ?? Math.floor(Math.random() * 2 ** 31),
    nowMs: flags.seed === undefined ? Date.now() : SEEDED_NOW_MS,
    again: flags.again,
  });
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    void once(process, signal, { signal: stopping.signal }).then(
      () => stopping.abort(),
      () => undefined,
    );
  }
  const told: Told = { submitted: 0, accepted: 0, known: 0, refused: {}, unanswered: {}, seconds: 0 };
  const latencies = createLatencies();
  const startedAt = performance.now();
  const progress = setInterval(() => {
    if (!flags.json) complain(`${told.submitted} submitted: ${told.accepted} accepted, ${told.known} known`);
  }, PROGRESS_EVERY_MS);
  const total = flags.seconds === undefined ? (flags.runs ?? flags.devices) : flags.seconds * flags.rate;
  await runAtRate(
    { total, perSecond: flags.rate, signal: stopping.signal },
    async () => {
      const run = next();
      const deviceKey = deriveDeviceKey(groupKey, run.deviceId).toString('base64');
      count(told, await submit(run, { baseUrl: flags.url, deviceId: run.deviceId, deviceKey }));
    },
    latencies.note,
  );
  clearInterval(progress);
  stopping.abort();
  told.seconds = (performance.now() - startedAt) / 1000;
  if (flags.json) print(JSON.stringify({ ...told, latencyMs: toPercentiles(latencies) }, null, 2));
  else printTold(told, latencies, flags);
  process.exitCode = exitCodeOf(told);
}

function count(told: Told, outcome: SubmitOutcome): void {
  told.submitted += 1;
  switch (outcome.kind) {
    case 'accepted':
      told.accepted += 1;
      break;
    case 'duplicate':
      told.known += 1;
      break;
    case 'refused':
      addOne(told.refused, `${outcome.httpStatus} ${outcome.code}`);
      break;
    case 'unreachable':
      addOne(told.unanswered, outcome.reason);
      break;
  }
}

function addOne(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

function exitCodeOf({ refused, unanswered }: Told): number {
  const codes = Object.keys(refused);
  if (codes.some((code) => !LATER.test(code))) return EXIT.refused;
  return codes.length > 0 || Object.keys(unanswered).length > 0 ? EXIT.later : EXIT.ok;
}

function toPercentiles({ percentile }: Latencies) {
  return { p50: percentile(0.5), p90: percentile(0.9), p99: percentile(0.99), max: percentile(1) };
}

function printTold(told: Told, latencies: Latencies, { rate }: SimulateFlags): void {
  const table = new Table({ head: ['what', 'how many', ''], style: { head: [], border: [] } });
  const pace = (told.submitted / told.seconds).toFixed(1);
  table.push(
    ['submissions', told.submitted, `${pace}/s, ${rate}/s asked for`],
    ['accepted', told.accepted, '202'],
    ['known already', told.known, '200'],
    ...Object.entries(told.refused).map(([code, times]) => ['refused', times, code]),
    ...Object.entries(told.unanswered).map(([reason, times]) => ['not answered', times, reason]),
    ...Object.entries(toPercentiles(latencies)).map(([name, ms]) => [
      `latency ${name}`,
      ms === null ? '–' : `${ms} ms`,
      '',
    ]),
  );
  print(table.toString());
}
