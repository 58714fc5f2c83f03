// The device directory of a tenant in Redis: opened by the API, which asks, and by workers, which answer.
import type { DirectoryConfig } from '../../config/directory.ts';
import type { DirectoryAnswer, DirectoryHold } from '../../domain/directory/directory-answer.ts';
import type { Tenant } from '../tenant.ts';
import { createAnswers } from './answers.ts';
import type { DirectoryEvents } from './directory-events.ts';
import { createMirror } from './mirror.ts';
import { openQuestions, type Questions } from './questions.ts';
import { createReader, type Reader } from './reader.ts';
import { createTroubleStore } from './trouble.ts';
import { startUpkeep } from './upkeep.ts';
import { createVerifyInDirectory, type VerifyInDirectory } from './verify.ts';

/** Whether anything was remembered, and whether there was room to ask again at once. */
export type Forgotten = { changed: boolean; asked: boolean };

export type DirectoryState = {
  /** Questions that wait for an answer. */
  waiting: number;
  /** Devices whose answers are remembered. */
  known: number;
  hold: DirectoryHold | null;
  throttledMs: number;
  /** Whether a worker is there that answers questions. */
  isRead: boolean;
};

export type Directory = {
  readState: () => Promise<DirectoryState>;
  verify: VerifyInDirectory;
  /** Forgets what is remembered about a device and asks again. */
  forget: (deviceId: string) => Promise<Forgotten>;
  /** Starts to answer questions. */
  startReader: (parts: StartReader) => DirectoryReader;
  close: () => Promise<void>;
};

/** A worker's part. */
export type DirectoryReader = Pick<Reader, 'wake' | 'close'>;

export type StartReader = {
  /** Asks the directory about one device. Never throws. */
  find: (deviceId: string, signal: AbortSignal) => Promise<DirectoryAnswer>;
  events: DirectoryEvents;
  random: () => number;
};

/** A reader stays awake for longer. */
const WAKE_EVERY_MS = 1000;

export function openDirectory(
  { redis, keys, clock, wakeReader }: Pick<Tenant, 'redis' | 'keys' | 'clock' | 'wakeReader'>,
  { requirement, maxAgeMs }: Pick<DirectoryConfig, 'requirement' | 'maxAgeMs'>,
  redisTrouble: (error: Error) => void,
): Directory {
  const mirror = createMirror(redis, keys);
  const trouble = createTroubleStore(redis, keys);
  const opened = openQuestions(redis, keys, redisTrouble);
  const questions = { ...opened, ask: wakingAsk(opened.ask) };
  const shared = { redis, keys, mirror, trouble, questions, maxAgeMs, clock: clock.now };

  return {
    readState: async () => {
      const [waiting, known, { hold, throttledMs }, isRead] = await Promise.all([
        questions.waiting(),
        mirror.countKnown(),
        trouble.read(),
        trouble.isReaderThere(),
      ]);
      return { waiting: waiting.all, known, hold, throttledMs, isRead };
    },
    verify: createVerifyInDirectory({
      ...shared,
      requirement,
      answers: createAnswers(mirror),
      readTrouble: trouble.read,
      onTrouble: (error) => redisTrouble(error instanceof Error ? error : new Error('a question could not be left')),
    }),
    forget: async (deviceId) => {
      const changed = await mirror.forget(deviceId, clock.now());
      return { changed, asked: await questions.ask(deviceId, 'refresh') };
    },
    startReader: (parts) => {
      const reader = createReader({ ...shared, ...parts });
      const upkeep = startUpkeep({ ...shared, ...parts, wake: reader.wake });
      return {
        wake: reader.wake,
        close: async () => {
          await Promise.all([reader.close(), upkeep.close()]);
        },
      };
    },
    close: questions.close,
  };

  /** Wakes a worker that reads them, unless one was woken just now. */
  function wakingAsk(ask: Questions['ask']): Questions['ask'] {
    let wokenAt = -Infinity;
    return async (deviceId, kind) => {
      const isAsked = await ask(deviceId, kind);
      if (isAsked && performance.now() - wokenAt >= WAKE_EVERY_MS) {
        wokenAt = performance.now();
        await wakeReader();
      }
      return isAsked;
    };
  }
}
