// The closed list of events the service reports: one helper each, with its log line and its counter.
import { DEAD_CODES } from '../domain/attempt/decide.ts';
import { FAILURE_KINDS } from '../domain/attempt/failure.ts';
import type { Delivery, Outcome } from '../domain/delivery.ts';
import type { Hold } from '../domain/hold/hold.ts';
import { remedyOfHold } from '../domain/hold/hold.ts';
import type { BacklogState } from '../domain/operations/backlog.ts';
import type { Message } from '../domain/announcements/announcement.ts';
import {
  DIRECTORY_OUTCOMES,
  DIRECTORY_REMEDIES,
  type DirectoryHold,
  type DirectoryOutcome,
} from '../domain/directory/directory-answer.ts';
import type { Replay } from '../domain/replay/replay.ts';
import { REFUSALS } from '../domain/submission/refusal.ts';
import type { AnnouncementEvents, AnnouncementFailed } from '../queue/announcements/announcement-events.ts';
import type { DirectoryEvents } from '../queue/directory/directory-events.ts';
import type { RequestEnded } from '../graph/request-ended.ts';
import type { BatchEntrySummary } from '../http/routes/batch.ts';
import type { OperationDone } from '../http/tenants/audit.ts';
import type { RequestSummary } from '../http/request/context.ts';
import type { ConnectionRefused } from '../http/server.ts';
import type { LeftAlone } from '../queue/store/left-alone.ts';
import type { AttemptEnded, ConsumerEvents } from '../queue/worker/consumer-events.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Protections } from '../config/protections.ts';

export type Events = ReturnType<typeof createEvents>;

/** A finished request to Graph or its token endpoint; status is null without a response. */
type GraphRequest = Parameters<RequestEnded>[0];

const OUTCOME_KINDS: readonly Outcome['kind'][] = ['created', 'found', 'absent', ...FAILURE_KINDS];

const TROUBLE_LOGGED_EVERY_MS = 1000;
const TROUBLES_REMEMBERED = 100;
const SUBMISSION_ROUTE = '/v1/run-results';
const BATCH_ROUTE = '/v1/run-results/batch';

/** Members left out of a line, which has them in another form. */
const OMITTED = { refusal: undefined, duplicate: undefined };

const toReplaySummary = ({ id, by, filter, perSecond, matched, replayed, skipped, startedAt, endedAt }: Replay) => ({
  replayId: id,
  appId: by,
  ...{ filter, perSecond, matched, replayed, skipped },
  seconds: ((endedAt ?? startedAt) - startedAt) / 1000,
});

/** The reason of a hold and what it applies to. */
const scopeOf = ({ reason, about, hardwareConfigurationId }: Hold) => ({
  reason,
  about,
  ...(hardwareConfigurationId !== null && { hardwareConfigurationId }),
});

const nameAnnouncement = ({ id, type, tenant, reason, count }: Message) => ({
  webhookId: id,
  type,
  ...(tenant !== null && { tenantId: tenant }),
  reason,
  count,
});

/** The trace id, second part of a traceparent. */
const parseTraceId = (traceparent: string) => traceparent.split('-')[1];

/** Expected errors are logged without a stack. */
function describeBriefly(error: unknown) {
  return error instanceof Error
    ? { name: error.name, message: error.message }
    : { name: 'NotAnError', message: typeof error };
}

/** Labels of metrics that are a tenant's; none without a tenants file. */
export type TenantLabels = { tenant?: string };

export type EventsOptions = {
  /** Those of a tenant's own events. */
  labels?: TenantLabels;
  /** Those of a request's, about which a tenant is known or not. */
  toLabels?: (tenantId: string | null) => TenantLabels;
};

