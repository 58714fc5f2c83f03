// One worker process's line for the shared budget: first come first served, one question to Redis at a time.
import { setTimeout as delay } from 'node:timers/promises';
import type { Budget, RequestKind, Turn } from './budget.ts';

export type Going = Extract<Turn, { go: true }>;

export type Pacer = {
  /** Resolves when this request may be sent. @throws the signal's reason where it aborts first */
  turn: (kind: RequestKind, signal: AbortSignal) => Promise<Going>;
};

/** While everyone is stopped, the line asks again this often, so that a mend elsewhere is noticed. */
const ASK_AGAIN_MS = 250;

type Waiting = { resolve: (going: Going) => void; reject: (reason: unknown) => void; signal: AbortSignal };

/** Makes the line; reads and writes wait apart, as their budgets are apart. */
export function createPacer(budget: Pick<Budget, 'take'>): Pacer {
  const lines: Record<RequestKind, (kind: RequestKind, signal: AbortSignal) => Promise<Going>> = {
    write: createLine(budget),
    read: createLine(budget),
  };
  return { turn: (kind, signal) => lines[kind](kind, signal) };
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
        const turn = await budget.take(kind);
        if (turn.go) {
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

  return (kind: RequestKind, signal: AbortSignal): Promise<Going> => {
    const { promise, resolve, reject } = Promise.withResolvers<Going>();
    line.push({ resolve, reject, signal });
    if (!serving) {
      serving = true;
      void serve(kind);
    }
    return promise;
  };
}
