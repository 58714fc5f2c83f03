// Waits for a condition in tests; fails with its name at a deadline.
import { setTimeout as delay } from 'node:timers/promises';

const ASK_EVERY_MS = 10;

/** Resolves with the first result that is not false, null or undefined. @throws Error naming what never came */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  withinMs = 5000,
): Promise<Exclude<T, false | null | undefined>> {
  const giveUpAt = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== false && answer !== null && answer !== undefined)
      return answer as Exclude<T, false | null | undefined>;
    if (performance.now() > giveUpAt) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(ASK_EVERY_MS);
  }
}
