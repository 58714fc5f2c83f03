// Drives the running replay of a tenant: claims what its rate allows, puts it back into the queue, and waits for more.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { replay as toReplayed } from '../../domain/delivery.ts';
import { tenantHold } from '../../domain/hold/hold.ts';
import type { Budget } from '../budget/budget.ts';
import type { Deliveries } from '../store/deliveries.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { LeftAlone } from '../store/left-alone.ts';
import { isRefused } from '../redis/redis-errors.ts';
import { isUnreadable } from '../store/record.ts';
import type { ConsumerEvents } from '../worker/consumer-events.ts';
import type { Replays } from './replays.ts';

export type ReplayDriverParts = {
  redis: Pick<RedisConnection, 'status'>;
  replays: Pick<Replays, 'running' | 'claim' | 'skip' | 'release' | 'find'>;
  deliveries: Pick<Deliveries, 'load' | 'save' | 'countWork'>;
  budget: Pick<Budget, 'state'>;
  /** Promotes what was put back into the queue. */
  promote: () => Promise<void>;
  events: Pick<ConsumerEvents, 'replayEnded' | 'redisTrouble' | 'defect'>;
  clock: () => number;
};

export type ReplayDriver = {
  /** A replay may have been started or resumed, or its process may be gone. One at a time drives it. */
  wake: () => void;
  /** Resolves when the slice under way has ended; another process goes on at once. */
  close: () => Promise<void>;
};

/** At a high rate, slices are this far apart. */
const LEAST_WAIT_MS = 100;
/** At a low rate, so often says the process that it still drives the replay: well within its lease. */
const RENEW_EVERY_MS = 3000;
/** Where what was claimed before could not be replayed again. */
const AFTER_TROUBLE_MS = 1000;
/** While Graph is held. */
const LOOKS_EVERY_MS = 1000;

export function createReplayDriver(parts: ReplayDriverParts): ReplayDriver {
  const { redis, replays, deliveries, budget, promote, events, clock } = parts;
  const processId = randomUUID();
  const stopping = new AbortController();
  let driving: Promise<void> | null = null;
  let wakes = 0;

  async function replayOne(id: string, deliveryId: string): Promise<void> {
    try {
      const stored = await deliveries.load(deliveryId);
      if (stored?.delivery.status !== 'dead') {
        await replays.skip(id, deliveryId, 'if-changed');
        return;
      }
      const now = clock();
      // Saved and counted in one script, so that a process may die at any time.
      const { kind } = await deliveries.save(stored, toReplayed(stored.delivery, now), { now, replayId: id });
      if (kind !== 'saved') await replays.skip(id, deliveryId, kind === 'stale' ? 'if-changed' : 'always');
    } catch (error) {
      // While Redis is in trouble all of them fail; otherwise this one alone does, and must not stop the others.
      const isOfAll = isRefused(error) || (error instanceof LeftAlone && error.scope === 'tenant');
      if (isOfAll || redis.status !== 'ready') throw error;
      if (!isUnreadable(error)) events.defect(error, 'a dead letter cannot be replayed');
      await replays.skip(id, deliveryId, 'always');
    }
  }

  /** What is put back now would only pile up before Graph. Where nothing waits, something has to be there to end the hold. */
  async function isHeld(): Promise<boolean> {
    if (tenantHold((await budget.state()).holds) === null) return false;
    return (await deliveries.countWork()).open > 0;
  }

  async function drive(): Promise<void> {
    const id = await replays.running();
    if (id === null) return;
    while (!stopping.signal.aborted) {
      if (await isHeld()) {
        if ((await replays.running()) !== id) return;
        await pause(LOOKS_EVERY_MS);
        continue;
      }
      const claim = await replays.claim(id, processId);
      if (claim.kind === 'done') await reportEnd(id);
      if (claim.kind !== 'slice') return;
      const { ids, fromBefore, waitMs } = claim;
      await Promise.all(ids.map((deliveryId) => replayOne(id, deliveryId)));
      if (ids.length > 0) await promote();
      const leastMs = fromBefore > 0 ? AFTER_TROUBLE_MS : LEAST_WAIT_MS;
      if (fromBefore > 0 || waitMs > 0) await pause(Math.max(leastMs, Math.min(waitMs, RENEW_EVERY_MS)));
    }
    await replays.release(id, processId);
  }

  async function reportEnd(id: string): Promise<void> {
    const ended = await replays.find(id);
    if (ended) events.replayEnded(ended);
  }

  const pause = (ms: number) => delay(ms, undefined, { signal: stopping.signal }).catch(() => undefined);

  async function run(): Promise<void> {
    let wakesBefore: number;
    do {
      wakesBefore = wakes;
      await drive();
    } while (wakes > wakesBefore && !stopping.signal.aborted);
  }

  return {
    wake: () => {
      wakes += 1;
      if (driving || stopping.signal.aborted || redis.status !== 'ready') return;
      driving = run()
        // The next round wakes it again.
        .catch((error: unknown) =>
          events.redisTrouble(error instanceof Error ? error : new Error('a replay could not be driven')),
        )
        .finally(() => (driving = null));
    },
    close: async () => {
      stopping.abort();
      await driving;
    },
  };
}
