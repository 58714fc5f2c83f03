// A short hostile campaign; the long one is `npm run hostile`.
import { expect, test } from 'vitest';
import { createCase, runCampaign } from './campaign.ts';

const CASES = 2000;

test('thousands of hostile requests · are all refused as documented, or kept as the rules say · and the API serves on', async () => {
  const { violations, played, families, answers, records } = await runCampaign({ cases: CASES, seed: 20_261, slow: 0 });
  expect(violations).toEqual([]);
  expect(played).toBe(CASES);
  // What was hardly ever tried, or never refused, shows nothing.
  expect(Object.keys(families).length).toBeGreaterThan(100);
  expect(Object.keys(families).filter((name) => name.startsWith('batch')).length).toBeGreaterThan(30);
  expect(records).toBeGreaterThan(CASES / 5);
  expect(Object.keys(answers)).toEqual(
    expect.arrayContaining(['200', '202', '400', '401', '403', '404', '405', '409']),
  );
  expect(Object.keys(answers)).toEqual(expect.arrayContaining(['413', '415', '422', '431']));
}, 180_000);

test('a case · made again from its seed and number · is the same to the byte', () => {
  for (let number = 0; number < 300; number += 1) {
    expect(createCase({ seed: 7, number, nowS: 1_795_000_000 })).toEqual(
      createCase({ seed: 7, number, nowS: 1_795_000_000 }),
    );
  }
});
