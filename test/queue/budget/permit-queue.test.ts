// One process's line for the budget: first come first served, and whoever joins while the line runs dry is served too.
import { expect, test } from 'vitest';
import { createPermitQueue } from '../../../src/queue/budget/permit-queue.ts';
import type { Denied, Held, Permit } from '../../../src/queue/budget/budget.ts';
import { asking } from '../../support/hold.ts';
import pTimeout from 'p-timeout';

const takeSlot = () => Promise.resolve({ release: () => undefined });

const PERMIT: Permit = { granted: true, probes: [], hadFailures: false };
const never = new AbortController().signal;

test.each(Array.from({ length: 8 }, (_, ticks) => [ticks]))(
  'one who joins %i moments after the last was served · is served · though nobody comes after',
  async (ticks) => {
    const permits = createPermitQueue({ acquire: () => Promise.resolve(PERMIT) }, takeSlot);
    await permits.acquire('write', asking(), never);
    for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve();
    expect(await pTimeout(permits.acquire('write', asking(), never), { milliseconds: 1000 })).toMatchObject(PERMIT);
  },
);

test('those who wait · are served in the order they came · and one that gives up is passed over', async () => {
  const answers: (Permit | Denied | Held)[] = [{ granted: false, waitMs: 1, reason: 'pace' }];
  const permits = createPermitQueue({ acquire: () => Promise.resolve(answers.shift() ?? PERMIT) }, takeSlot);
  const giveUp = new AbortController();
  const served: number[] = [];
  const waiting = [1, 2, 3].map((number) =>
    permits.acquire('write', asking(), number === 2 ? giveUp.signal : never).then(() => served.push(number)),
  );
  giveUp.abort(new Error('enough'));
  await expect(waiting[1]).rejects.toThrow('enough');
  await Promise.all([waiting[0], waiting[2]]);
  expect(served).toEqual([1, 3]);
});

test('one whose configuration is held · makes room at once · for those behind it', async () => {
  const answers: (Permit | Denied | Held)[] = [{ granted: false, heldBy: 'create:x' }];
  const permits = createPermitQueue({ acquire: () => Promise.resolve(answers.shift() ?? PERMIT) }, takeSlot);
  const turns = [1, 2].map((number) => permits.acquire('write', asking(`d${number}`), never));
  expect(await Promise.all(turns)).toMatchObject([{ granted: false, heldBy: 'create:x' }, PERMIT]);
});

test('a further page · waits apart from those whose attempt has not begun · and belongs to no delivery', async () => {
  const asked: unknown[] = [];
  const held = Promise.withResolvers<Permit | Denied | Held>();
  const acquire = (_: unknown, of: unknown) => {
    asked.push(of);
    return of === null ? Promise.resolve(PERMIT) : held.promise;
  };
  const permits = createPermitQueue({ acquire }, takeSlot);
  const look = permits.acquire('read', asking(), never);
  await permits.furtherPage(never);
  expect(asked).toEqual([asking(), null]);
  held.resolve(PERMIT);
  await look;
});
