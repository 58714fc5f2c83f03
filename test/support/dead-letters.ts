// Dead letters for tests: deliveries that Graph refused, with the instants of death that a test wants.
import { begin } from '../../src/domain/delivery.ts';
import type { RunResult } from '../../src/domain/submission/run-result.ts';
import type { Tenant } from '../../src/queue/tenant.ts';
import { conclude } from './conclude.ts';
import { removeJob } from './jobs.ts';
import type { TestRedis } from './redis.ts';
import { aRun, POLICY } from './tenant.ts';

/** Deliveries that Graph refused, odd ones with 400, even ones with 404; their jobs are gone, as after a worker’s attempt. */
export async function buryDeliveries(
  {
    redis,
    queue,
    members = {},
  }: { redis: Pick<TestRedis, 'client'>; queue: Pick<Tenant, 'deliveries'>; members?: Partial<RunResult> },
  count: number,
  diedAt: (number: number) => number,
): Promise<string[]> {
  const ids: string[] = [];
  for (let number = 0; number < count; number++) {
    const answer = await queue.deliveries.accept(aRun(number, members), 1);
    if (answer.kind !== 'accepted') throw new Error(answer.kind);
    const stored = await queue.deliveries.load(answer.delivery.id);
    if (!stored) throw new Error('not stored');
    const now = diedAt(number);
    const status = number % 2 === 0 ? 404 : 400;
    const rejected = { kind: 'rejected', status, detail: '', graph: { status, code: null, requestId: null } } as const;
    const { delivery } = conclude({
      delivery: begin(stored.delivery, now),
      outcome: rejected,
      circumstances: { now, random: 0, held: false },
      policy: POLICY,
    });
    const { kind } = await queue.deliveries.save(stored, delivery, { now });
    if (kind !== 'saved') throw new Error(kind);
    await removeJob(redis.client, delivery.id);
    ids.push(delivery.id);
  }
  return ids;
}
