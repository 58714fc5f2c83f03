// A tenant moved to another Redis under load, with the command killed on the way: nothing is lost, and nothing doubled.
import { expect, test } from 'vitest';
import { runOnce } from './run.ts';

test('a move under load · killed and run again · refuses for a while, and loses and doubles nothing', async () => {
  const report = await runOnce({ seed: 3, to: 'single', perSecond: 15, kills: 1 });
  expect(report).toMatchObject({ violations: [] });
  expect(report.delivered).toBeGreaterThan(30);
}, 300_000);
