// Ends an attempt: records its outcome and applies the verdict to the delivery.
import { ATTEMPTS_KEPT, withdraw } from '../delivery.ts';
import type { Attempt, Delivery, GraphAnswer, LastFailure, Outcome, Uncertainty } from '../delivery.ts';
import type { Failure } from './failure.ts';
import type { Verdict } from './decide.ts';

/** An intent without an outcome: the worker that left it may have sent the create. */
export const LOST_WORKER: Failure = {
  kind: 'uncertain',
  abandoned: true,
  detail: 'the worker stopped between announcing the create and learning its outcome',
  graph: null,
};

/**
 * This delivery's record was claimed by an identical delivery that had lost its own response and looked it up. The two
 * swap: if the other's create did make a record, that one is this delivery's.
 */
export const recordTaken = (graph: GraphAnswer): Failure => ({
  kind: 'uncertain',
  detail: 'the record it made was taken for that of a delivery that says the same',
  graph: { ...graph, code: null },
});

/** Graph reported a conflict for the create, and the last lookup found no matching record. */
const NO_RECORD_AGREES: Failure = {
  kind: 'conflict',
  detail: 'Graph says that it collides with a record it has, and has none that agrees with it',
  graph: { status: 409, code: null, requestId: null },
};

/** Verdicts after which the attempt does not count: it says nothing about the delivery. */
const NOT_COUNTED: readonly Verdict['then'][] = ['everyone-waits', 'hold', 'at-once'];

type EndedAttempt = {
  delivery: Delivery;
  outcome: Outcome;
  verdict: Verdict;
  /** Milliseconds since 1970. */
  now: number;
};

/** Records an outcome in its delivery and applies the verdict. */
export function conclude({ delivery, outcome, verdict, now }: EndedAttempt): Delivery {
  const done = NOT_COUNTED.includes(verdict.then) ? withdraw(delivery) : counted(delivery, outcome, now);
  const failure = isFailure(outcome) ? outcome : verdict.then === 'dead' ? NO_RECORD_AGREES : null;
  const concluded = failure ? { ...done, lastFailure: toLastFailure(failure, verdict, now) } : done;
  return follow(concluded, outcome, verdict, now);
}

export function isFailure(outcome: Outcome): outcome is Failure {
  return outcome.kind !== 'created' && outcome.kind !== 'found' && outcome.kind !== 'absent';
}

function counted(delivery: Delivery, outcome: Outcome, now: number): Delivery {
  const number = delivery.attemptsMade + 1;
  const attempt: Attempt = {
    number,
    at: delivery.intent?.at ?? now,
    outcome: outcome.kind,
    graphStatus: outcome.graph?.status ?? null,
    graphRequestId: outcome.graph?.requestId ?? null,
  };
  return {
    ...delivery,
    intent: null,
    attemptsMade: number,
    attempts: [...delivery.attempts, attempt].slice(-ATTEMPTS_KEPT),
    failingSince: isFailure(outcome) ? (delivery.failingSince ?? now) : delivery.failingSince,
  };
}

function follow(delivery: Delivery, outcome: Outcome, verdict: Verdict, now: number): Delivery {
  switch (verdict.then) {
    case 'done':
      return {
        ...delivery,
        status: 'delivered',
        deliveredAt: now,
        deviceRunStateId: verdict.deviceRunStateId,
        uncertainty: null,
      };
    case 'create-again':
      return { ...delivery, status: 'waiting', dueAt: verdict.at, uncertainty: null };
    case 'look':
      return { ...delivery, status: 'waiting', dueAt: verdict.at, uncertainty: stillUncertain(delivery, outcome, now) };
    case 'again':
      return { ...delivery, status: 'waiting', dueAt: verdict.at };
    case 'everyone-waits':
    case 'hold':
    case 'at-once':
      return delivery;
    case 'dead': {
      // If replayed, it is looked up first.
      const unsure = outcome.kind === 'uncertain' ? { since: now, lookups: 0 } : null;
      // All records were read and none matched: if replayed, it is created again.
      const uncertainty = outcome.kind === 'absent' ? null : (delivery.uncertainty ?? unsure);
      return { ...delivery, status: 'dead', uncertainty };
    }
  }
}

function stillUncertain({ uncertainty }: Delivery, outcome: Outcome, now: number): Uncertainty {
  const { since = now, lookups = 0, conflict = outcome.kind === 'conflict' } = uncertainty ?? {};
  const next = outcome.kind === 'inconclusive' ? outcome.next : outcome.kind === 'absent' ? null : uncertainty?.next;
  return {
    since,
    lookups: lookups + (outcome.kind === 'absent' ? 1 : 0),
    ...(conflict && { conflict }),
    ...(next && { next }),
  };
}

function toLastFailure(failure: Failure, verdict: Verdict, now: number): LastFailure {
  return {
    kind: failure.kind,
    code: verdict.then === 'dead' ? verdict.code : failure.kind,
    detail: failure.detail,
    at: now,
    graphStatus: failure.graph?.status ?? null,
    graphCode: failure.graph?.code ?? null,
    graphRequestId: failure.graph?.requestId ?? null,
  };
}
