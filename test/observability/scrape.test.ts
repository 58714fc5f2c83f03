// A scrape: what it says of Redis and of what waits, and that it says nothing it does not know; who moves the counters.
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import request from 'supertest';
import { HOLD_REASONS } from '../../src/domain/hold/hold.ts';
import { startTestApp, untilConnected, type TestApp } from '../support/app.ts';
import { runResult, sign } from '../support/device.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { read, ROOT } from './sources.ts';

let redis: TestRedis;
let app: TestApp;

beforeAll(async () => {
  redis = await startTestRedis('--maxmemory', '1gb');
  app = await startTestApp(redis, { env: { GRAPH_WRITES_PER_20S: '40' } });
});
afterAll(async () => {
  await app.close();
  await redis.close();
});

/** What a scrape says, but for the process's own. */
async function scrape(): Promise<Record<string, number>> {
  const { text } = await request(app.app).get('/metrics').expect(200);
  const samples = text.split('\n').filter((line) => /^runstate_(?!.*(_bucket|_sum|_count|_total))/.test(line));
  return Object.fromEntries(
    samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

const GAUGES = {
  'runstate_deliveries{status="queued"}': 3,
  'runstate_deliveries{status="delivering"}': 0,
  'runstate_deliveries{status="waiting"}': 0,
  'runstate_deliveries{status="delivered"}': 0,
  'runstate_deliveries{status="dead"}': 0,
  'runstate_deliveries{status="superseded"}': 0,
  runstate_oldest_queued_age_seconds: expect.any(Number) as number,
  runstate_budget_writes_per_second: 2,
  runstate_drain_seconds: 1.5,
  'runstate_held{reason="unauthenticated"}': 0,
  'runstate_held{reason="forbidden"}': 0,
  'runstate_held{reason="credential-refused"}': 0,
  'runstate_held{reason="graph-unavailable"}': 0,
  'runstate_held{reason="token-endpoint-unavailable"}': 0,
  'runstate_held{reason="throttled"}': 0,
  'runstate_held{reason="route-not-served"}': 0,
  'runstate_held{reason="all-rejected"}': 0,
  ...Object.fromEntries(HOLD_REASONS.map((reason) => [`runstate_held_configurations{reason="${reason}"}`, 0])),
  runstate_held_deliveries: 0,
  'runstate_queue_jobs{state="waiting"}': expect.any(Number) as number,
  'runstate_queue_jobs{state="prioritized"}': 0,
  'runstate_queue_jobs{state="active"}': 0,
  'runstate_queue_jobs{state="delayed"}': 0,
  runstate_redis_up: 1,
  runstate_redis_memory_used_ratio: expect.any(Number) as number,
  runstate_durable: 1,
};

test('a scrape · says what waits, what holds it and how Redis is · in every label', async () => {
  for (const runId of ['run-1', 'run-2', 'run-3']) {
    const body = JSON.stringify(runResult({ runId }));
    const headers = { 'Content-Type': 'application/json', ...sign({ body }) };
    await request(app.app).post('/v1/run-results').set(headers).send(body).expect(202);
  }
  const scraped = await scrape();
  expect(scraped).toEqual(GAUGES);
  expect(scraped['runstate_oldest_queued_age_seconds']).toBeGreaterThan(0);
  expect(scraped['runstate_redis_memory_used_ratio']).toBeGreaterThan(0.0005);
  expect(scraped['runstate_redis_memory_used_ratio']).toBeLessThan(0.1);
});

test.each([
  ['appendfsync', 'everysec', 'always'],
  ['maxmemory-policy', 'allkeys-lru', 'noeviction'],
])('%s %s · is told by the next scrape · and its end too', async (setting, weak, strong) => {
  await redis.client.config('SET', setting, weak);
  expect((await scrape())['runstate_durable']).toBe(0);
  await redis.client.config('SET', setting, strong);
  expect((await scrape())['runstate_durable']).toBe(1);
});

test('a Redis without a limit · has no share of it in use · so the sample goes', async () => {
  await redis.client.config('SET', 'maxmemory', '0');
  expect(await scrape()).not.toHaveProperty('runstate_redis_memory_used_ratio');
  await redis.client.config('SET', 'maxmemory', '1gb');
});

test('Redis away · leaves nothing stale in a scrape · and all is back with it', async () => {
  await redis.kill();
  expect(await scrape()).toEqual({ runstate_redis_up: 0 });
  await redis.start();
  await untilConnected(app);
  expect(await scrape()).toEqual(GAUGES);
});

test('counters and histograms · are moved by events · and by nobody else', () => {
  const files = ['src', 'workers'].flatMap((room) =>
    readdirSync(`${ROOT}/${room}`, { recursive: true, encoding: 'utf8' }).map((file) => `${room}/${file}`),
  );
  const movers = files.filter((file) => file.endsWith('.ts') && /\bmetrics\.\w+\.(inc|observe)\(/.test(read(file)));
  expect(movers).toEqual(['src/telemetry/events.ts']);
});
