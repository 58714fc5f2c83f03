// One process's line for the budget: first come first served, and whoever joins while the line runs dry is served too.
import { expect, test } from 'vitest';
import { createPacer } from '../../../src/queue/budget/permit-queue.ts';
import type { Turn } from '../../../src/queue/budget/budget.ts';
import { asking } from '../../support/hold.ts';
import pTimeout from 'p-timeout';

const GO: Turn = { go: true, probes: [], hadFailures: false };
const never = new AbortController().signal;

test.each(Array.from({ length: 8 }, (_, ticks) => [ticks]))(
  'one who joins %i moments after the last was served · is served · though nobody comes after',
  async (ticks) => {
    const pacer = createPacer({ take: () => Promise.resolve(GO) });
    await pacer.turn('write', asking(), never);
    for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve();
    expect(await pTimeout(pacer.turn('write', asking(), never), { milliseconds: 1000 })).toEqual(GO);
  },
);

test('those who wait · are served in the order they came · and one that gives up is passed over', async () => {
  const answers: Turn[] = [{ go: false, waitMs: 1, because: 'pace' }];
  const pacer = createPacer({ take: () => Promise.resolve(answers.shift() ?? GO) });
  const giveUp = new AbortController();
  const served: number[] = [];
  const waiting = [1, 2, 3].map((number) =>
    pacer.turn('write', asking(), number === 2 ? giveUp.signal : never).then(() => served.push(number)),
  );
  giveUp.abort(new Error('enough'));
  await expect(waiting[1]).rejects.toThrow('enough');
  await Promise.all([waiting[0], waiting[2]]);
  expect(served).toEqual([1, 3]);
});

test('one whose configuration is held · makes room at once · for those behind it', async () => {
  const answers: Turn[] = [{ go: false, heldBy: 'create:x' }];
  const pacer = createPacer({ take: () => Promise.resolve(answers.shift() ?? GO) });
  const turns = [1, 2].map((number) => pacer.turn('write', asking(`d${number}`), never));
  expect(await Promise.all(turns)).toEqual([{ go: false, heldBy: 'create:x' }, GO]);
});

test('a further page · waits apart from those whose attempt has not begun · and belongs to no delivery', async () => {
  const asked: unknown[] = [];
  const held = Promise.withResolvers<Turn>();
  const pacer = createPacer({
    take: (_, of) => {
      asked.push(of);
      return of === null ? Promise.resolve(GO) : held.promise;
    },
  });
  const look = pacer.turn('read', asking(), never);
  await pacer.furtherPage(never);
  expect(asked).toEqual([asking(), null]);
  held.resolve(GO);
  await look;
});
