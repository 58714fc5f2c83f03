// A delivery as the API tells it, read back as far as an explanation needs it.
import type { Attempt, Delivery } from '../domain/delivery.ts';
import type { Explainable } from '../domain/explain.ts';
import { LOOKS_UNTIL_ABSENT } from '../domain/retry.ts';
import type { DeliveryView } from '../http/answers.ts';

/** Reads the API's words; whether Graph may have the record follows from the attempts. */
export function toExplainable(view: DeliveryView): Explainable {
  const attempts = view.attempts.flatMap(({ outcome, at, ...attempt }): Attempt[] =>
    outcome === 'in-flight' ? [] : [{ ...attempt, outcome, at: Date.parse(at) }],
  );
  const inFlight = view.attempts.find(({ outcome }) => outcome === 'in-flight');
  const uncertainty = toUncertainty(attempts);
  return {
    ...view,
    attempts,
    attemptsMade: attempts.at(-1)?.number ?? 0,
    acceptedAt: Date.parse(view.acceptedAt),
    deliveredAt: view.deliveredAt === null ? null : Date.parse(view.deliveredAt),
    lastFailure: view.lastFailure && { ...view.lastFailure, at: Date.parse(view.lastFailure.at) },
    supersededBy: view.supersededBy ?? null,
    mark: inFlight ? { at: Date.parse(inFlight.at), sends: uncertainty ? 'look' : 'create' } : null,
    uncertainty,
    // The API does not tell when the next try is due.
    dueAt: null,
  };
}

function toUncertainty(attempts: readonly Attempt[]): Delivery['uncertainty'] {
  return attempts.reduce<Delivery['uncertainty']>((before, { outcome, at }) => {
    if (outcome === 'uncertain') return before ?? { since: at, looks: 0 };
    if (outcome === 'created' || outcome === 'found') return null;
    if (outcome !== 'absent') return before;
    const looks = (before?.looks ?? 0) + 1;
    return looks < LOOKS_UNTIL_ABSENT ? { since: before?.since ?? at, looks } : null;
  }, null);
}
