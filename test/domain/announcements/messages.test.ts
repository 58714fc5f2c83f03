// Messages: a few announcements one by one, a storm as one with a count; and how long an untaken one is tried.
import { expect, test } from 'vitest';
import type { Announcement } from '../../../src/domain/announcements/announcement.ts';
import { toMessages } from '../../../src/domain/announcements/messages.ts';
import { retryDelayMs, TRIED_FOR_MS } from '../../../src/domain/announcements/retry.ts';

const began = (number: number, members: Partial<Announcement> = {}): Announcement => ({
  type: 'hold.began',
  tenant: `tenant-${number}`,
  reason: 'forbidden',
  detail: `detail ${number}`,
  remedy: 'Grant it.',
  since: 1000 + number,
  at: 2000 + number,
  ...members,
});
const many = (count: number, members: Partial<Announcement> = {}) =>
  Array.from({ length: count }, (_, number) => began(number, members));

test('a few · are sent one by one · each with an id of its own', () => {
  const messages = toMessages({ id: 'b', announcements: [...many(3), began(9, { type: 'hold.ended' })], lost: [] });
  expect(messages.map(({ tenant, type, count }) => [tenant, type, count])).toEqual([
    ['tenant-0', 'hold.began', 1],
    ['tenant-1', 'hold.began', 1],
    ['tenant-2', 'hold.began', 1],
    ['tenant-9', 'hold.ended', 1],
  ]);
  expect(new Set(messages.map(({ id }) => id)).size).toBe(4);
});

test('a storm · is one message of each type · with a count, the tenants, and the latest', () => {
  const announcements = [...many(300), began(1, { type: 'hold.ended' })];
  const messages = toMessages({ id: 'b', announcements, lost: [] });
  expect(messages).toHaveLength(2);
  expect(messages[0]).toEqual({
    id: 'msg_b_0',
    type: 'hold.began',
    tenant: null,
    reason: 'forbidden',
    detail:
      '300 × hold.began. 300 tenants: tenant-0, tenant-1, tenant-2, tenant-3, tenant-4, tenant-5, tenant-6, tenant-7, tenant-8, tenant-9 and 290 more. The latest (tenant-299): detail 299',
    remedy: 'Grant it.',
    since: 1000,
    at: 2299,
    count: 300,
  });
});

test('a storm of one tenant for several reasons · names the tenant and each reason', () => {
  const announcements = [...many(4, { tenant: 'contoso' }), began(5, { tenant: 'contoso', reason: 'all-rejected' })];
  expect(toMessages({ id: 'b', announcements, lost: [] })).toMatchObject([
    {
      tenant: 'contoso',
      reason: 'several',
      detail: '5 × hold.began: forbidden 4, all-rejected. The latest (contoso): detail 5',
      remedy: 'The dashboard and GET /v1/status have the remedy of each.',
      count: 5,
    },
  ]);
});

test('announcements that were not kept · count all the same', () => {
  const lost = [{ type: 'hold.began', lost: 40 } as const];
  expect(toMessages({ id: 'b', announcements: many(2), lost })).toMatchObject([{ count: 42 }]);
});

test('the same batch · gives the same messages · so that none is sent twice', () => {
  const batch = { id: 'b', announcements: many(7), lost: [] };
  expect(toMessages(batch)).toEqual(toMessages(structuredClone(batch)));
});

test('waits · grow from seconds to an hour · and a day has some dozens of attempts', () => {
  expect([1, 2, 5, 11, 60].map((attempts) => retryDelayMs(attempts, 1))).toEqual([
    5000, 10_000, 80_000, 3_600_000, 3_600_000,
  ]);
  expect(retryDelayMs(3, 0)).toBe(10_000);
  let [waitedMs, attempts] = [0, 1];
  for (; waitedMs < TRIED_FOR_MS; attempts += 1) waitedMs += retryDelayMs(attempts, 0.5);
  expect(attempts).toBeGreaterThan(30);
  expect(attempts).toBeLessThan(60);
});
