// One run: set up, carry out the plan, repair everything, and judge the result.
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createDevices, type Devices } from './fleet.ts';
import { submitFresh } from './flow.ts';
import { judge, type Answer, type Counts, type DeliveryView, type Judgement, type Summed } from './oracle.ts';
import { openOtherGraph, openSandbox, openTenantSandbox } from './stand-in-graph.ts';
import { createPlan, MACHINERY, ONLY_TENANT, type Disturbance, type Plan, type Submission } from './plan.ts';
import { readProcessLogs } from './process-logs.ts';
import { openStage, type RedisKind, type Stage, type StageTenant } from './stage.ts';
import { createTenantsPlan, nameTenants, seedOf } from './tenant-plan.ts';
import { trespass } from './trespass.ts';

export type RunOptions = {
  seed: number;
  /** Of all tenants together. */
  devices: number;
  /** More than one are described by a tenants file, each with a Graph of its own. */
  tenants: number;
  graph: 'sandbox' | 'other';
  redis: RedisKind;
  signal: AbortSignal;
};

export type RunReport = Judgement & {
  plan: Plan;
  tenants: number;
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
/** A device comes again for so long; with several servers of Redis, failovers may follow each other. */
const SUBMIT_WITHIN_MS = { apart: 60_000, embedded: 60_000, sentinel: 180_000, cluster: 180_000 };
const UNKNOWN_CONFIGURATION = '00000000-dead-4000-8000-000000000000';
/** Instants in run results count back from here, so that a seed gives the same plan on any day. */
const NOW = Date.UTC(2026, 5, 1);

export async function runOnce(options: RunOptions): Promise<RunReport> {
  const { seed, redis, devices } = options;
  /** The devices of a run that ended early must not go on during the next one. */
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const startedAt = Date.now();
  const directory = await mkdtemp(join(tmpdir(), 'runstate-chaos-'));
  const tenants = await openTenants(options, directory);
  const ids = tenants.map(({ id }) => id);
  const plan = toPlan(options, tenants);
  const operatorToken = createHash('sha256').update(`operator ${seed}`).digest('hex');
  const configurationId = tenants[0]?.standIn.configurationIds[0] ?? '';
  let stage: Stage | null = null;
  let isClean = false;
  try {
    stage = await openStage({ directory, tenants, redis, operatorToken, ...plan });
    const { apiUrl, apiAheadS } = stage;
    const groupKeys = new Map(tenants.map(({ id, groupKey }) => [id, groupKey]));
    const comesAgain = tenants.length > 1;
    const crew = createDevices({ baseUrl: apiUrl, groupKeys, comesAgain, devices, seed, apiAheadS, signal });
    const submitting = Promise.all(plan.submissions.map((submission) => submitAt(crew, submission, { redis, signal })));
    submitting.catch(() => undefined);
    await Promise.all([delay(plan.lengthMs, undefined, { signal }), disturb(stage, plan.disturbances, signal)]);
    await stage.mend();
    const mendedAt = Date.now();
    const answers = (await submitting).flat();
    await waitForQuiet(stage.apiUrl, operatorToken, answers, signal);
    const quietAfterMs = Date.now() - mendedAt;
    const fresh = await submitFresh({ crew, stage, seed, tenants: ids, configurationId, now: NOW });
    answers.push(...fresh.answers);

    const trespasses = tenants.length > 1 ? await trespass(crew, answers, { apiUrl, operatorToken }) : [];
    const status = await readStatus(stage.apiUrl, operatorToken);
    const judgements = await Promise.all(
      tenants.map(async ({ id, standIn }) =>
        nameTenant(
          id,
          judge({
            answers: answers.filter(({ submission }) => submission.tenant === id),
            views: await askForAll(crew, answers, id),
            records: standIn.records(),
            counts: status?.get(id)?.counts ?? null,
            summed: await readSummaries(apiUrl, operatorToken, id),
            wasAbsent: plan.disturbances.some(
              ({ kind, tenant }) => tenant === id && ['tenant-removed', 'tenant-late'].includes(kind),
            ),
            elsewhere: answers.flatMap(({ submission }) => (submission.tenant === id ? [] : [submission])),
          }),
        ),
      ),
    );
    const judgement = addUp(judgements);
    judgement.violations.push(...trespasses.map((what) => ({ fault: 'crossed' as const, what })));
    const surprises = [
      ...(await stage.leave()),
      ...fresh.surprises,
      ...Array.from(status ?? [], ([id, { holds }]) => holds.map((hold) => `held: ${hold} of ${id}`)).flat(),
    ];
    isClean = judgement.violations.length === 0 && surprises.length === 0;
    return {
      ...judgement,
      plan,
      tenants: tenants.length,
      surprises,
      ...(await readProcessLogs(directory)),
      faults: addFaults(tenants.map(({ standIn }) => standIn.faults())),
      seconds: (Date.now() - startedAt) / 1000,
      quietAfterMs,
      directory,
    };
  } finally {
    over.abort();
    await stage?.close();
    for (const { standIn } of tenants) await standIn.close();
    if (isClean || options.signal.aborted) await rm(directory, { recursive: true, force: true });
  }
}

type RunTenant = StageTenant & { standIn: Awaited<ReturnType<typeof openSandbox | typeof openOtherGraph>> };

async function openTenants({ seed, graph, tenants }: RunOptions, directory: string): Promise<RunTenant[]> {
  if (tenants === 1) {
    const groupKey = createHash('sha256').update(`campaign ${seed}`).digest();
    const standIn = await (graph === 'other' ? openOtherGraph(seed) : openSandbox(seed));
    return [{ id: ONLY_TENANT, groupKey, standIn }];
  }
  const opened: RunTenant[] = [];
  for (const [index, id] of nameTenants(tenants).entries()) {
    const groupKey = createHash('sha256').update(`campaign ${seed} ${id}`).digest();
    opened.push({ id, groupKey, standIn: await openTenantSandbox(seedOf(seed, index), join(directory, 'tls')) });
  }
  return opened;
}

function toPlan({ seed, devices, redis }: RunOptions, tenants: readonly RunTenant[]): Plan {
  const [first] = tenants;
  if (!first) throw new Error('a run needs a tenant');
  const options = {
    seed,
    devices: Math.ceil(devices / tenants.length),
    configurationIds: first.standIn.configurationIds,
    unknownConfigurationId: UNKNOWN_CONFIGURATION,
    // Only before a single server apart is there a proxy.
    kinds: first.standIn.kinds.filter((kind) => redis === 'apart' || !/^(redis|script)/.test(kind)),
    machinery: MACHINERY[redis],
    now: NOW,
  };
  return tenants.length === 1
    ? createPlan(options)
    : createTenantsPlan({ ...options, tenants: tenants.map(({ id }) => id) });
}

function nameTenant(id: string, judgement: Judgement): Judgement {
  if (id === ONLY_TENANT) return judgement;
  return {
    ...judgement,
    violations: judgement.violations.map(({ fault, what }) => ({ fault, what: `${id}: ${what}` })),
  };
}

function addUp(judgements: readonly Judgement[]): Judgement {
  const sum = (of: (judgement: Judgement) => number) => judgements.reduce((all, one) => all + of(one), 0);
  return {
    obligations: sum(({ obligations }) => obligations),
    delivered: sum(({ delivered }) => delivered),
    dead: sum(({ dead }) => dead),
    violations: judgements.flatMap(({ violations }) => violations),
  };
}

function addFaults(all: readonly Record<string, number>[]): Record<string, number> {
  const totals: Record<string, number> = {};
  for (const [name, times] of all.flatMap((faults) => Object.entries(faults))) {
    totals[name] = (totals[name] ?? 0) + times;
  }
  return totals;
}

async function submitAt(
  crew: Devices,
  submission: Submission,
  { redis, signal }: Pick<RunOptions, 'redis' | 'signal'>,
): Promise<Answer[]> {
  await delay(submission.at, undefined, { signal });
  return crew.submit(submission, SUBMIT_WITHIN_MS[redis]);
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

async function waitForQuiet(
  apiUrl: string,
  token: string,
  answers: readonly Answer[],
  signal: AbortSignal,
): Promise<void> {
  const expected = new Map<string, Set<string>>();
  for (const { submission, deliveryId } of answers) {
    if (deliveryId === null) continue;
    expected.set(submission.tenant, (expected.get(submission.tenant) ?? new Set()).add(deliveryId));
  }
  const isQuiet = (counts: Counts | undefined, size: number) =>
    counts !== undefined &&
    counts.queued + counts.delivering + counts.waiting === 0 &&
    counts.delivered + counts.dead >= size;
  const giveUpAt = Date.now() + QUIET_WITHIN_MS;
  while (Date.now() < giveUpAt) {
    const status = await readStatus(apiUrl, token);
    if (status && [...expected].every(([tenant, ids]) => isQuiet(status.get(tenant)?.counts, ids.size))) return;
    await delay(250, undefined, { signal });
  }
}

/** As the device of each delivery sees it. */
async function askForAll(
  crew: Devices,
  answers: readonly Answer[],
  tenant: string,
): Promise<Map<string, DeliveryView>> {
  const views = new Map<string, DeliveryView>();
  for (const { deliveryId, submission } of answers) {
    if (submission.tenant !== tenant || deliveryId === null || views.has(deliveryId)) continue;
    const read = await crew.read({ tenant, deviceId: submission.runResult.deviceId }, deliveryId);
    views.set(deliveryId, read.kind === 'found' ? read.delivery : null);
  }
  return views;
}

/** All of a tenant's summaries as one; its days are those of Redis's clock. */
async function readSummaries(apiUrl: string, token: string, tenant: string): Promise<Summed | null> {
  try {
    const response = await fetch(`${apiUrl}/v1/summaries?${new URLSearchParams({ tenant }).toString()}`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(5000),
    });
    const { summaries } = (await response.json()) as {
      summaries: { accepted: number; outcomes: Omit<Summed, 'accepted'> }[];
    };
    const sum = (of: (one: (typeof summaries)[number]) => number) => summaries.reduce((all, one) => all + of(one), 0);
    return {
      accepted: sum(({ accepted }) => accepted),
      delivered: sum(({ outcomes }) => outcomes.delivered),
      dead: sum(({ outcomes }) => outcomes.dead),
      open: sum(({ outcomes }) => outcomes.open),
    };
  } catch {
    return null;
  }
}

type TenantStatus = { counts: Counts; holds: string[] };

/** By tenant. */
async function readStatus(apiUrl: string, token: string): Promise<Map<string, TenantStatus> | null> {
  try {
    const response = await fetch(`${apiUrl}/v1/status`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(5000),
    });
    const { tenants } = (await response.json()) as {
      tenants: { id: string; counts: Counts; holds: { reason: string }[] }[];
    };
    return new Map(tenants.map(({ id, counts, holds }) => [id, { counts, holds: holds.map(({ reason }) => reason) }]));
  } catch {
    return null;
  }
}
