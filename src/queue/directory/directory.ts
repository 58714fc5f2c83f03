// The device directory of a tenant in Redis: opened by the API, which asks, and by workers, which answer.
import type { DirectoryConfig } from '../../config/directory.ts';
import type { DirectoryAnswer, DirectoryHold } from '../../domain/directory/directory-answer.ts';
import type { Tenant } from '../tenant.ts';
import { createAnswers } from './answers.ts';
import type { DirectoryEvents } from './directory-events.ts';
import { createMirror } from './mirror.ts';
import { openQuestions } from './questions.ts';
import { createReader } from './reader.ts';
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
  startReader: (parts: StartReader) => { close: () => Promise<void> };
  close: () => Promise<void>;
};

export type StartReader = {
  /** Asks the directory about one device. Never throws. */
  find: (deviceId: string, signal: AbortSignal) => Promise<DirectoryAnswer>;
  events: DirectoryEvents;
  random: () => number;
};

export function openDirectory(
  { redis, keys, clock }: Pick<Tenant, 'redis' | 'keys' | 'clock'>,
  { requirement, maxAgeMs }: Pick<DirectoryConfig, 'requirement' | 'maxAgeMs'>,
  redisTrouble: (error: Error) => void,
): Directory {
  const mirror = createMirror(redis, keys);
  const trouble = createTroubleStore(redis, keys);
  const questions = openQuestions(redis, keys, redisTrouble);
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
      const [reader, upkeep] = [createReader({ ...shared, ...parts }), startUpkeep({ ...shared, ...parts })];
      return {
        close: async () => {
          await Promise.all([reader.close(), upkeep.close()]);
        },
      };
    },
    close: questions.close,
  };
}
