// A worker's rounds over the directory's mirror: asks again before words are stale, forgets unused devices, probes a hold.
import { randomUUID } from 'node:crypto';
import { probeDelayMs, throttleMs } from '../../domain/directory/directory-answer.ts';
import { freshnessOf, isUnused, spreadOf } from '../../domain/directory/freshness.ts';
import type { Questions } from './questions.ts';
import type { ReaderParts } from './reader.ts';

export type UpkeepParts = Omit<ReaderParts, 'questions'> & {
  /** Questions are waiting. */
  wake: () => void;
  questions: Pick<Questions, 'queue' | 'ask' | 'waiting'>;
  maxAgeMs: number;
};

export type Upkeep = { close: () => Promise<void> };

/** Of one part of the mirror after the other: a fleet of 100,000 devices is gone through in 17 minutes. */
const LOOK_EVERY_MS = 5000;
const PROBE_LOOK_EVERY_MS = 250;
/** While nothing holds the questions. */
const HOLD_LOOK_EVERY_MS = 2500;
/** Refreshes of our own that may wait: others' come first, and the pace is shared. */
const MOST_REFRESHES = 500;
/** A probe without a result by then was lost with its worker. */
const PROBE_LOST_MS = 20_000;

export function startUpkeep(parts: UpkeepParts): Upkeep {
  const { redis, mirror, questions, trouble, events, clock, random, maxAgeMs } = parts;
  const stopping = new AbortController();
  let cursor = '0';
  let isHeld = false;

  async function refresh(): Promise<void> {
    await trouble.readerIsThere();
    const waiting = await questions.waiting();
    if (waiting.all > 0) parts.wake();
    let room = MOST_REFRESHES - waiting.ahead('refresh');
    const { next, devices } = await mirror.scan(cursor);
    for (const { deviceId, device } of devices) {
      const now = clock();
      if (isUnused(now - device.usedAt, maxAgeMs)) await mirror.drop(deviceId);
      else if (freshnessOf(now - device.askedAt, maxAgeMs, spreadOf(deviceId)) !== 'fresh') {
        // Without room this part is looked at again.
        if (room <= 0) return;
        room -= 1;
        await questions.ask(deviceId, 'refresh');
      }
    }
    cursor = next;
  }

  /** Asks about a device that does not exist: whatever holds the others, it is no fault of this one. */
  async function probe(): Promise<void> {
    const { hold } = await trouble.read();
    isHeld = hold !== null;
    const now = clock();
    if (!hold || hold.probeAt > now || !(await trouble.claimProbe(now, now + PROBE_LOST_MS))) return;
    const answer = await parts.find(randomUUID(), stopping.signal);
    if (stopping.signal.aborted) return;
    events.directoryAsked(answer.kind);
    if (answer.kind === 'held' || answer.kind === 'failed') {
      const { reason } = answer.kind === 'held' ? answer : { reason: 'unavailable' as const };
      const probes = hold.probes + 1;
      const failed = {
        ...hold,
        reason,
        detail: answer.detail,
        probes,
        probeAt: clock() + probeDelayMs(probes, random()),
      };
      await trouble.probeFailed(failed, failed.probeAt);
      events.directoryProbeFailed(failed);
      return;
    }
    if (await trouble.endHold()) events.directoryReleased(hold, clock());
    if (answer.kind === 'throttled')
      await trouble.throttle(throttleMs(answer.retryAfterMs, { inARow: 0, dice: random() }));
    await questions.queue.removeRateLimitKey();
  }

  const rounds = [
    every(refresh, () => Math.min(LOOK_EVERY_MS, Math.max(100, maxAgeMs / 20))),
    every(probe, () => (isHeld ? PROBE_LOOK_EVERY_MS : HOLD_LOOK_EVERY_MS)),
  ];

  /** Runs again and again, one at a time, while Redis is connected. */
  function every(work: () => Promise<void>, toMs: () => number): { close: () => Promise<void> } {
    let timer: NodeJS.Timeout | undefined;
    let running = run();

    async function run(): Promise<void> {
      if (redis.status === 'ready') {
        await work().catch((error: unknown) =>
          events.redisTrouble(error instanceof Error ? error : new Error('upkeep failed')),
        );
      }
      if (!stopping.signal.aborted)
        timer = setTimeout(() => {
          running = run();
        }, toMs());
    }

    return {
      close: async () => {
        clearTimeout(timer);
        await running;
      },
    };
  }

  return {
    close: async () => {
      stopping.abort();
      await Promise.all(rounds.map((round) => round.close()));
    },
  };
}
