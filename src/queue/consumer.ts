// BullMQ worker ⇄ deliver(): a turn, a mark, a try, and its verdict → done, delay, hold everyone.
import { setTimeout as delay } from 'node:timers/promises';
import { DelayedError, ErrorCode, WaitingError, Worker, type Job } from 'bullmq';
import {
  begin,
  conclude,
  isFailure,
  isTerminal,
  LOST_WORKER,
  nextStep,
  recordTaken,
  wasAbandoned,
  withdraw,
} from '../domain/delivery.ts';
import type { Delivery, Outcome } from '../domain/delivery.ts';
import type { HoldReason } from '../domain/hold.ts';
import { unavailable, type Circumstances, type Policy, type Verdict } from '../domain/retry.ts';
import type { RunResult } from '../domain/run-result.ts';
import type { Events } from '../events.ts';
import type { Blame, Budget } from './budget.ts';
import type { Deliveries, Stored } from './deliveries.ts';
import { QUEUE_NAME, type Keys } from './keys.ts';
import type { Going, Pacer } from './pacer.ts';
import type { RedisConnection } from './redis.ts';
import { createWatchdog } from './watchdog.ts';

/** One attempt, whatever it does: never throws for what Graph or the network do. */
export type Deliver = (delivery: Delivery, run: RunResult, signal: AbortSignal) => Promise<Outcome>;

export type ConsumerParts = {
  redis: RedisConnection;
  keys: Keys;
  deliveries: Deliveries;
  budget: Budget;
  pacer: Pacer;
  deliver: Deliver;
  events: Events;
  policy: Policy;
  concurrency: number;
  clock: () => number;
  random: () => number;
};

export type Consumer = {
  /** Whether it makes progress while work waits. */
  isAlive: () => boolean;
  /** Stops taking work, gives back what waits for its turn, and resolves when the attempts in hand have ended. */
  close: () => Promise<void>;
};

/** A killed worker's deliveries come back after at most LOCK_MS + 2 × STALLED_CHECK_MS. */
const LOCK_MS = 20_000;
const STALLED_CHECK_MS = 10_000;
/** A stalled job is never failed: the record says how often it was tried. */
const NEVER = 1_000_000_000;
/** After a defect or trouble with Redis a delivery is tried again after this. */
const AFTER_TROUBLE_MS = 5000;
const SWEEP_EVERY_MS = 5000;
/** BullMQ brings a delayed job back up to a second late; so short a wait is not worth giving it away. */
const WAIT_IN_HAND_MS = 1000;

/** BullMQ's code for a job whose lock has run out, or belongs to another worker. */
const LOCK_GONE: readonly unknown[] = [ErrorCode.JobLockNotExist, ErrorCode.JobLockMismatch, ErrorCode.JobNotInState];

const isLockGone = (error: unknown): boolean =>
  error instanceof Error && LOCK_GONE.includes((error as { code?: unknown }).code);

