// The permit queue of one tenant in a worker process: first come, first served, with one question to Redis at a time.
import { setTimeout as delay } from 'node:timers/promises';
import type { Asking, Budget, Held, Permit, RequestKind } from './budget.ts';

/** A permit, and the room in this process for the attempt it is for. */
export type AttemptPermit = Permit & {
  /** The attempt has ended. */
  release: () => void;
};

export type PermitQueue = {
  /**
   * Resolves when this attempt may begin, or has to make room because its configuration is held.
   * @throws the signal's reason if it aborts first
   */
  acquire: (kind: RequestKind, asking: NonNullable<Asking>, signal: AbortSignal) => Promise<AttemptPermit | Held>;
  /** Resolves when an attempt that has begun may read a further page. */
  furtherPage: (signal: AbortSignal) => Promise<void>;
};

/** Gives room for one attempt. @throws the signal's reason if it aborts first */
export type TakeSlot = (signal: AbortSignal) => Promise<{ release: () => void }>;

/** While nobody gets a permit, the queue asks again this often, so that it notices when another worker's probe ends a hold. */
const ASK_AGAIN_MS = 250;

type Waiting = {
  asking: Asking;
  resolve: (answer: AttemptPermit | Held) => void;
  reject: (reason: unknown) => void;
  signal: AbortSignal;
};

/** Reads and writes wait separately, because they have separate budgets. */
export function createPermitQueue(budget: Pick<Budget, 'acquire'>, takeSlot: TakeSlot): PermitQueue {
  const queues: Record<RequestKind, ReturnType<typeof createQueue>> = {
    write: createQueue(budget, takeSlot),
    read: createQueue(budget, takeSlot),
  };
  // Pages of attempts that have begun wait separately: a hold stops attempts, but must not keep one from ending.
  const pages = createQueue(budget, () => Promise.resolve({ release: () => undefined }));
  return {
    acquire: (kind, asking, signal) => queues[kind](kind, asking, signal),
    furtherPage: async (signal) => {
      await pages('read', null, signal);
    },
  };
}

function createQueue(budget: Pick<Budget, 'acquire'>, takeSlot: TakeSlot) {
  const queue: Waiting[] = [];
  let serving = false;

  /** Asks for a permit when there is room to use it at once: nobody has a slot while it waits for a permit. */
  async function ask(kind: RequestKind, { asking, signal }: Waiting) {
    const { release } = await takeSlot(signal);
    try {
      const answer = await budget.acquire(kind, asking);
      if (answer.granted) return { ...answer, release };
      release();
      return answer;
    } catch (error) {
      release();
      throw error;
    }
  }

  async function serve(kind: RequestKind): Promise<void> {
    for (let first = queue[0]; first; first = queue[0]) {
      if (first.signal.aborted) {
        queue.shift();
        first.reject(first.signal.reason);
        continue;
      }
      try {
        const answer = await ask(kind, first);
        if ('waitMs' in answer) {
          const waitMs = Math.min(answer.waitMs, ASK_AGAIN_MS);
          await delay(waitMs, undefined, { signal: first.signal }).catch(() => undefined);
        } else {
          queue.shift();
          first.resolve(answer);
        }
      } catch (error) {
        queue.shift();
        first.reject(error);
      }
    }
    // Set here and not when the promise settles: anyone joining in between would find it still serving and wait for ever.
    serving = false;
  }

  return (kind: RequestKind, asking: Asking, signal: AbortSignal): Promise<AttemptPermit | Held> => {
    const { promise, resolve, reject } = Promise.withResolvers<AttemptPermit | Held>();
    queue.push({ asking, resolve, reject, signal });
    if (!serving) {
      serving = true;
      void serve(kind);
    }
    return promise;
  };
}
