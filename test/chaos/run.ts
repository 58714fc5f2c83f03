// One run: set up, carry out the plan, repair everything, and judge the result.
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createDevices, type Devices } from './fleet.ts';
import { judge, type Answer, type Counts, type DeliveryView, type Judgement } from './oracle.ts';
import { openOtherGraph, openSandbox } from './stand-in-graph.ts';
import { createPlan, MACHINERY, type Disturbance, type Plan, type Submission } from './plan.ts';
import { readProcessLogs } from './process-logs.ts';
import { planRunResult } from './run-result.ts';
import { createRandom } from '../../src/sandbox/random.ts';
import { openStage, type Stage } from './stage.ts';

export type RunOptions = {
  seed: number;
  devices: number;
  graph: 'sandbox' | 'other';
  redis: 'apart' | 'embedded';
  signal: AbortSignal;
};

export type RunReport = Judgement & {
  plan: Plan;
  /** What processes did unasked. */
  surprises: string[];
  defects: string[];
  exercised: Record<string, number>;
  faults: Record<string, number>;
  seconds: number;
  quietAfterMs: number;
  /** Where the processes' logs are; gone where nothing was wrong. */
  directory: string;
};

/** A killed worker's deliveries come back after 40 s; backoff after an outage may be as long again. */
const QUIET_WITHIN_MS = 150_000;
const SUBMIT_WITHIN_MS = 60_000;
const FRESH_WITHIN_MS = 30_000;
const UNKNOWN_CONFIGURATION = '00000000-dead-4000-8000-000000000000';
/** Instants in run results count back from here, so that a seed gives the same plan on any day. */
const NOW = Date.UTC(2026, 5, 1);

export async function runOnce({ seed, devices, graph, redis, signal }: RunOptions): Promise<RunReport> {
  const startedAt = Date.now();
  const directory = await mkdtemp(join(tmpdir(), 'runstate-chaos-'));
  const standIn = await (graph === 'other' ? openOtherGraph(seed) : openSandbox(seed));
  const { configurationIds } = standIn;
  // The embedded Redis has no proxy before it.
  const kinds = standIn.kinds.filter((kind) => redis === 'apart' || !/^(redis|script)/.test(kind));
  const plan = createPlan({
    seed,
    devices,
    configurationIds,
    unknownConfigurationId: UNKNOWN_CONFIGURATION,
    kinds,
    machinery: MACHINERY[redis],
    now: NOW,
  });
  const groupKey = createHash('sha256').update(`campaign ${seed}`).digest();
  const operatorToken = groupKey.toString('hex');
  let stage: Stage | null = null;
  let isClean = false;
  try {
    stage = await openStage({ directory, standIn, redis, groupKey, operatorToken, ...plan });
    const crew = createDevices({ baseUrl: stage.apiUrl, groupKey, seed, apiAheadS: stage.apiAheadS, signal });
    const submitting = Promise.all(plan.submissions.map((submission) => submitAt(crew, submission, signal)));
    submitting.catch(() => undefined);
    await Promise.all([delay(plan.lengthMs, undefined, { signal }), disturb(stage, plan.disturbances, signal)]);
    await stage.mend();
    const mendedAt = Date.now();
    const answers = (await submitting).flat();
    await waitForQuiet(stage.apiUrl, operatorToken, answers, signal);
    const quietAfterMs = Date.now() - mendedAt;
    const fresh = await submitFresh(crew, seed, configurationIds[0] ?? '');
    answers.push(...fresh.answers);

    const views = await askForAll(crew, answers);
    const status = await readStatus(stage.apiUrl, operatorToken);
    const judgement = judge({ answers, views, records: standIn.records(), counts: status?.counts ?? null });
    const surprises = [
      ...(await stage.leave()),
      ...fresh.surprises,
      ...(status?.holds ?? []).map((hold) => `held: ${hold}`),
    ];
    isClean = judgement.violations.length === 0 && surprises.length === 0;
    return {
      ...judgement,
      plan,
      surprises,
      ...(await readProcessLogs(directory)),
      faults: standIn.faults(),
      seconds: (Date.now() - startedAt) / 1000,
      quietAfterMs,
      directory,
    };
  } finally {
    await stage?.close();
    await standIn.close();
    if (isClean || signal.aborted) await rm(directory, { recursive: true, force: true });
  }
}

async function submitAt(crew: Devices, submission: Submission, signal: AbortSignal): Promise<Answer[]> {
  await delay(submission.at, undefined, { signal });
  return crew.submit(submission, SUBMIT_WITHIN_MS);
}

async function disturb(stage: Stage, disturbances: readonly Disturbance[], signal: AbortSignal): Promise<void> {
  await Promise.all(
    disturbances.map(async (disturbance) => {
      await delay(disturbance.at, undefined, { signal });
      const begun = stage.begin(disturbance);
      await delay(disturbance.forMs, undefined, { signal });
      await begun;
      await stage.end(disturbance);
    }),
  );
}

async function waitForQuiet(apiUrl: string, token: string, answers: Answer[], signal: AbortSignal): Promise<void> {
  const expected = new Set(answers.flatMap(({ deliveryId }) => deliveryId ?? [])).size;
  const giveUpAt = Date.now() + QUIET_WITHIN_MS;
  while (Date.now() < giveUpAt) {
    const counts = (await readStatus(apiUrl, token))?.counts;
    const open = counts ? counts.queued + counts.delivering + counts.waiting : expected;
    if (open === 0 && counts && counts.delivered + counts.dead >= expected) return;
    await delay(250, undefined, { signal });
  }
}

/** Whether a result sent after all that still comes through. */
async function submitFresh(crew: Devices, seed: number, configurationId: string) {
  const runResult = planRunResult({
    random: createRandom(~seed),
    number: 1,
    deviceId: 'fresh-device',
    hardwareConfigurationId: configurationId,
    now: NOW,
  });
  const submission: Submission = { at: 0, runResult, copies: 1, clockSkewS: 0, meaning: 'ordinary' };
  const answers = await crew.submit(submission, FRESH_WITHIN_MS);
  const giveUpAt = Date.now() + FRESH_WITHIN_MS;
  while (Date.now() < giveUpAt) {
    const read = await crew.read(runResult.deviceId, answers[0]?.deliveryId ?? '');
    if (read.kind === 'found' && read.delivery.status === 'delivered') return { answers, surprises: [] };
    await delay(100);
  }
  return { answers, surprises: ['a fresh result does not come through'] };
}

async function askForAll(crew: Devices, answers: readonly Answer[]): Promise<Map<string, DeliveryView>> {
  const views = new Map<string, DeliveryView>();
  for (const { deliveryId, submission } of answers) {
    if (deliveryId === null || views.has(deliveryId)) continue;
    const read = await crew.read(submission.runResult.deviceId, deliveryId);
    views.set(deliveryId, read.kind === 'found' ? read.delivery : null);
  }
  return views;
}

async function readStatus(apiUrl: string, token: string): Promise<{ counts: Counts; holds: string[] } | null> {
  try {
    const response = await fetch(`${apiUrl}/v1/status`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(5000),
    });
    const { tenants } = (await response.json()) as { tenants: { counts: Counts; holds: { reason: string }[] }[] };
    const [tenant] = tenants;
    return tenant ? { counts: tenant.counts, holds: tenant.holds.map(({ reason }) => reason) } : null;
  } catch {
    return null;
  }
}
