// Ends deliveries without a worker: delivered, or refused by Graph.
import { conclude } from './conclude.ts';
import { begin, type Delivery, type Outcome } from '../../src/domain/delivery.ts';
import type { RunResult } from '../../src/domain/submission/run-result.ts';
import type { Tenant } from '../../src/queue/tenant.ts';
import { POLICY } from './tenant.ts';
import { removeJob } from './jobs.ts';

export const created = (deviceRunStateId: string): Outcome => ({
  kind: 'created',
  deviceRunStateId,
  graph: { status: 201, requestId: null },
});

export const rejected = (status: number, detail = `Graph said ${status}`): Outcome => ({
  kind: 'rejected',
  status,
  detail,
  graph: { status, code: null, requestId: '5c1f' },
});

type Conclusion = { tenant: Tenant; run: RunResult; outcome: Outcome; instants: { acceptedAt: number; now: number } };

/** Accepts a run result and gives one attempt this outcome; its job is gone, as after a worker's attempt. */
export async function conclusionOf({ tenant, run, outcome, instants }: Conclusion): Promise<Delivery> {
  const answer = await tenant.deliveries.accept(run, instants.acceptedAt);
  if (answer.kind !== 'accepted') throw new Error(answer.kind);
  return attemptOf({ tenant, id: answer.delivery.id, outcome, now: instants.now });
}

type OneAttempt = { tenant: Tenant; id: string; outcome: Outcome; now: number };

/** The same for one that was accepted. */
export async function attemptOf({ tenant: { deliveries, redis }, id, outcome, now }: OneAttempt): Promise<Delivery> {
  const stored = await deliveries.load(id);
  if (!stored) throw new Error('not stored');
  const circumstances = { now, random: 0, held: false };
  const { delivery } = conclude({ delivery: begin(stored.delivery, now), outcome, circumstances, policy: POLICY });
  const saved = await deliveries.save(stored, delivery, { now });
  if (saved.kind !== 'saved') throw new Error(saved.kind);
  await removeJob(redis, delivery.id);
  return saved.stored.delivery;
}
