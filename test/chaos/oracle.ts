// The judge: every receipt is an obligation; what the service says and what Graph holds must fulfil each, once, and nothing else.
import type { GraphRecord } from '../support/graph-record.ts';
import { isBeyondTolerance, type Submission } from './plan.ts';
import type { SentRunResult } from './run-result.ts';

/** What a device heard in the end about one copy of a submission. */
export type Answer = {
  submission: Submission;
  /** How often it was told that it is nobody of the tenant, which a device takes for something to wait for. */
  refusals?: number;
  /** A beyond-tolerance clock's first try comes under its own name: it must be refused. */
  clock: 'wrong' | 'right';
  httpStatus: number;
  deliveryId: string | null;
};

/** A delivery as the service shows it to the device; null where it shows none. */
export type DeliveryView = {
  status: string;
  deviceRunStateId: string | null;
  lastFailure: unknown;
  deviceId?: string;
  runId?: string;
} | null;

export type Counts = Record<'queued' | 'delivering' | 'waiting' | 'delivered' | 'dead', number>;

/** All summaries of a tenant as one. */
export type Summed = Record<'accepted' | 'delivered' | 'dead' | 'open', number>;

/** Of one tenant. */
export type Evidence = {
  answers: readonly Answer[];
  /** By delivery id. */
  views: ReadonlyMap<string, DeliveryView>;
  records: readonly GraphRecord[];
  counts: Counts | null;
  summed: Summed | null;
  /** What other tenants submitted: none of it may be in this one's Graph. */
  elsewhere?: readonly Submission[];
  /** Whether the tenant was not in the file for a while, so that its devices were nobody's. */
  wasAbsent?: boolean;
};

export const FAULTS = [
  'unheard',
  'wrongly-answered',
  'lost',
  'wrongly-dead',
  'wrong-content',
  'shared-record',
  'duplicate',
  'unknown-record',
  'crossed',
  'wrong-counts',
  'wrong-summaries',
] as const;
export type Violation = { fault: (typeof FAULTS)[number]; what: string };

export type Judgement = {
  obligations: number;
  delivered: number;
  dead: number;
  violations: Violation[];
};

type Obligation = { deliveryId: string; submission: Submission };

export function judge({
  answers,
  views,
  records,
  counts,
  summed,
  elsewhere = [],
  wasAbsent = false,
}: Evidence): Judgement {
  const violations: Violation[] = [];
  const blame = (fault: Violation['fault'], what: string) => void violations.push({ fault, what });
  const obligations = collectObligations(answers, blame);
  for (const { submission, refusals = 0 } of answers) {
    const { deviceId, runId } = submission.runResult;
    if (refusals > 0 && !wasAbsent) blame('wrongly-answered', `${deviceId} ${runId}: 401, ${refusals} times`);
  }

  const byId = new Map(records.map((record) => [record.id, record]));
  const owners = new Map<string, string>();
  let [delivered, dead] = [0, 0];
  for (const { deliveryId, submission } of obligations.values()) {
    const view = views.get(deliveryId) ?? null;
    const name = `${deliveryId} (${submission.runResult.deviceId} ${submission.runResult.runId})`;
    if (view && isOfAnother(view, submission)) blame('crossed', `${name}: shown as ${JSON.stringify(view)}`);
    if (view?.status === 'dead') {
      dead += 1;
      const code = (view.lastFailure as { code?: string } | null)?.code;
      if (submission.meaning !== 'poison' || code !== 'graph-404') {
        blame('wrongly-dead', `${name}: ${JSON.stringify(view.lastFailure)}`);
      }
      continue;
    }
    if (view?.status !== 'delivered') {
      blame('lost', `${name}: ${JSON.stringify(view)}`);
      continue;
    }
    delivered += 1;
    const recordId = view.deviceRunStateId ?? '';
    const record = byId.get(recordId);
    const owner = owners.get(recordId);
    if (!record) blame('lost', `${name}: delivered as ${recordId}, which Graph does not hold`);
    else if (owner !== undefined) blame('shared-record', `${recordId} is said to be ${owner} and ${name}`);
    else if (contentOf(record) !== expectedContent(submission.runResult)) {
      blame('wrong-content', `${name}: ${recordId} says ${contentOf(record)}`);
    }
    owners.set(recordId, name);
  }

  const known = new Set([...obligations.values()].map(({ submission }) => expectedContent(submission.runResult)));
  const foreign = new Set(elsewhere.map(({ runResult }) => expectedContent(runResult)));
  for (const record of records) {
    if (owners.has(record.id)) continue;
    const content = contentOf(record);
    const fault = known.has(content) ? 'duplicate' : foreign.has(content) ? 'crossed' : 'unknown-record';
    blame(fault, `${record.id} belongs to no delivery: ${content}`);
  }
  const open = counts === null ? -1 : counts.queued + counts.delivering + counts.waiting;
  if (open !== obligations.size - delivered - dead || counts?.delivered !== delivered || counts.dead !== dead) {
    blame('wrong-counts', `${JSON.stringify(counts)} for ${obligations.size}: ${delivered} delivered, ${dead} dead`);
  }
  const expected: Summed = { accepted: obligations.size, delivered, dead, open: obligations.size - delivered - dead };
  if (!isSame(summed, expected))
    blame('wrong-summaries', `${JSON.stringify(summed)}, where it is ${JSON.stringify(expected)}`);
  return { obligations: obligations.size, delivered, dead, violations };
}

