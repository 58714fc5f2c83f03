// The unit of work: a delivery's identity and state, and how an attempt begins.
import { hash } from 'node:crypto';
import type { Failure } from './attempt/failure.ts';
import type { Note } from './attempt/note.ts';
import type { RunResult } from './submission/run-result.ts';

/** Every status a delivery can have; the last three are terminal. */
export const STATUSES = ['queued', 'delivering', 'waiting', 'delivered', 'dead', 'superseded'] as const;
export type Status = (typeof STATUSES)[number];

export const isTerminal = (status: Status): boolean =>
  status === 'delivered' || status === 'dead' || status === 'superseded';

/** The result of an attempt: record created, found by a lookup, absent, or the kind of failure. */
export type Outcome =
  | { kind: 'created'; deviceRunStateId: string; graph: GraphAnswer }
  | { kind: 'found'; deviceRunStateId: string; graph: GraphAnswer }
  | { kind: 'absent'; graph: GraphAnswer }
  | Failure;

/** Identifies a Graph response to Microsoft's support. */
export type GraphAnswer = { status: number | null; requestId: string | null };

/** One attempt, numbered from 1 over the delivery's whole life. Instants are milliseconds since 1970. */
export type Attempt = {
  number: number;
  at: number;
  outcome: Outcome['kind'];
  graphStatus: number | null;
  graphRequestId: string | null;
};

/** Why the latest failed attempt failed, worded for an operator. */
export type LastFailure = {
  kind: Failure['kind'];
  code: string;
  detail: string;
  at: number;
  graphStatus: number | null;
  graphCode: string | null;
  graphRequestId: string | null;
};

/** What an attempt is about to send, stored first. If one is found later, its worker died and its create is uncertain. */
export type Intent = { at: number; sends: 'create' | 'look' };

/**
 * Since when it is unknown whether Graph has the record, and how many lookups found nothing. `conflict`: Graph reported a
 * conflict with an existing record, so it is not created again. `next`: where the next lookup continues a long listing.
 */
export type Uncertainty = { since: number; lookups: number; conflict?: true; next?: string };

/** A run result on its way into Graph. Instants are milliseconds since 1970. */
export type Delivery = {
  id: string;
  tenantId: string;
  runId: string;
  deviceId: string;
  hardwareConfigurationId: string;
  status: Status;
  acceptedAt: number;
  /** Counted attempts; throttled and held ones are not counted. */
  attemptsMade: number;
  /** The newest attempts, at most ATTEMPTS_KEPT. */
  attempts: Attempt[];
  /** The next attempt is not due before this instant. */
  dueAt: number;
  /** Since when it has been failing on its own account, not counting time held or queued; null if it is not failing. */
  failingSince: number | null;
  intent: Intent | null;
  uncertainty: Uncertainty | null;
  lastFailure: LastFailure | null;
  deliveredAt: number | null;
  deviceRunStateId: string | null;
  /** The newer delivery of the same device and configuration that was created instead. */
  supersededBy: string | null;
  /** At most one per code. */
  notes: Note[];
  /** Trace of the submission (W3C Trace Context), so that its attempts can be found from there. */
  traceparent: string | null;
};

/** Keeps a delivery record small however long Graph is unavailable. */
export const ATTEMPTS_KEPT = 50;

/** The delivery id: the same run of the same device is always the same delivery. */
export function identify(tenantId: string, deviceId: string, runId: string): string {
  const digest = hash('sha256', JSON.stringify([tenantId, deviceId, runId]), 'buffer');
  return `d${digest.subarray(0, 16).toString('base64url')}`;
}

const ID = /^d[\w-]{22}$/;

/** Whether a text can be a delivery id. Checked before anything is looked up or removed by it. */
export const isDeliveryId = (text: string): boolean => ID.test(text);

type Accepted = {
  tenantId: string;
  run: Pick<RunResult, 'runId' | 'deviceId' | 'hardwareConfigurationId'>;
  /** Milliseconds since 1970. */
  now: number;
  traceparent?: string | null;
};

/** A newly accepted delivery, queued. */
export function createDelivery({ tenantId, run, now, traceparent = null }: Accepted): Delivery {
  return {
    id: identify(tenantId, run.deviceId, run.runId),
    tenantId,
    runId: run.runId,
    deviceId: run.deviceId,
    hardwareConfigurationId: run.hardwareConfigurationId,
    status: 'queued',
    acceptedAt: now,
    attemptsMade: 0,
    attempts: [],
    dueAt: now,
    failingSince: null,
    intent: null,
    uncertainty: null,
    lastFailure: null,
    deliveredAt: null,
    deviceRunStateId: null,
    supersededBy: null,
    notes: [],
    traceparent,
  };
}

/** What the next attempt has to do. */
export const nextStep = (delivery: Delivery): Intent['sends'] => (delivery.uncertainty ? 'look' : 'create');

/** Announces an attempt; stored before anything is sent. Time overdue does not count as failing time. */
export function begin(delivery: Delivery, now: number): Delivery {
  const overdue = Math.max(0, now - delivery.dueAt);
  return {
    ...delivery,
    status: 'delivering',
    dueAt: now,
    intent: { at: now, sends: nextStep(delivery) },
    failingSince: delivery.failingSince === null ? null : delivery.failingSince + overdue,
  };
}

/** Withdraws the announcement: nothing was sent. */
export function withdraw(delivery: Delivery): Delivery {
  return { ...delivery, status: delivery.attemptsMade === 0 ? 'queued' : 'waiting', intent: null };
}

/** Whether an intent was left behind by a worker that may have sent a create. */
export const wasAbandoned = (delivery: Delivery): boolean => delivery.intent?.sends === 'create';

/** Requeues a dead delivery: same id and history, but its age starts over. An uncertain create stays uncertain. */
export function replay(delivery: Delivery, now: number): Delivery {
  return { ...delivery, status: 'queued', dueAt: now, failingSince: null, intent: null };
}

/** Whether none of it can be in Graph or in flight: only then may another delivery supersede it. */
export const isReplaceable = ({ status, uncertainty }: Delivery): boolean =>
  (status === 'queued' || status === 'waiting') && uncertainty === null;

/** Ends a delivery in favour of a newer one of the same device and configuration; it comes back if that dies. */
export function supersede(delivery: Delivery, by: string): Delivery {
  return { ...delivery, status: 'superseded', supersededBy: by, intent: null };
}