export function createEvents(
  log: Logger,
  metrics: Metrics,
  { labels = {}, toLabels = () => ({}) }: EventsOptions = {},
) {
  const loggedAt = new Map<string, number>();
  const leftAloneSeen = new Set<string>();

  function isNews(trouble: string): boolean {
    const now = performance.now();
    if (now - (loggedAt.get(trouble) ?? -Infinity) < TROUBLE_LOGGED_EVERY_MS) return false;
    if (loggedAt.size > TROUBLES_REMEMBERED) loggedAt.clear();
    loggedAt.set(trouble, now);
    return true;
  }

  function submission(summary: RequestSummary | BatchEntrySummary): void {
    const outcome = summary.refusal ? 'refused' : summary.duplicate ? 'duplicate' : 'accepted';
    const code = summary.refusal?.code ?? outcome;
    log.info({ ...summary, ...OMITTED, outcome, code }, 'submission');
    metrics.submissions.inc({ outcome, code, ...toLabels(summary.tenantId) });
  }

  return {
    /** Begins, at 0, the series of all answers that are known. */
    beginSubmissions: () => {
      for (const outcome of ['accepted', 'duplicate'])
        metrics.submissions.inc({ outcome, code: outcome, ...labels }, 0);
      for (const code of Object.keys(REFUSALS)) metrics.submissions.inc({ outcome: 'refused', code, ...labels }, 0);
    },
    /** Begins, at 0, the series of all outcomes that are known. */
    beginAttempts: () => {
      for (const outcome of OUTCOME_KINDS) metrics.attempts.inc({ outcome, ...labels }, 0);
      for (const resolution of ['found', 'recreated']) metrics.uncertain.inc({ resolution, ...labels }, 0);
      for (const code of DEAD_CODES) metrics.dead.inc({ code, ...labels }, 0);
    },
    beginDirectory: () => {
      for (const outcome of DIRECTORY_OUTCOMES) metrics.directoryQuestions.inc({ outcome, ...labels }, 0);
      metrics.directoryQuestionsDropped.inc(labels, 0);
    },
    /** One line per request, one count per submission. Health checks and scrapes are logged only at debug. */
    answered: (summary: RequestSummary) => {
      metrics.httpSeconds.observe(summary.durationMs / 1000);
      if (summary.route === BATCH_ROUTE && !summary.refusal) log.info({ ...summary, ...OMITTED }, 'batch');
      else if (summary.route === SUBMISSION_ROUTE || summary.route === BATCH_ROUTE) submission(summary);
      else {
        const code = summary.refusal?.code ?? null;
        log[summary.status < 500 ? 'debug' : 'warn']({ ...summary, ...OMITTED, code }, 'request');
      }
    },
    /** One submission of a batch that was answered. */
    entry: (summary: BatchEntrySummary) => submission(summary),
    /** Refused before there was a request. Dropped connections come in bursts: all are counted, at most one a second is logged. */
    connectionRefused: (refused: Parameters<ConnectionRefused>[0]) => {
      metrics.connectionsRefused.inc({ code: refused.code });
      if (refused.requestId !== null || isNews(refused.code)) log.info(refused, 'connection refused');
    },
    backlog: ({ room, reason }: BacklogState) => {
      if (room === 'all') log.info('there is room again: submissions are accepted');
      else if (room === 'none') log.warn({ fullness: reason }, 'backlog full: submissions are refused');
      else log.warn({ fullness: reason }, 'backlog nearly full: only failed runs (fail, scriptError) are accepted');
    },
    queueTrouble: (error: unknown) =>
      log.warn({ trouble: describeBriefly(error) }, 'the queue did not answer a request'),
    attempt: ({ delivery, outcome, verdict, durationMs }: AttemptEnded) => {
      log.info(
        {
          deliveryId: delivery.id,
          ...(delivery.traceparent !== null && { traceId: parseTraceId(delivery.traceparent) }),
          // With several tenants, each tenant's logger adds it.
          ...(labels.tenant === undefined && { tenantId: delivery.tenantId }),
          deviceId: delivery.deviceId,
          hardwareConfigurationId: delivery.hardwareConfigurationId,
          attempt: delivery.attemptsMade,
          outcome: outcome.kind,
          then: verdict.then,
          graphStatus: outcome.graph?.status ?? null,
          graphRequestId: outcome.graph?.requestId ?? null,
          ...('detail' in outcome && { detail: outcome.detail }),
          durationMs,
        },
        'attempt',
      );
      metrics.attempts.inc({ outcome: outcome.kind, ...labels });
      if (outcome.kind === 'found') metrics.uncertain.inc({ resolution: 'found', ...labels });
      if (verdict.then === 'create-again') metrics.uncertain.inc({ resolution: 'recreated', ...labels });
    },
    delivered: (delivery: Delivery) =>
      metrics.deliverySeconds.observe(labels, Math.max(0, (delivery.deliveredAt ?? 0) - delivery.acceptedAt) / 1000),
    dead: (delivery: Delivery) => {
      const code = delivery.lastFailure?.code ?? 'unknown';
      log.error(
        { deliveryId: delivery.id, deviceId: delivery.deviceId, code, failure: delivery.lastFailure },
        'dead letter',
      );
      metrics.dead.inc({ code, ...labels });
    },
    throttled: (waitMs: number) => log.warn({ waitMs }, 'throttled: no worker calls Graph until this is over'),
    throttleEnded: (ended: { requestId: string; tenantId: string; until: string }) =>
      log.warn(ended, 'throttle ended by an operator'),
    /** For the audit: who changed what. */
    operation: (done: OperationDone) => log.warn(done, 'changed by an operator'),
    /** For the audit as well: what it did, and on whose behalf. */
    replayEnded: (replay: Replay) =>
      log.warn(
        { ...toReplaySummary(replay), ...(labels.tenant === undefined && { tenantId: replay.tenantId }) },
        'replay ended',
      ),
    held: (hold: Hold) =>
      log.error(
        { ...scopeOf(hold), detail: hold.detail, remedy: remedyOfHold(hold) },
        hold.hardwareConfigurationId === null
          ? 'held: nobody calls Graph until a probe succeeds'
          : 'held: the deliveries of one hardware configuration are kept until a probe succeeds',
      ),
    probeFailed: (hold: Hold) =>
      log.warn(
        { ...scopeOf(hold), probes: hold.probes, nextProbeAt: new Date(hold.probeAt) },
        'probe failed, still held',
      ),
    released: (hold: Hold, now: number) =>
      log.info({ ...scopeOf(hold), heldMs: now - hold.since }, 'released: deliveries flow again'),
    graphRequest: ({ operation, status, durationMs }: GraphRequest) => {
      metrics.graphRequests.inc({ operation, status: status === null ? 'none' : String(status), ...labels });
      metrics.graphSeconds.observe(labels, durationMs / 1000);
    },
    directoryAsked: (outcome: DirectoryOutcome) => metrics.directoryQuestions.inc({ outcome, ...labels }),
    directoryThrottled: (waitMs: number) =>
      log.warn({ waitMs }, 'device directory: throttled, nobody asks it until this is over'),
    directoryHeld: ({ reason, detail }: DirectoryHold) =>
      log.error(
        { reason, detail, remedy: DIRECTORY_REMEDIES[reason] },
        'device directory: held, nobody asks it until a probe succeeds; known devices go on',
      ),
    directoryProbeFailed: ({ reason, detail, probes, probeAt }: DirectoryHold) =>
      log.warn(
        { reason, detail, probes, nextProbeAt: new Date(probeAt) },
        'device directory: probe failed, still held',
      ),
    directoryReleased: ({ reason, since }: DirectoryHold, now: number) =>
      log.info({ reason, heldMs: now - since }, 'device directory: released, questions are answered again'),
    directoryQuestionDropped: (deviceId: string, detail: string) => {
      log.warn({ deviceId, detail }, 'device directory: a question failed each time and was dropped');
      metrics.directoryQuestionsDropped.inc(labels);
    },
    deliveredTwice: (delivery: Delivery, otherId: string) => {
      log.error(
        { deliveryId: delivery.id, deviceRunStateId: delivery.deviceRunStateId, otherId },
        'defect: a run may be in Graph twice',
      );
      metrics.defects.inc();
    },
    recordReplaced: (earlier: Delivery, later: Delivery) =>
      log.warn(
        {
          deliveryId: earlier.id,
          deviceId: earlier.deviceId,
          deviceRunStateId: earlier.deviceRunStateId,
          by: later.id,
        },
        'a record was replaced: Graph keeps one row per device',
      ),
    woken: (deliveries: number) => log.warn({ deliveries }, 'open deliveries had no job and were woken'),
    starved: (starvedMs: number) =>
      log.error({ starvedMs }, 'the worker fetches nothing although work waits; rebuilding it'),
    stalled: (deliveryId: string) => log.warn({ deliveryId }, 'a worker went away in the middle of a delivery'),
    /** Once a second for the same error: a client that retries at once would fill the log. */
    redisTrouble: (error: Error) => {
      if (isNews(error.message)) log.warn({ trouble: describeBriefly(error) }, 'redis trouble');
    },
    /** Once: it stays so until this process is updated, or points to another Redis. A move has several steps, each with its own words. */
    leftAlone: ({ scope, reason, message }: LeftAlone) => {
      const what = reason === 'newer' ? scope : message;
      if (leftAloneSeen.has(what)) return;
      leftAloneSeen.add(what);
      const of = { newer: 'data of a newer version', moved: 'data that is moved to another Redis' }[reason];
      log.warn({ scope, detail: message }, `left alone: ${of}`);
    },
    waitingForRedis: (waitingFor: string, waitedMs: number) => log.warn({ waitingFor, waitedMs }, 'waiting for redis'),
    durability: (mode: string, detail: string) =>
      log[mode === 'always' ? 'info' : 'warn']({ durability: mode, detail }, 'durability in force'),
    output: {
      dropped: () => metrics.logLinesDropped.inc(),
      resumed: (lines: number) =>
        log.warn({ lines }, 'log lines were dropped: nobody read them in time, or they could not be written'),
    },
    announced: (message: Message, attempts: number) => {
      log.info({ ...nameAnnouncement(message), attempts }, 'announced: an operator was told');
      metrics.announcements.inc({ outcome: 'sent' });
    },
    announcementFailed: (message: Message, { attempts, detail, isLast }: AnnouncementFailed) => {
      const line = { ...nameAnnouncement(message), attempts, detail };
      metrics.announcements.inc({ outcome: isLast ? 'dropped' : 'failed' });
      if (isLast) log.error(line, 'not announced: the webhook took it at no attempt, and it is not sent again');
      else log.warn(line, 'not announced yet: the webhook did not take it, and it is sent again later');
    },
    tenantsRead: (path: string, faults: readonly string[], tenants: number) =>
      faults.length === 0
        ? log.info({ path, tenants }, 'tenants file read again')
        : log.error({ path, faults }, 'the new tenants file has faults; the tenants stay as they were'),
    tenantFailed: (error: unknown, tenantId: string) =>
      log.error({ tenantId, trouble: describeBriefly(error) }, 'a tenant could not be opened or closed'),
    certificatesRead: (paths: readonly string[], error: unknown) =>
      error === null
        ? log.info({ paths }, 'certificates read again')
        : log.error({ paths, trouble: describeBriefly(error) }, 'new certificates cannot be used; the old ones stay'),
    signingKeysTrouble: (error: unknown) =>
      log.warn({ trouble: describeBriefly(error) }, 'the keys Entra signs tokens with could not be fetched'),
    protections: (protections: Protections) => log.info(protections, 'optional protections'),
    variablesIgnored: (variables: readonly string[]) =>
      log.warn({ variables }, 'ignored: Kubernetes set these for a service of that name'),
    variablesUnused: (variables: readonly string[]) =>
      log.warn({ variables }, 'not used: the tenants file says this for each tenant'),
    tracingIgnored: (faults: readonly string[]) => log.warn({ faults }, 'tracing: variables that are passed over'),
    tracingTrouble: (error: unknown) => {
      if (isNews('tracing')) log.warn({ trouble: describeBriefly(error) }, 'traces could not be sent');
    },
    closeFailed: (error: unknown, part: string) => log.error({ error, part }, 'did not close cleanly'),
    defect: (error: unknown, what: string) => {
      log.error({ error }, `defect: ${what}`);
      metrics.defects.inc();
    },
  } satisfies ConsumerEvents & DirectoryEvents & AnnouncementEvents & Record<string, unknown>;
}
