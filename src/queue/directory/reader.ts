// Puts the waiting questions to the directory at the pace it allows, and keeps its answers.
import { RateLimitError, WaitingError, Worker, type Job } from 'bullmq';
import { probeDelayMs, throttleMs, type DirectoryAnswer } from '../../domain/directory/directory-answer.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { QUESTION_QUEUE_NAME, type Keys } from '../redis/keys.ts';
import type { DirectoryEvents } from './directory-events.ts';
import type { Mirror } from './mirror.ts';
import { QUESTIONS_PER_SECOND, type Questions } from './questions.ts';
import type { Cause, TroubleStore } from './trouble.ts';

export type ReaderParts = {
  redis: RedisConnection;
  keys: Pick<Keys, 'root'>;
  mirror: Mirror;
  questions: Pick<Questions, 'queue' | 'waiting'>;
  trouble: TroubleStore;
  /** Asks the directory about one device. Never throws. */
  find: (deviceId: string, signal: AbortSignal) => Promise<DirectoryAnswer>;
  events: DirectoryEvents;
  clock: () => number;
  random: () => number;
};

export type Reader = {
  /** Questions may be waiting. It has a connection to wait for them only until there were none for a while. */
  wake: () => void;
  /** Stops taking questions and aborts those that are asked now; they stay in the queue. */
  close: () => Promise<void>;
};

/** Questions under way at once: as many as are put in a second when Graph takes 400 ms for each. */
const CONCURRENCY = 20;
/** While nobody may ask, workers look this often whether that is over. */
const LOOK_AGAIN_MS = 2000;
/** Devices whose questions fail in a row until the directory itself counts as the cause. */
const SUSPECTS = 3;
const NEVER = 1_000_000_000;
/** Time without questions after which the connection is given up, and how often that is looked at. */
const REST_AFTER_MS = 30_000;
const REST_LOOK_EVERY_MS = 5000;

export function createReader(parts: ReaderParts): Reader {
  const { mirror, trouble, events, clock, random } = parts;
  const { queue } = parts.questions;
  const stopping = new AbortController();
  let throttledInARow = 0;
  let worker: Worker | null = null;
  let resting: NodeJS.Timeout | undefined;
  let busyAt = 0;

  async function process(job: Job, token = ''): Promise<void> {
    busyAt = performance.now();
    const deviceId = job.id ?? '';
    const { hold, throttledMs } = await trouble.read();
    if (hold) return pause(LOOK_AGAIN_MS);
    if (throttledMs > 0) return pause(Math.min(throttledMs, LOOK_AGAIN_MS));
    const askedAt = clock();
    const answer = await parts.find(deviceId, stopping.signal);
    if (stopping.signal.aborted) {
      await job.moveToWait(token);
      throw new WaitingError();
    }
    events.directoryAsked(answer.kind);
    if (answer.kind !== 'throttled') throttledInARow = 0;
    await keep(deviceId, answer, askedAt);
  }

  async function keep(deviceId: string, answer: DirectoryAnswer, askedAt: number): Promise<void> {
    switch (answer.kind) {
      case 'found':
        await mirror.saveDevice(deviceId, answer.device, askedAt);
        return answered(answer.pauseMs);
      case 'not-found':
        await mirror.saveAbsent(deviceId, askedAt);
        return answered(answer.pauseMs);
      case 'throttled': {
        const waitMs = throttleMs(answer.retryAfterMs, { inARow: throttledInARow, dice: random() });
        throttledInARow += 1;
        await trouble.throttle(waitMs);
        events.directoryThrottled(waitMs);
        return pause(Math.min(waitMs, LOOK_AGAIN_MS));
      }
      case 'held':
        await hold(answer);
        return pause(LOOK_AGAIN_MS);
      case 'failed':
        if ((await trouble.suspect(deviceId)) >= SUSPECTS) await hold({ reason: 'unavailable', detail: answer.detail });
        throw new Error(answer.detail);
    }
  }

  async function answered(pauseMs: number): Promise<void> {
    await trouble.answered();
    if (pauseMs > 0) await queue.rateLimit(pauseMs);
  }

  async function hold(cause: Cause): Promise<void> {
    const now = clock();
    const probeAt = now + probeDelayMs(0, random());
    const began = await trouble.beginHold(cause, now, probeAt);
    if (began) events.directoryHeld({ reason: cause.reason, detail: cause.detail, since: now, probes: 0, probeAt });
  }

  /** Puts the question back, and stops all workers from taking questions for a while. */
  async function pause(ms: number): Promise<never> {
    await queue.rateLimit(Math.ceil(ms));
    throw new RateLimitError();
  }

  function startWorker(): Worker {
    const started = new Worker(QUESTION_QUEUE_NAME, process, {
      connection: parts.redis,
      prefix: parts.keys.root,
      concurrency: CONCURRENCY,
      limiter: { max: QUESTIONS_PER_SECOND, duration: 1000 },
      maxStalledCount: NEVER,
      skipVersionCheck: true,
    });
    started.on('error', events.redisTrouble);
    started.on('failed', (job, error) => {
      if (job?.id !== undefined && job.attemptsMade >= (job.opts.attempts ?? 1)) {
        events.directoryQuestionDropped(job.id, error.message);
      }
    });
    return started;
  }

  async function rest(): Promise<void> {
    if (!worker || performance.now() - busyAt < REST_AFTER_MS || (await parts.questions.waiting()).all > 0) return;
    const old = worker;
    worker = null;
    clearInterval(resting);
    await old.close();
  }

  return {
    wake: () => {
      busyAt = performance.now();
      if (worker || stopping.signal.aborted) return;
      worker = startWorker();
      resting = setInterval(() => void rest().catch(() => undefined), REST_LOOK_EVERY_MS);
    },
    close: async () => {
      stopping.abort();
      clearInterval(resting);
      await worker?.close();
    },
  };
}
