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
export async function conclusionOf({
  tenant: { deliveries, redis },
  run,
  outcome,
  instants: { acceptedAt, now },
}: Conclusion): Promise<Delivery> {
  const answer = await deliveries.accept(run, acceptedAt);
  if (answer.kind !== 'accepted') throw new Error(answer.kind);
  const stored = await deliveries.load(answer.delivery.id);
  if (!stored) throw new Error('not stored');
  const circumstances = { now, random: 0, held: false };
  const { delivery } = conclude({ delivery: begin(stored.delivery, now), outcome, circumstances, policy: POLICY });
  const saved = await deliveries.save(stored, delivery, { now });
  if (saved.kind !== 'saved') throw new Error(saved.kind);
  await removeJob(redis, delivery.id);
  return saved.stored.delivery;
}