const isSame = (summed: Summed | null, { accepted, delivered, dead, open }: Summed): boolean =>
  summed?.accepted === accepted && summed.delivered === delivered && summed.dead === dead && summed.open === open;

/** What the service says of its device and run, where it says it. */
const isOfAnother = (view: NonNullable<DeliveryView>, { runResult }: Submission): boolean =>
  (view.deviceId ?? runResult.deviceId) !== runResult.deviceId || (view.runId ?? runResult.runId) !== runResult.runId;

/** One obligation per delivery id; blames answers that contradict each other or the protocol. */
function collectObligations(
  answers: readonly Answer[],
  blame: (fault: Violation['fault'], what: string) => void,
): Map<string, Obligation> {
  const obligations = new Map<string, Obligation>();
  const idOfRun = new Map<string, string>();
  const acceptances = new Map<string, number>();
  for (const { submission, clock, httpStatus, deliveryId } of answers) {
    const { runResult, meaning, clockSkewS } = submission;
    const name = `${runResult.deviceId} ${runResult.runId}`;
    if (clock === 'wrong' && isBeyondTolerance(clockSkewS)) {
      if (httpStatus !== 401) blame('wrongly-answered', `${name}: ${httpStatus} with a clock off by ${clockSkewS} s`);
      continue;
    }
    if (deliveryId === null) {
      const isRival = meaning === 'rival' && httpStatus === 409;
      if (!isRival) blame(httpStatus === 0 ? 'unheard' : 'wrongly-answered', `${name}: ${httpStatus}`);
      continue;
    }
    if (httpStatus === 202) acceptances.set(deliveryId, (acceptances.get(deliveryId) ?? 0) + 1);
    const first = obligations.get(deliveryId);
    if (first && expectedContent(first.submission.runResult) !== expectedContent(runResult)) {
      blame('wrongly-answered', `${name}: two contents were accepted under ${deliveryId}`);
    }
    if ((idOfRun.get(name) ?? deliveryId) !== deliveryId) blame('wrongly-answered', `${name}: has two delivery ids`);
    idOfRun.set(name, deliveryId);
    if (!first) obligations.set(deliveryId, { deliveryId, submission });
  }
  for (const [deliveryId, times] of acceptances) {
    if (times > 1) blame('wrongly-answered', `${deliveryId} was answered 202 ${times} times`);
  }
  const runs = new Set(answers.map(({ submission: { runResult } }) => `${runResult.deviceId} ${runResult.runId}`));
  for (const run of runs) if (!idOfRun.has(run)) blame('unheard', `${run}: no submission of it was accepted`);
  return obligations;
}

/** What Graph is to hold of a run, from the mapping as the contract words it. */
function expectedContent(run: SentRunResult): string {
  const byExitCode =
    run.exitCode === 0 ? 'success' : run.exitCode === 3010 || run.exitCode === 1641 ? 'pending' : 'fail';
  return contentOf({
    id: '',
    configurationId: run.hardwareConfigurationId,
    deviceName: run.deviceName,
    osVersion: run.osVersion ?? null,
    upn: run.upn ?? null,
    internalVersion: run.policyVersion,
    lastStateUpdateDateTime: run.completedAt,
    configurationState: run.state ?? byExitCode,
    configurationOutput: run.output ?? null,
    configurationError: run.error ?? null,
  });
}

function contentOf(record: GraphRecord): string {
  const output = record.configurationOutput;
  return JSON.stringify([
    record.configurationId.toLowerCase(),
    record.deviceName,
    record.osVersion,
    record.upn,
    record.internalVersion,
    toTicks(record.lastStateUpdateDateTime),
    record.configurationState,
    output !== null && output.length > 200 ? `${output.length} × ${output.slice(0, 20)}` : output,
    record.configurationError,
  ]);
}

/** An instant in 100 ns since 1970, however it is spelt. */
function toTicks(text: string): string {
  const [, seconds = '', fraction = '', offset = ''] = /^(.{19})(?:\.(\d+))?(.*)$/.exec(text) ?? [];
  return `${Date.parse(seconds + offset) / 1000}.${fraction.padEnd(7, '0')}`;
}
