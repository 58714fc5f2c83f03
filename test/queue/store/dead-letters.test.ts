// Dead letters: listed newest first page by page, replayed once, purged only when dead.
import { expect, test } from 'vitest';
import type { Tenant } from '../../../src/queue/tenant.ts';
import { openFreshTenants } from '../../support/fresh-redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { buryDeliveries } from '../../support/dead-letters.ts';
import { aRun } from '../../support/tenant.ts';
import { waitingJobs } from '../../support/jobs.ts';

let redis: TestRedis;
let queue: Tenant;

openFreshTenants((opened) => void ({ redis, queue } = opened));

const buryAll = (count: number, diedAt: (number: number) => number) => buryDeliveries({ redis, queue }, count, diedAt);

test('many dead letters of the same millisecond · are listed page by page · each once', async () => {
  const ids = await buryAll(25, () => 5000);
  const listed: string[] = [];
  let cursor: string | null = null;
  let pages = 0;
  do {
    const page = await queue.deadLetters.list({}, 4, cursor);
    listed.push(...page.deadLetters.map(({ id }) => id));
    cursor = page.nextCursor;
    pages += 1;
  } while (cursor !== null && pages < 20);
  expect(listed.toSorted()).toEqual(ids.toSorted());
});

test('a name that is no delivery’s id · is none · to replay or purge', async () => {
  await buryAll(1, () => 1000);
  for (const deliveryId of ['counts', 'dead', '']) {
    expect(await queue.deadLetters.replay({ deliveryId }, 9000)).toBe(0);
    expect(await queue.deadLetters.purge({ deliveryId })).toBe(0);
  }
  expect(await queue.deadLetters.count({ filter: {} })).toBe(1);
});

test('a list · begins with the newest · and keeps its place when others leave', async () => {
  const ids = await buryAll(6, (number) => 1000 + number);
  const first = await queue.deadLetters.list({}, 2, null);
  expect(first.deadLetters.map(({ id }) => id)).toEqual([ids[5], ids[4]]);
  await queue.deadLetters.replay({ deliveryId: ids[5] ?? '' }, 9000);
  const second = await queue.deadLetters.list({}, 2, first.nextCursor);
  expect(second.deadLetters.map(({ id }) => id)).toEqual([ids[3], ids[2]]);
});

test('a filter · finds by code, configuration and device · all given must match', async () => {
  const ids = await buryAll(6, (number) => 1000 + number);
  const list = async (filter: Parameters<typeof queue.deadLetters.list>[0]) =>
    (await queue.deadLetters.list(filter, 50, null)).deadLetters.map(({ id }) => id).toSorted();
  expect(await list({ code: 'graph-404' })).toEqual([ids[0], ids[2], ids[4]].toSorted());
  expect(await list({ deviceId: 'device-3' })).toEqual([ids[3]]);
  expect(await list({ code: 'graph-404', deviceId: 'device-3' })).toEqual([]);
  expect(await list({ hardwareConfigurationId: aRun(1).hardwareConfigurationId })).toHaveLength(6);
  expect(await list({ hardwareConfigurationId: 'another' })).toEqual([]);
});

test('a replay · puts it back under the same id with its history · a second one does nothing', async () => {
  const [id = ''] = await buryAll(3, (number) => 1000 + number);
  expect(await queue.deadLetters.count({ deliveryId: id })).toBe(1);
  expect(await queue.deadLetters.replay({ deliveryId: id }, 9000)).toBe(1);
  expect(await queue.deadLetters.replay({ deliveryId: id }, 9001)).toBe(0);
  expect(await queue.deliveries.find(id)).toMatchObject({ status: 'queued', attemptsMade: 1, failingSince: null });
  expect(await waitingJobs(redis.client)).toEqual([id]);
  expect(await queue.deliveries.counts()).toMatchObject({ queued: 1, dead: 2 });
  expect((await queue.readSnapshot()).oldestOpen.at).toBe(1);
});

test('a replay by filter · counts what matches · and replays just that', async () => {
  await buryAll(7, (number) => 1000 + number);
  const selection = { filter: { code: 'graph-404' } };
  expect(await queue.deadLetters.count(selection)).toBe(4);
  expect(await queue.deadLetters.replay(selection, 9000)).toBe(4);
  expect(await queue.deadLetters.count(selection)).toBe(0);
  expect(await queue.deliveries.counts()).toMatchObject({ queued: 4, dead: 3 });
});

test('a purge · forgets dead letters for good · and never an open delivery', async () => {
  const [id = '', other = ''] = await buryAll(2, (number) => 1000 + number);
  await queue.deadLetters.replay({ deliveryId: other }, 9000);
  expect(await queue.deadLetters.purge({ deliveryId: other })).toBe(0);
  expect(await queue.deadLetters.purge({ filter: {} })).toBe(1);
  expect(await queue.deliveries.find(id)).toBeNull();
  expect(await queue.deliveries.counts()).toMatchObject({ queued: 1, dead: 0 });
  expect((await queue.deliveries.accept(aRun(0), 1)).kind).toBe('accepted');
});
