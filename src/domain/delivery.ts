// The unit of work: a delivery's identity, what is known of it, and how a try begins.
import { hash } from 'node:crypto';
import type { Failure } from './attempt/failure.ts';
import type { Note } from './attempt/note.ts';
import type { RunResult } from './submission/run-result.ts';

/** Every status a delivery can have; the last three are terminal. */
export const STATUSES = ['queued', 'delivering', 'waiting', 'delivered', 'dead', 'superseded'] as const;
export type Status = (typeof STATUSES)[number];

export const isTerminal = (status: Status): boolean =>
  status === 'delivered' || status === 'dead' || status === 'superseded';

/** What an attempt came to: a record made, one found by looking, none there, or the kind of failure. */
export type Outcome =
  | { kind: 'created'; deviceRunStateId: string; graph: GraphAnswer }
  | { kind: 'found'; deviceRunStateId: string; graph: GraphAnswer }
  | { kind: 'absent'; graph: GraphAnswer }
  | Failure;

/** What identifies an answer of Graph's to Microsoft's support. */
export type GraphAnswer = { status: number | null; requestId: string | null };

/** One try, numbered from 1 over the whole life of the delivery. Instants are milliseconds since 1970. */
export type Attempt = {
  number: number;
  at: number;
  outcome: Outcome['kind'];
  graphStatus: number | null;
  graphRequestId: string | null;
};

/** Why the latest try that failed did so, in words an operator can act on. */
export type LastFailure = {
  kind: Failure['kind'];
  code: string;
  detail: string;
  at: number;
  graphStatus: number | null;
  graphCode: string | null;
  graphRequestId: string | null;
};

/** A try that was announced before anything was sent; found again, its worker died and its create is uncertain. */
export type Mark = { at: number; sends: 'create' | 'look' };

/**
 * Since when it is unknown whether Graph has the record, and how often it was looked for in vain. With `conflict` Graph said
 * that it collides with one it has, so it is not created again. `next` is where the next lookup goes on in a long listing.
 */
export type Uncertainty = { since: number; looks: number; conflict?: true; next?: string };

/** A run result on its way into Graph. Instants are milliseconds since 1970. */
export type Delivery = {
  id: string;
  tenantId: string;
  runId: string;
  deviceId: string;
  hardwareConfigurationId: string;
  status: Status;
  acceptedAt: number;
  /** Tries counted so far; throttled and held ones are not. */
  attemptsMade: number;
  /** The newest of them, at most ATTEMPTS_KEPT. */
  attempts: Attempt[];
  /** Not before this instant is the next try due. */
  dueAt: number;
  /** Since when it fails for reasons of its own, time spent held or queued taken out; null while it does not. */
  failingSince: number | null;
  mark: Mark | null;
  uncertainty: Uncertainty | null;
  lastFailure: LastFailure | null;
  deliveredAt: number | null;
  deviceRunStateId: string | null;
  /** The newer delivery of the same device and configuration that was created instead. */
  supersededBy: string | null;
  /** At most one of each code. */
  notes: Note[];
  /** The trace its submission was part of (W3C Trace Context), so that its attempts can be found from there. */
  traceparent: string | null;
};

/** A delivery record stays small however long Graph is away. */
export const ATTEMPTS_KEPT = 50;

/** The id of a delivery: the same run of the same device is the same delivery, whoever asks and whenever. */
export function identify(tenantId: string, deviceId: string, runId: string): string {
  const digest = hash('sha256', JSON.stringify([tenantId, deviceId, runId]), 'buffer');
  return `d${digest.subarray(0, 16).toString('base64url')}`;
}

const ID = /^d[\w-]{22}$/;

/** Whether it can be the id of a delivery: nothing else may name what is looked up or removed. */
export const isDeliveryId = (text: string): boolean => ID.test(text);

/** A delivery as it begins: accepted, in the queue. */
export function createDelivery(
  tenantId: string,
  run: Pick<RunResult, 'runId' | 'deviceId' | 'hardwareConfigurationId'>,
  now: number,
  traceparent: string | null = null,
): Delivery {
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
    mark: null,
    uncertainty: null,
    lastFailure: null,
    deliveredAt: null,
    deviceRunStateId: null,
    supersededBy: null,
    notes: [],
    traceparent,
  };
}

/** What the next try has to do. */
export const nextStep = (delivery: Delivery): Mark['sends'] => (delivery.uncertainty ? 'look' : 'create');

/** Announces a try, to be stored before anything is sent. Time spent due but not tried was not the delivery's own. */
export function begin(delivery: Delivery, now: number): Delivery {
  const overdue = Math.max(0, now - delivery.dueAt);
  return {
    ...delivery,
    status: 'delivering',
    dueAt: now,
    mark: { at: now, sends: nextStep(delivery) },
    failingSince: delivery.failingSince === null ? null : delivery.failingSince + overdue,
  };
}

/** Takes the announcement back: nothing was sent. */
export function withdraw(delivery: Delivery): Delivery {
  return { ...delivery, status: delivery.attemptsMade === 0 ? 'queued' : 'waiting', mark: null };
}

/** Whether a mark was left behind by a worker that may have sent a create. */
export const wasAbandoned = (delivery: Delivery): boolean => delivery.mark?.sends === 'create';

/** A dead delivery back in the queue: same id, history kept, its age counted anew. An uncertain create stays uncertain. */
export function replay(delivery: Delivery, now: number): Delivery {
  return { ...delivery, status: 'queued', dueAt: now, failingSince: null, mark: null };
}

/** Whether nothing of it can be in Graph, or on its way there: only then another delivery may take its place. */
export const isReplaceable = ({ status, uncertainty }: Delivery): boolean =>
  (status === 'queued' || status === 'waiting') && uncertainty === null;

/** Ends a delivery in favour of a newer one of the same device and configuration; it comes back if that dies. */
export function supersede(delivery: Delivery, by: string): Delivery {
  return { ...delivery, status: 'superseded', supersededBy: by, mark: null };
}
