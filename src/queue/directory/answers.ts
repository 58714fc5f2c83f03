// Waits for the directory's answers about devices: one look at the mirror for everybody who waits in this process.
import type { Remembered } from '../../domain/directory/consult.ts';
import type { Mirror } from './mirror.ts';

export type Answers = {
  /** Waits until something else than `before` is remembered, or until an instant of performance.now(); null in that case. */
  waitFor: (deviceId: string, before: Remembered, until: number) => Promise<Remembered | null>;
  /** Whether one more may wait. */
  hasRoom: () => boolean;
};

/** Longest wait for an answer, from the beginning of a request. */
export const LONGEST_WAIT_MS = 1500;
const LOOK_EVERY_MS = 50;
const MOST_WAITING = 200;

type Waiter = { deviceId: string; before: number; until: number; resolve: (learned: Remembered | null) => void };

export function createAnswers({ read }: Pick<Mirror, 'read'>): Answers {
  let waiters: Waiter[] = [];
  let isLooking = false;

  async function look(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    while (waiters.length > 0) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      const asked = waiters;
      // While Redis does not answer, everybody waits to the end and goes on without.
      const learned = await read(asked.map(({ deviceId }) => deviceId)).catch(() => []);
      const now = performance.now();
      const open = new Set(waiters);
      asked.forEach((waiter, index) => {
        const news = learned[index];
        const isNews = news !== undefined && askedAtOf(news) !== waiter.before;
        if (!isNews && now < waiter.until) return;
        open.delete(waiter);
        waiter.resolve(isNews ? news : null);
      });
      waiters = [...open];
    }
    isLooking = false;
  }

  return {
    waitFor: (deviceId, remembered, until) =>
      new Promise((resolve) => {
        waiters.push({ deviceId, before: askedAtOf(remembered), until: until - LOOK_EVERY_MS, resolve });
        void look();
      }),
    hasRoom: () => waiters.length < MOST_WAITING,
  };
}

const askedAtOf = (remembered: Remembered): number => {
  switch (remembered.kind) {
    case 'known':
      return remembered.device.askedAt;
    case 'absent':
      return remembered.askedAt;
    case 'never-asked':
      return -1;
  }
};
