// An API with a webhook and no worker: it alone tells operators that the backlog is full, and that it has room again.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { startReceiver, type Receiver } from '../support/receiver.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { aRun } from '../support/tenant.ts';
import { until } from '../support/until.ts';

let redis: TestRedis;
let receiver: Receiver;
let app: TestApp;

beforeEach(async () => {
  [redis, receiver] = await Promise.all([startTestRedis(), startReceiver()]);
  const env = { ...receiver.environment(), MAX_BACKLOG_BYTES: '1000', PUBLIC_BASE_PATH: '/bios' };
  app = await startTestApp(redis, { env });
});
afterEach(async () => {
  await app.close();
  await Promise.all([redis.close(), receiver.close()]);
});

test('a backlog that fills and empties · is told · without any worker', async () => {
  const { tenant } = app;
  const accepted = await tenant.accept(aRun(1, { output: 'x'.repeat(2000) }), Date.now());
  if (accepted.kind === 'backlog-full') throw new Error('it was full already');
  const { body } = await receiver.untilTaken('backlog.full', 12_000);
  expect(body).toMatchObject({
    tenant: 'default',
    reason: 'backlog-full',
    detail: expect.stringMatching(/^Submissions are refused with 429: .* MAX_BACKLOG_BYTES/) as string,
    link: '/bios/dashboard?tenant=default',
  });
  await redis.client.hset(tenant.keys.counts, 'bytes', 0);
  await receiver.untilTaken('backlog.room', 12_000);
  expect(receiver.received.map((one) => one.body.type)).toEqual(['backlog.full', 'backlog.room']);
  const told = () => app.lines.filter(({ msg }) => msg === 'announced: an operator was told');
  await until('both are logged', () => told().length === 2);
  expect(told()).toMatchObject([{ type: 'backlog.full' }, { type: 'backlog.room' }]);
});