/** Starts consuming the deliveries of a tenant. */
export function createConsumer(parts: ConsumerParts): Consumer {
  const { deliveries, budget, pacer, events, policy, clock } = parts;
  const stopping = new AbortController();

  async function process(job: Job, token: string | undefined, lockLost: AbortSignal | undefined): Promise<void> {
    const id = job.id ?? '';
    const signal = lockLost ? AbortSignal.any([stopping.signal, lockLost]) : stopping.signal;
    try {
      const dueAt = await work(id, signal, lockLost);
      if (dueAt === null) return;
      await job.moveToDelayed(Math.max(dueAt, clock()), token);
    } catch (error) {
      if (stopping.signal.aborted && error === stopping.signal.reason) {
        await job.moveToWait(token);
        throw new WaitingError();
      }
      // Somebody else has the job by now: it is theirs to move.
      if (isLockGone(error)) events.stalled(id);
      else if (!lockLost?.aborted) {
        events.defect(error, 'a delivery could not be worked on');
        await job.moveToDelayed(clock() + AFTER_TROUBLE_MS, token);
      }
    }
    throw new DelayedError();
  }

  /** Works on a delivery until it ends (null) or is to be tried again later (when). */
  async function work(id: string, signal: AbortSignal, lockLost: AbortSignal | undefined): Promise<number | null> {
    for (;;) {
      const stored = await deliveries.load(id);
      if (!stored || isTerminal(stored.delivery.status)) return null;
      if (wasAbandoned(stored.delivery)) {
        events.stalled(id);
        await settle(stored, LOST_WORKER, { probing: false, startedAt: clock() });
        continue;
      }
      const waitMs = stored.delivery.dueAt - clock();
      if (waitMs > WAIT_IN_HAND_MS) return stored.delivery.dueAt;
      if (waitMs > 0) {
        await delay(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
        continue;
      }
      const going = await pacer.turn(nextStep(stored.delivery) === 'create' ? 'write' : 'read', signal);
      await attempt(stored, going, signal, lockLost);
    }
  }

  async function attempt(
    stored: Stored,
    going: Going,
    signal: AbortSignal,
    lockLost: AbortSignal | undefined,
  ): Promise<void> {
    const startedAt = clock();
    const marked = await deliveries.save(stored, begin(stored.delivery, startedAt), startedAt);
    if (marked.kind !== 'saved') return;
    const { delivery, run } = marked.stored;
    if (signal.aborted || !run) {
      await deliveries.save(marked.stored, withdraw(delivery), clock());
      signal.throwIfAborted();
      throw new Error('an open delivery has no run result');
    }
    // Stopping lets a create in hand finish, only a lost lock cuts it short; a look writes nothing and may be cut.
    const interruptible = delivery.mark?.sends === 'look' ? signal : (lockLost ?? new AbortController().signal);
    const outcome = await parts.deliver(delivery, run, interruptible);
    await Promise.all([
      tell(delivery, outcome, going),
      settle(marked.stored, outcome, { probing: going.probe !== null, startedAt }),
    ]);
  }

  /** Stores what an outcome makes of a delivery. Somebody else's change meanwhile only matters where Graph has the record. */
  async function settle(
    stored: Stored,
    outcome: Outcome,
    { probing, startedAt }: { probing: boolean; startedAt: number },
  ): Promise<void> {
    const circumstances: Circumstances = { now: clock(), random: parts.random(), probing };
    const { delivery, verdict } = conclude(stored.delivery, outcome, circumstances, policy);
    const saved = await deliveries.save(stored, delivery, circumstances.now);
    if (saved.kind === 'stale' && !isFailure(outcome) && outcome.kind !== 'absent') {
      const newer = await deliveries.load(delivery.id);
      if (newer && !isTerminal(newer.delivery.status)) return settle(newer, outcome, { probing, startedAt });
      if (newer && newer.delivery.deviceRunStateId !== outcome.deviceRunStateId)
        events.deliveredTwice(newer.delivery, outcome.deviceRunStateId);
      return;
    }
    if (saved.kind === 'claimed' && outcome.kind === 'created') {
      return settle(stored, recordTaken(outcome.graph), { probing, startedAt });
    }
    if (saved.kind !== 'saved') return;
    events.attempt({ delivery, outcome, verdict, durationMs: circumstances.now - startedAt });
    tellEnd(delivery, verdict);
  }

  function tellEnd(delivery: Delivery, verdict: Verdict): void {
    if (verdict.then === 'done') events.delivered(delivery);
    if (verdict.then === 'dead') events.dead(delivery);
  }

  /** What an outcome means for everyone. */
  async function tell(delivery: Delivery, outcome: Outcome, going: Going): Promise<void> {
    switch (outcome.kind) {
      case 'throttled':
        events.throttled(await budget.throttle(outcome.retryAfterMs, parts.random()));
        return;
      case 'unauthenticated':
      case 'credential-refused':
      case 'forbidden':
        return hold(outcome.kind, outcome.detail, going);
      case 'not-sent':
        return suspect(delivery, unavailable(outcome.upstream), outcome.detail, 'way', going);
      case 'uncertain':
        // A look that fails has nothing of the delivery's in it.
        return suspect(
          delivery,
          'graph-unavailable',
          outcome.detail,
          delivery.mark?.sends === 'look' ? 'way' : 'own',
          going,
        );
      case 'absent':
      case 'found':
        // Reading proves nothing about the permission to write.
        if (going.probe === 'forbidden') return;
        return mended(going);
      case 'created':
      case 'rejected':
        return mended(going);
    }
  }

  async function hold(reason: HoldReason, detail: string, going: Going): Promise<void> {
    const { hold: held, isNew } = await budget.hold(reason, detail, going.probe === null ? 'in-flight' : 'probe');
    if (isNew) events.held(held);
    else if (going.probe !== null) events.probeFailed(held);
  }

  async function suspect(
    delivery: Delivery,
    reason: HoldReason,
    detail: string,
    blame: Blame,
    going: Going,
  ): Promise<void> {
    if (going.probe !== null) return hold(reason, detail, going);
    const caused = await budget.failed(delivery.id, reason, detail, blame);
    if (caused?.isNew) events.held(caused.hold);
  }

  async function mended(going: Going): Promise<void> {
    if (going.probe === null && !going.troubled) return;
    const ended = await budget.mended(going.probe);
    if (ended) events.released(ended, clock());
  }

  let begun = 0;
  let inHand = 0;

  function startWorker(): Worker {
    const worker = new Worker(QUEUE_NAME, count(process), {
      connection: parts.redis,
      prefix: parts.keys.root,
      concurrency: parts.concurrency,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: NEVER,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
      skipVersionCheck: true,
    });
    worker.on('error', events.redisTrouble);
    worker.on('lockRenewalFailed', (ids) => ids.forEach((id) => worker.cancelJob(id, 'lock lost')));
    return worker;
  }

  function count<T extends unknown[]>(work: (...args: T) => Promise<void>): (...args: T) => Promise<void> {
    return (...args) => {
      begun += 1;
      inHand += 1;
      return work(...args).finally(() => (inHand -= 1));
    };
  }

  let worker = startWorker();
  const watchdog = createWatchdog({
    countWaiting: () => (parts.redis.status === 'ready' ? deliveries.countFetchable() : Promise.resolve(0)),
    hasRoom: () => inHand < parts.concurrency,
    countBegun: () => begun,
    onStarved: events.starved,
    clock,
    rebuild: async () => {
      const old = worker;
      worker = startWorker();
      // Attempts in hand end by themselves; the old worker is not waited for, it may never close.
      void old.close().catch(() => undefined);
      await worker.waitUntilReady();
    },
  });

  const sweeping = setInterval(() => {
    if (parts.redis.status !== 'ready') return;
    deliveries
      .sweep(clock())
      .then((woken) => woken > 0 && events.woken(woken))
      .catch((error: unknown) => events.redisTrouble(error instanceof Error ? error : new Error('sweep failed')));
  }, SWEEP_EVERY_MS);

  return {
    isAlive: watchdog.isAlive,
    close: async () => {
      clearInterval(sweeping);
      watchdog.close();
      stopping.abort();
      await worker.close();
    },
  };
}
