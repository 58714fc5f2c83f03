// Begins and ends holds in tests, as a worker's attempts would.
import type { Outcome } from '../../src/domain/delivery.ts';
import type { Failure } from '../../src/domain/attempt/failure.ts';
import { keyOfHold, type HoldKey, type Operation } from '../../src/domain/hold/hold.ts';
import type { Judgement } from '../../src/domain/hold/judge.ts';
import type { Budget, Denied, Held, Permit } from '../../src/queue/budget/budget.ts';
import { effectOf } from './conclude.ts';

/** Two configurations that are otherwise identical. */
export const ONE = '11111111-2222-3333-4444-555555555555';
export const OTHER = '99999999-2222-3333-4444-555555555555';

/** The delivery a permit is requested for. */
export const asking = (id = 'd1', hardwareConfigurationId = ONE) => ({ id, hardwareConfigurationId });

export const failed = (
  kind: 'forbidden' | 'unauthenticated' | 'credential-refused' | 'uncertain',
  detail = '',
): Failure => ({
  kind,
  detail,
  graph: null,
});
export const notSent = (detail = ''): Failure => ({ kind: 'not-sent', upstream: 'graph', detail, graph: null });
export const works: Outcome = { kind: 'created', deviceRunStateId: 'r', graph: { status: 201, requestId: null } };

type Attempt = {
  id?: string;
  configuration?: string;
  operation?: Operation;
  probes?: readonly HoldKey[];
};

/** Judges the outcome of an attempt. */
export function judge(
  budget: Pick<Budget, 'judge'>,
  outcome: Outcome,
  { id = 'd1', configuration = ONE, operation = 'create', probes = [] }: Attempt = {},
): Promise<Judgement> {
  return budget.judge({
    effect: effectOf(outcome, operation),
    operation,
    deliveryId: id,
    hardwareConfigurationId: configuration,
    probes,
  });
}

/** Holds the tenant: for a credential, which no configuration can be the cause of, or for a permission. */
export const holdAll = (budget: Pick<Budget, 'judge'>, reason: 'forbidden' | 'credential-refused', detail: string) =>
  judge(budget, failed(reason, detail));

/** A probe succeeds. */
export const release = (budget: Pick<Budget, 'judge'>) =>
  judge(budget, works, { probes: ['any', 'create', keyOfHold('create', ONE)] });

/** How long to wait before asking for a slot again. */
export const waitOf = (answer: Permit | Denied | Held): number => ('waitMs' in answer ? answer.waitMs : 0);
