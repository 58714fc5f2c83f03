// Works on the deliveries of one tenant: takes its jobs from the process's consumer, and looks after its waiting list.
import { setTimeout as delay } from 'node:timers/promises';
import type { Policy } from '../../domain/attempt/retry-policy.ts';
import type { Budget } from '../budget/budget.ts';
import type { PermitQueue } from '../budget/permit-queue.ts';
import type { StoredGraphFacts } from '../budget/stored-graph-facts.ts';
import type { JobEnd, TenantJobProcessor } from '../jobs/consumer.ts';
import { REPLAY_JOB } from '../jobs/job-queue.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { LeftAlone } from '../store/left-alone.ts';
import { isRefused } from '../redis/redis-errors.ts';
import { NotReplicated } from '../redis/replicas/shared-wait.ts';
import { createReplayDriver } from '../replays/driver.ts';
import type { Replays } from '../replays/replays.ts';
import type { Deliveries } from '../store/deliveries.ts';
import type { ConsumerEvents } from './consumer-events.ts';
import { createDeliveryProcessor, type Deliver } from './process-delivery.ts';
import { startRounds } from './rounds.ts';
import { createTenantEffects } from './tenant-effect.ts';

export type TenantConsumerParts = {
  redis: RedisConnection;
  deliveries: Deliveries;
  replays: Replays;
  budget: Budget;
  facts: StoredGraphFacts;
  permits: PermitQueue;
  deliver: Deliver;
  events: ConsumerEvents;
  policy: Policy;
  clock: () => number;
  random: () => number;
};

export type TenantConsumer = TenantJobProcessor & {
  /** Gives back what waits for a permit, and resolves when running attempts have ended. */
  close: () => Promise<void>;
};

/** Delay before a delivery is tried again after a defect or a problem with Redis. */
const AFTER_TROUBLE_MS = 5000;
/** How long a worker keeps a job that only a newer version may do, so that it does not take it back at once. */
const NOT_OURS_KEPT_MS = 1000;
/** Retries and probes that are due sooner are promoted on time, others with the next round. */
const PROMOTED_ON_TIME_MS = 500;

export function createTenantConsumer(parts: TenantConsumerParts): TenantConsumer {
  const { deliveries, events, clock } = parts;
  const stopping = new AbortController();
  const underWay = new Set<Promise<JobEnd>>();
  const processDelivery = createDeliveryProcessor({
    ...parts,
    applyTenantEffect: createTenantEffects({ budget: parts.budget, events, clock, random: parts.random }),
    giveBack: parts.budget.giveBack,
    onPermit: () => void promote(),
    onRefused: events.redisTrouble,
  });

  async function work(id: string, lockLost: AbortSignal): Promise<JobEnd> {
    try {
      const left = await processDelivery(id, { stop: stopping.signal, lockLost });
      if (left === null) return 'ended';
      if (left !== 'put-off') await deliveries.park(id, left.heldBy);
      return 'left';
    } catch (error) {
      if (stopping.signal.aborted && error === stopping.signal.reason) {
        // If it was chosen as a probe, another delivery may be the probe now.
        await parts.budget.giveBack(id).catch(() => undefined);
        return 'given-back';
      }
      if (lockLost.aborted) return 'lost';
      if (error instanceof LeftAlone) return await leaveAlone(error, id);
      if (isRefused(error) || error instanceof NotReplicated) events.redisTrouble(error);
      else events.defect(error, 'a delivery could not be worked on');
      await deliveries.putOff(id, AFTER_TROUBLE_MS);
      return 'left';
    }
  }

  /**
   * A worker of the newer version is to have it: nothing is written where it has taken over all of the tenant's data. Of a
   * tenant that is moved the job ends: the other Redis has jobs of its own, and a move that is cancelled brings them back.
   */
  async function leaveAlone(found: LeftAlone, id: string): Promise<JobEnd> {
    events.leftAlone(found);
    if (found.reason === 'moved') return 'ended';
    if (found.scope === 'record') {
      await deliveries.putOff(id, AFTER_TROUBLE_MS);
      return 'left';
    }
    await delay(NOT_OURS_KEPT_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    return 'given-back';
  }

  const upkeep = <T>(work: () => Promise<T>, onDone: (result: T) => void = () => undefined) => {
    if (parts.redis.status !== 'ready') return Promise.resolve();
    return work().then(onDone, (error: unknown) => {
      if (error instanceof LeftAlone) events.leftAlone(error);
      else events.redisTrouble(error instanceof Error ? error : new Error('upkeep of the queue failed'));
    });
  };

  let promoting = false;
  let askedAgain = false;
  let nextPromotion: NodeJS.Timeout | undefined;

  /** Promotes, one call at a time; a request in between causes one more. Schedules itself for the next retry or probe. */
  async function promote(): Promise<void> {
    askedAgain = true;
    if (promoting || stopping.signal.aborted) return;
    promoting = true;
    clearTimeout(nextPromotion);
    while (askedAgain) {
      askedAgain = false;
      await upkeep(deliveries.promote, ({ nextInMs }) => {
        if (nextInMs === 0) askedAgain = true;
        else if (nextInMs !== null && nextInMs < PROMOTED_ON_TIME_MS)
          nextPromotion = setTimeout(() => void promote(), nextInMs);
      });
    }
    promoting = false;
  }

  const driver = createReplayDriver({ ...parts, promote });

  async function countOpenDeliveries(): Promise<number> {
    // Until Redis answers, there may be some.
    let open = 1;
    await upkeep(async () => {
      const work = await deliveries.countWork().catch((error: unknown) => {
        if (error instanceof LeftAlone) open = 0;
        throw error;
      });
      open = work.open;
      // Its process may be gone.
      if (work.isReplaying) driver.wake();
    });
    return open;
  }

  const rounds = startRounds({
    countOpen: countOpenDeliveries,
    promote,
    sweep: () =>
      upkeep(
        () => deliveries.sweep(clock()),
        (woken) => woken > 0 && events.woken(woken),
      ),
    tidy: () => upkeep(deliveries.tidy),
    random: parts.random,
  });

  return {
    process: (id, lockLost) => {
      if (id === REPLAY_JOB) {
        driver.wake();
        return Promise.resolve('ended');
      }
      rounds.wake();
      const working = work(id, lockLost).finally(() => underWay.delete(working));
      underWay.add(working);
      return working;
    },
    // It may have become due before its job was gone, and then it got no new job.
    leftJobGone: (id) => void upkeep(() => deliveries.enqueueIfDue(id)).then(promote),
    close: async () => {
      rounds.close();
      clearTimeout(nextPromotion);
      stopping.abort();
      await Promise.allSettled([...underWay, driver.close()]);
    },
  };
}
