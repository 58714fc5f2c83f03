// One worker process's line for the shared budget: first come first served, one question to Redis at a time.
import { setTimeout as delay } from 'node:timers/promises';
import type { HoldKey } from '../../domain/hold/hold.ts';
import type { Asking, Budget, RequestKind, Turn } from './budget.ts';

export type Going = Extract<Turn, { go: true }>;

/** Leave to send one request; or, where the delivery's configuration is held, the hold it is to be parked under. */
export type Permit = Going | { go: false; heldBy: HoldKey };

export type Pacer = {
  /**
   * Resolves when this attempt may begin, or is to make room since its configuration is held.
   * @throws the signal's reason where it aborts first
   */
  turn: (kind: RequestKind, asking: NonNullable<Asking>, signal: AbortSignal) => Promise<Permit>;
  /** Resolves when an attempt that has begun may read a further page. */
  furtherPage: (signal: AbortSignal) => Promise<void>;
};

/** While everyone is stopped, the line asks again this often, so that a mend elsewhere is noticed. */
const ASK_AGAIN_MS = 250;

type Waiting = {
  asking: Asking;
  resolve: (permit: Permit) => void;
  reject: (reason: unknown) => void;
  signal: AbortSignal;
};

/** Makes the line; reads and writes wait apart, as their budgets are apart. */
export function createPacer(budget: Pick<Budget, 'take'>): Pacer {
  const lines: Record<RequestKind, ReturnType<typeof createLine>> = {
    write: createLine(budget),
    read: createLine(budget),
  };
  // Pages of attempts that have begun wait apart: a hold stops attempts, and must not keep one from its end.
  const pages = createLine(budget);
  return {
    turn: (kind, asking, signal) => lines[kind](kind, asking, signal),
    furtherPage: async (signal) => {
      await pages('read', null, signal);
    },
  };
}

function createLine(budget: Pick<Budget, 'take'>) {
  const line: Waiting[] = [];
  let serving = false;

  async function serve(kind: RequestKind): Promise<void> {
    for (let first = line[0]; first; first = line[0]) {
      if (first.signal.aborted) {
        line.shift();
        first.reject(first.signal.reason);
        continue;
      }
      try {
        const turn = await budget.take(kind, first.asking);
        if (turn.go || 'heldBy' in turn) {
          line.shift();
          first.resolve(turn);
        } else {
          await delay(Math.min(turn.waitMs, ASK_AGAIN_MS), undefined, { signal: first.signal }).catch(() => undefined);
        }
      } catch (error) {
        line.shift();
        first.reject(error);
      }
    }
    // Here and not when the promise settles: whoever joins in between would find the line served and wait for ever.
    serving = false;
  }

  return (kind: RequestKind, asking: Asking, signal: AbortSignal): Promise<Permit> => {
    const { promise, resolve, reject } = Promise.withResolvers<Permit>();
    line.push({ asking, resolve, reject, signal });
    if (!serving) {
      serving = true;
      void serve(kind);
    }
    return promise;
  };
}
